//! Requests inside the dialogs of a call that is up: re-INVITE, UPDATE, INFO and MESSAGE cross to the other leg, BYE
//! ends both, OPTIONS is answered here.

use sip::dialog::DialogError;
use sip::text::word;
use sip::transaction::ServerId;
use sip::{Builder, Message, Method, Name};

use super::body::{Body, Sent};
use super::ending::Bye;
use super::handshake::{Handshake, authenticated, side_of};
use super::io::{Action, Cause, Failure, RequestId};
use super::leg::{LegRef, renewed};
use super::media::Agreed;
use super::{Call, Phase, crossing};
use crate::core::{ALLOW, Now, demanded};
use crate::ids::Tokens;
use crate::listen::peer::Source;
use crate::media::Side;

/// So many requests may wait for the other leg's answer.
const MOST_EXCHANGES: usize = 8;

/// A request that crossed and waits for its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Who asked.
    from: Side,
    server: ServerId,
    /// What it asked.
    asked: Message,
    /// What we asked the other leg in turn.
    request: RequestId,
    sent: Message,
    /// The media as it was agreed before: it holds on if the offer is refused.
    before: Option<Agreed>,
    authenticated: bool,
    /// It was sent again, by another connection.
    again: bool,
    /// The asker cancelled it and has its 487.
    cancelled: bool,
}

impl Exchange {
    fn is_invite(&self) -> bool {
        self.asked.method() == Some(Method::Invite)
    }
}

impl Call {
    /// A request inside one of the dialogs.
    pub(super) fn handle_request(
        &mut self,
        now: Now,
        tokens: &mut Tokens,
        leg: LegRef,
        server: ServerId,
        message: Message,
        source: &Source,
    ) {
        let side = side_of(leg);
        let method = message.method().unwrap_or(Method::Options);
        if matches!(self.phase, Phase::Ended) {
            // A BYE that crossed ours is answered as it should be; everything else is too late.
            return match method {
                Method::Bye => {
                    self.respond_ok(server, &message, side);
                    // Its ACK will not come any more, and a BYE of ours that waited for it is not needed.
                    self.finish_handshakes(tokens, side);
                    self.ending.take_bye(side);
                }
                _ => self.answer(server, &message, side, &Cause::new(481, "Call Does Not Exist")),
            };
        }
        if self.is_of_a_left_attempt(leg) {
            return match method {
                Method::Bye => self.respond_ok(server, &message, side),
                _ => self.answer(server, &message, side, &Cause::new(481, "Call Does Not Exist")),
            };
        }
        if !matches!(self.phase, Phase::Established) {
            return self.handle_early_request(now, tokens, side, server, &message);
        }
        let Some(leg) = self.leg_mut(side) else {
            return self.answer(server, &message, side, &Cause::new(481, "Call Does Not Exist"));
        };
        // A BYE tells no key, and keeping up a call that is over helps nobody.
        let plain = !leg.may_use(source.transport);
        if plain && method != Method::Bye {
            let cause = Cause::new(403, format!("This call takes TLS only, not {}", source.transport));
            return self.answer(server, &message, side, &cause);
        }
        if let Err(error) = leg.dialog.handle_request(&message) {
            let cause = match error {
                DialogError::OutOfOrder { .. } => Cause::new(500, "CSeq out of order"),
                other => Cause::new(400, other.to_string()),
            };
            return self.answer(server, &message, side, &cause);
        }
        leg.moved(source.peer());
        if let Some(demanded) = demanded(&message).filter(|_| method != Method::Bye) {
            return self.refuse_demand(server, &message, side, &demanded);
        }
        match method {
            Method::Bye => self.handle_bye(now, tokens, side, server, &message),
            Method::Options => self.respond_ok(server, &message, side),
            Method::Invite | Method::Update => self.renegotiate(tokens, side, server, message),
            Method::Info | Method::Message => self.forward(tokens, side, server, message),
            _ => self.answer(server, &message, side, &Cause::new(405, "Method Not Allowed")),
        }
    }

    /// An extension that we lack: RFC 3261 §8.2.2.3.
    fn refuse_demand(&mut self, server: ServerId, message: &Message, side: Side, demanded: &str) {
        let tag = self.leg(side).map(|leg| leg.dialog.local_tag.clone());
        let cause = Cause::new(420, format!("Not supported: {demanded}"));
        let reply = cause.reply(message, tag.as_deref()).header(Name::Unsupported, demanded);
        self.respond(server, reply.build());
    }

