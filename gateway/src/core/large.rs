//! Requests that are too large for a datagram, and what carries a request that its leg meant for another transport.
//!
//! A datagram of more than a path's MTU arrives in pieces, which firewalls drop. Such a request goes by TCP, and by UDP
//! after all where the peer takes no connection. Its call knows nothing of it: the way to the peer stays the way that the
//! call has. RFC 3261 §18.1.1.

use sip::transaction::ClientId;
use sip::{Message, Method, Name, Uri};

use super::flow::Flow;
use super::{CallKey, Client, Core, Live};
use crate::call::RequestId;
use crate::clock::Now;
use crate::local::Local;
use crate::peer::{Party, Peer, Transport};

/// A request that went by TCP for its size, until its transaction ends.
pub(super) struct Large {
    /// The way that its call meant it to go.
    peer: Peer,
    /// What to send there where no connection can be had; none once anything was heard, or nobody wants it any more.
    datagram: Option<Message>,
}

impl Core {
    /// What of a call's request leaves, and by which way.
    pub(super) fn by_size(&self, message: Message, peer: Peer) -> (Message, Peer, Option<Large>) {
        let limit =
            udp_size_limit(&self.live, &peer).filter(|limit| message.bytes().len() > usize::from(*limit));
        // CANCEL and the ACK of a refusal go where their INVITE went, and the ACK of a 2xx must not be lost to a
        // connection that nobody takes.
        let switches = limit.is_some() && peer.transport == Transport::Udp && !is_ack(&message);
        let stream = self.locals.towards(Transport::Tcp, peer.remote.ip()).filter(|_| switches);
        let Some(local) = stream else { return (self.as_carried(message, &peer), peer, None) };
        let datagram = Some(self.as_carried(message.clone(), &peer));
        let by = Peer {
            listener: local.listener,
            local: None,
            ..Peer::new(Transport::Tcp, local.listener, peer.remote)
        };
        let by = Peer { party: peer.party.clone(), server_name: peer.server_name.clone(), ..by };
        (dressed(&message, &self.live, local, peer.party.as_ref()), by, Some(Large { peer, datagram }))
    }

    /// A request under a Via and Contact of what carries it, where its leg was of another transport when it was made: a peer
    /// that called by UDP may have asked something by TCP since.
    pub(super) fn as_carried(&self, message: Message, peer: &Peer) -> Message {
        let says = message.via().map(|via| via.transport);
        if says.is_ok_and(|says| says.eq_ignore_ascii_case(peer.transport.via())) {
            return message;
        }
        match self.locals.by(peer.listener, peer.remote.ip()) {
            Some(local) => dressed(&message, &self.live, local, peer.party.as_ref()),
            None => message,
        }
    }

    /// Where the response to `id` came from, as its call knows the way. No other way is tried from here on.
    pub(super) fn way_of(&mut self, id: ClientId, from: Peer) -> Peer {
        match self.large.get_mut(&id) {
            Some(large) => {
                large.datagram = None;
                large.peer.clone()
            }
            None => from,
        }
    }

    /// Nobody wants the request any more that `id` carries.
    pub(super) fn stays_on_stream(&mut self, id: ClientId) {
        if let Some(large) = self.large.get_mut(&id) {
            large.datagram = None;
        }
    }

    /// A connection for the request of `id` could not be had, or was lost before anything was heard: it goes by UDP now,
    /// under its branch, so that whoever did get it knows it again. Returns whether it does.
    pub(super) fn falls_back(&mut self, now: Now, id: ClientId, key: CallKey, request: RequestId) -> bool {
        let Some(large) = self.large.get_mut(&id) else { return false };
        let Some(datagram) = large.datagram.take() else { return false };
        let peer = large.peer.clone();
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

fn is_ack(message: &Message) -> bool {
    message.method() == Some(Method::Ack)
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
    let builder = message.edit().set(Name::Via, local.via(branch));
    let Ok(Some(contact)) = message.contact() else { return builder.build() };
    let user = match &contact.uri {
        Uri::Sip(uri) => uri.user.clone().unwrap_or_default(),
        _ => String::new(),
    };
    builder.set(Name::Contact, local.contact(&user)).build()
}
