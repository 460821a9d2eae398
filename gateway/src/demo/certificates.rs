//! An authority and its certificates, made for one run of the demo.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::failure::Failure;

/// The authority that everybody here trusts.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate chain and its key, PEM.
struct Leaf {
    certificate: String,
    key: String,
}

/// How a phone speaks TLS.
#[derive(Clone)]
pub struct Tls {
    /// When it is called.
    pub server: Arc<ServerConfig>,
    /// When it calls.
    pub client: Arc<ClientConfig>,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// No key or certificate can be made.
    pub fn new() -> Result<Authority, Failure> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "voice-connector demo authority");
        let key = KeyPair::generate().map_err(tls("making a key"))?;
        let pem = params.self_signed(&key).map_err(tls("signing a certificate"))?.pem();
        Ok(Authority { issuer: Issuer::new(params, key), pem })
    }

    /// Writes `ca.pem`, and `gateway.pem` and `gateway.key` for these names.
    ///
    /// # Errors
    /// A certificate can't be made, or its files can't be written.
    pub fn write(&self, directory: &Path, names: &[&str]) -> Result<(), Failure> {
        let leaf = self.leaf(names)?;
        for (name, text) in
            [("ca.pem", &self.pem), ("gateway.pem", &leaf.certificate), ("gateway.key", &leaf.key)]
        {
            std::fs::write(directory.join(name), text).map_err(Failure::io(format!("writing {name}")))?;
        }
        Ok(())
    }

    /// For a phone at `ip`: it shows a certificate for that address, and takes those that this authority signed.
    ///
    /// # Errors
    /// A certificate can't be made, or TLS does not take it.
    pub fn phone(&self, ip: IpAddr) -> Result<Tls, Failure> {
        let leaf = self.leaf(&[&ip.to_string()])?;
        let chain = vec![der(&leaf.certificate)?];
        let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).map_err(tls("reading a key"))?;
        let mut roots = RootCertStore::empty();
        roots.add(der(&self.pem)?).map_err(tls("trusting the authority"))?;
        // Never the process's default provider: whoever else is in it might have set another.
        let provider: Arc<CryptoProvider> = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(tls("preparing a TLS server"))?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(tls("preparing a TLS client"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Tls { server: Arc::new(server), client: Arc::new(client) })
    }

    fn leaf(&self, names: &[&str]) -> Result<Leaf, Failure> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).map_err(tls("naming a certificate"))?;
        let key = KeyPair::generate().map_err(tls("making a key"))?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(tls("signing a certificate"))?.pem();
        Ok(Leaf { certificate, key: key.serialize_pem() })
    }
}

fn der(pem: &str) -> Result<CertificateDer<'static>, Failure> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(tls("reading a certificate"))
}

fn tls<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Failure {
    move |error| Failure::Tls { what: what.to_owned(), problem: error.to_string() }
}
