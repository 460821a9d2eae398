//! An offer that comes before the ACK of the one before: a callee that settles on one codec sends it right after its own
//! 200, and a datagram may be overtaken. It waits a moment for its turn. RFC 5407 §3.1.

use std::time::{Duration, Instant};

use sip::transaction::ServerId;
use sip::{Message, Method};

use super::{Established, refusal};
use crate::call::cx::Cx;
use crate::call::in_dialog;
use crate::call::negotiation::Refused;
use crate::media::Side;
use crate::reply::Cause;

/// So long it waits.
const LONGEST: Duration = Duration::from_secs(1);

/// A request that waits for its turn; there is one at a time.
#[derive(Debug)]
pub(super) struct HeldBack {
    side: Side,
    server: ServerId,
    message: Message,
    until: Instant,
}

impl Established {
    /// Holds an offer of `side`'s back, where none waits already.
    pub fn hold_back(&mut self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: Message) {
        match self.held_back {
            Some(_) => self.refuse_early(cx, side, server, &message),
            None => {
                let until = cx.now.instant + LONGEST;
                self.held_back = Some(Box::new(HeldBack { side, server, message, until }));
            }
        }
    }

    /// The callee offers while the caller does not know yet that it has accepted.
    pub fn offered_early(&mut self, cx: &mut Cx<'_>, server: ServerId, message: Message) {
        match self.legs.b.dialog.handle_request(&message) {
            Ok(()) => self.hold_back(cx, Side::B, server, message),
            Err(error) => in_dialog::refuse(cx, server, &message, &refusal(&error)),
        }
    }

    /// An ACK came, or the response to an INVITE of our own: what waited for it goes on.
    pub(super) fn go_on(&mut self, cx: &mut Cx<'_>) {
        let busy = self.held_back.as_ref().is_none_or(|held| self.is_busy(held.side));
        if let Some(held) = self.held_back.take_if(|_| !busy) {
            let HeldBack { side, server, message, .. } = *held;
            match message.method() {
                Some(Method::Update) => self.handle_update(cx, side, server, message),
                _ => self.forward(cx, side, server, message),
            }
        }
    }

    /// Refuses what has waited for long enough.
    pub fn held_back_timeout(&mut self, cx: &mut Cx<'_>) {
        let due = |held: &mut Box<HeldBack>| held.until <= cx.now.instant;
        if let Some(held) = self.held_back.take_if(due) {
            self.refuse_early(cx, held.side, held.server, &held.message);
        }
    }

    /// When [`Established::held_back_timeout`] has something to do.
    pub fn held_back_until(&self) -> Option<Instant> {
        self.held_back.as_ref().map(|held| held.until)
    }

    /// The request was cancelled, or its dialog is over. `false`: it is not the one that waits.
    pub fn drop_held_back(&mut self, cx: &mut Cx<'_>, server: Option<ServerId>) -> bool {
        let mine = |held: &mut Box<HeldBack>| server.is_none_or(|server| server == held.server);
        let Some(held) = self.held_back.take_if(mine) else { return false };
        in_dialog::refuse(cx, held.server, &held.message, &Cause::new(487, "Request Terminated"));
        true
    }

    /// The party of `side` has gone, and somebody else is there: what it has asked for must not be asked for another.
    pub fn refuse_held_back_of(&mut self, cx: &mut Cx<'_>, side: Side) {
        if let Some(held) = self.held_back.take_if(|held| held.side == side) {
            in_dialog::refuse(cx, held.server, &held.message, &Cause::new(491, "Request Pending"));
        }
    }

    fn refuse_early(&self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: &Message) {
        let early = if self.handshakes.of(side).is_some() { Refused::TooEarly } else { Refused::Glare };
        let cause = early.cause(cx);
        in_dialog::refuse(cx, server, message, &cause);
    }
}
