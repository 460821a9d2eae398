//! From the INVITE to the 2xx: routes one after another, the early dialogs of the INVITE that is out, and the caller who
//! waits.

mod accept;
mod attempt;
mod client_invite;
mod failover;
mod provisional;
mod redirect;
mod reliable;
mod target;
mod update;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sip::dialog::DialogError;
use sip::dialog::offer_answer::Carrier;
use sip::dialog::offer_answer::Side::Remote;
use sip::transaction::ServerId;
use sip::{Message, Method, Name};

use super::allow::Promises;
use super::body::Body;
use super::cx::Cx;
use super::established::{Crossing, refusal};
use super::headers::lines_of_cancel;
use super::io::{Action, Failure, RequestId};
use super::leg::{End, Leg, LegRef};
use super::profile::PLAIN;
use super::sent::Login;
use super::{Next, due, in_dialog, session};
use crate::media::Side;
use crate::peer::Peer;
use crate::reply::demanded_beside_100rel;
use crate::route::RouteEnd;

pub use attempt::Route;
pub(super) use failover::Failed;

use crate::reply::Cause;
use accept::Accepting;
use attempt::{Attempt, LONGEST_SETUP, Missed};
use redirect::Redirections;
use reliable::OwnPrack;

/// Whoever waits for the callee.
#[derive(Debug)]
pub(super) struct Caller {
    /// The transaction of its INVITE, which waits for the final response; none of a party that is transferred, for whom the
    /// call in which that was asked for waits.
    pub server: Option<ServerId>,
    /// Its INVITE.
    pub invite: Message,
    /// What the INVITE carries, or why nothing of it may cross.
    pub body: Result<Body, Cause>,
    /// The dialog of the first responses. Each fork of the callee's side has a copy of its own.
    pub leg: Leg,
    /// How the challenges of a carrier that called are met.
    pub login: Login,
    /// It calls for help.
    pub emergency: bool,
}

