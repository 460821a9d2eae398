//! Which of a listener's certificates a peer is shown. RFC 6066 §3.

use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Certificates in the order of the configuration.
#[derive(Debug)]
pub(super) struct ByServerName(pub(super) Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for ByServerName {
    /// The first that carries the name and whose key the peer can check; else the first that it can check; else, for
    /// an alert that says what was wrong, the first.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let usable = |one: &&Arc<CertifiedKey>| one.key.choose_scheme(schemes).is_some();
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let named =
            name.and_then(|name| self.0.iter().filter(usable).find(|certified| carries(certified, &name)));
        named.or_else(|| self.0.iter().find(usable)).or(self.0.first()).cloned()
    }
}

/// Wildcards count; the common name does not.
fn carries(certified: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let leaf = certified.end_entity_cert().and_then(ParsedCertificate::try_from);
    leaf.is_ok_and(|leaf| verify_server_name(&leaf, name).is_ok())
}
