//! The door: what is answered without keeping anything, and what may begin a transaction.
//!
//! A stranger costs us nothing but a reply: a message with a fault, from an unlisted source, or for a dialog that is
//! not ours is answered statelessly (RFC 3261 §8.2.7), under a To tag that tells its ACK apart.

use std::net::SocketAddr;
use std::time::Duration;

use sip::transaction::Owner;
use sip::{Message, Method, Name};

use super::{Core, Now};
use crate::admit::{self, Facts, Refusal, Verdict};
use crate::call::Cause;
use crate::ids::token_info;
use crate::listen::{Peer, Source};

/// How long a digest nonce may be used.
pub(super) const NONCE_LIFETIME: Duration = Duration::from_secs(300);

/// How many unfinished server transactions a shard keeps before it answers 503: a flood from a listed source must
/// not fill the memory.
const MAX_SERVER_TRANSACTIONS: usize = 50_000;

/// How many of them may be one source's.
const MAX_OF_ONE_SOURCE: usize = MAX_SERVER_TRANSACTIONS / 2;

impl Core {
    pub(super) fn handle_message(&mut self, now: Now, source: Source, message: Message) {
        let reliable = source.transport.is_reliable();
        if message.is_response() {
            match message.check() {
                Ok(()) => self.transactions.handle_message(now.instant, message, source.peer(), reliable),
                Err(_) => {
                    self.shared.metrics.refusal("syntax");
                    self.shared.refused(now, source.remote.ip());
                }
            }
            return;
        }
        let is_ack = message.method() == Some(Method::Ack);
        if let Err(malformed) = message.check() {
            self.shared.metrics.refusal("syntax");
            self.shared.refused(now, source.remote.ip());
            if !is_ack {
                let cause = Cause::new(malformed.status.code(), malformed.text);
                self.reply_stateless(&source, &message, &cause);
            }
            return;
        }
        let message = message.with_received(source.remote);
        let from = reply_to(&source, &message);
        if self.transactions.knows(&message) {
            return self.transactions.handle_message(now.instant, message, from, reliable);
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
                return self.reply_stateless(&source, &message, &verdict.into());
            }
        }
        if self.is_overloaded(&source, &message) {
            self.shared.metrics.refusal("overload");
            let mut cause = Cause::new(503, "Overloaded");
            cause.retry_after = Some(Duration::from_secs(2));
            return self.reply_stateless(&source, &message, &cause);
        }
        self.arrived = source;
        self.transactions.handle_message(now.instant, message, from, reliable);
    }

    /// 481. Anybody can write a tag that looks like ours, so a stranger's is counted like any other refusal.
    fn no_such_transaction(&mut self, now: Now, source: &Source, message: &Message) {
        self.shared.metrics.refusal("dialog");
        self.shared.refused(now, source.remote.ip());
        let cause = Cause::new(481, "Call/Transaction Does Not Exist");
        self.reply_stateless(source, message, &cause);
    }

    /// Whether there is no room for a request. For a call for help, and inside a call, there is twice as much; a BYE
    /// makes room.
    fn is_overloaded(&self, source: &Source, message: &Message) -> bool {
        let (all, own) = (self.transactions.server_len(), self.askers.count(source.remote.ip()));
        let room = |times: usize| all < times * MAX_SERVER_TRANSACTIONS && own < times * MAX_OF_ONE_SOURCE;
        let goes_before = |method: &Method| {
            message.to_tag().is_some()
                || *method == Method::Invite
                    && admit::asks_for_help(&self.config, &super::parties::facts(message, source))
        };
        match message.method() {
            Some(Method::Ack | Method::Bye) | None => false,
            Some(method) => !(room(1) || goes_before(&method) && room(2)),
        }
    }

    /// The refusal of a source that no allowlist holds, whatever it asks for.
    fn unlisted(&self, source: &Source) -> Option<Verdict> {
        let facts = Facts::new(source.remote.ip(), source.transport, "", "");
        match admit::identify(&self.config, &facts).outcome {
            Err(refusal @ Refusal::UnknownSource { .. }) => Some(refusal.verdict()),
            _ => None,
        }
    }

    /// Answers without a transaction. Repeats get the same To tag.
    pub(super) fn reply_stateless(&mut self, source: &Source, message: &Message, cause: &Cause) {
        let identity = [message.value(Name::CallId), message.value(Name::Via)].into_iter().flatten().fold(
            Vec::new(),
            |mut all, text| {
                all.extend_from_slice(text.as_bytes());
                all
            },
        );
        let tag = self.tokens.stateless_tag(&identity);
        let peer = reply_to(source, message);
        let response = cause.reply(message, Some(&tag)).build();
        self.transmit(response, peer, Owner::Stateless);
    }
}

/// Where answers to `request` go: RFC 3261 §18.2.2 and RFC 3581 §4. A stream's own connection, and the sent-by port
/// once that is gone; for a datagram its source address, at the source port when `rport` asks for it.
fn reply_to(source: &Source, request: &Message) -> Peer {
    let mut peer = source.peer();
    let Ok(via) = request.via() else { return peer };
    let symmetric = source.connection.is_none() && via.rport().is_some();
    if !symmetric {
        let port = via.port.unwrap_or_else(|| source.transport.default_port());
        peer.remote = SocketAddr::new(source.remote.ip(), port);
    }
    peer
}