    /// Whether a request came from a host that was left for another: its late answer had a BYE of ours, and it must not
    /// pass for a word of the party that took the call.
    fn is_of_a_left_attempt(&self, leg: LegRef) -> bool {
        let LegRef::B(index) = leg else { return false };
        match self.phase {
            Phase::Answering | Phase::Established => !self.is_answered_by(index),
            _ => usize::try_from(index).is_ok_and(|index| index + 1 < self.attempts.len()),
        }
    }

    /// Before the answer there is little that a party may ask.
    fn handle_early_request(
        &mut self,
        now: Now,
        tokens: &mut Tokens,
        side: Side,
        server: ServerId,
        message: &Message,
    ) {
        match (message.method(), side) {
            // RFC 3261 §15: a caller may end its early dialog with BYE.
            (Some(Method::Bye), Side::A) => {
                self.respond_ok(server, message, side);
                self.ending.told(side, message.value(Name::Reason).as_deref());
                self.hang_up(now, tokens, Cause::new(487, "Request Terminated"));
            }
            // It answered and hung up before the caller was told.
            (Some(Method::Bye), Side::B) if matches!(self.phase, Phase::Answering) => {
                self.respond_ok(server, message, side);
                self.forgive_acks(side);
                self.ending.told(side, message.value(Name::Reason).as_deref());
                self.give_up(now, Cause::new(480, "The callee hung up at once"));
            }
            (Some(Method::Bye), Side::B) => {
                self.answer(server, message, side, &Cause::new(481, "No dialog is confirmed yet"));
            }
            (Some(Method::Options), _) => self.respond_ok(server, message, side),
            _ => {
                let mut cause = Cause::new(500, "The call is not answered yet");
                cause.retry_after = Some(std::time::Duration::from_secs(1));
                self.answer(server, message, side, &cause);
            }
        }
    }

    fn handle_bye(&mut self, now: Now, tokens: &mut Tokens, side: Side, server: ServerId, message: &Message) {
        self.respond_ok(server, message, side);
        self.finish_handshakes(tokens, side);
        self.forgive_acks(side);
        self.ending.told(side, message.value(Name::Reason).as_deref());
        let strips = |side| self.leg(side).is_some_and(|leg| leg.profile.strips(&Name::Reason));
        let passes = !strips(side) && !strips(side.other());
        let reason = message.value(Name::Reason).filter(|_| passes).map(|reason| reason.to_string());
        self.bye(tokens, side.other(), reason);
        self.end(now, Cause::new(200, "OK"));
    }

    /// An offer inside the dialog: one at a time in either direction (RFC 3261 §14, RFC 3311 §5.2).
    fn renegotiate(&mut self, tokens: &mut Tokens, side: Side, server: ServerId, message: Message) {
        let is_offer = |one: &Exchange| matches!(one.asked.method(), Some(Method::Invite | Method::Update));
        let unfinished =
            |from| self.exchanges.iter().any(|one| one.from == from && is_offer(one) && !one.cancelled);
        if unfinished(side) || self.awaits_ack(side) {
            let mut cause = Cause::new(500, "An earlier offer is not answered yet");
            cause.retry_after = Some(std::time::Duration::from_secs(1 + tokens.random().below(10)));
            return self.answer(server, &message, side, &cause);
        }
        // One that was cancelled is pending on the other leg until its answer comes: RFC 3261 §14.1.
        let cancelled = self.exchanges.iter().any(|one| is_offer(one) && one.cancelled);
        if cancelled || unfinished(side.other()) || self.awaits_ack(side.other()) {
            return self.answer(server, &message, side, &Cause::new(491, "Request Pending"));
        }
        self.forward(tokens, side, server, message);
    }

