//! The door: what is answered without keeping anything, and what may begin a transaction.
//!
//! A stranger costs us nothing but a reply: a message with a fault, from an unlisted source, or for a dialog that is
//! not ours is answered statelessly (RFC 3261 §8.2.7), under a To tag that tells its ACK apart.

use std::time::Duration;

use sip::text::{phrase, word};
use sip::transaction::{Owner, ServerId};
use sip::{Builder, Message, Method, Name};

use super::Core;
use super::flow::Flow;
use super::per_source::Claim;
use crate::admit::{self, Refusal, Verdict};
use crate::clock::Now;
use crate::ids::token_info;
use crate::peer::Source;
use crate::reply::Cause;

/// How long a digest nonce may be used.
pub(super) const NONCE_LIFETIME: Duration = Duration::from_secs(300);

impl Core {
    pub(super) fn handle_message(&mut self, now: Now, source: Source, message: Message, hops: u8) {
        let reliable = source.transport.is_reliable();
        if message.is_response() {
            match message.check() {
                Ok(()) => {
                    let flow = Flow::of_response(source);
                    self.transactions.handle_message(now.instant, message, flow, reliable);
                }
                Err(malformed) => {
                    self.shared.metrics.refusal("syntax");
                    self.shared.refused(now, source.remote.ip());
                    let cause = Cause::new(malformed.status.code(), malformed.text);
                    self.tell_of_fault(now, &source, &message, &cause);
                }
            }
            return;
        }
        let is_ack = message.method() == Some(Method::Ack);
        if let Err(malformed) = message.check() {
            self.shared.metrics.refusal("syntax");
            self.shared.refused(now, source.remote.ip());
            let cause = Cause::new(malformed.status.code(), malformed.text);
            self.tell_of_fault(now, &source, &message, &cause);
            if !is_ack {
                self.reply_stateless(now, &source, &message, &cause);
            }
            return;
        }
        let elsewhere = self.elsewhere(&source, &message, hops).map(|shard| (shard, message.clone()));
        let message = message.with_received(source.remote);
        let flow = Flow::of_request(source, &message);
        if self.transactions.knows(&message) {
            return self.transactions.handle_message(now.instant, message, flow, reliable);
        }
        if let Some((shard, message)) = elsewhere {
            return self.hand_on(now, shard, source, message, hops);
        }
        if message.method() == Some(Method::Cancel) {
            return self.no_such_transaction(now, &source, &message);
        }
        if let Some(tag) = message.to_tag() {
            let ours = token_info(&tag);
            if is_ack && ours.is_some_and(|info| info.stateless) {
                return; // The ACK of a stateless refusal.
            }
            if self.dialog_of(&message).is_none() {
                if !is_ack {
                    return self.no_such_transaction(now, &source, &message);
                }
                if ours.is_none() {
                    self.shared.refused(now, source.remote.ip());
                }
                return;
            }
        } else {
            if is_ack {
                return;
            }
            if let Some(verdict) = self.unlisted(&source) {
                self.shared.metrics.refusal(verdict.cause);
                self.shared.refused(now, source.remote.ip());
                self.tell_of_stranger(now, &source, &message);
                return self.reply_stateless(now, &source, &message, &verdict.into());
            }
            let begins = match message.method() {
                Some(Method::Invite) => true,
                Some(Method::Register) => self.takes_register(&source, &message),
                _ => false,
            };
            if !begins {
                return self.answer_outside(now, &source, &message);
            }
        }
        if self.is_overloaded(&source, &message) {
            self.shared.metrics.refusal("overload");
            let cause = Cause::new(503, "Overloaded").later(Duration::from_secs(2));
            self.tell_of_fault(now, &source, &message, &cause);
            return self.reply_stateless(now, &source, &message, &cause);
        }
        self.transactions.handle_message(now.instant, message, flow, reliable);
    }

    /// 481. Anybody can write a tag that looks like ours, so a stranger's is counted like any other refusal.
    fn no_such_transaction(&mut self, now: Now, source: &Source, message: &Message) {
        self.shared.metrics.refusal("dialog");
        self.shared.refused(now, source.remote.ip());
        let cause = Cause::new(481, "Call/Transaction Does Not Exist");
        self.reply_stateless(now, source, message, &cause);
    }

