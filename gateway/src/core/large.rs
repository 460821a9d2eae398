//! Requests that are too large for a datagram, and what carries a request that its leg meant for another transport.
//!
//! A datagram of more than a path's MTU arrives in pieces, which firewalls drop. Such a request goes by TCP, and by UDP
//! after all where the peer takes no connection. Its call knows nothing of it: the way to the peer stays the way that the
//! call has. RFC 3261 §18.1.1.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sip::transaction::ClientId;
use sip::{Message, Method, Name, SmolStr, Uri};

use super::flow::Flow;
use super::{CallKey, Client, Core, Live};
use crate::call::RequestId;
use crate::clock::Now;
use crate::local::Local;
use crate::peer::{Party, Peer, Transport};

/// How long a peer that took no connection is asked by UDP at once. A firewall that swallows what it does not let through
/// costs seconds each time.
const REST: Duration = Duration::from_secs(60);

/// What goes by TCP for its size.
#[derive(Default)]
pub(super) struct LargeRequests {
    under_way: HashMap<ClientId, Large>,
    /// The peers that took no connection, and until when that is remembered.
    refused: HashMap<SocketAddr, Instant>,
}

/// A request that went by TCP, until its transaction ends.
struct Large {
    /// The way that its call meant it to go.
    peer: Peer,
    /// What to send there where no connection can be had; none once anything was heard, or nobody wants it any more.
    datagram: Option<Message>,
}

impl LargeRequests {
    /// So many peers are remembered: whoever is called names addresses.
    const MOST: usize = 1_024;

    /// Requests under way.
    pub fn len(&self) -> usize {
        self.under_way.len()
    }

    /// The transaction is over.
    pub fn forget(&mut self, id: ClientId) {
        self.under_way.remove(&id);
    }

    fn takes_streams(&self, now: Now, peer: SocketAddr) -> bool {
        self.refused.get(&peer).is_none_or(|until| *until <= now.instant)
    }

    fn took_none(&mut self, now: Now, peer: SocketAddr) {
        if self.refused.len() >= Self::MOST {
            self.refused.retain(|_, until| now.instant < *until);
        }
        if self.refused.len() < Self::MOST {
            self.refused.insert(peer, now.instant + REST);
        }
    }
}

impl Core {
    /// Sends a call's request by the way that its size wants.
    pub(super) fn send_request(
        &mut self,
        now: Now,
        key: CallKey,
        request: RequestId,
        message: Message,
        peer: Peer,
    ) {
        let Some(local) = self.stream_for(now, &message, &peer) else {
            let message = self.as_carried(message, &peer);
            self.begin_request(now, key, request, message, peer);
            return;
        };
        let by_stream =
            Peer { party: peer.party.clone(), ..Peer::new(Transport::Tcp, local.listener, peer.remote) };
        let carried = dressed(&message, &self.live, local, peer.party.as_ref());
        let id = self.begin_request(now, key, request, carried, by_stream);
        let datagram = Some(self.as_carried(message, &peer));
        self.large.under_way.insert(id, Large { peer, datagram });
    }

    /// What we are to `peer` by TCP, where this request is too large to go there by UDP. CANCEL and the ACK of a refusal
    /// are the transaction layer's: they go where their INVITE went.
    fn stream_for(&self, now: Now, message: &Message, peer: &Peer) -> Option<Local> {
        let limit = udp_size_limit(&self.live, peer)?;
        let switches = peer.transport == Transport::Udp
            && message.bytes().len() > usize::from(limit)
            && self.large.takes_streams(now, peer.remote);
        switches.then(|| self.locals.towards(Transport::Tcp, peer.remote.ip())).flatten()
    }

    /// A request under a Via and Contact of what carries it, where its leg was of another transport when it was made: a peer
    /// that called by UDP may have asked something by TCP since.
    pub(super) fn as_carried(&self, message: Message, peer: &Peer) -> Message {
        let is_ours =
            |via: &str| via.strip_prefix("SIP/2.0/").is_some_and(|via| via.starts_with(peer.transport.via()));
        if message.value(Name::Via).is_some_and(|via| is_ours(&via)) {
            return message;
        }
        match self.locals.by(peer.listener, peer.remote.ip(), peer.local) {
            Some(local) => dressed(&message, &self.live, local, peer.party.as_ref()),
            None => message,
        }
    }

