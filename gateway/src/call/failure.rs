//! A route that does not take the call: the next one, or the end of trying; and a caller that gives up.

use std::time::Duration;

use sip::transaction::ServerId;
use sip::{Message, Name, StatusCode};

use super::io::{Action, Cause, Failure as Lost, Hop, RequestId};
use super::leg::{Profile, renewed};
use super::{Call, Phase};
use crate::core::Now;
use crate::ids::Tokens;
use crate::media::Side;
use crate::route::{RouteEnd, last_answer, next_route};

/// A route that did not take the call.
#[derive(Debug)]
pub(super) struct Failed {
    pub end: RouteEnd,
    /// What it said.
    pub answer: Option<Message>,
    /// Why, in words of ours.
    pub cause: Cause,
}

impl Failed {
    pub(super) fn answered(message: &Message) -> Failed {
        let status = message.status().map_or(500, |status| status.code());
        let reason = String::from_utf8_lossy(message.reason_phrase().unwrap_or_default());
        Failed {
            end: RouteEnd::Answer { status, q850: q850(message) },
            answer: Some(message.clone()),
            cause: Cause::new(status, reason),
        }
    }

    pub(super) fn silent(end: RouteEnd, text: impl Into<String>) -> Failed {
        Failed { end, answer: None, cause: Cause::new(503, text) }
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
        let address = attempt.address;
        if lost == Lost::Transport && self.ask_again(tokens, index) {
            return;
        }
        let failed = match lost {
            Lost::Timeout => Failed::silent(RouteEnd::NoResponse, format!("no response from {address}")),
            Lost::Transport => {
                Failed::silent(RouteEnd::TransportFailure, format!("{address} can't be reached"))
            }
        };
        self.route_failed(now, tokens, failed);
    }

    /// A connection that was idle for long is often dead, and nobody knows before it is used. Where there is nobody else
    /// to ask, the same INVITE goes out once more by a new one; who did get the first knows it by its Call-ID and CSeq
    /// (RFC 3261 §8.2.2.2), so that nobody rings twice.
    fn ask_again(&mut self, tokens: &mut Tokens, index: usize) -> bool {
        let alone = self.targets.is_empty() && self.routes.is_empty();
        let Some(attempt) = self.attempts.get(index).filter(|_| alone) else { return false };
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
        self.timers.first_response = None;
        self.stop_ringing();
        let named = self.route.as_ref().map_or(&[][..], |route| route.attempt.failover_on());
        let verdict = next_route(failed.end, self.rang, named, self.account.emergency);
        if !verdict.goes_on() {
            // Its word is the last one, whatever others said before.
            return self.conclude(now, failed.answer.as_ref(), &failed.cause);
        }
        self.failed.push(failed);
        self.phase = Phase::Preparing;
        if self.targets.is_empty() {
            self.next_route(now);
        } else {
            self.try_route(now, tokens);
        }
    }

    /// No route is left: the caller gets the last answer that says something, else 503.
    pub(super) fn exhausted(&mut self, now: Now) {
        let failed = std::mem::take(&mut self.failed);
        let ends: Vec<RouteEnd> = failed.iter().map(|failed| failed.end).collect();
        let answer =
            last_answer(&ends).and_then(|index| failed.get(index)).and_then(|one| one.answer.as_ref());
        let cause = failed.last().map_or_else(|| Cause::new(503, "none was usable"), |one| one.cause.clone());
        self.conclude(now, answer, &cause);
    }

    /// Gives the caller the answer that counts; without one, 503 and why.
    fn conclude(&mut self, now: Now, answer: Option<&Message>, cause: &Cause) {
        let Some(message) = answer else {
            if cause.status == StatusCode::NOT_ACCEPTABLE_HERE {
                return self.give_up(now, cause.clone());
            }
            let text = format!("No route took the call: {}", cause.text);
            return self.give_up(now, Cause { retry_after: cause.retry_after, ..Cause::new(503, text) });
        };
        let status = message.status().map_or(503, |status| status.code());
        match status {
            // Its challenge is for us, who have no answer; the caller's would be of no use.
            401 | 407 => self.give_up(now, Cause::new(503, "The carrier refused our credentials")),
            // A redirection names a target that the caller could not be held to.
            300..=399 => self.give_up(now, Cause::new(480, format!("Redirected ({status}), not followed"))),
            _ => self.relay_failure(now, message),
        }
    }

    fn relay_failure(&mut self, now: Now, message: &Message) {
        if let (Some(server), Some(invite)) = (self.server.take(), self.invite.clone()) {
            let response = self.cross_response(Side::B, message, None, &invite);
            self.respond(server, response);
        }
        let status = message.status().map_or(503, |status| status.code());
        let reason = String::from_utf8_lossy(message.reason_phrase().unwrap_or_default()).into_owned();
        self.end(now, Cause::new(status, reason));
    }

    /// Refuses the caller's INVITE and ends the call.
    pub(super) fn give_up(&mut self, now: Now, cause: Cause) {
        self.abandon_attempt(Some(cause.reason()));
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
    pub(super) fn abandon_attempt(&mut self, reason: Option<String>) {
        if let Some(attempt) = self.attempts.last_mut()
            && !attempt.over
            && !attempt.abandoned
        {
            attempt.abandoned = true;
            let request = attempt.request;
            self.actions.push_back(Action::Cancel { request, reason });
        }
    }

    /// The caller gave up.
    pub(super) fn handle_cancel(
        &mut self,
        now: Now,
        tokens: &mut Tokens,
        server: ServerId,
        reason: Option<String>,
    ) {
        if self.server != Some(server) {
            return self.handle_exchange_cancel(server, reason);
        }
        let passes = |profile: &Profile| !profile.strips(&Name::Reason);
        let to = self.attempts.last().map(|attempt| &attempt.profile);
        let reason = reason.filter(|_| passes(&self.a.profile) && to.is_none_or(passes));
        self.abandon_attempt(reason);
        let cause = Cause::new(487, "Request Terminated");
        self.refuse_invite(&cause);
        if matches!(self.phase, Phase::Answering) {
            self.release_b(tokens, Some(&cause));
        }
        self.end(now, cause);
    }

    /// Cancels the present attempt and goes on.
    pub(super) fn leave_attempt(&mut self, now: Now, tokens: &mut Tokens, cause: &Cause, what: &str) {
        self.abandon_attempt(Some(cause.reason()));
        let address = self.attempts.last().map(|attempt| attempt.address.to_string()).unwrap_or_default();
        let text = format!("{what} {address} in time");
        self.route_failed(now, tokens, Failed::silent(RouteEnd::NoResponse, text));
    }

    /// 503 with Retry-After: the host wants no calls for a while. RFC 3261 §21.5.4.
    pub(super) fn rest_host(&mut self, index: usize, message: &Message) {
        let (Some(attempt), Some(route)) = (self.attempts.get(index), &self.route) else { return };
        let after = message.value(Name::RetryAfter).and_then(|value| {
            let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok().map(Duration::from_secs)
        });
        if let (Some(503), Some(rest)) = (message.status().map(StatusCode::code), after) {
            self.actions.push_back(Action::Rest {
                address: attempt.address,
                transport: route.attempt.lookup.transport,
                rest,
            });
        }
    }
}
