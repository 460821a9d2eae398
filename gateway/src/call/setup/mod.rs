//! From the INVITE to the 2xx: routes one after another, the early dialogs of the INVITE that is out, and the caller who
//! waits.

mod accept;
mod attempt;
mod client_invite;
mod dialled;
mod failover;
mod pickup;
mod provisional;
mod redirect;
mod reliable;
mod replacing;
mod target;
mod update;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sip::dialog::offer_answer::Carrier;
use sip::dialog::offer_answer::Side::Remote;
use sip::dialog::{Dialog, DialogError};
use sip::transaction::ServerId;
use sip::{Message, Method, Name};

use super::allow::Promises;
use super::body::Body;
use super::cx::Cx;
use super::established::refusal;
use super::headers::lines_of_cancel;
use super::io::{Action, Back, Failure, RequestId};
use super::leg::{End, Leg, LegRef};
use super::profile::PLAIN;
use super::sent::Login;
use super::{Next, due, in_dialog};
use crate::media::Side;
use crate::peer::Peer;
use crate::reply::demanded_beside_100rel;
use crate::route::RouteEnd;

pub use attempt::{LONGEST_SETUP, Route};
pub(super) use failover::Failed;

use crate::reply::Cause;
use attempt::Missed;
use dialled::Dialled;
use redirect::Redirections;
use reliable::Reached;

/// A set-up whose INVITE is out.
#[derive(Debug)]
pub(super) struct Rings<'a> {
    /// The INVITE of who waits for the final response, and where that goes.
    pub caller: Option<(&'a Message, &'a Peer)>,
    /// Our INVITE.
    pub invite: &'a Message,
    /// The callee, as it was when the INVITE left.
    pub end: &'a End,
}

/// The party that waits for the callee.
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
    /// The caller calls for help.
    pub emergency: bool,
    /// Who is transferred to here takes its place once the callee has accepted (`replacing.rs`): whoever asked for that hears
    /// what the caller hears.
    pub replaced: bool,
    /// The call goes back to who asked for it.
    pub back: Option<Box<Back>>,
    /// The caller has heard a route ring: nobody else is tried.
    pub rang: bool,
    /// A fork has the dialog of the first responses.
    pub tag_is_taken: bool,
    /// The longest that the call may last once it is up.
    pub max_duration: Duration,
}

impl Caller {
    /// A response to its INVITE, but for a 2xx.
    pub fn hears(&self, cx: &mut Cx<'_>, response: Message) {
        let waits = self.server.is_none() || self.replaced;
        if let Some(status) = response.status().filter(|_| waits) {
            cx.act(Action::Progress { status });
        }
        if let Some(server) = self.server {
            cx.respond(server, response);
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
    trying: Trying,
    /// The routes that did not take the call.
    failed: Vec<Failed>,
    /// When the call has been set up for long enough, whatever is heard meanwhile.
    longest: Option<Instant>,
}

/// What is tried now.
#[derive(Debug, Default)]
enum Trying {
    /// Nothing: no route has been taken up yet, or it is asked where else the call may go.
    #[default]
    Nothing,
    /// A route, while its room, its addresses or ports are asked for.
    Prepared(Box<Target>),
    /// An INVITE is out.
    Dialled(Box<Dialled>),
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
            trying: Trying::Nothing,
            failed: Vec::new(),
            longest,
        };
        match setup.next_route(cx) {
            Next::Stay => Next::Setup(Box::new(setup)),
            next => next,
        }
    }

    /// A route waits for what was asked for it.
    fn prepared(&mut self, target: Target) -> Next {
        self.trying = Trying::Prepared(Box::new(target));
        Next::Stay
    }

    /// The INVITE that is out goes on waiting.
    fn dialled(&mut self, dialled: Box<Dialled>) -> Next {
        self.trying = Trying::Dialled(dialled);
        Next::Stay
    }

    /// Goes on with the route for which something was asked; where none waits any more, the word came too late.
    fn with_prepared(&mut self, go_on: impl FnOnce(&mut Self, Target) -> Next) -> Next {
        match std::mem::take(&mut self.trying) {
            Trying::Prepared(target) => go_on(self, *target),
            trying => {
                self.trying = trying;
                Next::Stay
            }
        }
    }

