//! Between the phones and the gateway: who is where, by which connection, how long a message takes and whether it comes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sip::transaction::Owner;
use sip::{Message, Method};

use super::{Coming, PhoneId, World};
use crate::core::Input;
use crate::peer::{ConnectionId, ListenerId, Peer, Source, Transport};
use crate::simulation::ladder::Line;
use crate::simulation::link::Link;
use crate::simulation::phone::Phone;

impl World {
    /// Puts a phone at `address`.
    pub fn phone(&mut self, name: &'static str, address: &str, transport: Transport) -> PhoneId {
        let id = PhoneId(self.phones.len());
        let address = address.parse().unwrap();
        let seed = crate::random::Random::next_u64(&mut self.random);
        self.phones.push(Phone::new(name, address, transport, seed));
        self.by_address.insert((transport, address), id);
        id
    }

    /// What `phone` sends comes from `outside` now, and what is sent there reaches it: a NAT, or a port of its own for
    /// what it sends.
    pub fn sends_from(&mut self, phone: PhoneId, outside: &str) {
        let transport = self.phones[phone.0].transport;
        let outside = outside.parse().unwrap();
        if let Some(before) = self.outside.insert(phone, outside) {
            self.by_address.remove(&(transport, before));
        }
        self.by_address.insert((transport, outside), phone);
    }

    /// What is sent to `outside` reaches `phone` too.
    pub fn is_also_at(&mut self, phone: PhoneId, outside: &str) {
        let transport = self.phones[phone.0].transport;
        self.by_address.insert((transport, outside.parse().unwrap()), phone);
    }

    /// `phone` takes TCP connections at its address too. What it is asked there it answers there.
    pub fn takes_tcp(&mut self, phone: PhoneId) {
        self.by_address.insert((Transport::Tcp, self.phones[phone.0].address), phone);
    }

    /// Puts a message on its way to the gateway by a connection of `phone`'s own.
    pub fn send_by_tcp(&mut self, phone: PhoneId, message: Message) {
        let address = self.phones[phone.0].address;
        let connection = self.connections.of(phone, address);
        self.send_by(phone, message, Some(connection));
    }

    /// `phone` believes that it is at `inside`, where nobody reaches it.
    pub fn hides_at(&mut self, phone: PhoneId, inside: &str) {
        let Phone { transport, address, .. } = self.phones[phone.0];
        self.by_address.remove(&(transport, address));
        self.phones[phone.0].address = inside.parse().unwrap();
    }

    /// All connections of `phone` break: whoever waited for an answer by one of them is told.
    pub fn lose_connections(&mut self, phone: PhoneId) {
        for (owner, shard) in self.connections.close(phone) {
            self.queue(self.now, Coming::Core(shard, Input::SendFailed { owner }));
        }
        let ended = |(id, _): &(ConnectionId, u16)| self.connections.get(*id).is_none();
        let mut told: Vec<_> = self.watched.iter().copied().filter(ended).collect();
        told.sort();
        for (id, shard) in told {
            self.watched.remove(&(id, shard));
            self.queue(self.now, Coming::Core(shard, Input::ConnectionEnded(id)));
        }
    }

    /// Nobody can connect to `phone`: it has no port open, or a firewall before it.
    pub fn takes_no_connections(&mut self, phone: PhoneId) {
        self.by_address.retain(|_, at| *at != phone);
    }

    /// Puts a message on its way to the gateway as if `phone` had sent it.
    pub fn send(&mut self, phone: PhoneId, message: Message) {
        self.send_by(phone, message, None);
    }

    /// - `flow`: the connection that it should take while that lives; else the phone's own.
    pub(super) fn send_by(&mut self, phone: PhoneId, message: Message, flow: Option<ConnectionId>) {
        let live = flow.is_some_and(|id| self.connections.get(id).is_some());
        let reliable = live || self.phones[phone.0].transport.is_reliable();
        let name = self.phones[phone.0].name;
        let message = match self.phones[phone.0].writes {
            Some(writes) => Message::parse(writes(&message)).unwrap(),
            None => message,
        };
        if self.direct {
            return self.send_across(phone, message);
        }
        let arrivals = self.arrivals(phone, true, reliable);
        let source = self.source(phone, flow);
        self.note(name, "gw", &message, arrivals.len(), None);
        for at in arrivals {
            self.queue(at, Coming::ToGateway(source, message.clone()));
        }
    }

    /// Straight to the phone at the address in the Request-URI of a request, in the Via of a response.
    pub(super) fn send_across(&mut self, from: PhoneId, message: Message) {
        let transport = self.phones[from.0].transport;
        let text = match message.request_uri() {
            Some(uri) => uri.rsplit('@').next().unwrap_or(uri).to_owned(),
            None => message
                .value(sip::Name::Via)
                .unwrap_or_default()
                .rsplit(' ')
                .next()
                .unwrap_or_default()
                .into(),
        };
        let address = text.split([';', '?']).next().and_then(|address| address.parse::<SocketAddr>().ok());
        let to = address.and_then(|address| self.by_address.get(&(transport, address)).copied());
        let Some(to) = to else {
            return self.note(self.phones[from.0].name, "nobody", &message, 0, None);
        };
        let arrivals = self.arrivals(to, false, transport.is_reliable());
        self.note(self.phones[from.0].name, self.phones[to.0].name, &message, arrivals.len(), None);
        for at in arrivals {
            self.queue(at, Coming::ToPhone(to, message.clone(), None));
        }
    }

