//! The callee's 2xx: both legs are known, and the journal is asked before the caller hears of it.

use sip::Message;
use sip::dialog::offer_answer::Carrier;
use sip::dialog::{Dialog, DialogError, Early, Heard};

use super::attempt::Fork;
use super::dialled::Dialled;
use super::reliable::Reached;
use super::{Failed, Setup, Target, Trying};
use crate::call::accepted::Accepted;
use crate::call::body::Body;
use crate::call::cx::Cx;
use crate::call::established::{Established, FarInvite};
use crate::call::history::AttemptTold;
use crate::call::io::AttemptEnd;
use crate::call::leg::Leg;
use crate::call::sides::Sides;
use crate::call::{Next, addresses, response};
use crate::media::Side;
use crate::peer::Peer;
use crate::reply::Cause;
use crate::route::RouteEnd;

/// The callee's 2xx, held back until the caller has acknowledged what was agreed on while it rang. RFC 3262 §3.
#[derive(Debug)]
pub(super) struct Accepting {
    pub fork: Early<Fork>,
    flow: Peer,
}

impl Accepting {
    /// Whether a request of the callee's is inside its dialog.
    pub fn matches(&self, message: &Message) -> bool {
        self.fork.dialog.matches(message)
    }

    /// The callee's leg.
    pub fn leg(&self) -> Leg {
        Fork::far(&self.fork)
    }
}

