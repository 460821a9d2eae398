//! What the transaction layer reports, brought to its call.

use sip::registration::ClientFailure;
use sip::transaction::{Event as Reported, Output as Layer, Owner};
use sip::{Message, Method};

use super::flow::Flow;
use super::{Client, Core, Output};
use crate::call::{Event, Failure, LegRef};
use crate::clock::Now;
use crate::peer::Peer;
use crate::why::Crossed;

impl Core {
    pub(super) fn dispatch(&mut self, now: Now, output: Layer<Flow>) {
        match output {
            Layer::Transmit { message, to, owner } => {
                let call = match owner {
                    Owner::Client(id) => match self.clients.get(&id) {
                        Some(Client::Call(key, _)) => Some(*key),
                        Some(Client::Probe(_) | Client::Registration(_)) => {
                            self.tell_own(now, &to, true, &message);
                            None
                        }
                        None => None,
                    },
                    Owner::Server(id) => self.servers.get(&id).copied(),
                    Owner::Stateless => None,
                };
                if let Some(key) = call {
                    self.crossed(now, key, Crossed::Sent(&to.peer), &message);
                }
                self.transmit(message, to.peer, owner);
            }
            Layer::Event(event) => self.reported(now, event),
        }
    }

    /// Counts and sends.
    pub(super) fn transmit(&mut self, message: Message, peer: Peer, owner: Owner) {
        if let Some(status) = message.status() {
            self.shared.metrics.sip_response(status.code());
        }
        self.outputs.push_back(Output::Transmit { message, peer, owner });
    }

    fn reported(&mut self, now: Now, event: Reported<Flow>) {
        match event {
            Reported::Request { id, message, from, merged } => {
                self.per_source.begin(id, from.source.remote.ip(), message.bytes().len());
                match self.dialog_of(&message) {
                    Some((key, leg)) => {
                        self.servers.insert(id, key);
                        self.crossed(now, key, Crossed::Received(&from.source), &message);
                        self.hear_change(now, key, leg, &message);
                        let source = from.source;
                        self.event(now, key, Event::Request { leg, server: id, message, source });
                    }
                    None if message.method() == Some(Method::Register) => {
                        self.register(now, id, message, from, merged);
                    }
                    None => self.new_invite(now, id, message, from, merged),
                }
                // A request that was not answered waits for somebody else's answer: some peers ask again within milliseconds.
                self.transactions.trying(now.instant, id);
            }
            Reported::Cancel { invite, message } => {
                if let Some(key) = self.servers.get(&invite).copied() {
                    self.crossed(now, key, Crossed::Cancelled, &message);
                    self.event(now, key, Event::Cancelled { server: invite, message });
                }
            }
            Reported::Ack { message, from } => {
                if let Some((key, leg)) = self.dialog_of(&message) {
                    self.crossed(now, key, Crossed::Received(&from.source), &message);
                    let source = from.source;
                    self.event(now, key, Event::Ack { leg, message, source });
                }
            }
            Reported::Response { id, message, from } => {
                if let Some(status) = message.status() {
                    self.shared.metrics.sip_response(status.code());
                    if status.is_final() {
                        self.byes.remove(&id);
                    }
                }
                match self.clients.get(&id).copied() {
                    Some(Client::Call(key, request)) => {
                        self.crossed(now, key, Crossed::Received(&from.source), &message);
                        let flow = self.way_of(id, from.peer);
                        self.event(now, key, Event::Response { request, message, flow });
                    }
                    Some(Client::Probe(probe)) => {
                        self.tell_own(now, &from, false, &message);
                        self.probe_answered(now, probe, &message);
                    }
                    Some(Client::Registration(asking)) => {
                        self.tell_own(now, &from, false, &message);
                        self.registration_answered(now, asking, &message, from.peer);
                    }
                    None => {}
                }
            }
            Reported::Timeout { id } => self.lost(now, id, Failure::Timeout),
            Reported::ClientTransport { id } => self.lost(now, id, Failure::Transport),
            Reported::ClientEnded { id } => {
                self.large.forget(id);
                if let Some(Client::Call(key, request)) = self.clients.remove(&id) {
                    if let Some(slot) = self.calls.get_mut(&key) {
                        slot.requests.remove(&request);
                        if slot.requests.is_empty() {
                            slot.requests = Default::default();
                        }
                    }
                    self.event(now, key, Event::Done { request });
                }
            }
            Reported::ServerEnded { id } => {
                self.servers.remove(&id);
                self.per_source.end(id);
            }
            // A final answer that could not be delivered or was never acknowledged ends nothing of ours: a 2xx is
            // watched by its call, and a failure ended it already.
            Reported::NoAck { .. } | Reported::ServerTransport { .. } | Reported::StrayResponse { .. } => {}
        }
    }

    fn lost(&mut self, now: Now, id: sip::transaction::ClientId, cause: Failure) {
        self.byes.remove(&id);
        match self.clients.get(&id).copied() {
            Some(Client::Call(key, request)) => {
                let left = cause == Failure::Transport && self.falls_back(now, id, key, request);
                if !left {
                    self.event(now, key, Event::Failed { request, cause });
                }
            }
            Some(Client::Probe(probe)) => self.probe_lost(now, probe),
            Some(Client::Registration(asking)) => {
                let cause = match cause {
                    Failure::Timeout => ClientFailure::Timeout,
                    Failure::Transport => ClientFailure::Transport,
                };
                self.registration_lost(now, asking, cause);
            }
            None => {}
        }
    }

    /// The call and leg whose dialog a request is inside of: our tag in To, and the dialog's other marks.
    pub(super) fn dialog_of(&self, message: &Message) -> Option<(super::CallKey, LegRef)> {
        let tag = message.to_tag()?;
        let (key, leg) = *self.tags.get(&*tag)?;
        self.calls.get(&key)?.call.is_dialog_of(leg, message).then_some((key, leg))
    }
}
