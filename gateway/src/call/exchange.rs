//! Requests that crossed from one leg to the other: their answers, or the want of any.
//!
//! A request that is not answered, and a party that knows nothing of an INFO, cost nobody the call: the asker is told
//! under a status that ends no dialog (RFC 5057 §5), and silence of the media ends the call where nobody is there.

use std::time::{Duration, Instant};

use sip::transaction::ServerId;
use sip::{Message, Method, Name, StatusCode};

use super::body::Body;
use super::handshake::{Handshake, MOST_PROOFS, authenticated};
use super::headers::lines_of_cancel;
use super::io::{Action, Failure, Hop, RequestId};
use super::media::Agreed;
use super::{Call, TIMER_C};
use crate::clock::Now;
use crate::ids::Tokens;
use crate::media::Side;
use crate::reply::Cause;

/// How long the answer to any other request than INVITE is awaited, and to an INVITE that was cancelled: the asker gives
/// up after 32 s (Timer F; RFC 3261 §9.1), and an answer after that is for nobody. RFC 4320 §4.2.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request that crossed and waits for its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Who asked.
    pub from: Side,
    pub server: ServerId,
    /// What it asked.
    pub asked: Message,
    /// What we asked the other leg in turn, and where.
    pub request: RequestId,
    pub sent: Message,
    pub hop: Hop,
    /// The media as it was agreed before: it holds on if the offer is refused.
    pub before: Option<Agreed>,
    /// When to answer the asker ourselves.
    pub give_up: Instant,
    /// How many challenges were answered.
    pub proofs: u8,
    /// How often it was sent again, where it could not be delivered.
    pub tries: u8,
    /// It was cancelled: by the asker, or by us who waited for too long.
    pub cancelled: Option<Canceller>,
}

/// Who wants no answer to an INVITE any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Canceller {
    Asker,
    TimerC,
}

impl Exchange {
    /// A request that leaves now, at `hop`.
    pub fn new(
        now: Now,
        from: Side,
        server: ServerId,
        asked: Message,
        sent: (RequestId, Message, Hop),
    ) -> Exchange {
        let patience = match asked.method() {
            Some(Method::Invite) => TIMER_C,
            _ => PATIENCE,
        };
        let (request, sent, hop) = sent;
        Exchange {
            from,
            server,
            asked,
            request,
            sent,
            hop,
            before: None,
            give_up: now.instant + patience,
            proofs: 0,
            tries: 0,
            cancelled: None,
        }
    }

    pub fn is_invite(&self) -> bool {
        self.asked.method() == Some(Method::Invite)
    }

    /// What the asker is told where the other side has no answer for it. Never 408 and 481, which end its dialog, nor
    /// 408 to anything but INVITE (RFC 4320 §4.2).
    ///
    /// - `said`: what the other side answered, if anything.
    fn failure(&self, said: Option<StatusCode>) -> Cause {
        match self.cancelled {
            Some(Canceller::Asker) => Cause::new(487, "Request Terminated"),
            _ if self.is_invite() => Cause::new(504, "The other side does not answer"),
            _ if said.is_some() => Cause::new(500, "The other side does not take it"),
            _ => Cause::new(500, "The other side does not answer"),
        }
    }
}

impl Call {
    /// A response to a request that crossed, or to a BYE of ours.
    pub(super) fn handle_dialog_response(
        &mut self,
        now: Now,
        tokens: &mut Tokens,
        request: RequestId,
        message: Message,
    ) {
        let Some(status) = message.status() else { return };
        let Some(index) = self.exchanges.iter().position(|one| one.request == request) else {
            if status.is_success() {
                self.acknowledge_late(tokens, request, &message);
            } else if matches!(status.code(), 401 | 407) {
                self.authenticate_bye(tokens, request, &message);
            }
            return;
        };
        if status.is_provisional() {
            return self.cross_provisional(now, index, &message);
        }
        if matches!(status.code(), 401 | 407) && self.authenticate_exchange(tokens, index, &message) {
            return;
        }
        let exchange = self.exchanges.remove(index);
        match status.code() {
            // An INVITE concerns the whole dialog: who does not know it has lost the call.
            481 if exchange.is_invite() => {
                self.cross_final(now, tokens, exchange, &message);
                self.hang_up(now, tokens, Cause::new(481, "The other side lost the call"));
            }
            // Some systems say so of what they do not take, and proxies of what was not answered.
            408 | 481 => self.refuse_exchange(exchange, Some(status)),
            300.. if exchange.cancelled == Some(Canceller::TimerC) => {
                self.refuse_exchange(exchange, Some(status));
            }
            _ => self.cross_final(now, tokens, exchange, &message),
        }
    }