impl Dialled {
    /// Takes the dialog of a 2xx for the call's. `None`: another one has the call, and this one is released.
    ///
    /// # Errors
    /// The 2xx begins no dialog that requests could be sent in.
    fn confirm(&mut self, cx: &mut Cx<'_>, message: &Message) -> Result<Option<Early<Fork>>, DialogError> {
        // A callee that says nothing usable of where its requests go is asked no more than to hang up.
        message.contact()?;
        let Self { target, attempt, .. } = self;
        match attempt.forks.handle_response(cx.now.instant, &attempt.sent.message, message)? {
            Heard::Confirmed(fork) => Ok(Some(fork)),
            Heard::Forked(fork) => {
                let (leg, invite) = (Fork::far(&fork), FarInvite::new(&attempt.sent));
                let login = target.route.credentials.clone();
                cx.release(leg, invite.parts(), login, &Cause::new(487, "Answered too late"));
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}

impl Setup {
    /// The callee took the call.
    pub(super) fn handle_accept(
        &mut self,
        cx: &mut Cx<'_>,
        mut dialled: Box<Dialled>,
        message: &Message,
        flow: Peer,
    ) -> Next {
        let mut fork = match dialled.confirm(cx, message) {
            Ok(Some(fork)) => fork,
            Ok(None) => return self.dialled(dialled),
            Err(error) => return self.accepted_without_dialog(cx, dialled, message, &error),
        };
        let Some(uas) = &mut fork.data.reliable.to_caller else {
            return self.accepted(cx, dialled, fork, message, flow);
        };
        uas.accept(message.clone());
        let said = fork.data.reliable.drain(cx, &self.caller);
        dialled.accepting = Some(Box::new(Accepting { fork, flow }));
        let reached = dialled.reached(said);
        self.reached(cx, dialled, reached)
    }

    /// Goes on as far as the caller has acknowledged.
    pub(super) fn reached(&mut self, cx: &mut Cx<'_>, dialled: Box<Dialled>, reached: Reached) -> Next {
        match reached {
            Reached::Nothing => self.dialled(dialled),
            Reached::Accepted(accepting, response) => {
                self.accepted(cx, dialled, accepting.fork, &response, accepting.flow)
            }
            // RFC 3262 §3.
            Reached::NoPrack => {
                self.trying = Trying::Dialled(dialled);
                self.give_up(cx, Cause::new(500, "No PRACK came"))
            }
        }
    }

    /// The callee hung up before its 2xx went to the caller.
    pub(super) fn callee_gave_up(&mut self, cx: &mut Cx<'_>) -> Next {
        if let Some(mut dialled) = self.take_dialled() {
            dialled.end_crossings(cx);
            let Dialled { target, attempt, accepting, .. } = *dialled;
            let taken = accepting.map(|accepting| accepting.fork.dialog.remote_tag);
            attempt.leave(cx, &target.route.credentials, taken, true);
        }
        self.refuse_caller(cx, Cause::new(480, "The callee hung up"))
    }

    fn accepted_without_dialog(
        &mut self,
        cx: &mut Cx<'_>,
        dialled: Box<Dialled>,
        message: &Message,
        error: &DialogError,
    ) -> Next {
        let attempt = &dialled.attempt;
        if let Ok(dialog) = Dialog::uac(&attempt.sent.message, message) {
            let leg = Leg { dialog, end: attempt.end().clone() };
            let invite = FarInvite::new(&attempt.sent);
            let cause = Cause::new(502, format!("The callee's answer: {error}"));
            cx.release(leg, invite.parts(), dialled.login().clone(), &cause);
        }
        let target = dialled.over(cx);
        self.accepted_badly(cx, target, &error.to_string())
    }

    fn accepted(
        &mut self,
        cx: &mut Cx<'_>,
        mut dialled: Box<Dialled>,
        fork: Early<Fork>,
        message: &Message,
        flow: Peer,
    ) -> Next {
        let Early { dialog, data: mut fork } = fork;
        let crossings = dialled.crossings_of(&dialog.remote_tag);
        dialled.end_crossings(cx);
        let Dialled { target, attempt, .. } = *dialled;
        fork.take_tag(cx, &mut self.caller.tag_is_taken);
        fork.b.heard(message);
        fork.takes_media(cx);
        let tag = dialog.remote_tag.clone();
        let login = target.route.credentials.clone();
        let (invite, session) = (FarInvite::new(&attempt.sent), attempt.session.clone());
        // The caller offered, or leaves that to the callee.
        let offered = fork.a.offers.open().is_some() || fork.a.offers.agreed().is_some();
        // Where the body can't be read, what was described while it rang was the answer.
        let (body, unreadable) = match Body::read(message) {
            Ok(body) => (body, None),
            Err(cause) => (Body::None, Some(cause)),
        };
        let crossed = fork.bridge().cross(cx, &body, Carrier::InviteOk, Carrier::InviteOk);
        let crossed = crossed.map_err(|refused| unreadable.unwrap_or_else(|| refused.text()));
        let mut b = Leg { dialog, end: fork.b };
        b.moved(flow);
        cx.history.is_at(Side::B, b.flow.remote.ip());
        attempt.leave(cx, &login, Some(tag), true);
        let body = match crossed {
            Ok(body) => body,
            Err(cause) => {
                cx.release(b, invite.parts(), login, &cause);
                return self.accepted_badly(cx, target, &cause.text);
            }
        };
        cx.attempt_ends(AttemptEnd::Answered, AttemptTold { status: Some(200), ..AttemptTold::silent("OK") });
        let caller = &mut self.caller;
        let response = response::cross(&b, &fork.a, message, body, &caller.invite);
        let logins = Sides { a: caller.login.clone(), b: login };
        let mut up = Established::new(Sides { a: fork.a, b }, logins, caller.max_duration);
        up.crossings = crossings;
        up.provisionals = fork.reliable.to_caller.map(Box::new);
        up.session_agreed(cx, session, message);
        if caller.replaced {
            up.is_to_be_replaced(cx, Side::A);
        }
        Next::Accepted(Box::new(Accepted::new(cx, up, caller, response, invite, offered)))
    }

    /// The callee took the call with an answer that nobody can use. Who needs help is put through to the next one.
    fn accepted_badly(&mut self, cx: &mut Cx<'_>, target: Target, text: &str) -> Next {
        let text = format!("The callee's answer: {text}");
        let text = addresses::without_addresses(&text).into_owned();
        let failed = Failed { cause: Cause::new(502, &*text), ..Failed::silent(RouteEnd::BadAnswer, text) };
        self.route_failed(cx, target, failed)
    }
}