    /// The INVITE that is out, for whoever goes on with it.
    fn take_dialled(&mut self) -> Option<Box<Dialled>> {
        match std::mem::take(&mut self.trying) {
            Trying::Dialled(dialled) => Some(dialled),
            trying => {
                self.trying = trying;
                None
            }
        }
    }

    /// See [`Rings`]; `None` where no INVITE is out.
    pub fn rings(&self) -> Option<Rings<'_>> {
        let Trying::Dialled(dialled) = &self.trying else { return None };
        let caller = self.caller.server.map(|_| (&self.caller.invite, &self.caller.leg.flow));
        Some(Rings { caller, invite: &dialled.attempt.sent.message, end: dialled.attempt.end() })
    }

    /// A response to the INVITE that is out. `None`: the request is none of the set-up's.
    pub fn handle_response(
        &mut self,
        cx: &mut Cx<'_>,
        request: RequestId,
        message: &Message,
        flow: Peer,
    ) -> Option<Next> {
        let (status, mut dialled) = (message.status()?, self.take_dialled()?);
        if dialled.prack_answered(cx, &self.caller, request, message)
            || dialled.crossing_answered(cx, &self.caller, request, message)
        {
            return Some(self.dialled(dialled));
        }
        if dialled.attempt.sent.id != request {
            self.trying = Trying::Dialled(dialled);
            return None;
        }
        if status.is_provisional() {
            return Some(match dialled.handle_provisional(cx, &mut self.caller, status, message) {
                Ok(()) => {
                    dialled.attempt.may_ring(cx);
                    self.dialled(dialled)
                }
                Err(refused) => self.leave_host(cx, dialled, &refused.text().text, RouteEnd::BadAnswer),
            });
        }
        if status.is_success() {
            return Some(self.handle_accept(cx, dialled, message, flow));
        }
        let again = match status.code() {
            401 | 407 => dialled.authenticate(cx, message),
            422 => dialled.ask_for_longer_session(cx, message),
            _ => false,
        };
        if again {
            return Some(self.dialled(dialled));
        }
        if let Some(users) = redirect::users(cx, status, message) {
            return Some(self.redirect(cx, dialled, users, message));
        }
        dialled.rest_host(cx, message);
        let failed = Failed::answered(message, dialled.target.route.profile.clone());
        Some(self.attempt_failed(cx, dialled, failed))
    }

    /// No response will come to the INVITE that is out. `None`: the request is none of the set-up's.
    pub fn handle_failed(&mut self, cx: &mut Cx<'_>, request: RequestId, lost: Failure) -> Option<Next> {
        let last = self.is_last();
        let mut dialled = self.take_dialled()?;
        if dialled.prack_lost(cx, &self.caller, request, lost)
            || dialled.crossing_lost(cx, &self.caller, request, lost)
        {
            return Some(self.dialled(dialled));
        }
        let attempt = &mut dialled.attempt;
        if attempt.sent.id != request {
            self.trying = Trying::Dialled(dialled);
            return None;
        }
        // A connection that was idle for long is often dead, and nobody knows before it is used. Where there is nobody
        // else to ask, the same INVITE goes out once more by a new one.
        let idle = attempt.local().transport.is_reliable() && !attempt.heard && !attempt.sent.was_repeated();
        if lost == Failure::Transport && idle && last {
            let local = attempt.local().clone();
            attempt.sent.repeat_at(cx, &local);
            attempt.leaves(cx);
            return Some(self.dialled(dialled));
        }
        let failed = match lost {
            Failure::Timeout => Failed::silent(RouteEnd::NoResponse, "no response"),
            Failure::Transport => Failed::silent(RouteEnd::TransportFailure, "it can't be reached"),
        };
        Some(self.attempt_failed(cx, dialled, failed))
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
            (Some(Method::Bye), Side::B) if self.has_accepted(message) => {
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
            Side::A => self.caller.leg.contact().to_string(),
            Side::B => self.end(Side::B).map_or_else(String::new, |end| end.contact().to_string()),
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
                let to = &self.end(Side::B)?.profile;
                Some(Promises { to, other: caller.allows })
            }
        }
    }

    /// The caller's INVITE was cancelled.
    pub fn handle_cancel(&mut self, cx: &mut Cx<'_>, server: ServerId, message: &Message) -> Next {
        if self.caller.server == Some(server) { self.caller_gave_up(cx, message) } else { Next::Stay }
    }

    /// The caller gave up, by a CANCEL or, in its early dialog, by a BYE (RFC 3261 §15).
    fn caller_gave_up(&mut self, cx: &mut Cx<'_>, message: &Message) -> Next {
        if self.goes_on_without_caller(cx) {
            return Next::Stay;
        }
        cx.history.told(Side::A, message.value(Name::Reason).as_deref());
        let to = self.end(Side::B).map_or(&PLAIN, |end| &end.profile);
        let says = lines_of_cancel(message, &self.caller.leg.profile, to);
        self.cancel(cx, says);
        self.refuse_caller(cx, Cause::new(487, "Request Terminated"))
    }

    /// Whether the callee, whose 2xx waits, says `message`.
    fn has_accepted(&self, message: &Message) -> bool {
        match &self.trying {
            Trying::Dialled(dialled) => dialled.accepting.as_ref().is_some_and(|one| one.matches(message)),
            Trying::Nothing | Trying::Prepared(_) => false,
        }
    }

    /// Deadlines of the set-up.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Next {
        let next = match self.take_dialled() {
            Some(dialled) => self.dialled_timeout(cx, dialled),
            None => Next::Stay,
        };
        match next {
            Next::Stay if due(&mut self.longest, cx.now) => {
                self.give_up(cx, Cause::new(408, "No answer within five minutes"))
            }
            next => next,
        }
    }

    fn dialled_timeout(&mut self, cx: &mut Cx<'_>, mut dialled: Box<Dialled>) -> Next {
        dialled.crossing_timeouts(cx, &self.caller);
        match dialled.repeat_reliable(cx, &self.caller) {
            Reached::Nothing => {}
            reached => return self.reached(cx, dialled, reached),
        }
        if dialled.accepting.is_some() {
            return self.dialled(dialled);
        }
        if let Some(response) = dialled.attempt.repeat(cx.now) {
            self.caller.hears(cx, response);
        }
        let last = self.routes.is_empty() && dialled.target.addresses.is_empty();
        match dialled.attempt.missed(cx.now) {
            Some(Missed::FirstResponse) => {
                self.leave_host(cx, dialled, "No response in time", RouteEnd::NoResponse)
            }
            // Where there is nobody else to ask, a slow country is waited for.
            Some(Missed::Progress) if !last => {
                self.leave_host(cx, dialled, "No progress in time", RouteEnd::NoProgress)
            }
            Some(Missed::Answer) if cx.account.emergency => {
                self.leave_host(cx, dialled, "The callee did not answer", RouteEnd::NoAnswer)
            }
            Some(Missed::Answer) => {
                self.trying = Trying::Dialled(dialled);
                self.give_up(cx, Cause::new(408, "The callee did not answer"))
            }
            Some(Missed::Progress) | None => self.dialled(dialled),
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let dialled = match &self.trying {
            Trying::Dialled(dialled) => dialled.poll_timeout(),
            Trying::Nothing | Trying::Prepared(_) => None,
        };
        dialled.into_iter().chain(self.longest).min()
    }

    /// Whether `message`, whose To tag is ours on `leg`, is inside a dialog of the set-up.
    pub fn is_dialog_of(&self, leg: LegRef, message: &Message) -> bool {
        let first = leg == LegRef::A && self.caller.leg.dialog.matches(message);
        first || matches!(&self.trying, Trying::Dialled(dialled) if dialled.is_dialog_of(leg, message))
    }

    /// The dialog with the caller; those with the callee's side are several, and none is the call's.
    pub fn dialog(&self, side: Side) -> Option<&Dialog> {
        (side == Side::A).then_some(&self.caller.leg.dialog)
    }

    /// The party on `side`, once there is one.
    pub fn end(&self, side: Side) -> Option<&End> {
        match (side, &self.trying) {
            (Side::A, _) => Some(&self.caller.leg.end),
            (Side::B, Trying::Dialled(dialled)) => Some(dialled.attempt.end()),
            (Side::B, Trying::Nothing | Trying::Prepared(_)) => None,
        }
    }
}
