//! Requests that crossed from one leg to the other: their answers, or the want of any.

use sip::transaction::ServerId;
use sip::{Message, Method};

use super::Call;
use super::body::Body;
use super::handshake::{Handshake, authenticated};
use super::io::{Action, Cause, Failure, RequestId};
use super::media::Agreed;
use crate::core::Now;
use crate::ids::Tokens;
use crate::media::Side;

/// A request that crossed and waits for its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Who asked.
    pub from: Side,
    pub server: ServerId,
    /// What it asked.
    pub asked: Message,
    /// What we asked the other leg in turn.
    pub request: RequestId,
    pub sent: Message,
    /// The media as it was agreed before: it holds on if the offer is refused.
    pub before: Option<Agreed>,
    pub authenticated: bool,
    /// It was sent again, by another connection.
    pub again: bool,
    /// The asker cancelled it and has its 487.
    pub cancelled: bool,
}

impl Exchange {
    fn is_invite(&self) -> bool {
        self.asked.method() == Some(Method::Invite)
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
            return self.cross_provisional(index, &message);
        }
        if matches!(status.code(), 401 | 407) && self.authenticate_exchange(tokens, index, &message) {
            return;
        }
        let exchange = self.exchanges.remove(index);
        let gone = status.code() == 481 || (status.code() == 408 && exchange.is_invite());
        self.cross_final(now, tokens, exchange, &message);
        if gone {
            self.hang_up(now, tokens, Cause::new(481, "The other side lost the call"));
        }
    }

    fn cross_provisional(&mut self, index: usize, message: &Message) {
        let Some(exchange) = self.exchanges.get(index) else { return };
        if exchange.cancelled || message.status().is_none_or(|status| status.code() == 100) {
            return;
        }
        let server = exchange.server;
        let response = self.cross_response(exchange.from.other(), message, None, &exchange.asked);
        self.respond(server, response);
    }

    fn cross_final(&mut self, now: Now, tokens: &mut Tokens, mut exchange: Exchange, message: &Message) {
        let from = exchange.from;
        let success = message.status().is_some_and(|status| status.is_success());
        if !success {
            self.restore_agreed(from, exchange.before);
            if !exchange.cancelled {
                let response = self.cross_response(from.other(), message, None, &exchange.asked);
                self.respond(exchange.server, response);
            }
            return;
        }
        if let Some(leg) = self.leg_mut(from.other()) {
            leg.dialog.handle_response(message);
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
            if offered || exchange.cancelled || body.is_err() {
                self.acknowledge(tokens, from, exchange.request, cseq, None);
            }
        }
        if exchange.cancelled {
            // The asker has its 487: what was agreed meanwhile can't be told. Both sides must be brought down rather
            // than left with different ideas of the media.
            self.finish_handshakes(tokens, from);
            return self.hang_up(now, tokens, Cause::new(487, "Re-INVITE cancelled after its answer"));
        }
        match body {
            Ok(body) => {
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

    /// No answer to a request that crossed: the other side is gone. RFC 3261 §12.2.1.2.
    pub(super) fn handle_dialog_failed(
        &mut self,
        now: Now,
        tokens: &mut Tokens,
        request: RequestId,
        lost: Failure,
    ) {
        let Some(index) = self.exchanges.iter().position(|one| one.request == request) else {
            if lost == Failure::Transport {
                self.repeat_bye(tokens, request);
            }
            return;
        };
        if lost == Failure::Transport && self.repeat_exchange(tokens, index) {
            return;
        }
        let exchange = self.exchanges.remove(index);
        if exchange.cancelled && lost == Failure::Transport {
            return; // It may never have left: nothing is known of the other side.
        }
        let cause = match lost {
            Failure::Timeout => Cause::new(408, "The other side does not answer"),
            Failure::Transport => Cause::new(503, "The other side can't be reached"),
        };
        if !exchange.cancelled {
            self.answer(exchange.server, &exchange.asked, exchange.from, &cause);
        }
        self.hang_up(now, tokens, cause);
    }

    /// A re-INVITE was cancelled.
    pub(super) fn handle_exchange_cancel(&mut self, server: ServerId, reason: Option<String>) {
        let Some(index) = self.exchanges.iter().position(|one| one.server == server && !one.cancelled) else {
            return;
        };
        let Some(exchange) = self.exchanges.get_mut(index) else { return };
        exchange.cancelled = true;
        let (request, asked, from) = (exchange.request, exchange.asked.clone(), exchange.from);
        // Whatever the other side says yet, the asker goes on as before from its 487 on.
        let before = exchange.before.take();
        self.restore_agreed(from, before);
        self.answer(server, &asked, from, &Cause::new(487, "Request Terminated"));
        self.actions.push_back(Action::Cancel { request, reason, left: false });
    }

    /// A connection broke under a request: the peer is asked again by a new one, once.
    fn repeat_exchange(&mut self, tokens: &mut Tokens, index: usize) -> bool {
        let Some(exchange) = self.exchanges.get(index) else { return false };
        if exchange.again || exchange.cancelled {
            return false;
        }
        let (side, sent) = (exchange.from.other(), exchange.sent.clone());
        let Some(leg) = self.leg_mut(side).filter(|leg| leg.local.transport.is_reliable()) else {
            return false;
        };
        let (again, hop) = leg.again(&sent, tokens);
        let request = self.send(again.clone(), hop);
        if let Some(exchange) = self.exchanges.get_mut(index) {
            if exchange.is_invite() {
                self.repeated.push((exchange.request, exchange.from));
            }
            exchange.request = request;
            exchange.sent = again;
            exchange.again = true;
        }
        true
    }

    /// A 2xx that nobody waits for: repeated, or the answer to an INVITE that was sent again meanwhile.
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
        let credentials = self.credentials.clone();
        let Some(exchange) = self.exchanges.get(index) else { return false };
        if exchange.authenticated || exchange.from != Side::A {
            return false;
        }
        let Some(leg) = &mut self.b else { return false };
        let number = leg.dialog.local_cseq.saturating_add(1);
        let again = authenticated(&exchange.sent, message, credentials.as_ref(), &leg.local, number, tokens);
        let Some(again) = again else { return false };
        leg.dialog.local_cseq = number;
        let hop = leg.hop();
        let request = self.send(again.clone(), hop);
        if let Some(exchange) = self.exchanges.get_mut(index) {
            exchange.request = request;
            exchange.sent = again;
            exchange.authenticated = true;
        }
        true
    }

    /// Answers whoever still waits for an answer: the dialog is over (RFC 3261 §15.1.2).
    pub(super) fn end_exchanges(&mut self) {
        for exchange in std::mem::take(&mut self.exchanges) {
            if !exchange.cancelled {
                self.answer(exchange.server, &exchange.asked, exchange.from, &Cause::new(487, "Call Ended"));
            }
            if exchange.is_invite() {
                let request = exchange.request;
                self.actions.push_back(Action::Cancel { request, reason: None, left: false });
            }
        }
    }
}