    /// Sends a request across and remembers whom to answer.
    fn forward(&mut self, tokens: &mut Tokens, side: Side, server: ServerId, message: Message) {
        if self.exchanges.len() >= MOST_EXCHANGES {
            let mut cause = Cause::new(503, "Too many requests at one time");
            cause.retry_after = Some(std::time::Duration::from_secs(1));
            return self.answer(server, &message, side, &cause);
        }
        let method = message.method().unwrap_or(Method::Info);
        let body = Body::read(&message);
        let offers = body.as_ref().is_ok_and(|body| body.sdp().is_some());
        if offers && !matches!(method, Method::Invite | Method::Update) {
            let method = word(&method.to_string());
            let cause = Cause::new(415, format!("A session description has no meaning in {method}"));
            return self.answer(server, &message, side, &cause);
        }
        let before = offers.then(|| self.agreed(side));
        let body = match body.and_then(|body| self.cross_offer(tokens, side, &body)) {
            Ok(body) => body,
            Err(cause) => {
                self.restore_agreed(side, before);
                return self.answer(server, &message, side, &cause);
            }
        };
        let Some(from) = self.leg(side).map(|leg| leg.profile.clone()) else { return };
        let Some(to) = self.leg_mut(side.other()) else { return };
        let (builder, hop) = to.request(method, tokens);
        let profile = to.profile.clone();
        let builder = crossing::cross(&message, builder, &from, &profile).header(Name::Allow, ALLOW);
        let sent = Sent::attach(body, builder).build();
        let request = self.send(sent.clone(), hop);
        self.exchanges.push(Exchange {
            from: side,
            server,
            asked: message,
            request,
            sent,
            before,
            authenticated: false,
            again: false,
            cancelled: false,
        });
    }

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

    pub(super) fn respond_ok(&mut self, server: ServerId, message: &Message, side: Side) {
        let tag = self.leg(side).map(|leg| leg.dialog.local_tag.clone());
        let reply = Builder::reply(message, sip::StatusCode::OK, "OK", tag.as_deref());
        let reply = reply.header(Name::Allow, ALLOW);
        self.respond(server, reply.build());
    }

    fn answer(&mut self, server: ServerId, message: &Message, side: Side, cause: &Cause) {
        let tag = self.leg(side).map(|leg| leg.dialog.local_tag.clone()).unwrap_or_default();
        self.refuse(server, message, &tag, cause);
    }

    /// Sends BYE on a leg whose dialog is confirmed; later where its ACK is still awaited.
    pub(super) fn bye(&mut self, tokens: &mut Tokens, side: Side, reason: Option<String>) {
        if self.awaits_ack(side) {
            return self.ending.defer_bye(side, reason);
        }
        let Some(leg) = self.leg_mut(side) else { return };
        let (mut builder, hop) = leg.request(Method::Bye, tokens);
        if let Some(reason) = reason {
            builder = builder.header(Name::Reason, reason);
        }
        let (message, local) = (builder.build(), leg.local.clone());
        let request = self.send(message.clone(), hop.clone());
        let credentials = self.credentials.clone().filter(|_| side == Side::B);
        self.ending.keep_bye(Bye { request, message, hop, local, credentials, again: false });
    }

    /// The ACK came or never will: the BYE that waited for it may go.
    pub(super) fn send_deferred_bye(&mut self, tokens: &mut Tokens, side: Side) {
        if let Some(reason) = self.ending.take_bye(side) {
            self.bye(tokens, side, reason);
        }
    }

    /// A carrier challenged our BYE, the last request of its dialog.
    fn authenticate_bye(&mut self, tokens: &mut Tokens, request: RequestId, response: &Message) {
        let Some(Bye { message, hop, local, credentials, .. }) = self.ending.take_sent_bye(request) else {
            return;
        };
        let number = message.cseq().map_or(1, |cseq| cseq.number).saturating_add(1);
        if let Some(again) = authenticated(&message, response, credentials.as_ref(), &local, number, tokens) {
            self.send(again, hop);
        }
    }

    /// A connection broke under our BYE: the peer must hear it, or its side of the call stays up.
    fn repeat_bye(&mut self, tokens: &mut Tokens, request: RequestId) {
        let Some(bye) = self.ending.take_sent_bye(request) else { return };
        if bye.again || !bye.local.transport.is_reliable() {
            return;
        }
        let number = bye.message.cseq().map_or(1, |cseq| cseq.number).saturating_add(1);
        let message = renewed(&bye.message, number, &bye.local, tokens).build();
        let request = self.send(message.clone(), bye.hop.clone());
        self.ending.keep_bye(Bye { request, message, again: true, ..bye });
    }
}