    fn cross_provisional(&mut self, now: Now, index: usize, message: &Message) {
        let Some(exchange) = self.exchanges.get_mut(index) else { return };
        if exchange.cancelled.is_some() || message.status().is_none_or(|status| status.code() == 100) {
            return;
        }
        // Timer C starts again with each 101-199. RFC 3261 §16.7.
        if exchange.is_invite() {
            exchange.give_up = now.instant + TIMER_C;
        }
        let Some(exchange) = self.exchanges.get(index) else { return };
        let server = exchange.server;
        let response = self.cross_response(exchange.from.other(), message, None, &exchange.asked);
        self.respond(server, response);
    }

    fn cross_final(&mut self, now: Now, tokens: &mut Tokens, mut exchange: Exchange, message: &Message) {
        let from = exchange.from;
        let success = message.status().is_some_and(|status| status.is_success());
        if !success {
            self.restore_agreed(from, exchange.before.take());
            return self.cross_refusal(&exchange, message);
        }
        if let Some(leg) = self.leg_mut(from.other()) {
            leg.dialog.handle_response(message);
            leg.heard(message);
        }
        let offered = Body::read(&exchange.asked).is_ok_and(|body| body.sdp().is_some());
        // Without an offer in the request, this answer brings one.
        let (offerer, before) = match offered {
            true => (from, exchange.before.take()),
            false => (from.other(), Some(self.agreed(from.other()))),
        };
        let body = match Body::read(message) {
            // The answer to an offer, or the offer that an INVITE without one asks for.
            body if offered || exchange.is_invite() => body
                .and_then(|body| self.cross_description(tokens, from.other(), &body, !offered))
                .map(Some)
                .map_err(|cause| Cause::new(488, cause.text)),
            body => Ok(body.ok().and_then(|body| body.as_is())),
        };
        let cseq = exchange.sent.cseq().map_or(1, |cseq| cseq.number);
        if exchange.is_invite() {
            self.handshakes.push(Handshake::awaiting(from, exchange.request, &exchange.sent));
            if offered || body.is_err() {
                self.acknowledge(tokens, from, exchange.request, cseq, None);
            }
        }
        match body {
            Ok(body) => {
                if let Some(leg) = self.leg_mut(from) {
                    leg.dialog.refresh_target(&exchange.asked);
                }
                let response = self.cross_response(from.other(), message, body, &exchange.asked);
                if exchange.is_invite() {
                    self.accept(now, from, exchange.server, response);
                } else {
                    self.respond(exchange.server, response);
                }
            }
            Err(cause) => {
                self.restore_agreed(offerer, before);
                self.finish_handshakes(tokens, from);
                self.answer(exchange.server, &exchange.asked, from, &cause);
            }
        }
    }

    /// A challenge of the other side's and another address of its are for us, and we have no answer: the asker hears
    /// that it was refused, and why.
    fn cross_refusal(&mut self, exchange: &Exchange, message: &Message) {
        let (from, status) = (exchange.from, message.status().map_or(500, |status| status.code()));
        let text = match status {
            401 | 407 => "The other side asks for credentials".to_owned(),
            300..=399 => format!("Redirected ({status}), not followed"),
            _ => {
                let response = self.cross_response(from.other(), message, None, &exchange.asked);
                return self.respond(exchange.server, response);
            }
        };
        self.answer(exchange.server, &exchange.asked, from, &Cause::new(403, text));
    }

    /// Answers the asker ourselves; everything stays as it was agreed before.
    ///
    /// - `said`: what the other side answered, for the Reason (RFC 3326).
    fn refuse_exchange(&mut self, exchange: Exchange, said: Option<StatusCode>) {
        let from = exchange.from;
        let tag = self.leg(from).map(|leg| leg.dialog.local_tag.clone());
        let mut reply = exchange.failure(said).reply(&exchange.asked, tag.as_deref());
        if let Some(said) = said {
            reply = reply.set(Name::Reason, Cause::new(said.code(), said.default_reason()).reason());
        }
        self.respond(exchange.server, reply.build());
        self.restore_agreed(from, exchange.before);
    }

    /// No answer to a request that crossed. Who can't be reached at all is gone: both parties are told.
    pub(super) fn handle_dialog_failed(
        &mut self,
        now: Now,
        tokens: &mut Tokens,
        request: RequestId,
        lost: Failure,
    ) {
        let Some(index) = self.exchanges.iter().position(|one| one.request == request) else {
            return self.repeat_bye(tokens, request, lost);
        };
        if lost == Failure::Transport && self.repeat_exchange(tokens, index) {
            return;
        }
        let exchange = self.exchanges.remove(index);
        // What was cancelled may never have left: nothing is known of the other side.
        if lost == Failure::Timeout || exchange.cancelled.is_some() {
            return self.refuse_exchange(exchange, None);
        }
        let cause = Cause::new(502, "The other side can't be reached");
        self.answer(exchange.server, &exchange.asked, exchange.from, &cause);
        self.hang_up(now, tokens, cause);
    }

