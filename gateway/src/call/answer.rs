//! What comes back for an INVITE of ours: provisional answers, the answer, a challenge.

use std::collections::VecDeque;
use std::time::Duration;

use sip::dialog::{Dialog, DialogError};
use sip::sdp::Sdp;
use sip::{Builder, Message, Name, StatusCode};

use super::allow::{allow, allowed_by};
use super::body::{Body, Sent};
use super::failure::Failed;
use super::handshake::{MOST_PROOFS, authenticated};
use super::io::{Action, AttemptEnd, Hop, RequestId};
use super::{Call, Phase, TIMER_C, addresses, headers};
use crate::clock::Now;
use crate::ids::Tokens;
use crate::media::Side;
use crate::peer::Peer;
use crate::reply::Cause;
use crate::route::RouteEnd;

/// How long an answered call waits for the journal before it goes on without.
const JOURNAL_TIMEOUT: Duration = Duration::from_secs(1);

impl Call {
    /// A response to one of our requests.
    pub(super) fn handle_response(
        &mut self,
        now: Now,
        tokens: &mut Tokens,
        request: RequestId,
        message: Message,
        flow: Peer,
    ) {
        let Some(index) = self.attempts.iter().position(|attempt| attempt.request == request) else {
            return self.handle_dialog_response(now, tokens, request, message);
        };
        let Some(status) = message.status() else { return };
        if status.is_provisional() {
            return self.handle_provisional(now, tokens, index, status, &message);
        }
        let Some(attempt) = self.attempts.get_mut(index) else { return };
        let repeated = std::mem::replace(&mut attempt.over, true);
        let abandoned = attempt.abandoned;
        if status.is_success() {
            if repeated && self.acknowledge_again(request, &message) {
                return;
            }
            if repeated || abandoned || !matches!(self.phase, Phase::Trying) {
                return self.release_late_answer(tokens, index, &message);
            }
            return self.answered(now, tokens, index, message, flow);
        }
        if abandoned || !matches!(self.phase, Phase::Trying) {
            return;
        }
        let challenged = matches!(status.code(), 401 | 407);
        if challenged && self.answer_challenge(now, tokens, index, &message) {
            return;
        }
        self.rest_host(index, &message);
        self.route_failed(now, tokens, Failed::answered(&message));
    }

    fn handle_provisional(
        &mut self,
        now: Now,
        tokens: &mut Tokens,
        index: usize,
        status: StatusCode,
        message: &Message,
    ) {
        let newest = index + 1 == self.attempts.len();
        let Some(attempt) = self.attempts.get_mut(index) else { return };
        attempt.heard = true;
        let abandoned = attempt.abandoned;
        if !newest || abandoned || !matches!(self.phase, Phase::Trying) {
            return;
        }
        self.timers.first_response = None;
        self.timers.ringing.get_or_insert(now.instant + TIMER_C);
        // 199 ends one of several early dialogs (RFC 6228 §4); the caller knows of one, which goes on.
        if matches!(status.code(), 100 | 199) {
            return;
        }
        // Timer C starts again with each 101-199. RFC 3261 §16.7.
        self.timers.ringing = Some(now.instant + TIMER_C);
        let Some(server) = self.server else { return };
        let body = self.early_body(tokens, index, message);
        if matches!(status.code(), 180..=189) {
            self.rang = true;
            self.timers.progress = None;
            self.times.ringing.get_or_insert(now.unix);
        }
        let Some(invite) = self.invite.clone() else { return };
        let response = self.cross_response(Side::B, message, body, &invite);
        self.respond(server, response);
    }

    /// What crosses with a ringing: an early answer that can be taken, or what describes no session. An offer has no
    /// place in a response that may be lost (RFC 3261 §13.2.1).
    fn early_body(&mut self, tokens: &mut Tokens, index: usize, message: &Message) -> Option<Sent> {
        let body = Body::read(message).ok()?;
        if body.sdp().is_none() {
            return body.as_is();
        }
        if !self.caller_offered() {
            return None;
        }
        let sent = self.cross_description(tokens, Side::B, &body, false).ok()?;
        if let Some(attempt) = self.attempts.get_mut(index) {
            attempt.early = message.to_tag().map(|tag| (tag, sent.clone()));
        }
        Some(sent)
    }

