//! Authorities and certificates that exist for one test. The unit tests of TLS use them too.

#![allow(dead_code)] // Each test binary uses a part.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// What a certificate may be shown for.
pub type Purpose = rcgen::ExtendedKeyUsagePurpose;

/// Who signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

/// A certificate and its key, PEM.
pub struct Leaf {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let mut params = params(&[], name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// Signs a certificate for host names and addresses.
    pub fn leaf(&self, names: &[&str]) -> Leaf {
        self.sign(params(names, "leaf"))
    }

    /// One for these uses alone (extendedKeyUsage); none: for any.
    pub fn leaf_for(&self, names: &[&str], purposes: &[Purpose]) -> Leaf {
        let mut params = params(names, "leaf");
        params.extended_key_usages = purposes.to_vec();
        self.sign(params)
    }

    /// One that expired in 2021.
    pub fn expired(&self, names: &[&str]) -> Leaf {
        let mut params = params(names, "leaf");
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(params)
    }

    /// One that expires so many days from now.
    pub fn expiring(&self, names: &[&str], days: u64) -> Leaf {
        let mut params = params(names, "leaf");
        params.not_after = (SystemTime::now() + Duration::from_secs(days * 86_400)).into();
        self.sign(params)
    }

    fn anchors(&self) -> RootCertStore {
        let mut anchors = RootCertStore::empty();
        anchors.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        anchors
    }

    /// A client that trusts this one only, and shows `leaf`.
    pub fn client_with(&self, leaf: &Leaf) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let (chain, key) = leaf.der();
        Arc::new(builder.with_root_certificates(self.anchors()).with_client_auth_cert(chain, key).unwrap())
    }

    /// A server that shows `leaf`, and demands a certificate that this one signed for clients.
    pub fn server_for(&self, leaf: &Leaf) -> Arc<ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.anchors()), provider.clone())
                .build()
                .unwrap();
        let builder =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let (chain, key) = leaf.der();
        Arc::new(builder.with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap())
    }

    /// A client that trusts this one only.
    pub fn client(&self) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_root_certificates(self.anchors()).with_no_client_auth())
    }

    fn sign(&self, params: CertificateParams) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Leaf { certificate, key: key.serialize_pem() }
    }
}

impl Leaf {
    /// Signed by itself, an authority, and with a common name only: what linphone accepts of an address.
    pub fn by_common_name(name: &str) -> Leaf {
        let mut params = params(&[], name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Leaf { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
    }

    /// A server that shows it.
    pub fn server(&self) -> Arc<ServerConfig> {
        let (chain, key) = self.der();
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        Arc::new(builder.with_single_cert(chain, key).unwrap())
    }

    fn der(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap();
        (vec![certificate], PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap())
    }

    /// Writes `name`.pem and `name`.key.
    pub fn write(&self, directory: &Path, name: &str) {
        std::fs::write(directory.join(format!("{name}.pem")), &self.certificate).unwrap();
        std::fs::write(directory.join(format!("{name}.key")), &self.key).unwrap();
    }
}

fn params(names: &[&str], common_name: &str) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 1, 1);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}