    /// Whether there is no room for a request. A BYE makes room.
    fn is_overloaded(&self, source: &Source, message: &Message) -> bool {
        if matches!(message.method(), Some(Method::Ack | Method::Bye)) {
            return false;
        }
        let address = source.remote.ip();
        let usual = if self.shared.calls_up.has(address) { Claim::Caller } else { Claim::Newcomer };
        let is_urgent = || {
            message.to_tag().is_some()
                || admit::asks_for_help(&self.live.config, &super::parties::facts(message, source))
        };
        !(self.per_source.has_room(address, usual)
            || is_urgent() && self.per_source.has_room(address, Claim::Urgent))
    }

    /// Answers a request. A final answer is kept for repeats, in place of the oldest where there is no room.
    pub(super) fn answer(&mut self, now: Now, server: ServerId, response: Message) {
        let (status, length) = (response.status(), response.bytes().len());
        self.transactions.respond(now.instant, server, response);
        let Some(status) = status.filter(|status| status.is_final()) else { return };
        let began_call = || {
            let call = self.servers.get(&server).and_then(|key| self.calls.get(key));
            call.is_some_and(|slot| slot.invite == Some(server))
        };
        match status.is_success() && began_call() {
            true => self.per_source.accepted(server),
            false => self.per_source.answered(server, length),
        }
        self.forget_oldest(now);
    }

    /// Answered requests for which there is no room any more: whoever repeats one is answered anew (RFC 3261 §8.2.7).
    pub(super) fn forget_oldest(&mut self, now: Now) {
        while let Some(oldest) = self.per_source.too_old() {
            self.gauges.forgotten();
            self.per_source.end(oldest);
            self.transactions.forget(now.instant, oldest);
        }
    }

    /// The refusal of a source that no allowlist holds, whatever it asks for.
    fn unlisted(&self, source: &Source) -> Option<Verdict> {
        let address = source.remote.ip().to_canonical();
        (!self.is_listed(source)).then(|| Refusal::UnknownSource { address }.verdict())
    }

    /// Whether an allowlist holds a source, or it has registered.
    pub(super) fn is_listed(&self, source: &Source) -> bool {
        self.live.allowlists.hold(source.remote.ip().to_canonical()) || self.registered_with(source).is_some()
    }

    /// A listed peer's message that comes to nothing: its operator will ask why.
    fn tell_of_fault(&mut self, now: Now, source: &Source, message: &Message, fault: &Cause) {
        if self.unlisted(source).is_some() {
            return;
        }
        self.explain_fault(now, source, message, fault);
        if !self.refusal_lines.take(now.instant, source.remote.ip()) {
            return;
        }
        tracing::info!(
            source = %source.remote,
            transport = %source.transport,
            method = method_of(message),
            status = message.status().map(|status| status.code()),
            call_id = message.call_id().ok().map(phrase),
            fault = fault.text.as_str(),
            "a message is not taken"
        );
    }

    /// A carrier's new host, perhaps: the operator must see it at once.
    fn tell_of_stranger(&mut self, now: Now, source: &Source, message: &Message) {
        self.explain_stranger(now, source, message);
        let Some(left_out) = self.shared.guard.tells_of(now.instant, source.remote.ip()) else { return };
        tracing::info!(
            source = %source.remote,
            transport = %source.transport,
            method = method_of(message),
            call_id = phrase(message.call_id().unwrap_or_default()),
            number = self.shown(&super::parties::facts(message, source).user),
            left_out,
            "a source that no allowlist holds"
        );
    }

    /// Answers without a transaction.
    pub(super) fn reply_stateless(&mut self, now: Now, source: &Source, message: &Message, cause: &Cause) {
        let tag = self.stateless_tag(message);
        self.send_stateless(now, source, message, cause.reply(message, Some(&tag)));
    }

    pub(super) fn send_stateless(&mut self, now: Now, source: &Source, message: &Message, reply: Builder) {
        let response = reply.build();
        self.tell_outside(now, None, source, message, &response);
        self.transmit(response, Flow::of_request(*source, message).peer, Owner::Stateless);
    }

    /// The To tag of an answer that nothing is kept of: the same for each copy of `message`, and its ACK is told by it.
    pub(super) fn stateless_tag(&mut self, message: &Message) -> String {
        let identity = [message.value(Name::CallId), message.value(Name::Via)].into_iter().flatten().fold(
            Vec::new(),
            |mut all, text| {
                all.extend_from_slice(text.as_bytes());
                all
            },
        );
        self.tokens.stateless_tag(&identity)
    }
}

/// The method of a request for the log: a peer may write a long word of its own there.
fn method_of(message: &Message) -> Option<impl tracing::Value> {
    message.method().map(|method| tracing::field::display(word(&method.to_string())))
}