impl Caller {
    /// A response to its INVITE, but for a 2xx.
    pub fn hears(&self, cx: &mut Cx<'_>, response: Message) {
        match (self.server, response.status()) {
            (Some(server), _) => cx.respond(server, response),
            (None, Some(status)) => cx.act(Action::Progress { status }),
            (None, None) => {}
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Setup {
    caller: Caller,
    /// The routes that were not tried yet, best first.
    routes: VecDeque<Route>,
    diverted: Vec<(Name, String)>,
    redirections: Redirections,
    /// The route in hand.
    target: Option<Target>,
    /// The INVITE that is out; none while ports are opened or a name is looked up.
    attempt: Option<Box<Attempt>>,
    /// The callee's 2xx, which waits for a PRACK of the caller's.
    accepting: Option<Box<Accepting>>,
    /// PRACKs of ours that are not answered.
    pracks: Vec<OwnPrack>,
    /// Requests inside the early dialogs that crossed and are not answered, each with the callee's tag.
    crossings: Vec<(String, Crossing)>,
    /// The caller has heard a route ring: nobody else is tried.
    rang: bool,
    /// A fork has the dialog of the caller's first responses.
    tag_is_taken: bool,
    /// The routes that did not take the call.
    failed: Vec<Failed>,
    /// When the call has been set up for long enough, whatever is heard meanwhile.
    longest: Option<Instant>,
    /// The longest that the call may last once it is up.
    max_duration: Duration,
}

/// A route, and the addresses behind its host that were not tried yet.
#[derive(Debug)]
struct Target {
    route: Route,
    addresses: VecDeque<SocketAddr>,
}

impl Setup {
    /// Starts with the first of `routes`.
    pub fn begin(
        cx: &mut Cx<'_>,
        mut caller: Caller,
        routes: Vec<Route>,
        diverted: Vec<(Name, String)>,
        max_duration: Duration,
    ) -> Next {
        caller.leg.sdp.session_id = cx.tokens.session_id();
        let description = caller.body.as_ref().ok().and_then(Body::description);
        let _ = caller.leg.offers.take(Remote, Carrier::Invite, description);
        let longest = (!cx.account.emergency).then(|| cx.now.instant + LONGEST_SETUP);
        let mut setup = Setup {
            caller,
            routes: routes.into(),
            diverted,
            redirections: Redirections::default(),
            target: None,
            attempt: None,
            accepting: None,
            pracks: Vec::new(),
            crossings: Vec::new(),
            rang: false,
            tag_is_taken: false,
            failed: Vec::new(),
            longest,
            max_duration,
        };
        match setup.next_route(cx) {
            Next::Stay => Next::Setup(Box::new(setup)),
            next => next,
        }
    }

    /// A response to the INVITE that is out. `None`: the request is none of the set-up's.
    pub fn handle_response(
        &mut self,
        cx: &mut Cx<'_>,
        request: RequestId,
        message: &Message,
        flow: Peer,
    ) -> Option<Next> {
        if self.prack_answered(cx, request, message) || self.crossing_answered(cx, request, message) {
            return Some(Next::Stay);
        }
        self.attempt.as_ref().filter(|attempt| attempt.sent.id == request)?;
        let status = message.status()?;
        if status.is_provisional() {
            return Some(self.handle_provisional(cx, status, message));
        }
        if status.is_success() {
            return Some(self.handle_accept(cx, message, flow));
        }
        if matches!(status.code(), 401 | 407) && self.authenticate(cx, message) {
            return Some(Next::Stay);
        }
        if status.code() == 422 && self.ask_for_longer_session(cx, message) {
            return Some(Next::Stay);
        }
        if let Some(next) = self.redirect(cx, message) {
            return Some(next);
        }
        self.rest_host(cx, message);
        let from = self.target.as_ref().map(|target| target.route.profile.clone());
        let failed = Failed::answered(message, from.unwrap_or_else(|| Arc::new(PLAIN.clone())));
        Some(self.attempt_failed(cx, failed))
    }

    /// Sends the INVITE again with credentials for a carrier's challenge. RFC 3261 §22.2-3.
    fn authenticate(&mut self, cx: &mut Cx<'_>, message: &Message) -> bool {
        let (Some(target), Some(attempt)) = (&self.target, &mut self.attempt) else { return false };
        let (route, number) = (&target.route, attempt.sent.cseq().saturating_add(1));
        let met = attempt.sent.authenticate(cx, message, &route.credentials, &route.local, number);
        if met {
            attempt.wait(cx.now, &route.attempt);
        }
        met
    }

    /// Sends the INVITE again with the session interval that its receiver bears. RFC 4028 §7.3.
    fn ask_for_longer_session(&mut self, cx: &mut Cx<'_>, message: &Message) -> bool {
        let (Some(target), Some(attempt)) = (&self.target, &mut self.attempt) else { return false };
        if !attempt.session.handle_too_small(session::said(message).min_se) {
            return false;
        }
        let Attempt { sent, session, .. } = &mut **attempt;
        let number = sent.cseq().saturating_add(1);
        sent.change(cx, &target.route.local, number, |again| session::asking(again, session));
        attempt.wait(cx.now, &target.route.attempt);
        true
    }

    /// No response will come to the INVITE that is out. `None`: the request is none of the set-up's.
    pub fn handle_failed(&mut self, cx: &mut Cx<'_>, request: RequestId, lost: Failure) -> Option<Next> {
        if self.prack_lost(cx, request, lost) || self.crossing_lost(cx, request, lost) {
            return Some(Next::Stay);
        }
        let last = self.is_last();
        let attempt = self.attempt.as_mut().filter(|attempt| attempt.sent.id == request)?;
        // A connection that was idle for long is often dead, and nobody knows before it is used. Where there is nobody
        // else to ask, the same INVITE goes out once more by a new one.
        let idle = attempt.local().transport.is_reliable() && !attempt.heard && !attempt.sent.was_repeated();
        if lost == Failure::Transport && idle && last {
            let local = attempt.local().clone();
            attempt.sent.repeat_at(cx, &local);
            return Some(Next::Stay);
        }
        let failed = match lost {
            Failure::Timeout => Failed::silent(RouteEnd::NoResponse, "no response"),
            Failure::Transport => Failed::silent(RouteEnd::TransportFailure, "it can't be reached"),
        };
        Some(self.attempt_failed(cx, failed))
    }

    /// A request inside one of the early dialogs.
    pub fn handle_request(
        &mut self,
        cx: &mut Cx<'_>,
        leg: LegRef,
        server: ServerId,
        message: &Message,
    ) -> Next {
        let side = leg.side();
        match (message.method(), side) {
            (Some(Method::Bye), Side::A) => {
                in_dialog::respond_ok(cx, server, message, self.allows_of_other(side));
                return self.caller_gave_up(cx, message);
            }
            (Some(Method::Bye), Side::B)
                if self.accepting.as_ref().is_some_and(|one| one.matches(message)) =>
            {
                in_dialog::respond_ok(cx, server, message, self.allows_of_other(side));
                cx.history.told(side, message.value(Name::Reason).as_deref());
                return self.callee_gave_up(cx);
            }
            (Some(Method::Bye), Side::B) => {
                in_dialog::refuse(cx, server, message, &Cause::new(481, "No dialog is confirmed yet"));
            }
            (Some(Method::Options), _) => {
                in_dialog::respond_ok(cx, server, message, self.allows_of_other(side));
            }
            (Some(Method::Prack), _) => return self.handle_prack(cx, side, server, message),
            (Some(Method::Update), _) => self.handle_update(cx, side, server, message),
            _ => {
                let cause = Cause::new(500, "The call is not answered yet").later(Duration::from_secs(1));
                in_dialog::refuse(cx, server, message, &cause);
            }
        }
        Next::Stay
    }

    /// An UPDATE in a dialog that no fork has: one without an offer is taken. RFC 3311 §5.2.
    fn refresh(&mut self, cx: &mut Cx<'_>, server: ServerId, message: &Message, side: Side) {
        if !message.body().is_empty() {
            let cause = Cause::new(500, "The call is not answered yet").later(Duration::from_secs(1));
            return in_dialog::refuse(cx, server, message, &cause);
        }
        if let Err(error) = self.take_request(side, message) {
            return in_dialog::refuse(cx, server, message, &refusal(&error));
        }
        if let Some(demanded) = demanded_beside_100rel(message, self.caller.takes_reliable()) {
            return in_dialog::refuse_demand(cx, server, message, &demanded);
        }
        let contact = match side {
            Side::A => self.caller.leg.contact(),
            Side::B => self.attempt.as_ref().map(|attempt| attempt.end().contact()).unwrap_or_default(),
        };
        let reply = in_dialog::ok(message, self.allows_of_other(side)).header(Name::Contact, contact);
        cx.respond(server, reply.build());
    }

    /// Takes note of a request's CSeq and Contact, in the dialog that it is inside of.
    fn take_request(&mut self, side: Side, message: &Message) -> Result<(), DialogError> {
        let dialog = match side {
            Side::A => &mut self.caller.leg.dialog,
            Side::B => return Ok(()),
        };
        dialog.handle_request(message)?;
        dialog.refresh_target(message);
        Ok(())
    }

    fn allows_of_other(&self, side: Side) -> Option<Promises<'_>> {
        let caller = &self.caller.leg;
        match side {
            Side::A => Some(Promises { to: &caller.profile, other: None }),
            Side::B => {
                let to = self.attempt.as_ref()?.profile();
                Some(Promises { to, other: caller.allows.as_deref() })
            }
        }
    }

    /// The caller's INVITE was cancelled.
    pub fn handle_cancel(&mut self, cx: &mut Cx<'_>, server: ServerId, message: &Message) -> Next {
        if self.caller.server == Some(server) { self.caller_gave_up(cx, message) } else { Next::Stay }
    }

    /// The caller gave up, by a CANCEL or, in its early dialog, by a BYE (RFC 3261 §15).
    fn caller_gave_up(&mut self, cx: &mut Cx<'_>, message: &Message) -> Next {
        cx.history.told(Side::A, message.value(Name::Reason).as_deref());
        let to = self.attempt.as_ref().map_or(&PLAIN, |attempt| attempt.profile());
        let says = lines_of_cancel(message, &self.caller.leg.profile, to);
        self.leave_attempt(cx, says, false);
        self.refuse_caller(cx, Cause::new(487, "Request Terminated"))
    }

    /// Deadlines of the set-up.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Next {
        self.crossing_timeouts(cx);
        match self.repeat_reliable(cx) {
            Next::Stay => {}
            next => return next,
        }
        let waits = self.accepting.is_none();
        if let Some(response) = self.attempt.as_mut().filter(|_| waits).and_then(|one| one.repeat(cx.now)) {
            self.caller.hears(cx, response);
        }
        let missed = self.attempt.as_mut().filter(|_| waits).and_then(|attempt| attempt.missed(cx.now));
        let next = match missed {
            Some(Missed::FirstResponse) => self.leave_host(cx, "No response in time", RouteEnd::NoResponse),
            // Where there is nobody else to ask, a slow country is waited for.
            Some(Missed::Progress) if !self.is_last() => {
                self.leave_host(cx, "No progress in time", RouteEnd::NoProgress)
            }
            Some(Missed::Answer) if cx.account.emergency => {
                self.leave_host(cx, "The callee did not answer", RouteEnd::NoAnswer)
            }
            Some(Missed::Answer) => self.give_up(cx, Cause::new(408, "The callee did not answer")),
            Some(Missed::Progress) | None => Next::Stay,
        };
        match next {
            Next::Stay if due(&mut self.longest, cx.now) => {
                self.give_up(cx, Cause::new(408, "No answer within five minutes"))
            }
            next => next,
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let waits = self.accepting.is_none();
        let attempt = self.attempt.as_ref().filter(|_| waits).and_then(|attempt| attempt.poll_timeout());
        let crossings = self.crossings.iter().map(|(_, crossing)| crossing.give_up);
        crossings.chain(attempt).chain(self.longest).chain(self.poll_reliable()).min()
    }

    /// Whether `message`, whose To tag is ours on `leg`, is inside a dialog of the set-up.
    pub fn is_dialog_of(&self, leg: LegRef, message: &Message) -> bool {
        let forks = || self.attempt.iter().flat_map(|attempt| attempt.forks.iter());
        match leg {
            LegRef::A => {
                self.caller.leg.dialog.matches(message)
                    || forks().any(|fork| fork.data.a.dialog.matches(message))
                    || self.accepting.as_ref().is_some_and(|one| one.fork.data.a.dialog.matches(message))
            }
            // A request may come before the response that begins its dialog: the Call-ID must do, with our tag.
            LegRef::B(_) => {
                let call_id = self.attempt.as_ref().and_then(|attempt| attempt.sent.message.call_id().ok());
                call_id.is_some_and(|own| message.call_id() == Ok(own))
            }
        }
    }

    /// The party on `side`, once there is one.
    pub fn end(&self, side: Side) -> Option<&End> {
        match side {
            Side::A => Some(&self.caller.leg.end),
            Side::B => self.attempt.as_ref().map(|attempt| attempt.end()),
        }
    }
}