    /// Answers whoever has waited for long enough. An INVITE is cancelled before (RFC 3261 §16.8).
    pub(super) fn exchange_timeouts(&mut self, now: Now) {
        while let Some(index) = self.exchanges.iter().position(|one| one.give_up <= now.instant) {
            let Some(exchange) = self.exchanges.get(index) else { return };
            if exchange.is_invite() && exchange.cancelled.is_none() {
                self.cancel_exchange(now, index, Canceller::TimerC, Vec::new());
                continue;
            }
            let exchange = self.exchanges.remove(index);
            if exchange.is_invite() {
                self.repeated.push((exchange.request, exchange.from));
            }
            self.refuse_exchange(exchange, None);
        }
    }

    /// A re-INVITE was cancelled. Its asker hears what the other side makes of that: 487, or the answer that crossed the
    /// CANCEL, so that both have the same idea of the media.
    pub(super) fn handle_exchange_cancel(&mut self, now: Now, server: ServerId, message: &Message) {
        let mine = |one: &Exchange| one.server == server && one.cancelled.is_none();
        let Some(index) = self.exchanges.iter().position(mine) else { return };
        let Some(from) = self.exchanges.get(index).map(|one| one.from) else { return };
        let says = lines_of_cancel(message, self.profile(from), self.profile(from.other()));
        self.cancel_exchange(now, index, Canceller::Asker, says);
    }

    fn cancel_exchange(&mut self, now: Now, index: usize, by: Canceller, says: Vec<(Name, String)>) {
        let Some(exchange) = self.exchanges.get_mut(index) else { return };
        exchange.cancelled = Some(by);
        exchange.give_up = now.instant + PATIENCE;
        let request = exchange.request;
        self.actions.push_back(Action::Cancel { request, says, left: false });
    }

    /// The request could not be delivered: it is sent once more, where it may be.
    fn repeat_exchange(&mut self, tokens: &mut Tokens, index: usize) -> bool {
        let Some(exchange) = self.exchanges.get(index).filter(|one| one.cancelled.is_none()) else {
            return false;
        };
        let (side, sent) = (exchange.from.other(), exchange.sent.clone());
        let (failed, tries) = (exchange.hop.clone(), exchange.tries);
        let Some(leg) = self.leg_mut(side) else { return false };
        let Some(hop) = leg.after_failure(&failed, tries) else { return false };
        let again = leg.again(&sent, tokens);
        let request = self.send(again.clone(), hop.clone());
        if let Some(exchange) = self.exchanges.get_mut(index) {
            if exchange.is_invite() {
                self.repeated.push((exchange.request, exchange.from));
            }
            exchange.request = request;
            exchange.sent = again;
            exchange.hop = hop;
            exchange.tries += 1;
        }
        true
    }

    /// A 2xx that nobody waits for: repeated, or the answer to an INVITE that was sent again or given up meanwhile.
    fn acknowledge_late(&mut self, tokens: &mut Tokens, request: RequestId, message: &Message) {
        if self.acknowledge_again(request, message) {
            return;
        }
        let from = self.repeated.iter().find(|(repeated, _)| *repeated == request).map(|(_, from)| *from);
        if let (Some(from), Ok(cseq)) = (from, message.cseq()) {
            self.acknowledge(tokens, from, request, cseq.number, None);
        }
    }

    fn authenticate_exchange(&mut self, tokens: &mut Tokens, index: usize, message: &Message) -> bool {
        let Some(exchange) = self.exchanges.get(index).filter(|one| one.proofs < MOST_PROOFS) else {
            return false;
        };
        let (side, sent) = (exchange.from.other(), exchange.sent.clone());
        let credentials = self.credentials_of(side);
        let Some(leg) = self.leg_mut(side) else { return false };
        let number = leg.dialog.local_cseq.saturating_add(1);
        let again = authenticated(&sent, message, credentials.as_ref(), &leg.local, number, tokens);
        let Some(again) = again else { return false };
        leg.dialog.local_cseq = number;
        let hop = leg.hop();
        let request = self.send(again.clone(), hop.clone());
        if let Some(exchange) = self.exchanges.get_mut(index) {
            exchange.request = request;
            exchange.sent = again;
            exchange.hop = hop;
            exchange.proofs += 1;
        }
        true
    }

    /// Answers whoever still waits for an answer: the dialog is over (RFC 3261 §15.1.2).
    pub(super) fn end_exchanges(&mut self) {
        for exchange in std::mem::take(&mut self.exchanges) {
            self.answer(exchange.server, &exchange.asked, exchange.from, &Cause::new(487, "Call Ended"));
            if exchange.is_invite() && exchange.cancelled.is_none() {
                let request = exchange.request;
                self.actions.push_back(Action::Cancel { request, says: Vec::new(), left: false });
            }
        }
    }
}
