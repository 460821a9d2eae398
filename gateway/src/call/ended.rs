//! A call that is down, and what is still on its way: a BYE that waits for the ACK which is owed to us first.
//!
//! What outlives every stage (INVITEs that may still be accepted, BYEs that are not answered) is with
//! [`Requests`](super::requests::Requests).

use std::time::Instant;

use sip::transaction::ServerId;
use sip::{Message, Method};

use super::cx::Cx;
use super::established::Handshake;
use super::headers::Lines;
use super::in_dialog;
use super::io::{Failure, RequestId};
use super::leg::Leg;
use super::referral::Subscriber;
use super::sent::Login;
use crate::media::Side;
use crate::reply::Cause;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ended {
    waiting: Vec<Waiting>,
    /// Who asked for a transfer and has not heard everything of it.
    subscriber: Option<Box<Subscriber>>,
}

/// A leg whose party owes us an ACK: a UAS may not send BYE before (RFC 3261 §15).
#[derive(Debug)]
pub(super) struct Waiting {
    pub side: Side,
    pub leg: Leg,
    pub login: Login,
    pub handshake: Handshake,
    /// What the BYE says.
    pub bye: Option<Lines>,
}

impl Ended {
    pub fn new(waiting: Vec<Waiting>) -> Self {
        Ended { waiting, subscriber: None }
    }

    /// The same, and somebody is to hear the end of a transfer.
    pub fn telling(waiting: Vec<Waiting>, subscriber: Subscriber) -> Self {
        let subscriber = (!subscriber.referral.is_over()).then(|| Box::new(subscriber));
        Ended { waiting, subscriber }
    }

    /// A BYE that crossed ours is answered as it should be; everything else is too late.
    pub fn handle_request(&mut self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: &Message) {
        if message.method() != Some(Method::Bye) {
            return in_dialog::refuse(cx, server, message, &Cause::new(481, "Call Does Not Exist"));
        }
        in_dialog::respond_ok(cx, server, message, None);
        // Its ACK will not come any more, and a BYE of ours that waited for it is not needed.
        self.waiting.retain(|waiting| waiting.side != side);
        cx.requests.forget_bye_of(message);
    }

    /// The ACK came: the BYE that waited for it may go.
    pub fn handle_ack(&mut self, cx: &mut Cx<'_>, side: Side, message: &Message) {
        let mine = |one: &Waiting| one.side == side && one.handshake.is_acknowledged_by(message);
        if let Some(index) = self.waiting.iter().position(mine) {
            self.waiting.swap_remove(index).leave(cx);
        }
    }

    /// A response came. `false`: it is none of what is still told of a transfer.
    pub fn handle_response(&mut self, cx: &mut Cx<'_>, request: RequestId, message: &Message) -> bool {
        let mine = self.subscriber.as_mut().is_some_and(|one| one.heard(cx, request, message));
        self.subscriber.take_if(|one| one.referral.is_over());
        mine
    }

    /// No response will come. `false`: it was none of what is still told of a transfer.
    pub fn handle_failed(&mut self, cx: &mut Cx<'_>, request: RequestId, lost: Failure) -> bool {
        let mine = self.subscriber.as_mut().is_some_and(|one| one.lost(cx, request, lost));
        self.subscriber.take_if(|one| one.referral.is_over());
        mine
    }

    /// Repeats 2xx, and gives up on ACKs that never come.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        for mut waiting in std::mem::take(&mut self.waiting) {
            match waiting.handshake.handle_timeout(cx) {
                true => waiting.leave(cx),
                false => self.waiting.push(waiting),
            }
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.iter().filter_map(|waiting| waiting.handshake.poll_timeout()).min()
    }

    /// Whether nothing is waited for.
    pub fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.subscriber.is_none()
    }

    /// Whether a BYE waits to be sent.
    pub fn has_deferred_bye(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.bye.is_some())
    }

    /// Whether `message` is inside a dialog that waits.
    pub fn is_dialog_of(&self, message: &Message) -> bool {
        self.waiting.iter().any(|waiting| waiting.leg.dialog.matches(message))
    }
}

impl Waiting {
    fn leave(self, cx: &mut Cx<'_>) {
        if let Some(says) = self.bye {
            cx.bye(self.leg, self.login, says);
        }
    }
}
