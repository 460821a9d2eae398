//! Where a message came from, and where one goes.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub use config::Transport;
use serde::{Deserialize, Serialize};

/// A listener: its index in the configuration's `[[listen]]` tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ListenerId(pub u16);

/// A TCP or TLS connection, whoever dialled it. Never used twice in the life of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConnectionId(pub u64);

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
}

impl Peer {
    /// A peer that is reached by its address.
    pub fn new(transport: Transport, listener: ListenerId, remote: SocketAddr) -> Peer {
        Peer { transport, listener, remote, local: None, connection: None, server_name: None, party: None }
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
        }
    }
}