    /// What the caller is told of the callee's media, with the 2xx: its answer, or the offer where the caller made
    /// none. Where it says nothing of media, what it said while it rang was its answer (RFC 3261 §13.2.1).
    ///
    /// - `offered`: whether the caller's INVITE made the offer.
    fn answered_body(
        &mut self,
        tokens: &mut Tokens,
        index: usize,
        message: &Message,
        offered: bool,
    ) -> Result<Sent, Cause> {
        let body = Body::read(message);
        let sdp = body.as_ref().ok().and_then(Body::sdp);
        let early = self.attempts.get(index).and_then(|attempt| attempt.early.as_ref());
        if sdp.and_then(Sdp::relayed_stream).is_none()
            && offered
            && let Some((tag, sent)) = early
            && message.to_tag().as_ref() == Some(tag)
        {
            return Ok(sent.repeated());
        }
        self.cross_description(tokens, Side::B, &body?, !offered)
    }

    fn caller_offered(&self) -> bool {
        self.invite.as_ref().is_some_and(|asked| Body::read(asked).is_ok_and(|body| body.sdp().is_some()))
    }

    /// A response of `from`'s, as the other leg gets it in answer to its `request`.
    pub(super) fn cross_response(
        &self,
        from: Side,
        message: &Message,
        body: Option<Sent>,
        request: &Message,
    ) -> Message {
        // What one party can't do now is not true of the whole trunk: a 503 stays on its leg, RFC 3261 §16.7.
        let failed = StatusCode::SERVER_INTERNAL_ERROR;
        let status = message.status().filter(|status| status.code() != 503).unwrap_or(failed);
        let reason = addresses::phrase(message);
        let empty = &super::leg::PLAIN;
        let (from_leg, to_leg) = (self.leg(from), self.leg(from.other()));
        let from_profile = from_leg.map_or(empty, |leg| &leg.profile);
        let to_profile = to_leg.map_or(empty, |leg| &leg.profile);
        let tag = to_leg.map(|leg| leg.dialog.local_tag.as_str());
        let said = allowed_by(message);
        let known = said.as_deref().or(from_leg.and_then(|leg| leg.allows.as_deref()));
        let allowed = |but: Option<&str>| allow(known, but);
        let mut builder = Builder::reply(request, status, &reason, tag);
        builder = headers::cross(message, builder, from_profile, to_profile);
        if message.status() != Some(status) {
            builder = builder.remove(Name::RetryAfter);
        }
        if status.code() < 300 {
            builder = builder.record_routes(request);
            if let Some(leg) = to_leg {
                builder = builder.header(Name::Contact, leg.local.contact(&leg.contact_user));
            }
            builder = builder.header(Name::Allow, allowed(None));
        } else if !message.has(Name::Reason) {
            builder = builder.header(Name::Reason, Cause::new(status.code(), reason).reason());
        }
        if status.code() == 405 {
            // RFC 3261 §21.4.6: what the other side has just refused is not allowed here either.
            let refused = request.method().map(|method| method.to_string());
            builder = builder.header(Name::Allow, allowed(refused.as_deref()));
        }
        if let Some(name) = about(status) {
            for line in message.lines(name.clone()) {
                builder = builder.header(name.clone(), line.as_bytes());
            }
        }
        Sent::attach(body, builder).build()
    }

    /// Answers a carrier's digest challenge. RFC 3261 §22.2-3.
    fn answer_challenge(&mut self, now: Now, tokens: &mut Tokens, index: usize, message: &Message) -> bool {
        let Some(route) = &self.route else { return false };
        let Some(attempt) = self.attempts.get(index) else { return false };
        if attempt.proofs >= MOST_PROOFS {
            return false;
        }
        let credentials = self.credentials.clone();
        let local = attempt.local.clone();
        let number = attempt.invite.cseq().map_or(1, |cseq| cseq.number).saturating_add(1);
        let (asked, who) = (&attempt.invite, credentials.as_ref());
        let Some(invite) = authenticated(asked, message, who, &local, number, tokens) else {
            return false;
        };
        let flow = attempt.flow.clone();
        self.timers.wait_for(now, &route.attempt);
        let request = self.send(invite.clone(), Hop::Peer(flow));
        if let Some(attempt) = self.attempts.get_mut(index) {
            attempt.request = request;
            attempt.invite = invite;
            attempt.over = false;
            attempt.proofs += 1;
        }
        true
    }

