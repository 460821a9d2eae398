//! The way between a peer and one transaction.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sip::Message;

use crate::peer::{Peer, Source};

/// Where a transaction's messages come from and go to.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    /// Where its messages came from; where those are expected from that answer a request of ours.
    pub source: Source,
    /// Where our messages go.
    pub peer: Peer,
}

impl Flow {
    /// The way of a request that came, and of the responses to it: RFC 3261 §18.2.2 and RFC 3581 §4. A stream's own
    /// connection, and the sent-by port once that is gone; for a datagram its source address, at the source port when
    /// `rport` asks for it.
    pub(super) fn of_request(source: Source, request: &Message) -> Self {
        let mut peer = source.peer();
        if let Ok((port, asks)) = request.response_port() {
            let symmetric = source.connection.is_none() && asks;
            if !symmetric {
                let port = port.unwrap_or_else(|| source.transport.default_port());
                peer.remote = SocketAddr::new(source.remote.ip(), port);
            }
        }
        Self { source, peer }
    }

    /// The way of the responses to a request that came to an earlier run, whose connections are gone.
    ///
    /// - `peer`: where it came from.
    pub(super) fn back(mut peer: Peer, request: &Message) -> Self {
        if let Ok((port, asks)) = request.response_port()
            && (peer.transport.is_reliable() || !asks)
        {
            let port = port.unwrap_or_else(|| peer.transport.default_port());
            peer.remote = SocketAddr::new(peer.remote.ip(), port);
        }
        Self::to(peer)
    }

    /// The way of a response that came.
    pub(super) fn of_response(source: Source) -> Self {
        Self { source, peer: source.peer() }
    }

    /// The way of a request of ours.
    pub(super) fn to(peer: Peer) -> Self {
        let local = SocketAddr::new(peer.local.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), 0);
        let Peer { transport, listener, remote, connection, secured, .. } = peer;
        Self { source: Source { transport, listener, local, remote, connection, secured }, peer }
    }
}
