//! A call that a party left for another by a transfer, and has joined it: whoever asked for that goes.
//!
//! The call is not over before the other one is: its record goes on, for the leg of the party that was transferred does.

use std::time::{Duration, Instant};

use sip::transaction::ServerId;
use sip::{Message, Method};

use super::cx::Cx;
use super::ended::Ended;
use super::headers::Lines;
use super::io::{Failure, RequestId};
use super::referral::Subscriber;
use super::requests::reason_of;
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
}

impl Handed {
    /// Who is transferred has gone to the other call.
    ///
    /// - `is_up`: who asked for it has not hung up.
    pub fn begin(cx: &Cx<'_>, by: Side, subscriber: Subscriber, is_up: bool) -> Next {
        let hang_up = is_up.then(|| cx.now.instant + HANGS_UP_WITHIN);
        let mut this = Handed { by, subscriber, is_up, hang_up };
        match this.end_unless_billed() {
            Next::Stay => Next::Handed(Box::new(this)),
            next => next,
        }
    }

    /// A request inside one of the dialogs.
    pub fn handle_request(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        server: ServerId,
        message: &Message,
    ) -> Next {
        if side != self.by {
            in_dialog::refuse(cx, server, message, &Cause::new(481, "Call Does Not Exist"));
            return Next::Stay;
        }
        let Subscriber { referral, leg, .. } = &mut self.subscriber;
        if let Err(error) = leg.dialog.handle_request(message) {
            in_dialog::refuse(cx, server, message, &super::established::refusal(&error));
            return Next::Stay;
        }
        match message.method() {
            Some(Method::Bye) => {
                in_dialog::respond_ok(cx, server, message, None);
                self.is_up = false;
                return self.end_unless_billed();
            }
            Some(Method::Options) => in_dialog::respond_ok(cx, server, message, None),
            Some(Method::Subscribe) => {
                let granted = referral.subscribed(cx, leg, message);
                in_dialog::respond_subscribed(cx, server, message, leg, granted);
            }
            _ => {
                let cause = Cause::new(500, "The call was transferred").later(Duration::from_secs(2));
                in_dialog::refuse(cx, server, message, &cause);
            }
        }
        Next::Stay
    }

    /// What holds a carrier's leg costs nothing any more once the carrier is gone.
    fn end_unless_billed(&mut self) -> Next {
        let carriers = matches!(self.subscriber.leg.flow.party, Some(Party::Carrier(_)));
        match carriers && !self.is_up {
            true => Next::Ended(self.telling(), Cause::new(200, "OK")),
            false => Next::Stay,
        }
    }

    /// We end the call. The other one is hung up, too, and tells of it.
    pub fn hang_up(&mut self, cx: &mut Cx<'_>, cause: &Cause) -> Next {
        self.release(cx, reason_of(cause));
        Next::Stay
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

    /// The other call is over, and with it this one.
    pub fn end(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        self.release(cx, reason_of(&cause));
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
        !self.is_up
    }

    /// Whether a message from the party of `side` is inside that leg's dialog.
    pub fn is_dialog_of(&self, side: Side, message: &Message) -> bool {
        side == self.by && self.subscriber.leg.dialog.matches(message)
    }
}