    /// Where the response to `id` came from, as its call knows the way. No other way is tried from here on.
    pub(super) fn way_of(&mut self, id: ClientId, from: Peer) -> Peer {
        match self.large.under_way.get_mut(&id) {
            Some(large) => {
                large.datagram = None;
                large.peer.clone()
            }
            None => from,
        }
    }

    /// Nobody wants the request any more that `id` carries.
    pub(super) fn stays_on_stream(&mut self, id: ClientId) {
        if let Some(large) = self.large.under_way.get_mut(&id) {
            large.datagram = None;
        }
    }

    /// A connection for the request of `id` could not be had, or was lost before anything was heard: it goes by UDP now,
    /// under its branch, so that whoever did get it knows it again. Returns whether it does.
    pub(super) fn falls_back(&mut self, now: Now, id: ClientId, key: CallKey, request: RequestId) -> bool {
        let Some(large) = self.large.under_way.get_mut(&id) else { return false };
        let Some(datagram) = large.datagram.take() else { return false };
        let peer = large.peer.clone();
        self.large.took_none(now, peer.remote);
        tracing::debug!(remote = %peer.remote, bytes = datagram.bytes().len(), "no connection for a large request: by UDP");
        self.clients.remove(&id);
        self.begin_request(now, key, request, datagram, peer);
        true
    }

    /// Starts the transaction of a call's request.
    pub(super) fn begin_request(
        &mut self,
        now: Now,
        key: CallKey,
        request: RequestId,
        message: Message,
        peer: Peer,
    ) -> ClientId {
        let reliable = peer.transport.is_reliable();
        let is_bye = message.method() == Some(Method::Bye);
        let id = self.transactions.request(now.instant, message, Flow::to(peer), reliable);
        self.clients.insert(id, Client::Call(key, request));
        if is_bye {
            self.byes.insert(id);
        }
        if let Some(slot) = self.calls.get_mut(&key) {
            slot.requests.insert(request, id);
        }
        id
    }
}

/// The `udp_size_limit` of the party that `peer` belongs to.
fn udp_size_limit(live: &Live, peer: &Peer) -> Option<u16> {
    speech(live, peer.party.as_ref()?)?.udp_size_limit
}

/// How a party speaks.
fn speech<'l>(live: &'l Live, party: &Party) -> Option<&'l config::Peer> {
    match party {
        Party::Carrier(name) => live.config.carrier(name).map(|carrier| &carrier.peer),
        Party::VoiceConnector(id) => live.config.connector(id).map(|connector| &connector.peer),
    }
}

/// A request under the Via and the Contact of `local`; its branch stays.
fn dressed(message: &Message, live: &Live, local: Local, party: Option<&Party>) -> Message {
    let Ok(via) = message.via() else { return message.clone() };
    let local =
        local.named(party.and_then(|party| speech(live, party)).and_then(|peer| peer.contact.as_ref()));
    let branch = via.branch().unwrap_or_default();
    let builder = message.edit().set(Name::Via, local.via(branch).to_string());
    let Ok(Some(contact)) = message.contact() else { return builder.build() };
    let user = match &contact.uri {
        Uri::Sip(uri) => uri.user.clone().unwrap_or_default(),
        _ => SmolStr::default(),
    };
    builder.set(Name::Contact, local.contact(&user).to_string()).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_took_no_connection_is_remembered_for_a_while_and_not_without_end() {
        let mut large = LargeRequests::default();
        let start = Instant::now();
        let now = |after: Duration| Now { instant: start + after, unix: Duration::ZERO };
        let peer = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
        for port in 1..=2_000 {
            large.took_none(now(Duration::ZERO), peer(port));
        }
        assert_eq!(large.refused.len(), LargeRequests::MOST);
        assert!(!large.takes_streams(now(REST / 2), peer(1)) && large.takes_streams(now(REST), peer(1)));
        assert!(large.takes_streams(now(Duration::ZERO), peer(2_000)), "no room was left");
        large.took_none(now(REST), peer(2_000));
        assert_eq!(large.refused.len(), 1, "the old ones made room");
    }
}
