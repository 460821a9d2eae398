//! The certificates of our listeners as peers see them.

use std::path::PathBuf;
use std::sync::Arc;

use config::{Config, Host};
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

use super::reason::bare;
use super::{file, provider, server_name};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Where it is.
    pub file: PathBuf,
    /// The names and addresses that it carries.
    pub names: Vec<String>,
    /// Names that are wanted and that no certificate of its listener carries.
    pub missing: Vec<String>,
    /// What is wrong with its chain, by the authorities of this system.
    pub chain: Option<&'static str>,
}

/// All that can be read.
pub(super) fn all(config: &Config, wanted: &[Host]) -> Vec<Shown> {
    let mut anchors = RootCertStore::empty();
    anchors.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(anchors), provider()).build().ok();
    let mut shown = Vec::new();
    for listen in &config.listen {
        let read = |one: &config::Certificate| {
            Some((one.certificate.clone(), file::certificates(&one.certificate).ok()?))
        };
        let certificates: Vec<_> = listen.certificates.iter().filter_map(read).collect();
        let is_carried = |name: &Host| {
            let name = server_name(Some(&name.to_string()), listen.address.ip());
            let carries = |(_, chain): &(_, Vec<CertificateDer<'_>>)| {
                let leaf = chain.first().and_then(|leaf| ParsedCertificate::try_from(leaf).ok());
                leaf.zip(name.as_ref()).is_some_and(|(leaf, name)| verify_server_name(&leaf, name).is_ok())
            };
            certificates.iter().any(carries)
        };
        let missing: Vec<String> =
            wanted.iter().filter(|name| !is_carried(name)).map(ToString::to_string).collect();
        for (index, (file, chain)) in certificates.iter().enumerate() {
            let Some((leaf, rest)) = chain.split_first() else { continue };
            // What no certificate carries is told once.
            let missing = if index == 0 { missing.clone() } else { Vec::new() };
            let chain = verifier.as_ref().and_then(|verifier| fault(verifier, leaf, rest));
            shown.push(Shown { file: file.clone(), names: names(leaf), missing, chain });
        }
    }
    shown
}

/// What a certificate carries: the library names it when it is asked for something else.
fn names(leaf: &CertificateDer<'_>) -> Vec<String> {
    let Ok(leaf) = ParsedCertificate::try_from(leaf) else { return Vec::new() };
    let nobody = ServerName::from(std::net::IpAddr::from([0, 0, 0, 0]));
    match verify_server_name(&leaf, &nobody) {
        Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) => {
            presented.iter().map(|name| bare(name).to_owned()).collect()
        }
        _ => Vec::new(),
    }
}

fn fault(
    verifier: &WebPkiServerVerifier,
    leaf: &CertificateDer<'_>,
    rest: &[CertificateDer<'_>],
) -> Option<&'static str> {
    let name = ServerName::from(std::net::IpAddr::from([0, 0, 0, 0]));
    match verifier.verify_server_cert(leaf, rest, &name, &[], UnixTime::now()) {
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            Some("no authority that this system knows has signed it")
        }
        Err(Error::InvalidCertificate(CertificateError::Other(_))) => {
            Some("its chain is no good: it may be signed by itself, as an authority is")
        }
        _ => None,
    }
}
