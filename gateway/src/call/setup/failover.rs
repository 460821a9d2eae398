//! A route that does not take the call: the next one, or the end of trying.

use std::sync::Arc;

use sip::text::phrase;
use sip::{Message, Name, StatusCode};

use super::Setup;
use crate::call::cx::Cx;
use crate::call::established::FarInvite;
use crate::call::io::Action;
use crate::call::profile::Profile;
use crate::call::rules::{self, Way};
use crate::call::{Next, addresses, response};
use crate::media::Side;
use crate::q850::Q850;
use crate::reply::Cause;
use crate::route::{RouteEnd, last_answer, next_route};

/// A route that did not take the call.
#[derive(Debug)]
pub(in crate::call) struct Failed {
    pub end: RouteEnd,
    /// What it said, and how it speaks.
    pub answer: Option<(Message, Arc<Profile>)>,
    /// What the caller hears of it where no answer crosses: without any name or address.
    pub cause: Cause,
    /// Why, for the log and the record.
    pub detail: String,
}

impl Failed {
    /// - `from`: how the party speaks, whose response is taken for what its rules make of it.
    pub(in crate::call) fn answered(message: &Message, from: Arc<Profile>) -> Failed {
        let said = message.status().map_or(500, |status| status.code());
        let status = rules::code(said, &from.code_rules, Way::From);
        let reason = String::from_utf8_lossy(message.reason_phrase().unwrap_or_default());
        let taken = if status == said { String::new() } else { format!(", taken for {status}") };
        let end = RouteEnd::Answer { status, q850: Q850::of(message).map(|found| found.cause) };
        let silent = Failed::silent(end, format!("{said} {reason}{taken}"));
        Failed { answer: Some((message.clone(), from)), ..silent }
    }

    /// - `detail`: for the log and the record.
    pub(in crate::call) fn silent(end: RouteEnd, detail: impl Into<String>) -> Failed {
        let (status, words) = end.told();
        let cause = Cause::new(status, format!("No route took the call: {words}"));
        Failed { end, answer: None, cause, detail: phrase(&detail.into()) }
    }

    /// What it answered.
    pub(in crate::call) fn status(&self) -> Option<u16> {
        match self.end {
            RouteEnd::Answer { status, .. } => Some(status),
            _ => None,
        }
    }
}

impl Setup {
    /// The INVITE that is out is lost: the next address, the next route, or the end.
    pub(super) fn attempt_failed(&mut self, cx: &mut Cx<'_>, failed: Failed) -> Next {
        self.end_crossings(cx);
        if let Some(attempt) = self.attempt.take() {
            attempt.leave(cx, &None, None, true);
        }
        self.route_failed(cx, failed)
    }

    fn route_failed(&mut self, cx: &mut Cx<'_>, failed: Failed) -> Next {
        let named = self.target.as_ref().map_or(&[][..], |target| target.route.attempt.failover_on());
        let verdict = next_route(failed.end, self.rang, named, cx.account.emergency);
        cx.attempt_failed(&failed, verdict);
        if !verdict.goes_on() {
            // Its word is the last one, whatever others said before.
            return self.conclude(cx, &failed);
        }
        self.failed.push(failed);
        match &self.target {
            Some(target) if !target.addresses.is_empty() => self.try_route(cx),
            _ => self.next_route(cx),
        }
    }

    /// The present route is of no use, and nothing was sent there: the next one.
    pub(super) fn skip_route(&mut self, cx: &mut Cx<'_>, failed: Failed) -> Next {
        let verdict = next_route(failed.end, false, &[], cx.account.emergency);
        cx.attempt_failed(&failed, verdict);
        self.failed.push(failed);
        self.next_route(cx)
    }

    /// No route is left: the caller gets the last refusal that says something, else what was the matter with the last.
    pub(super) fn exhausted(&mut self, cx: &mut Cx<'_>) -> Next {
        let failed = std::mem::take(&mut self.failed);
        let ends: Vec<RouteEnd> = failed.iter().map(|failed| failed.end).collect();
        match last_answer(&ends).and_then(|index| failed.get(index)) {
            Some(failed) => self.conclude(cx, failed),
            None => {
                let none = || Cause::new(500, "No route took the call: none was usable");
                self.give_up(cx, failed.last().map_or_else(none, |failed| failed.cause.clone()))
            }
        }
    }

