//! Which of the connections that we dialled is used again.

use std::net::SocketAddr;

use rustls::pki_types::ServerName;

use crate::listen::tls;
use crate::peer::{ListenerId, Party, Peer, Transport};

/// Connections that we dialled are used again for whatever goes the same way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct DialKey {
    pub(super) transport: Transport,
    pub(super) listener: ListenerId,
    pub(super) remote: SocketAddr,
    /// What was proved when we dialled: nothing, but by TLS.
    pub(super) trust: Option<Trust>,
}

/// Whom we trusted, and what the peer's certificate carried.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Trust {
    /// `None`: what the peer is called is no name.
    pub(super) name: Option<ServerName<'static>>,
    pub(super) party: Option<Party>,
}

impl DialKey {
    pub(super) fn of(peer: &Peer) -> DialKey {
        let trust = || Trust {
            name: tls::server_name(peer.server_name.as_deref(), peer.remote.ip()),
            party: peer.party.clone(),
        };
        DialKey {
            transport: peer.transport,
            listener: peer.listener,
            remote: peer.remote,
            trust: (peer.transport == Transport::Tls).then(trust),
        }
    }

    /// Whose system it is, where TLS asks for that.
    pub(super) fn party(&self) -> Option<&Party> {
        self.trust.as_ref()?.party.as_ref()
    }
}
