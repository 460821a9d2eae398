//! Requests inside the dialogs of a call that is up: re-INVITE, UPDATE, INFO and MESSAGE cross to the other leg, BYE
//! ends both, OPTIONS is answered here.

use std::time::Duration;

use sip::dialog::DialogError;
use sip::text::word;
use sip::transaction::ServerId;
use sip::{Builder, Message, Method, Name};

use super::allow::allow;
use super::body::{Body, Sent};
use super::exchange::Exchange;
use super::handshake::side_of;
use super::headers::Lines;
use super::leg::{LegRef, PLAIN, Profile};
use super::{Call, Phase, headers};
use crate::clock::Now;
use crate::ids::Tokens;
use crate::media::Side;
use crate::peer::Source;
use crate::reply::{Cause, demanded};

/// So many requests may wait for the other leg's answer.
const MOST_EXCHANGES: usize = 8;

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
                    self.ending.forget_bye_of(&message);
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
            return self.answer(server, &message, side, &refusal(&error));
        }
        leg.came_by(source.peer());
        if side == Side::A {
            self.caller_is_proven();
        }
        if let Some(demanded) = demanded(&message).filter(|_| method != Method::Bye) {
            return self.refuse_demand(server, &message, side, &demanded);
        }
        match method {
            Method::Bye => self.handle_bye(now, tokens, side, server, &message),
            Method::Options => self.respond_ok(server, &message, side),
            _ if is_offer(&message) => self.renegotiate(now, tokens, side, server, message),
            Method::Update | Method::Info | Method::Message => {
                self.forward(now, tokens, side, server, message);
            }
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
            (Some(Method::Bye), Side::A) => {
                self.respond_ok(server, message, side);
                self.caller_gave_up(now, tokens, message);
            }
            // It answered and hung up before the caller was told: it hears both in turn, once the journal has the answer.
            (Some(Method::Bye), Side::B) if matches!(self.phase, Phase::Answering) => {
                self.respond_ok(server, message, side);
                self.forgive_acks(side);
                self.ending.told(side, message.value(Name::Reason).as_deref());
                self.ending.callee_left(self.crossing_bye(side, message));
            }
            (Some(Method::Bye), Side::B) => {
                self.answer(server, message, side, &Cause::new(481, "No dialog is confirmed yet"));
            }
            (Some(Method::Options), _) => self.respond_ok(server, message, side),
            (Some(Method::Update), _) if message.body().is_empty() => {
                self.refresh(server, message, side);
            }
            _ => {
                let cause = Cause::new(500, "The call is not answered yet").later(Duration::from_secs(1));
                self.answer(server, message, side, &cause);
            }
        }
    }

    /// An UPDATE without an offer before the answer: for a session timer or a new Contact. RFC 3311 §5.2.
    fn refresh(&mut self, server: ServerId, message: &Message, side: Side) {
        let answered = matches!(self.phase, Phase::Answering);
        // Before its answer the callee's dialogs are not kept apart.
        if let Some(leg) = self.leg_mut(side).filter(|_| side == Side::A || answered) {
            if let Err(error) = leg.dialog.handle_request(message) {
                return self.answer(server, message, side, &refusal(&error));
            }
            leg.dialog.refresh_target(message);
        }
        if let Some(demanded) = demanded(message) {
            return self.refuse_demand(server, message, side, &demanded);
        }
        let contact = self.leg(side).map(|leg| leg.local.contact(&leg.contact_user)).unwrap_or_default();
        self.respond(server, self.ok(message, side).header(Name::Contact, contact).build());
    }

    fn handle_bye(&mut self, now: Now, tokens: &mut Tokens, side: Side, server: ServerId, message: &Message) {
        self.respond_ok(server, message, side);
        self.finish_handshakes(tokens, side);
        self.forgive_acks(side);
        self.ending.told(side, message.value(Name::Reason).as_deref());
        let says = self.crossing_bye(side, message);
        self.bye(tokens, side.other(), says);
        self.end(now, Cause::new(200, "OK"));
    }

    /// What a BYE of `side`'s says, as far as the other party may know it.
    fn crossing_bye(&self, side: Side, message: &Message) -> Lines {
        headers::lines(message, self.profile(side), self.profile(side.other()))
    }

    /// An offer inside the dialog: one at a time in either direction (RFC 3261 §14, RFC 3311 §5.2).
    fn renegotiate(&mut self, now: Now, tokens: &mut Tokens, side: Side, server: ServerId, message: Message) {
        let unfinished = |from| self.exchanges.iter().any(|one| one.from == from && is_offer(&one.asked));
        if unfinished(side) || self.awaits_ack(side) {
            let cause = Cause::new(500, "An earlier offer is not answered yet");
            let cause = cause.later(Duration::from_secs(1 + tokens.random().below(10)));
            return self.answer(server, &message, side, &cause);
        }
        if unfinished(side.other()) || self.awaits_ack(side.other()) {
            return self.answer(server, &message, side, &Cause::new(491, "Request Pending"));
        }
        self.forward(now, tokens, side, server, message);
    }

    /// Sends a request across and remembers whom to answer.
    fn forward(&mut self, now: Now, tokens: &mut Tokens, side: Side, server: ServerId, message: Message) {
        if self.exchanges.len() >= MOST_EXCHANGES {
            let cause = Cause::new(503, "Too many requests at one time").later(Duration::from_secs(1));
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
        let Some(leg) = self.leg_mut(side) else { return };
        if matches!(method, Method::Invite | Method::Update) {
            leg.heard(&message);
        }
        let (from, allowed) = (leg.profile.clone(), allow(leg.allows.as_deref(), None));
        let Some(to) = self.leg_mut(side.other()) else { return };
        let (builder, hop) = to.request(method, tokens);
        let profile = to.profile.clone();
        let builder = headers::cross(&message, builder, &from, &profile).header(Name::Allow, allowed);
        let sent = Sent::attach(body, builder).build();
        let request = self.send(sent.clone(), hop.clone());
        let exchange = Exchange::new(now, side, server, message, (request, sent, hop));
        self.exchanges.push(Exchange { before, ..exchange });
    }

    /// 200 without a body.
    pub(super) fn respond_ok(&mut self, server: ServerId, message: &Message, side: Side) {
        self.respond(server, self.ok(message, side).build());
    }

    fn ok(&self, message: &Message, side: Side) -> Builder {
        let tag = self.leg(side).map(|leg| leg.dialog.local_tag.as_str());
        let allowed = self.allow(side, None);
        Builder::reply(message, sip::StatusCode::OK, "OK", tag).header(Name::Allow, allowed)
    }

    /// An answer that we give ourselves inside the dialog of `side`.
    pub(super) fn answer(&mut self, server: ServerId, message: &Message, side: Side, cause: &Cause) {
        let tag = self.leg(side).map(|leg| leg.dialog.local_tag.clone()).unwrap_or_default();
        let mut reply = cause.reply(message, Some(&tag));
        if cause.status.code() == 405 {
            reply = reply.header(Name::Allow, self.allow(side, None));
        }
        self.respond(server, reply.build());
    }

    /// What `side` is told that it may use.
    ///
    /// - `but`: a method that the other side has just refused.
    pub(super) fn allow(&self, side: Side, but: Option<&str>) -> String {
        allow(self.leg(side.other()).and_then(|leg| leg.allows.as_deref()), but)
    }

    /// How the party of `side` speaks.
    pub(super) fn profile(&self, side: Side) -> &Profile {
        self.leg(side).map_or(&PLAIN, |leg| &leg.profile)
    }
}

/// Whether a request begins an offer and answer; an UPDATE may do without (RFC 3311 §5.1).
fn is_offer(message: &Message) -> bool {
    match message.method() {
        Some(Method::Invite) => true,
        Some(Method::Update) => !message.body().is_empty(),
        _ => false,
    }
}

fn refusal(error: &DialogError) -> Cause {
    match error {
        DialogError::OutOfOrder { .. } => Cause::new(500, "CSeq out of order"),
        other => Cause::new(400, other.to_string()),
    }
}