    /// Gives the caller the refusal of the route that counts, or what was the matter with it.
    fn conclude(&mut self, cx: &mut Cx<'_>, failed: &Failed) -> Next {
        match (&failed.answer, failed.status()) {
            // A redirection names a target that the caller could not be held to.
            (_, Some(status @ 300..=399)) => {
                self.give_up(cx, Cause::new(480, format!("Redirected ({status}), not followed")))
            }
            // A challenge is for us, who have no answer; the caller's would be of no use.
            (Some((message, from)), Some(status)) if !matches!(status, 401 | 407) => {
                self.relay_failure(cx, message, from)
            }
            _ => self.give_up(cx, failed.cause.clone()),
        }
    }

    fn relay_failure(&mut self, cx: &mut Cx<'_>, message: &Message, from: &Profile) -> Next {
        let caller = &self.caller;
        let response = response::refuse(from, &caller.leg, message, &caller.invite);
        let status = response.status().map_or(500, |status| status.code());
        let cause = Cause::new(status, addresses::phrase(&response));
        caller.hears(cx, response);
        cx.history.told(Side::B, message.value(Name::Reason).as_deref());
        Next::down(cause)
    }

    /// Refuses the caller's INVITE and ends the call.
    pub fn give_up(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        self.leave_attempt(cx, cause.says(), false);
        self.refuse_caller(cx, cause)
    }

    /// Answers the caller's INVITE, and with that the call is over.
    pub(super) fn refuse_caller(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        let caller = &self.caller;
        match caller.server {
            Some(server) => cx.refuse(server, &caller.invite, &caller.leg, &cause),
            None => cx.act(Action::Progress { status: cause.status }),
        }
        Next::down(cause)
    }

    /// Cancels what is out, if anything; a late 2xx is released.
    ///
    /// - `says`: what the CANCEL says.
    /// - `left`: for another host, so that this one must not get its INVITE again.
    pub(super) fn leave_attempt(&mut self, cx: &mut Cx<'_>, says: Vec<(Name, String)>, left: bool) {
        self.end_crossings(cx);
        if let Some(attempt) = self.attempt.take() {
            let login = self.target.as_ref().and_then(|target| target.route.credentials.clone());
            if let Some(accepting) = self.accepting.take() {
                let (leg, invite) = (accepting.leg(), FarInvite::new(&attempt.sent));
                let tag = leg.dialog.remote_tag.clone();
                cx.acknowledge(&leg, invite.parts(), None);
                let says =
                    says.into_iter().map(|(name, value)| (name.as_str().to_owned(), value.into_bytes()));
                cx.bye(leg, login.clone(), says.collect());
                return attempt.leave(cx, &login, Some(tag), true);
            }
            cx.act(Action::Cancel { request: attempt.sent.id, says, left });
            attempt.leave(cx, &login, None, false);
        }
    }

    /// Cancels the INVITE that is out and goes on.
    pub(super) fn leave_host(&mut self, cx: &mut Cx<'_>, text: &str, end: RouteEnd) -> Next {
        self.leave_attempt(cx, Cause::new(408, text).says(), true);
        let (_, words) = end.told();
        self.route_failed(cx, Failed::silent(end, format!("{words} in time")))
    }

    /// 503 with Retry-After: the host wants no calls for a while. RFC 3261 §21.5.4.
    pub(super) fn rest_host(&self, cx: &mut Cx<'_>, message: &Message) {
        let (Some(attempt), Some(target)) = (&self.attempt, &self.target) else { return };
        if let (Some(503), Some(rest)) = (message.status().map(StatusCode::code), message.retry_after()) {
            let transport = target.route.attempt.lookup.transport;
            cx.act(Action::Rest { address: attempt.address, transport, rest });
        }
    }
}
