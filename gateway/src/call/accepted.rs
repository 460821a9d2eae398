//! The callee has taken the call and the caller does not know yet: the journal is asked, and a caller whose address may
//! be forged has to prove that it hears us (`core/unproven.rs`).

use std::time::{Duration, Instant};

use sip::header::Replaces;
use sip::transaction::ServerId;
use sip::{Message, Method, Name};

use super::cx::Cx;
use super::established::{Established, FarInvite};
use super::headers::{self, Lines};
use super::io::{Action, Failure, RequestId};
use super::lent::Lent;
use super::requests::reason_of;
use super::setup::Caller;
use super::sides::Sides;
use super::{Next, due, in_dialog};
use crate::media::Side;
use crate::peer::Party;
use crate::reply::Cause;

/// How long an answered call waits for the journal before it goes on without.
const JOURNAL_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a 2xx is held back before the call is refused. The callee, who is up, hears nothing so long.
const LONGEST: Duration = Duration::from_secs(4);
/// How often it is asked whether it may go now.
const INTERVAL: Duration = Duration::from_millis(100);

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
    /// Who did, whose own INVITE waits for its 2xx.
    newcomer: Option<Waits>,
    /// When to go on without the journal.
    journal: Option<Instant>,
    /// The 2xx is held back until then, and then refused.
    held_until: Option<Instant>,
    /// When to ask again whether it may go.
    again: Option<Instant>,
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
    pub fn new(
        cx: &mut Cx<'_>,
        up: Established,
        caller: &Caller,
        response: Message,
        invite: FarInvite,
    ) -> Self {
        Accepted::of(cx, up, caller, response, Some(invite), None)
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
        cx.act(Action::Journal);
        Accepted {
            newcomer,
            up: Box::new(up),
            caller: caller.server.map(|server| Waits { server, asked: caller.invite.clone(), response }),
            joined: None,
            invite,
            journal: Some(cx.now.instant + JOURNAL_TIMEOUT),
            held_until: None,
            again: None,
            callee_left: None,
        }
    }

    /// The answered call is safe: the caller may know, if it is there. Nobody can have forged an INVITE that came by a
    /// stream, which has a handshake, or with a digest nonce, which was heard; who calls for help is not kept waiting.
    pub fn handle_journaled(&mut self, cx: &mut Cx<'_>) -> Next {
        self.journal = None;
        if !cx.history.is_unproven() {
            return Next::Accept;
        }
        if self.held_until.is_none() {
            self.held_until = Some(cx.now.instant + LONGEST);
            cx.act(Action::AskToAnswer);
        }
        Next::Stay
    }

    /// The response to [`Action::AskToAnswer`].
    pub fn handle_may_answer(&mut self, cx: &mut Cx<'_>, may: bool) -> Next {
        if may {
            return Next::Accept;
        }
        if self.held_until.is_some_and(|until| until <= cx.now.instant) {
            let cause = Cause::new(503, "Too many answers are not acknowledged").later(LONGEST);
            return self.hang_up(cause);
        }
        self.again = Some(cx.now.instant + INTERVAL);
        Next::Stay
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
        if due(&mut self.again, cx.now) {
            cx.act(Action::AskToAnswer);
        }
        if due(&mut self.journal, cx.now) {
            return self.handle_journaled(cx);
        }
        Next::Stay
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.journal, self.again, self.up.held_back_until()].into_iter().flatten().min()
    }

    /// The call as it will be.
    pub fn up(&self) -> &Established {
        &self.up
    }
}
