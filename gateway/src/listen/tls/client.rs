//! Whom we trust, and what we show, when we dial.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use config::{Config, Peer};
use ipnet::IpNet;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};

use super::{TlsError, file};
use crate::peer::Party;

/// How some party is dialled.
#[derive(Debug, Clone)]
pub(in crate::listen) struct Client {
    pub(in crate::listen) config: Arc<ClientConfig>,
    /// Whose word counts, for the log: a file or the system.
    pub(in crate::listen) anchors: Arc<str>,
}

/// How each party is dialled.
#[derive(Debug)]
pub(super) struct Clients {
    default: Client,
    /// The parties whose settings differ from that.
    parties: HashMap<Party, Client>,
    /// The addresses of those, for peers that nobody named: a response whose connection is gone.
    addresses: Vec<(IpNet, Client)>,
}

impl Clients {
    pub(super) fn read(config: &Config, provider: &Arc<CryptoProvider>) -> Result<Clients, TlsError> {
        let anchors = match &config.tls.ca {
            Some(path) => Anchors::of_file(path)?,
            None => Anchors::of_system(),
        };
        let mut clients = Clients {
            default: anchors.client(None, provider)?,
            parties: HashMap::new(),
            addresses: Vec::new(),
        };
        let carriers = config
            .carrier
            .iter()
            .map(|carrier| (Party::Carrier(carrier.name.as_str().into()), &carrier.peer, &carrier.allowlist));
        let connectors = config.voice_connector.iter().map(|connector| {
            let party = Party::VoiceConnector(connector.id.as_str().into());
            (party, &connector.peer, &connector.termination.allowlist)
        });
        for (party, peer, allowlist) in carriers.chain(connectors) {
            let Some(client) = of_peer(peer, &anchors, provider)? else { continue };
            clients.addresses.extend(allowlist.iter().map(|net| (*net, client.clone())));
            clients.parties.insert(party, client);
        }
        Ok(clients)
    }

    pub(super) fn of(&self, party: Option<&Party>, remote: IpAddr) -> Client {
        let client = match party {
            Some(party) => self.parties.get(party),
            None => {
                let remote = remote.to_canonical();
                self.addresses.iter().find(|(net, _)| net.contains(&remote)).map(|(_, client)| client)
            }
        };
        client.unwrap_or(&self.default).clone()
    }
}

/// `None` where it is the default.
fn of_peer(
    peer: &Peer,
    default: &Anchors,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Client>, TlsError> {
    let certified = match (&peer.client_certificate, &peer.client_key) {
        (Some(certificate), Some(key)) => Some(file::certified_key(certificate, key, provider)?),
        _ => None,
    };
    match &peer.ca {
        None if certified.is_none() => Ok(None),
        None => default.client(certified, provider).map(Some),
        Some(path) => Anchors::of_file(path)?.client(certified, provider).map(Some),
    }
}

struct Anchors {
    store: Arc<RootCertStore>,
    shown: Arc<str>,
}

impl Anchors {
    fn of_file(path: &Path) -> Result<Anchors, TlsError> {
        let shown = format!("the authorities of {}", path.display());
        Ok(Anchors { store: Arc::new(file::anchors(path)?), shown: shown.into() })
    }

    /// The trust anchors of the operating system. None at all is no error, but may be a doubt: every party may have its own.
    fn of_system() -> Anchors {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(found.certs);
        Anchors { store: Arc::new(store), shown: "the system's authorities".into() }
    }

    /// - `certified`: what we show when we are asked.
    fn client(
        &self,
        certified: Option<Arc<CertifiedKey>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Client, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Library)?
            .with_root_certificates(self.store.clone());
        let config = match certified {
            Some(certified) => {
                let shown: Arc<dyn ResolvesClientCert> = Arc::new(SingleCertAndKey::from(certified));
                builder.with_client_cert_resolver(shown)
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Client { config: Arc::new(config), anchors: self.shown.clone() })
    }
}

/// How servers are dialled that are no parties of calls: without a certificate of ours.
///
/// - `ca`: trust anchors, PEM; `None`: the system's.
///
/// # Errors
/// The file can't be used.
pub(crate) fn client_config(ca: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let anchors = ca.map_or_else(|| Ok(Anchors::of_system()), Anchors::of_file)?;
    let client = anchors.client(None, &Arc::new(rustls::crypto::ring::default_provider()))?;
    Ok(ClientConfig::clone(&client.config))
}
