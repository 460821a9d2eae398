//! A route that does not take the call: the next one, or the end of trying; and a caller that gives up.

use sip::text::phrase;
use sip::transaction::ServerId;
use sip::{Message, Name, StatusCode};

use super::headers::lines_of_cancel;
use super::io::{Action, Failure as Lost, Hop, RequestId};
use super::leg::{PLAIN, renewed};
use super::{Call, Phase, addresses};
use crate::clock::Now;
use crate::ids::Tokens;
use crate::media::Side;
use crate::reply::Cause;
use crate::route::{RouteEnd, last_answer, next_route};

/// A route that did not take the call.
#[derive(Debug)]
pub(super) struct Failed {
    pub end: RouteEnd,
    /// What it said.
    pub answer: Option<Message>,
    /// What the caller hears of it where no answer crosses: without any name or address.
    pub cause: Cause,
    /// Why, for the log and the record.
    pub detail: String,
}

impl Failed {
    pub(super) fn answered(message: &Message) -> Failed {
        let status = message.status().map_or(500, |status| status.code());
        let reason = String::from_utf8_lossy(message.reason_phrase().unwrap_or_default());
        let end = RouteEnd::Answer { status, q850: q850(message) };
        Failed { answer: Some(message.clone()), ..Failed::silent(end, format!("{status} {reason}")) }
    }

    /// - `detail`: for the log and the record.
    pub(super) fn silent(end: RouteEnd, detail: impl Into<String>) -> Failed {
        let (status, words) = end.told();
        let cause = Cause::new(status, format!("No route took the call: {words}"));
        Failed { end, answer: None, cause, detail: phrase(&detail.into()) }
    }

    /// What it answered.
    pub(super) fn status(&self) -> Option<u16> {
        match self.end {
            RouteEnd::Answer { status, .. } => Some(status),
            _ => None,
        }
    }
}

/// The cause of a `Reason: Q.850;cause=N` header. RFC 3326.
fn q850(message: &Message) -> Option<u16> {
    message.values(Name::Reason).find_map(|value| {
        let mut fields = value.split(';').map(str::trim);
        if !fields.next()?.eq_ignore_ascii_case("Q.850") {
            return None;
        }
        fields.find_map(|field| field.strip_prefix("cause=")?.trim().parse().ok())
    })
}

impl Call {
    /// No response will come.
    pub(super) fn handle_failed(&mut self, now: Now, tokens: &mut Tokens, request: RequestId, lost: Lost) {
        let Some(index) = self.attempts.iter().position(|attempt| attempt.request == request) else {
            return self.handle_dialog_failed(now, tokens, request, lost);
        };
        let Some(attempt) = self.attempts.get_mut(index) else { return };
        attempt.over = true;
        // What it says later is not about the attempt that follows.
        if std::mem::replace(&mut attempt.abandoned, true) || !matches!(self.phase, Phase::Trying) {
            return;
        }
        if lost == Lost::Transport && self.ask_again(tokens, index) {
            return;
        }
        let failed = match lost {
            Lost::Timeout => Failed::silent(RouteEnd::NoResponse, "no response"),
            Lost::Transport => Failed::silent(RouteEnd::TransportFailure, "it can't be reached"),
        };
        self.route_failed(now, tokens, failed);
    }

    /// A connection that was idle for long is often dead, and nobody knows before it is used. Where there is nobody else
    /// to ask, the same INVITE goes out once more by a new one; who did get the first knows it by its Call-ID and CSeq
    /// (RFC 3261 §8.2.2.2), so that nobody rings twice.
    fn ask_again(&mut self, tokens: &mut Tokens, index: usize) -> bool {
        let Some(attempt) = self.attempts.get(index).filter(|_| self.is_last()) else { return false };
        if attempt.heard || attempt.again || !attempt.local.transport.is_reliable() {
            return false;
        }
        let number = attempt.invite.cseq().map_or(1, |cseq| cseq.number);
        let invite = renewed(&attempt.invite, number, &attempt.local, tokens).build();
        let flow = attempt.flow.clone();
        let request = self.send(invite.clone(), Hop::Peer(flow));
        if let Some(attempt) = self.attempts.get_mut(index) {
            attempt.request = request;
            attempt.invite = invite;
            attempt.over = false;
            attempt.abandoned = false;
            attempt.again = true;
        }
        true
    }

    /// The present address is lost: the next one, the next route, or the end.
    pub(super) fn route_failed(&mut self, now: Now, tokens: &mut Tokens, failed: Failed) {
        self.stop_ringing();
        let named = self.route.as_ref().map_or(&[][..], |route| route.attempt.failover_on());
        let verdict = next_route(failed.end, self.rang, named, self.account.emergency);
        self.attempt_failed(now, &failed, verdict);
        if !verdict.goes_on() {
            // Its word is the last one, whatever others said before.
            return self.conclude(now, &failed);
        }
        self.failed.push(failed);
        self.phase = Phase::Preparing;
        if self.targets.is_empty() {
            self.next_route(now);
        } else {
            self.try_route(now, tokens);
        }
    }

