//! A route that does not take the call: the next one, or the end of trying.

use std::sync::Arc;

use sip::text::{as_phrase, phrase};
use sip::{Message, Name};
use smol_str::SmolStr;

use super::dialled::Dialled;
use super::{Setup, Target};
use crate::call::cx::Cx;
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

    /// The Reason that it gave for that, all of it. RFC 3326.
    pub(in crate::call) fn reason(&self) -> Option<SmolStr> {
        let (message, _) = self.answer.as_ref()?;
        let mut said = message.values(Name::Reason);
        let first = said.next()?.into_owned();
        let all = said.fold(first, |all, value| format!("{all}, {value}"));
        Some(as_phrase(&all).into())
    }
}

impl Setup {
    /// The INVITE is lost: the next address, the next route, or the end.
    pub(super) fn attempt_failed(&mut self, cx: &mut Cx<'_>, dialled: Box<Dialled>, failed: Failed) -> Next {
        let target = dialled.over(cx);
        self.route_failed(cx, target, failed)
    }

    /// The address of `target` that was tried did not take the call.
    pub(super) fn route_failed(&mut self, cx: &mut Cx<'_>, target: Target, failed: Failed) -> Next {
        let named = target.route.attempt.failover_on();
        let verdict = next_route(failed.end, self.caller.rang, named, cx.account.emergency);
        cx.attempt_failed(&failed, verdict);
        // A Contact of a 3xx is one of several targets, whose refusal is the last word only if it is for all of them.
        let more = self.redirections.has_more() && !self.caller.rang;
        if !verdict.goes_on() && more && failed.status().is_some_and(|status| status < 600) {
            self.failed.push(failed);
            self.routes.clear();
            return self.next_route(cx);
        }
        if !verdict.goes_on() {
            // Its word is the last one, whatever others said before.
            return self.conclude(cx, &failed);
        }
        self.failed.push(failed);
        match target.addresses.is_empty() {
            true => self.next_route(cx),
            false => self.try_route(cx, target),
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
        if self.next_contact(cx) {
            return Next::Stay;
        }
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
        self.cancel(cx, cause.says());
        self.refuse_caller(cx, cause)
    }

    /// Answers the caller's INVITE, and with that the call is over.
    pub(super) fn refuse_caller(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        let caller = &self.caller;
        if caller.server.is_none() || caller.replaced {
            cx.act(Action::Progress { status: cause.status });
        }
        if let Some(server) = caller.server {
            cx.refuse(server, &caller.invite, &caller.leg, &cause);
        }
        Next::down(cause)
    }

    /// Cancels what is out, if anything; a late 2xx is released.
    ///
    /// - `says`: what the CANCEL says.
    pub(super) fn cancel(&mut self, cx: &mut Cx<'_>, says: Vec<(Name, String)>) {
        if let Some(dialled) = self.take_dialled() {
            dialled.leave(cx, says, false);
        }
    }

    /// Cancels the INVITE and goes on without its host.
    pub(super) fn leave_host(
        &mut self,
        cx: &mut Cx<'_>,
        dialled: Box<Dialled>,
        text: &str,
        end: RouteEnd,
    ) -> Next {
        let target = dialled.leave(cx, Cause::new(408, text).says(), true);
        let (_, words) = end.told();
        self.route_failed(cx, target, Failed::silent(end, format!("{words} in time")))
    }
}
