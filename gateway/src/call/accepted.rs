//! The callee has taken the call and the caller does not know yet: its 2xx waits (`clearance.rs`).

use std::time::{Duration, Instant};

use sip::header::Replaces;
use sip::transaction::ServerId;
use sip::{Message, Method, Name};

use super::clearance::{Clearance, Cleared};
use super::cx::Cx;
use super::established::{Established, FarInvite};
use super::headers::{self, Lines};
use super::io::{Action, Failure, RequestId};
use super::lent::Lent;
use super::requests::reason_of;
use super::setup::Caller;
use super::sides::Sides;
use super::{Next, in_dialog};
use crate::media::Side;
use crate::peer::Party;
use crate::reply::Cause;

/// See the module.
#[derive(Debug)]
pub(super) struct Accepted {
    up: Box<Established>,
    /// The caller's INVITE, its transaction, and the 2xx for it; none where it is transferred to here.
    caller: Option<Waits>,
    /// Who was transferred to here.
    joined: Option<Box<Lent>>,
    /// Our INVITE that the callee took; none where somebody came in its place.
    invite: Option<FarInvite>,
    /// Its ACK owes no answer of the caller's.
    offered: bool,
    /// Who did, whose own INVITE waits for its 2xx.
    newcomer: Option<Waits>,
    clearance: Clearance,
    /// The callee has hung up already, saying this.
    callee_left: Option<Lines>,
}

/// A caller's INVITE.
#[derive(Debug)]
struct Waits {
    server: ServerId,
    asked: Message,
    response: Message,
}

impl Accepted {
    /// Asks the journal.
    ///
    /// - `invite`: ours. Its ACK waits for the journal too, so that no leg is up which nobody would know of.
    /// - `offered`: its ACK owes no answer of the caller's.
    pub fn new(
        cx: &mut Cx<'_>,
        up: Established,
        caller: &Caller,
        response: Message,
        invite: FarInvite,
        offered: bool,
    ) -> Self {
        Accepted { offered, ..Accepted::of(cx, up, caller, response, Some(invite), None) }
    }

    /// The same where somebody picked the call up by an INVITE of its own.
    ///
    /// - `newcomer`: the transaction, the INVITE and the 2xx for it.
    pub fn picked_up(
        cx: &mut Cx<'_>,
        up: Established,
        caller: &Caller,
        response: Message,
        (server, asked, accepts): (ServerId, Message, Message),
    ) -> Self {
        Accepted::of(cx, up, caller, response, None, Some(Waits { server, asked, response: accepts }))
    }

    fn of(
        cx: &mut Cx<'_>,
        up: Established,
        caller: &Caller,
        response: Message,
        invite: Option<FarInvite>,
        newcomer: Option<Waits>,
    ) -> Self {
        Accepted {
            newcomer,
            clearance: Clearance::begin(cx),
            up: Box::new(up),
            caller: caller.server.map(|server| Waits { server, asked: caller.invite.clone(), response }),
            joined: None,
            invite,
            offered: false,
            callee_left: None,
        }
    }

    /// The answered call is safe: the callee has its ACK, and the caller may know.
    pub fn handle_journaled(&mut self, cx: &mut Cx<'_>) -> Next {
        let cleared = self.clearance.handle_journaled(cx);
        self.go_on(cx, cleared)
    }

    /// The response to [`Action::AskToAnswer`].
    pub fn handle_may_answer(&mut self, cx: &mut Cx<'_>, may: bool) -> Next {
        let cleared = self.clearance.handle_may_answer(cx, may);
        self.go_on(cx, cleared)
    }

    fn go_on(&mut self, cx: &mut Cx<'_>, cleared: Cleared) -> Next {
        if let Some(invite) = self.invite.as_mut().filter(|_| self.offered && self.clearance.is_journaled()) {
            invite.acknowledge(cx, &self.up.legs.b, None);
        }
        match cleared {
            Cleared::Yes => Next::Accept,
            Cleared::NotYet => Next::Stay,
            Cleared::Never(cause) => self.hang_up(cause),
        }
    }

    /// The caller gets its 2xx.
    pub fn accept(self: Box<Self>, cx: &mut Cx<'_>) -> Next {
        if self.caller.is_none() && self.joined.is_none() {
            cx.act(Action::Taken);
            return Next::Accepted(self);
        }
        let Accepted { mut up, caller, joined, invite, newcomer, callee_left, .. } = *self;
        up.begin(cx);
        cx.act(Action::Answered);
        if let Some(joined) = joined {
            return match up.join(cx, Side::A, *joined, callee_left.is_some(), None) {
                Next::Stay => Next::Established(up),
                next => next,
            };
        }
        cx.watch_for_silence();
        if let Some(Waits { server, asked, response }) = caller {
            let response = up.session_accepted(cx, Side::A, &asked, response);
            up.accept(cx, Side::A, server, response, invite);
        }
        if let Some(Waits { server, asked, response }) = newcomer {
            let response = up.session_accepted(cx, Side::B, &asked, response);
            up.accept(cx, Side::B, server, response, None);
        }
        match callee_left {
            Some(says) => up.end(cx, Sides { a: Some(says), b: None }, Cause::new(200, "OK")),
            None => Next::Established(up),
        }
    }

    /// A party asks, in another call, that the other party of that one take its place.
    pub fn handle_replace(&mut self, cx: &mut Cx<'_>, side: Side, replaces: &Replaces, by: Option<&Party>) {
        self.up.handle_early_replace(cx, side, replaces, by);
    }