    /// The present route is of no use, and nothing was sent there: the next one.
    pub(super) fn skip_route(&mut self, now: Now, failed: Failed) {
        let verdict = next_route(failed.end, false, &[], self.account.emergency);
        self.attempt_failed(now, &failed, verdict);
        self.failed.push(failed);
        self.next_route(now);
    }

    /// No route is left: the caller gets the last answer that says something, else what was the matter with the last.
    pub(super) fn exhausted(&mut self, now: Now) {
        let failed = std::mem::take(&mut self.failed);
        let ends: Vec<RouteEnd> = failed.iter().map(|failed| failed.end).collect();
        match last_answer(&ends).and_then(|index| failed.get(index)) {
            Some(failed) => self.conclude(now, failed),
            None => {
                let none = || Cause::new(500, "No route took the call: none was usable");
                self.give_up(now, failed.last().map_or_else(none, |failed| failed.cause.clone()));
            }
        }
    }

    /// Gives the caller the answer of the route that counts, or what was the matter with it.
    fn conclude(&mut self, now: Now, failed: &Failed) {
        match (&failed.answer, failed.status()) {
            // A redirection names a target that the caller could not be held to.
            (_, Some(status @ 300..=399)) => {
                self.give_up(now, Cause::new(480, format!("Redirected ({status}), not followed")));
            }
            // A challenge is for us, who have no answer; the caller's would be of no use.
            (Some(message), Some(status)) if !matches!(status, 401 | 407) => self.relay_failure(now, message),
            _ => self.give_up(now, failed.cause.clone()),
        }
    }

    fn relay_failure(&mut self, now: Now, message: &Message) {
        let (Some(server), Some(invite)) = (self.server.take(), self.invite.clone()) else {
            return self.end(now, Cause::new(500, addresses::phrase(message)));
        };
        let response = self.cross_response(Side::B, message, None, &invite);
        let status = response.status().map_or(500, |status| status.code());
        self.respond(server, response);
        self.ending.told(Side::B, message.value(Name::Reason).as_deref());
        self.end(now, Cause::new(status, addresses::phrase(message)));
    }

    /// Refuses the caller's INVITE and ends the call.
    pub(super) fn give_up(&mut self, now: Now, cause: Cause) {
        self.abandon_attempt(cause.says(), false);
        self.refuse_invite(&cause);
        self.end(now, cause);
    }

    /// Answers the caller's INVITE, unless it has its final answer.
    fn refuse_invite(&mut self, cause: &Cause) {
        if let (Some(server), Some(invite)) = (self.server.take(), self.invite.clone()) {
            let tag = self.a.dialog.local_tag.clone();
            self.refuse(server, &invite, &tag, cause);
        }
    }

    /// Cancels what is out, if anything; a late answer is released.
    ///
    /// - `says`: what the CANCEL says.
    /// - `left`: for another host, so that this one must not get its INVITE again.
    pub(super) fn abandon_attempt(&mut self, says: Vec<(Name, String)>, left: bool) {
        if let Some(attempt) = self.attempts.last_mut()
            && !attempt.over
            && !attempt.abandoned
        {
            attempt.abandoned = true;
            let request = attempt.request;
            self.actions.push_back(Action::Cancel { request, says, left });
        }
    }

    /// An INVITE was cancelled.
    pub(super) fn handle_cancel(
        &mut self,
        now: Now,
        tokens: &mut Tokens,
        server: ServerId,
        message: &Message,
    ) {
        if self.server != Some(server) {
            return self.handle_exchange_cancel(now, server, message);
        }
        self.caller_gave_up(now, tokens, message);
    }

    /// The caller gave up, by a CANCEL or, in its early dialog, by a BYE (RFC 3261 §15).
    pub(super) fn caller_gave_up(&mut self, now: Now, tokens: &mut Tokens, message: &Message) {
        self.ending.told(Side::A, message.value(Name::Reason).as_deref());
        let to = self.attempts.last().map_or(&PLAIN, |attempt| &attempt.profile);
        self.abandon_attempt(lines_of_cancel(message, &self.a.profile, to), false);
        let cause = Cause::new(487, "Request Terminated");
        self.refuse_invite(&cause);
        if matches!(self.phase, Phase::Answering) {
            self.release_b(tokens, Some(&cause));
        }
        self.end(now, cause);
    }

    /// Cancels the present attempt and goes on.
    pub(super) fn leave_attempt(&mut self, now: Now, tokens: &mut Tokens, cause: &Cause, end: RouteEnd) {
        self.abandon_attempt(cause.says(), true);
        let (_, words) = end.told();
        self.route_failed(now, tokens, Failed::silent(end, format!("{words} in time")));
    }

    /// 503 with Retry-After: the host wants no calls for a while. RFC 3261 §21.5.4.
    pub(super) fn rest_host(&mut self, index: usize, message: &Message) {
        let (Some(attempt), Some(route)) = (self.attempts.get(index), &self.route) else { return };
        if let (Some(503), Some(rest)) = (message.status().map(StatusCode::code), message.retry_after()) {
            self.actions.push_back(Action::Rest {
                address: attempt.address,
                transport: route.attempt.lookup.transport,
                rest,
            });
        }
    }
}
