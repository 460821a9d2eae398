//! The callee's 2xx: both legs are known, and the journal is asked before the caller hears of it.

use sip::Message;
use sip::dialog::offer_answer::Carrier;
use sip::dialog::{Dialog, DialogError, Early, Heard};

use super::attempt::Fork;
use super::{Failed, Setup};
use crate::call::accepted::Accepted;
use crate::call::body::Body;
use crate::call::cx::Cx;
use crate::call::established::{Established, FarInvite};
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

impl Setup {
    /// The callee took the call.
    pub(super) fn handle_accept(&mut self, cx: &mut Cx<'_>, message: &Message, flow: Peer) -> Next {
        let Some(attempt) = &mut self.attempt else { return Next::Stay };
        // Who says nothing usable of where its requests go is asked no more than to hang up.
        let heard = match message.contact().map_err(DialogError::from) {
            Ok(_) => attempt.forks.handle_response(cx.now.instant, &attempt.sent.message, message),
            Err(error) => Err(error),
        };
        let mut fork = match heard {
            Ok(Heard::Confirmed(fork)) => fork,
            Ok(Heard::Forked(fork)) => {
                let login = self.target.as_ref().and_then(|target| target.route.credentials.clone());
                let (leg, invite) = (Fork::far(&fork), FarInvite::new(&attempt.sent));
                cx.release(leg, invite.parts(), login, &Cause::new(487, "Answered too late"));
                return Next::Stay;
            }
            Ok(_) => return Next::Stay,
            Err(error) => return self.accepted_without_dialog(cx, message, &error),
        };
        let tag = fork.dialog.remote_tag.clone();
        let Some(uas) = &mut fork.data.reliable.to_caller else {
            return self.accepted(cx, fork, message, flow);
        };
        uas.accept(message.clone());
        self.accepting = Some(Box::new(Accepting { fork, flow }));
        self.go_on(cx, &tag)
    }

    /// Nothing holds the callee's 2xx back any more.
    pub(super) fn go_on_accepting(&mut self, cx: &mut Cx<'_>, message: &Message) -> Next {
        let Some(accepting) = self.accepting.take() else { return Next::Stay };
        self.accepted(cx, accepting.fork, message, accepting.flow)
    }

    /// The callee hung up before its 2xx went to the caller.
    pub(super) fn callee_gave_up(&mut self, cx: &mut Cx<'_>) -> Next {
        if let (Some(accepting), Some(attempt)) = (self.accepting.take(), self.attempt.take()) {
            let login = self.target.as_ref().and_then(|target| target.route.credentials.clone());
            attempt.leave(cx, &login, Some(accepting.fork.dialog.remote_tag), true);
        }
        self.refuse_caller(cx, Cause::new(480, "The callee hung up"))
    }

    fn accepted_without_dialog(&mut self, cx: &mut Cx<'_>, message: &Message, error: &DialogError) -> Next {
        let (Some(attempt), Some(target)) = (&self.attempt, &self.target) else { return Next::Stay };
        if let Ok(dialog) = Dialog::uac(&attempt.sent.message, message) {
            let leg = Leg { dialog, end: attempt.end().clone() };
            let invite = FarInvite::new(&attempt.sent);
            let cause = Cause::new(502, format!("The callee's answer: {error}"));
            cx.release(leg, invite.parts(), target.route.credentials.clone(), &cause);
        }
        self.accepted_badly(cx, &error.to_string())
    }

    fn accepted(&mut self, cx: &mut Cx<'_>, fork: Early<Fork>, message: &Message, flow: Peer) -> Next {
        let Early { dialog, data: mut fork } = fork;
        let crossings = self.crossings_of(&dialog.remote_tag);
        self.end_crossings(cx);
        let (Some(attempt), Some(target)) = (self.attempt.take(), &self.target) else { return Next::Stay };
        fork.take_tag(cx, &mut self.tag_is_taken);
        fork.b.heard(message);
        fork.takes_media(cx);
        let tag = dialog.remote_tag.clone();
        let login = target.route.credentials.clone();
        let (mut invite, session) = (FarInvite::new(&attempt.sent), attempt.session.clone());
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
                return self.accepted_badly(cx, &cause.text);
            }
        };
        if offered {
            invite.acknowledge(cx, &b, None);
        }
        cx.attempt_ends(AttemptEnd::Answered, Some(200), "OK".to_owned(), None);
        let caller = &mut self.caller;
        let response = response::cross(&b, &fork.a, message, body, &caller.invite);
        let logins = Sides { a: caller.login.clone(), b: login };
        let mut up = Established::new(Sides { a: fork.a, b }, logins, self.max_duration);
        up.crossings = crossings;
        up.provisionals = fork.reliable.to_caller;
        up.session_agreed(cx, session, message);
        Next::Accepted(Box::new(Accepted::new(cx, up, caller, response, invite)))
    }

    /// The callee took the call with an answer that nobody can use. Who needs help is put through to the next one.
    fn accepted_badly(&mut self, cx: &mut Cx<'_>, text: &str) -> Next {
        let text = addresses::without_addresses(&format!("The callee's answer: {text}"));
        let failed = Failed { cause: Cause::new(502, &*text), ..Failed::silent(RouteEnd::BadAnswer, text) };
        self.attempt_failed(cx, failed)
    }
}