    /// Nobody comes.
    pub fn handle_abandoned(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        match &self.caller {
            Some(_) => self.up.replacement_abandoned(cx, cause),
            None => self.hang_up(cause),
        }
    }

    /// The party that is transferred comes.
    pub fn handle_joined(&mut self, lent: Box<Lent>) -> Next {
        self.joined = Some(lent);
        Next::Accept
    }

    /// A request inside one of the dialogs.
    pub fn handle_request(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        server: ServerId,
        message: Message,
    ) -> Next {
        match (message.method(), side) {
            (Some(Method::Bye), Side::A) => {
                in_dialog::respond_ok(cx, server, &message, self.up.allows_of_other(side));
                return self.caller_gave_up(cx, &message);
            }
            // The caller hears that the call was answered and ended, in turn, once the journal has the answer.
            (Some(Method::Bye), Side::B) => {
                in_dialog::respond_ok(cx, server, &message, self.up.allows_of_other(side));
                if let Some(invite) = &mut self.invite {
                    invite.forgive();
                }
                cx.history.told(side, message.value(Name::Reason).as_deref());
                let says = headers::lines(&message, &self.up.legs.b.profile, &self.up.legs.a.profile);
                self.callee_left.get_or_insert(says);
            }
            (Some(Method::Options), _) => {
                in_dialog::respond_ok(cx, server, &message, self.up.allows_of_other(side));
            }
            (Some(Method::Prack), _) => self.up.take_prack(cx, side, server, &message),
            (Some(Method::Update), _) if message.body().is_empty() => {
                self.up.refresh(cx, side, server, &message);
            }
            (Some(Method::Invite | Method::Update), Side::B) => self.up.offered_early(cx, server, message),
            _ => {
                let cause = Cause::new(500, "The call is not answered yet").later(Duration::from_secs(1));
                in_dialog::refuse(cx, server, &message, &cause);
            }
        }
        Next::Stay
    }

    /// A response to a request that crossed before the 2xx.
    pub fn handle_response(
        &mut self,
        cx: &mut Cx<'_>,
        request: RequestId,
        message: &Message,
    ) -> Option<Next> {
        self.up.handle_response(cx, request, message)
    }

    /// No response will come to it.
    pub fn handle_failed(&mut self, cx: &mut Cx<'_>, request: RequestId, lost: Failure) -> Option<Next> {
        self.up.is_crossing(request).then(|| {
            self.up.early_crossing_lost(cx, request, lost);
            Next::Stay
        })
    }

    /// The caller's INVITE was cancelled.
    pub fn handle_cancel(&mut self, cx: &mut Cx<'_>, server: ServerId, message: &Message) -> Next {
        if self.caller.as_ref().is_some_and(|caller| caller.server == server) {
            return self.caller_gave_up(cx, message);
        }
        if let Some(newcomer) = self.newcomer.take_if(|newcomer| newcomer.server == server) {
            let cause = Cause::new(487, "Request Terminated");
            cx.refuse(server, &newcomer.asked, &self.up.legs.b, &cause);
            cx.history.told(Side::B, message.value(Name::Reason).as_deref());
            return Next::Refuse(Cause::new(480, "The callee hung up"));
        }
        self.up.handle_cancel(cx, server, message);
        Next::Stay
    }

    fn caller_gave_up(&self, cx: &mut Cx<'_>, message: &Message) -> Next {
        cx.history.told(Side::A, message.value(Name::Reason).as_deref());
        Next::Refuse(Cause::new(487, "Request Terminated"))
    }

    /// We end the call.
    pub fn hang_up(&self, cause: Cause) -> Next {
        // The caller is told that it was answered, and hung up. Who is transferred comes no more.
        match self.callee_left {
            Some(_) if self.caller.is_some() || self.joined.is_some() => Next::Accept,
            _ => Next::Refuse(cause),
        }
    }

    /// The callee is hung up, unless it did so itself, and the caller's INVITE refused.
    pub fn refuse(self: Box<Self>, cx: &mut Cx<'_>, cause: Cause) -> Next {
        let Accepted { mut up, caller, invite, newcomer, callee_left, .. } = *self;
        up.drop_held_back(cx, None);
        for crossing in std::mem::take(&mut up.crossings) {
            crossing.end(cx);
        }
        let Established { legs, logins, .. } = *up;
        match (invite, newcomer) {
            (_, Some(Waits { server, asked, .. })) => {
                let gone = Cause::new(603, "The dialog of Replaces is over");
                cx.refuse(server, &asked, &legs.b, &gone);
            }
            (Some(mut invite), None) if callee_left.is_none() => {
                invite.acknowledge(cx, &legs.b, None);
                cx.bye(legs.b, logins.b, reason_of(&cause));
            }
            _ => {}
        }
        match caller {
            Some(Waits { server, asked, .. }) => cx.refuse(server, &asked, &legs.a, &cause),
            None => cx.act(Action::Progress { status: cause.status }),
        }
        Next::down(cause)
    }

    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Next {
        self.up.held_back_timeout(cx);
        let cleared = self.clearance.handle_timeout(cx);
        self.go_on(cx, cleared)
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.clearance.poll_timeout(), self.up.held_back_until()].into_iter().flatten().min()
    }

    /// The call as it will be.
    pub fn up(&self) -> &Established {
        &self.up
    }
}
