//! A call that one party left for another: whoever asked for that transfer goes, and whoever is transferred waits for the
//! other call, or is there already.
//!
//! The call is not over before the other one is: its record goes on, for the leg of the party that stayed does.

use std::time::{Duration, Instant};

use sip::transaction::ServerId;
use sip::{Message, Method, Name, StatusCode};

use super::cx::Cx;
use super::ended::Ended;
use super::headers::{self, Lines};
use super::io::{Action, Failure, RequestId};
use super::leg::Leg;
use super::referral::Subscriber;
use super::requests::reason_of;
use super::sent::Login;
use super::{Next, due, in_dialog};
use crate::media::Side;
use crate::peer::Party;
use crate::reply::Cause;

/// How long who asked for a transfer may take to hang up once it was told of the end of it.
const HANGS_UP_WITHIN: Duration = Duration::from_secs(4);

/// See the module.
#[derive(Debug)]
pub(super) struct Handed {
    /// The leg of who asked for the transfer.
    by: Side,
    subscriber: Subscriber,
    /// It has not hung up.
    is_up: bool,
    /// When we hang it up.
    hang_up: Option<Instant>,
    /// Who is transferred, while the other call does not have it.
    waiting: Option<(Leg, Login)>,
}

impl Handed {
    /// Who is transferred has gone to the other call.
    pub fn gone(cx: &Cx<'_>, by: Side, subscriber: Subscriber) -> Self {
        let hang_up = Some(cx.now.instant + HANGS_UP_WITHIN);
        Handed { by, subscriber, is_up: true, hang_up, waiting: None }
    }

    /// Who asked for it has hung up; the other party waits for its new call.
    pub fn deserted(by: Side, subscriber: Subscriber, waiting: (Leg, Login)) -> Self {
        Handed { by, subscriber, is_up: false, hang_up: None, waiting: Some(waiting) }
    }

    /// A request inside one of the dialogs.
    pub fn handle_request(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        server: ServerId,
        message: &Message,
    ) -> Next {
        let leg = match (side == self.by, &mut self.waiting) {
            (true, _) => &mut self.subscriber.leg,
            (false, Some((leg, _))) => leg,
            (false, None) => {
                in_dialog::refuse(cx, server, message, &Cause::new(481, "Call Does Not Exist"));
                return Next::Stay;
            }
        };
        if let Err(error) = leg.dialog.handle_request(message) {
            in_dialog::refuse(cx, server, message, &super::established::refusal(&error));
            return Next::Stay;
        }
        match message.method() {
            Some(Method::Bye) => {
                in_dialog::respond_ok(cx, server, message, None);
                return self.hung_up(cx, side, message);
            }
            Some(Method::Options) => in_dialog::respond_ok(cx, server, message, None),
            Some(Method::Subscribe) if side == self.by => {
                let Subscriber { referral, leg, .. } = &mut self.subscriber;
                let granted = referral.subscribed(cx, leg, message);
                in_dialog::respond_subscribed(cx, server, message, leg, granted);
            }
            _ => {
                let cause = Cause::new(500, "The call is being transferred").later(Duration::from_secs(2));
                in_dialog::refuse(cx, server, message, &cause);
            }
        }
        Next::Stay
    }

    fn hung_up(&mut self, cx: &mut Cx<'_>, side: Side, message: &Message) -> Next {
        if side == self.by {
            self.is_up = false;
            return self.end_unless_billed();
        }
        let Some((leg, _)) = self.waiting.take() else { return Next::Stay };
        cx.history.told(side, message.value(Name::Reason).as_deref());
        let says = headers::lines(message, &leg.profile, &self.subscriber.leg.profile);
        cx.act(Action::Abandon { cause: Cause::new(487, "The caller hung up") });
        self.subscriber.tell(cx, StatusCode::REQUEST_TERMINATED);
        self.end(cx, says, Cause::new(200, "OK"))
    }

    /// What holds a carrier's leg costs nothing any more once the carrier is gone.
    fn end_unless_billed(&mut self) -> Next {
        let carriers = matches!(self.subscriber.leg.flow.party, Some(Party::Carrier(_)));
        match carriers && self.waiting.is_none() && !self.is_up {
            true => Next::Ended(self.telling(), Cause::new(200, "OK")),
            false => Next::Stay,
        }
    }

