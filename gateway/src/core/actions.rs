//! What calls want done.

use sip::transaction::Owner;
use sip::{Message, Name};

use super::journal::Unwritten;
use super::parked::Parked;
use super::{CallKey, Core, Effect, Output, Query, QueryId};
use crate::call::{Action, Event, Failure, Hop, RequestId};
use crate::clock::Now;
use crate::peer::Peer;
use crate::record::Record;
use crate::resolve::{Lookup, ResolveError};
use crate::why::Crossed;

impl Core {
    /// Does what a call wants done; returns what it hears of that when it has said all.
    pub(super) fn act(&mut self, now: Now, key: CallKey, action: Action) -> Vec<Event> {
        match action {
            Action::Bind { tag, leg } => {
                self.bind(tag, key, leg);
            }
            Action::Respond { server, response } => {
                self.explain_in_call(now, key, &response);
                self.answer(now, server, response);
            }
            Action::Request { request, message, hop } => self.depart(now, key, Some(request), message, hop),
            Action::Transmit { message, hop } => self.depart(now, key, None, message, hop),
            Action::Cancel { request, says, left } => return self.cancel(now, key, request, &says, left),
            Action::Resolve { query, lookup } => {
                self.resolve(Query::Route(key, query, lookup.clone()), lookup);
            }
            Action::LocateMedia { query, lookup } => self.locate_media(key, query, lookup),
            Action::Admit { attempt, emergency } => {
                return self.admit_attempt(now, key, &attempt, emergency).into_iter().collect();
            }
            Action::Media(command) => {
                self.copy_hears(key, &command);
                self.command_media(now, key, command);
            }
            Action::MakeRoom => self.make_room(Some(key), 0),
            Action::Journal => return self.journal(now, key).into_iter().collect(),
            Action::JournalRinging => self.journal_ringing(key),
            Action::Resume { request, invite, peer } => self.resume_invite(key, request, invite, peer),
            Action::AttemptBegins { via, address } => self.attempt_begins(key, &via, address),
            Action::AttemptEnds { detail, end } => self.attempt_ends(key, &detail, end),
            Action::Offered { connector } => self.offered(key, connector.as_deref()),
            Action::Answered => {
                self.count_answered(now, key);
                self.is_to_be_copied(now, key);
            }
            Action::Rest { address, transport, rest } => self.rest(now, address, transport, rest),
            Action::Redirect(redirected) => {
                return self.redirect(now, key, &redirected).into_iter().collect();
            }
            Action::AskToAnswer => return self.ask_to_answer(now, key).into_iter().collect(),
            Action::Proven => self.caller_is_proven(now, key),
            Action::PassRefer(passing) => return vec![self.pass_refer(now, *passing)],
            Action::Refer(referred) => return self.refer(now, key, *referred).into_iter().collect(),
            Action::Progress { status } => self.tell_asker(key, Event::Progress { status }),
            Action::Taken => self.tell_asker(key, Event::Taken),
            Action::HandOver(lent) => self.tell_asked_for(key, Event::Joined(lent)),
            Action::GiveBack(back) => self.tell_asker(key, Event::Returned(back)),
            Action::LeftOnTheWay { bye } => self.tell_asker(key, Event::LeftOnTheWay { bye }),
            Action::Replaced { side } => self.came_no_more(key, side),
            Action::Abandon { cause } => self.tell_asked_for(key, Event::Abandoned { cause }),
            Action::Settle(settled) if self.copies.has(key) => self.copy_is_over(key, &settled),
            Action::Settle(mut settled) => {
                self.copied_is_over(key);
                let has_line = self.settle(now, key, &settled);
                if let Some(invite) = self.calls.get_mut(&key).and_then(|slot| slot.invite.take()) {
                    self.per_source.call_is_over(invite);
                    self.forget_oldest(now);
                }
                self.tell_over(key, &settled.cause);
                if let Some(slot) = self.calls.get_mut(&key) {
                    settled.streamed = slot.sound.take().map_or_else(Vec::new, |sound| sound.streamed);
                    slot.unwritten = Some(Unwritten { settled, has_line });
                }
            }
        }
        Vec::new()
    }

    /// Sends a message of a call, once its address is known.
    pub(super) fn depart(
        &mut self,
        now: Now,
        key: CallKey,
        request: Option<RequestId>,
        message: Message,
        hop: Hop,
    ) {
        match hop {
            Hop::Peer(peer) => self.send(now, key, request, message, peer),
            Hop::Name { lookup, fallback } => {
                self.park(now, Parked { key, request, message, lookup, fallback });
            }
        }
    }

    pub(super) fn send(
        &mut self,
        now: Now,
        key: CallKey,
        request: Option<RequestId>,
        message: Message,
        peer: Peer,
    ) {
        match request {
            Some(request) => self.send_request(now, key, request, message, peer),
            None => {
                let message = self.as_carried(message, &peer);
                self.crossed(now, key, Crossed::Sent(&peer), &message);
                self.transmit(message, peer, Owner::Stateless);
            }
        }
    }

    fn cancel(
        &mut self,
        now: Now,
        key: CallKey,
        request: RequestId,
        says: &[(Name, String)],
        left: bool,
    ) -> Vec<Event> {
        let id = self.calls.get(&key).and_then(|slot| slot.requests.get(&request).copied());
        if let Some(id) = id {
            self.stays_on_stream(id);
        }
        match id {
            Some(id) if left => self.transactions.leave(now.instant, id, says),
            Some(id) => self.transactions.cancel(now.instant, id, says),
            // Still waiting for an address: it never leaves.
            None => {
                let parked = |query: &Query| match query {
                    Query::Parked(parked) => parked.key == key && parked.request == Some(request),
                    _ => false,
                };
                let before = self.queries.len();
                self.queries.retain(|_, query| !parked(query));
                if self.queries.len() < before {
                    return vec![
                        Event::Failed { request, cause: Failure::Transport },
                        Event::Done { request },
                    ];
                }
            }
        }
        Vec::new()
    }

    pub(super) fn resolve(&mut self, query: Query, lookup: Lookup) -> QueryId {
        self.next_query += 1;
        let id = QueryId(self.next_query);
        self.queries.insert(id, query);
        self.outputs.push_back(Output::Resolve { query: id, lookup });
        id
    }

    pub(super) fn handle_resolved(
        &mut self,
        now: Now,
        id: QueryId,
        result: Result<Vec<std::net::SocketAddr>, ResolveError>,
    ) {
        match self.queries.remove(&id) {
            Some(Query::Route(key, query, lookup)) => {
                let addresses = result.map_err(|error| error.to_string());
                let addresses = addresses.map(|all| self.shared.resolved(now.instant, lookup, all));
                self.event(now, key, Event::Resolved { query, addresses });
            }
            Some(Query::Media(key, query, host)) => self.media_located(now, key, query, &host, result),
            Some(Query::Parked(parked)) => self.unpark(now, *parked, result.ok()),
            // Its message has left by the flow.
            Some(Query::Missed(lookup)) if result.is_ok() => self.unresolved.found(&lookup),
            Some(Query::Probe(lookup)) => self.probe_resolved(now, lookup, result),
            Some(Query::Registration(line)) => self.registration_resolved(now, line, result),
            Some(Query::Missed(_)) | None => {}
        }
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.outputs.push_back(Output::Effect(effect));
    }

    pub(super) fn write(&mut self, record: Record) {
        self.effect(Effect::Record(record));
    }
}