    /// The callee took the call: remember both legs, then ask the journal.
    fn answered(&mut self, now: Now, tokens: &mut Tokens, index: usize, message: Message, flow: Peer) {
        self.stop_ringing();
        let Some(asked) = self.invite.clone() else { return };
        let Some(attempt) = self.attempts.get(index) else { return };
        let request = attempt.request;
        let cseq = attempt.invite.cseq().map_or(1, |cseq| cseq.number);
        // Who says nothing usable of where its requests go is asked no more than to hang up.
        let dialog = match message.contact().map_err(DialogError::from) {
            Ok(_) => Dialog::uac(&attempt.invite, &message),
            Err(error) => Err(error),
        };
        let dialog = match dialog {
            Ok(dialog) => dialog,
            Err(error) => {
                let cause = Cause::new(502, format!("The callee's answer: {error}"));
                self.release_answer(tokens, index, &message, &cause);
                return self.answered_badly(now, tokens, &error.to_string());
            }
        };
        if let Some(leg) = &mut self.b {
            leg.heard(&message);
            leg.dialog = dialog;
            leg.flow = attempt.flow.clone();
            leg.moved(flow);
        }
        let handshake = super::handshake::Handshake::awaiting(Side::A, request, &attempt.invite);
        let offered = self.caller_offered();
        let body = self.answered_body(tokens, index, &message, offered);
        self.handshakes.push(handshake);
        let body = match body {
            Ok(body) => body,
            Err(cause) => {
                self.release_b(tokens, Some(&cause));
                self.drop_unanswered_handshakes();
                return self.answered_badly(now, tokens, &cause.text);
            }
        };
        if offered {
            self.acknowledge(tokens, Side::A, request, cseq, None);
        }
        self.attempt_ends(now, AttemptEnd::Answered, Some(200), "OK".to_owned(), None);
        self.answer = Some(self.cross_response(Side::B, &message, Some(body), &asked));
        self.phase = Phase::Answering;
        self.timers.journal = Some(now.instant + JOURNAL_TIMEOUT);
        self.actions.push_back(Action::Journal);
    }

    /// The callee took the call with an answer that nobody can use. Who needs help is put through to the next one.
    fn answered_badly(&mut self, now: Now, tokens: &mut Tokens, text: &str) {
        let text = addresses::without_addresses(&format!("The callee's answer: {text}"));
        let failed = Failed { cause: Cause::new(502, &*text), ..Failed::silent(RouteEnd::BadAnswer, text) };
        self.route_failed(now, tokens, failed);
    }

    /// The answered call is safe on disk: the caller may know, if it is there.
    pub(super) fn handle_journaled(&mut self, now: Now, tokens: &mut Tokens) {
        self.timers.journal = None;
        if matches!(self.phase, Phase::Answering) {
            self.ask_to_answer(now, tokens);
        }
    }

    /// The caller gets its answer.
    pub(super) fn answer_caller(&mut self, now: Now, tokens: &mut Tokens) {
        let (Some(server), Some(answer)) = (self.server.take(), self.answer.take()) else { return };
        self.phase = Phase::Established;
        self.timers.longest_setup = None;
        self.routes = VecDeque::new(); // No other is tried any more.
        self.a.dialog.confirm();
        self.times.answered = Some(now.unix);
        self.answered_at = Some(now.instant);
        self.timers.max_duration = Some(now.instant + self.max_duration);
        self.actions.push_back(Action::Answered);
        self.watch_for_silence();
        self.accept(now, Side::A, server, answer);
        if let Some(says) = self.ending.take_callee_left() {
            self.bye(tokens, Side::A, says);
            self.end(now, Cause::new(200, "OK"));
        }
    }
}

/// The header that a refusal is about, which crosses with it though each leg has its own otherwise: RFC 3261 §21.4.15-16,
/// RFC 4028 §6.
fn about(status: StatusCode) -> Option<Name> {
    match status.code() {
        420 => Some(Name::Unsupported),
        421 => Some(Name::Require),
        422 => Some(Name::MinSe),
        423 => Some(Name::MinExpires),
        _ => None,
    }
}