    pub(super) fn transmit(&mut self, shard: u16, message: Message, peer: &Peer, owner: Owner) {
        self.watch.leaves(self.now - self.start, &message);
        if message.method() == Some(Method::Options) {
            self.probes.push((peer.clone(), message.clone()));
        }
        let (phone, connection) = match peer.transport.is_reliable() {
            true => self.connection_to(peer).unzip(),
            false => (self.by_address.get(&(peer.transport, peer.remote)).copied(), None),
        };
        let killed = phone.and_then(|phone| self.dead.get(&self.phones[phone.0].address)).copied();
        let killed = self.dead.get(&peer.remote).copied().or(killed);
        match phone.filter(|_| killed.is_none()) {
            Some(phone) => {
                if let Some(id) = connection {
                    self.connections.sent(id, &message, owner, shard);
                }
                let arrivals = self.arrivals(phone, false, peer.transport.is_reliable());
                self.note("gw", self.phones[phone.0].name, &message, arrivals.len(), Some(peer));
                for at in arrivals {
                    self.queue(at, Coming::ToPhone(phone, message.clone(), connection));
                }
            }
            None => {
                self.note("gw", "nobody", &message, 0, Some(peer));
                self.unreached.insert(message.call_id().unwrap_or_default().to_owned());
                // Who listens nowhere refuses a connection.
                let refuses = killed.unwrap_or(peer.transport.is_reliable());
                if refuses && owner != Owner::Stateless {
                    let soon = self.now + Duration::from_millis(5);
                    self.queue(soon, Coming::Core(shard, Input::SendFailed { owner }));
                }
            }
        }
    }

    /// The flow of the peer while it lives, else a connection that the gateway dialled, now or before.
    pub(super) fn connection_to(&mut self, peer: &Peer) -> Option<(PhoneId, ConnectionId)> {
        let known = peer.connection.filter(|id| self.connections.get(*id).is_some());
        let known = known.or_else(|| self.connections.dialled(peer.remote));
        if let Some(id) = known {
            return self.connections.get(id).map(|connection| (connection.phone, id));
        }
        let phone = *self.by_address.get(&(peer.transport, peer.remote))?;
        Some((phone, self.connections.dial(phone, peer.remote)))
    }

    pub(super) fn source(&mut self, phone: PhoneId, flow: Option<ConnectionId>) -> Source {
        let Phone { transport, address, .. } = self.phones[phone.0];
        let config = self.config.clone();
        let outside = self.outside.get(&phone).copied().unwrap_or(address);
        let flow = flow.filter(|id| self.connections.get(*id).is_some());
        let transport = if flow.is_some() { Transport::Tcp } else { transport };
        let has_transport = |one: &config::Listen| one.protocol == transport;
        let first = config.listen.iter().position(has_transport).unwrap();
        let listener = self.arrives_at.get(&phone).map_or(first, |listener| usize::from(listener.0));
        let connection =
            transport.is_reliable().then(|| flow.unwrap_or_else(|| self.connections.of(phone, outside)));
        let remote = connection.and_then(|id| self.connections.get(id)).map(|connection| connection.remote);
        Source {
            transport,
            listener: ListenerId(u16::try_from(listener).unwrap()),
            local: config.listen[listener].address,
            remote: remote.unwrap_or(outside),
            connection,
            secured: None,
        }
    }

    pub(super) fn arrivals(&mut self, phone: PhoneId, to_gateway: bool, reliable: bool) -> Vec<Instant> {
        let far = self.far.get(&phone).filter(|_| !to_gateway).copied().unwrap_or_default();
        let sent = self.now + far;
        if !reliable {
            return self.link.fate(&mut self.random).into_iter().map(|delay| sent + delay).collect();
        }
        let link = Link { lost: 0, repeated: 0, ..self.link };
        let delay = link.fate(&mut self.random).first().copied().unwrap_or_default();
        let last = self.streams.get(&(phone, to_gateway)).copied().unwrap_or(self.now);
        let at = (sent + delay).max(last);
        self.streams.insert((phone, to_gateway), at);
        vec![at]
    }

    pub(super) fn note(
        &mut self,
        from: &'static str,
        to: &'static str,
        message: &Message,
        copies: usize,
        peer: Option<&Peer>,
    ) {
        if matches!(message.cseq().map(|cseq| cseq.method), Ok(Method::Options)) {
            return;
        }
        let (at, message, peer) = (self.now - self.start, message.clone(), peer.cloned());
        self.ladder.push(Line { at, from, to, message, copies, peer });
    }
}
