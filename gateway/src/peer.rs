//! Where a message came from, and where one goes.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub use config::Transport;
use serde::{Deserialize, Serialize};

/// A listener, by [`config::Listen::number`]. Never another one's in the life of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ListenerId(pub u16);

/// A TCP or TLS connection, whoever dialled it. Never used twice in the life of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConnectionId(pub u64);

/// What TLS was agreed on for a connection, by the numbers of IANA's registries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Secured {
    version: u16,
    cipher_suite: u16,
}

impl Secured {
    /// What a handshake has led to; `None` before it has.
    pub fn of(connection: &rustls::CommonState) -> Option<Secured> {
        let version = u16::from(connection.protocol_version()?);
        let cipher_suite = u16::from(connection.negotiated_cipher_suite()?.suite());
        Some(Secured { version, cipher_suite })
    }

    /// The version of TLS, such as `1.3`.
    pub fn version(self) -> &'static str {
        match self.version {
            0x0304 => "1.3",
            0x0303 => "1.2",
            _ => "unknown",
        }
    }

    /// The cipher suite, such as `TLS_AES_128_GCM_SHA256`.
    pub fn cipher_suite(self) -> &'static str {
        match self.cipher_suite {
            // Registered without the version that rustls puts into their names.
            0x1301 => "TLS_AES_128_GCM_SHA256",
            0x1302 => "TLS_AES_256_GCM_SHA384",
            0x1303 => "TLS_CHACHA20_POLY1305_SHA256",
            number => rustls::CipherSuite::from(number).as_str().unwrap_or("unknown"),
        }
    }
}

/// Whose system a peer is: its trust anchors and our certificate for it are the configuration's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Party {
    /// A carrier, by its name.
    Carrier(Arc<str>),
    /// A customer's, by the id of its voice connector.
    VoiceConnector(Arc<str>),
}

impl fmt::Display for Party {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Party::Carrier(name) => write!(formatter, "carrier {name}"),
            Party::VoiceConnector(id) => write!(formatter, "voice connector {id}"),
        }
    }
}

/// Where a message goes.
///
/// Over `connection` while that lives; else, for a stream, over a connection that we dialled from `listener`'s
/// address to `remote` (used again, or dialled now); UDP leaves by the listener's own socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Peer {
    /// What carries it.
    pub transport: Transport,
    /// The listener whose address we speak from.
    pub listener: ListenerId,
    /// Where to, when `connection` is gone or none is named.
    pub remote: SocketAddr,
    /// The address of ours to speak from, where the listener has several because it is bound to a wildcard;
    /// `None`: the one that the routing table picks.
    pub local: Option<IpAddr>,
    /// The flow that the peer came by.
    pub connection: Option<ConnectionId>,
    /// The name that the certificate must carry when we dial TLS; none: the address.
    pub server_name: Option<Arc<str>>,
    /// Whose system it is, for TLS; none: found by the address when we dial.
    #[serde(default)]
    pub party: Option<Party>,
    /// What TLS was agreed on, where the peer came by it; not written down with the rest.
    #[serde(skip)]
    pub secured: Option<Secured>,
}

impl Peer {
    /// A peer that is reached by its address.
    pub fn new(transport: Transport, listener: ListenerId, remote: SocketAddr) -> Peer {
        Peer {
            transport,
            listener,
            remote,
            local: None,
            connection: None,
            server_name: None,
            party: None,
            secured: None,
        }
    }
}

/// Where a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source {
    /// What carried it.
    pub transport: Transport,
    /// The listener that took it, or from whose address we dialled.
    pub listener: ListenerId,
    /// The address that it was sent to; a real one, even where the listener is bound to a wildcard.
    pub local: SocketAddr,
    /// The address that it came from.
    pub remote: SocketAddr,
    /// The connection that it came by.
    pub connection: Option<ConnectionId>,
    /// What TLS was agreed on for that.
    pub secured: Option<Secured>,
}

impl Source {
    /// The way back: the same flow.
    pub fn peer(&self) -> Peer {
        Peer {
            transport: self.transport,
            listener: self.listener,
            remote: self.remote,
            local: Some(self.local.ip()),
            connection: self.connection,
            server_name: None,
            party: None,
            secured: self.secured,
        }
    }
}