    /// The other call came so far.
    pub fn handle_progress(&mut self, cx: &mut Cx<'_>, status: StatusCode) -> Next {
        self.subscriber.tell(cx, status);
        match self.waiting.take() {
            // Nobody is left to whom it could return.
            Some((leg, login)) if status.is_final() => {
                let cause = Cause::new(status.code(), "The transfer failed");
                cx.bye(leg, login, reason_of(&cause));
                self.end(cx, reason_of(&cause), cause)
            }
            waiting => {
                self.waiting = waiting;
                Next::Stay
            }
        }
    }

    /// The other call was accepted: who waits goes there.
    pub fn handle_taken(&mut self, cx: &mut Cx<'_>) -> Next {
        if let Some((leg, login)) = self.waiting.take() {
            self.subscriber.tell(cx, StatusCode::OK);
            cx.act(Action::HandOver { leg: Box::new(leg), login });
            cx.close_media();
            return self.end_unless_billed();
        }
        Next::Stay
    }

    /// The other call is over, and with it this one.
    pub fn handle_over(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        match self.waiting {
            Some(_) => Next::Stay,
            None => self.end(cx, reason_of(&cause), cause),
        }
    }

    /// We end the call.
    pub fn hang_up(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        match self.waiting.take() {
            Some((leg, login)) => {
                cx.bye(leg, login, reason_of(&cause));
                cx.act(Action::Abandon { cause: cause.clone() });
                self.subscriber.tell(cx, cause.status);
                self.end(cx, reason_of(&cause), cause)
            }
            // The other call is hung up, too, and tells of it.
            None => {
                self.release(cx, reason_of(&cause));
                Next::Stay
            }
        }
    }

    /// Hangs up who asked for the transfer, unless it has done so itself.
    fn release(&mut self, cx: &mut Cx<'_>, says: Lines) {
        self.hang_up = None;
        if std::mem::take(&mut self.is_up) {
            cx.bye(self.subscriber.leg.clone(), self.subscriber.login.clone(), says);
            // A NOTIFY that comes after it has the next number.
            let number = &mut self.subscriber.leg.dialog.local_cseq;
            *number = number.saturating_add(1);
        }
    }

    fn end(&mut self, cx: &mut Cx<'_>, says: Lines, cause: Cause) -> Next {
        self.release(cx, says);
        Next::Ended(self.telling(), cause)
    }

    /// The end of the call, of the subscription perhaps not.
    fn telling(&mut self) -> Ended {
        let Subscriber { referral, leg, login } = &mut self.subscriber;
        let referral = std::mem::take(referral);
        Ended::telling(Vec::new(), Subscriber { referral, leg: leg.clone(), login: login.clone() })
    }

    /// A response came. `None`: it is not the subscription's.
    pub fn handle_response(
        &mut self,
        cx: &mut Cx<'_>,
        request: RequestId,
        message: &Message,
    ) -> Option<Next> {
        self.subscriber.heard(cx, request, message).then_some(Next::Stay)
    }

    /// No response will come. `None`: it was not the subscription's request.
    pub fn handle_failed(&mut self, cx: &mut Cx<'_>, request: RequestId, lost: Failure) -> Option<Next> {
        self.subscriber.lost(cx, request, lost).then_some(Next::Stay)
    }

    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Next {
        let Subscriber { referral, leg, .. } = &mut self.subscriber;
        referral.handle_timeout(cx, leg);
        if due(&mut self.hang_up, cx.now) {
            self.release(cx, reason_of(&Cause::new(200, "Transferred")));
            return self.end_unless_billed();
        }
        Next::Stay
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.hang_up.into_iter().chain(self.subscriber.referral.poll_timeout()).min()
    }

    /// Whether the parties know that they have left, as far as we can tell them.
    pub fn is_down(&self) -> bool {
        !self.is_up && self.waiting.is_none()
    }

    /// Whether a message from the party of `side` is inside that leg's dialog.
    pub fn is_dialog_of(&self, side: Side, message: &Message) -> bool {
        match (side == self.by, &self.waiting) {
            (true, _) => self.subscriber.leg.dialog.matches(message),
            (false, Some((leg, _))) => leg.dialog.matches(message),
            (false, None) => false,
        }
    }
}
