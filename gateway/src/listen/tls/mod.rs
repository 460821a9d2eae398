//! TLS 1.2 and 1.3: who we are to those that connect, whom we trust when we dial. RFC 3261 §26.3.1, RFC 5922.
//!
//! - The cipher suites are ring's: all with forward secrecy.
//! - A listener shows the certificate that fits the server name which the peer asks for, else its first. With
//!   `client_ca` a peer must show one that those authorities signed, for clients unless `client_names` has its name.
//! - When we dial, the peer's certificate must be signed by the anchors of its party, and must carry the configured
//!   name, or the address where an address is configured. A common name counts for nothing.
//! - Files are read by [`Tls::new`] and [`Tls::replace`] only. Connections keep what they began with.
//!
//! Not here: revocation lists and OCSP, `sip:` URIs in certificates (RFC 5922 §7.1 rule 2), ALPN.

#[cfg(test)]
#[path = "../../../tests/support/certificates.rs"]
pub(crate) mod certificates;
mod client;
mod doubt;
mod error;
mod expiry;
mod fault;
mod file;
mod name;
mod reason;
mod seldom;
mod server;
mod server_only;
mod shown;
#[cfg(test)]
mod tests;

pub(super) use client::Client;
pub(crate) use client::client_config;
pub use error::TlsError;
pub use expiry::Expiry;
pub use fault::HandshakeFault;
pub(super) use reason::reason;
pub(super) use seldom::Seldom;
pub use shown::Shown;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use config::{Config, Transport};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;

use crate::peer::{ListenerId, Party};
use client::Clients;

/// Certificates, keys and trust anchors of a gateway; replaced whole.
#[derive(Debug)]
pub struct Tls(ArcSwap<Material>);

#[derive(Debug, Default)]
struct Material {
    servers: HashMap<ListenerId, Arc<ServerConfig>>,
    /// None without TLS listeners: we dial from a listener's address.
    clients: Option<Clients>,
    expiries: Vec<Expiry>,
}

impl Tls {
    /// Reads every certificate, key and trust anchor that `config` names; nothing without a TLS listener.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn new(config: &Config) -> Result<Tls, TlsError> {
        Ok(Tls(ArcSwap::from_pointee(Material::read(config).map_err(|error| error.placed(config))?)))
    }

    /// No listener has TLS, and nobody can be dialled by it.
    pub fn none() -> Tls {
        Tls(ArcSwap::from_pointee(Material::default()))
    }

    /// Reads everything again: handshakes that begin from now on use it.
    ///
    /// # Errors
    /// The first file that cannot be used; then everything stays as it was.
    pub fn replace(&self, config: &Config) -> Result<(), TlsError> {
        self.0.store(Arc::new(Material::read(config).map_err(|error| error.placed(config))?));
        Ok(())
    }

    /// The certificates of the listeners, beside the names by which peers call us.
    pub fn shown(config: &Config, wanted: &[config::Host]) -> Vec<Shown> {
        shown::all(config, wanted)
    }

    /// When the chains that we show expire, as they were read last.
    pub fn expiries(&self) -> Vec<Expiry> {
        self.0.load().expiries.clone()
    }

    /// What can be used and will not do: for the operator.
    pub fn doubts(config: &Config) -> Vec<String> {
        doubt::all(config)
    }

    /// What a listener shows; `None` where it has no TLS.
    pub(super) fn server(&self, listener: ListenerId) -> Option<Arc<ServerConfig>> {
        self.0.load().servers.get(&listener).cloned()
    }

    /// How to dial a peer: the anchors of its party; where none is named, of the party whose allowlist has the
    /// address; else those of `[tls]`. `None` where nobody can be dialled.
    pub(super) fn client(&self, party: Option<&Party>, remote: IpAddr) -> Option<Client> {
        self.0.load().clients.as_ref().map(|clients| clients.of(party, remote))
    }
}

impl Material {
    fn read(config: &Config) -> Result<Material, TlsError> {
        let provider = provider();
        let mut servers = HashMap::new();
        for listen in config.listen.iter().filter(|listen| listen.protocol == Transport::Tls) {
            servers.insert(ListenerId(listen.number), Arc::new(server::read(listen, &provider)?));
        }
        let clients = if servers.is_empty() { None } else { Some(Clients::read(config, &provider)?) };
        Ok(Material { servers, clients, expiries: expiry::all(config) })
    }
}

/// What a server of HTTP shows that is none of the listeners.
///
/// # Errors
/// The certificate or its key can't be used.
pub(crate) fn server_config(certificate: &config::Certificate) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = provider();
    let certified = file::certified_key(&certificate.certificate, &certificate.key, &provider)?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Library)?;
    let resolver = rustls::sign::SingleCertAndKey::from(certified);
    Ok(Arc::new(builder.with_no_client_auth().with_cert_resolver(Arc::new(resolver))))
}

/// ring, named each time: rustls panics when it has to guess between two.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The name that a certificate must carry: `name` as it is configured (an IPv6 address in brackets), else the address.
/// `None` where it is no name.
pub(super) fn server_name(name: Option<&str>, remote: IpAddr) -> Option<ServerName<'static>> {
    let Some(name) = name else { return Some(ServerName::from(remote)) };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    ServerName::try_from(bare.strip_suffix('.').unwrap_or(bare)).ok().map(|name| name.to_owned())
}
