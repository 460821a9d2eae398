//! A leg takes the place of another one in a call that is up: an attended transfer, as the call sees it whose dialog Replaces
//! names. RFC 3891, RFC 5589 §7.
//!
//! ```text
//! the other call   this one
//!   |--Replace----->|  is it that party's dialog, and may it be? From here on no offer begins
//!   |<--Taken-------|  once none is under way
//!   |--Joined------>|  who comes is offered what the party that stays can do; whose place it is keeps quiet meanwhile
//!   |<--Progress----|  it took that: BYE to whose place it was, and what was agreed on is offered to the party that stays, which
//!   |               |  may be held, or have been told of other codecs
//!   |<--Returned----|  it did not: everything is as it was
//! ```
//!
//! The place is a side of the call: its account, its media session and its record stay.

use std::time::{Duration, Instant};

use sip::header::Replaces;
use sip::transaction::ServerId;
use sip::{Message, Method, StatusCode};

use super::Established;
use super::own::Purpose;
use super::transfer::Phase;
use crate::call::cx::Cx;
use crate::call::io::Action;
use crate::call::leg::names;
use crate::call::lent::{GivenBack, Lent};
use crate::call::requests::reason_of;
use crate::call::{Next, in_dialog};
use crate::media::{self, Side};
use crate::peer::Party;
use crate::reply::Cause;

/// So many parties may come to one call: each leaves a tag and a Call-ID.
pub(super) const MOST_NEWCOMERS: usize = 64;

/// How often it is looked whether somebody may come, while something else is under way.
const INTERVAL: Duration = Duration::from_millis(200);

/// A place that somebody else is to take.
#[derive(Debug)]
pub(super) struct Replacement {
    side: Side,
    /// When to look again whether nothing else is under way; `None`: who takes it was sent for.
    again: Option<Instant>,
}

/// Whose place is being taken.
#[derive(Debug)]
pub(in crate::call) struct Place {
    lent: Lent,
    /// Where its media is.
    remote: Option<media::Remote>,
    /// It has hung up.
    left: bool,
}

impl Established {
    /// The party of `side` asks, in another call, that the other party of that one take its place here.
    pub fn handle_replace(&mut self, cx: &mut Cx<'_>, side: Side, replaces: &Replaces, by: Option<&Party>) {
        match self.may_be_replaced(cx, side, replaces, by) {
            Ok(()) => {
                self.replacement = Some(Replacement { side, again: None });
                self.send_for(cx);
            }
            Err(status) => cx.act(Action::Progress { status }),
        }
    }

    /// The same before both parties know that the call is up: who takes the place is sent for later.
    pub fn handle_early_replace(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        replaces: &Replaces,
        by: Option<&Party>,
    ) {
        match self.may_be_replaced(cx, side, replaces, by) {
            Ok(()) => self.is_to_be_replaced(cx, side),
            Err(status) => cx.act(Action::Progress { status }),
        }
    }

    /// Somebody takes the place of `side`'s party once the call is up.
    pub fn is_to_be_replaced(&mut self, cx: &Cx<'_>, side: Side) {
        self.replacement = Some(Replacement { side, again: Some(cx.now.instant) });
    }

    fn may_be_replaced(
        &self,
        cx: &Cx<'_>,
        side: Side,
        replaces: &Replaces,
        by: Option<&Party>,
    ) -> Result<(), StatusCode> {
        let leg = self.legs.of(side);
        let transfers = self.transfer.as_ref().is_some_and(|transfer| transfer.phase != Phase::Over);
        if !names(replaces, &leg.dialog) {
            Err(StatusCode::CALL_DOES_NOT_EXIST)
        } else if by.is_none() || leg.flow.party.as_ref() != by || cx.account.emergency {
            Err(StatusCode::FORBIDDEN)
        } else if replaces.early_only {
            Err(StatusCode::BUSY_HERE)
        } else if transfers || self.passes() || self.is_changing() || self.replacement.is_some() {
            Err(StatusCode::REQUEST_PENDING)
        } else if cx.history.newcomers() >= MOST_NEWCOMERS {
            Err(StatusCode::SERVICE_UNAVAILABLE)
        } else {
            Ok(())
        }
    }

    /// Sends for who takes the place, or will.
    fn send_for(&mut self, cx: &mut Cx<'_>) {
        // What is told of an earlier transfer is told in the dialog of who asked for it.
        let idle = self.is_idle() && self.transfer.as_ref().is_none_or(|transfer| transfer.is_over());
        let Some(replacement) = &mut self.replacement else { return };
        if idle {
            replacement.again = None;
            self.transfer = None;
            return cx.act(Action::Taken);
        }
        replacement.again = Some(cx.now.instant + INTERVAL);
        self.cancel_invites(cx);
    }

    /// Nobody comes: everything stays as it is.
    pub fn replacement_abandoned(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        if self.replacement.take().is_none() {
            return self.hang_up(cx, cause);
        }
        self.go_on(cx);
        Next::Stay
    }

    /// Who takes the place comes.
    pub fn handle_joined(&mut self, cx: &mut Cx<'_>, lent: Box<Lent>) -> Next {
        let Some(Replacement { side, .. }) = self.replacement.take() else {
            cx.act(Action::GiveBack(GivenBack::too_late(*lent)));
            return Next::Stay;
        };
        // What crosses is answered by nobody once others speak in the place.
        self.refuse_crossings(cx);
        self.refuse_held_back_of(cx, side);
        self.end_own_to(cx, side);
        let (leg, login) = (self.legs.of(side).clone(), self.logins.of(side).clone());
        let had = Lent { leg, login, session: self.sessions.of(side).clone() };
        let place = Place { lent: had, remote: cx.media.remote(side).cloned(), left: false };
        self.join(cx, side, *lent, false, Some(Box::new(place)))
    }

    /// Who came has joined.
    pub(super) fn took_place(&mut self, cx: &mut Cx<'_>, side: Side, place: Place) -> Next {
        if side == Side::A {
            self.provisionals = None;
        }
        self.passed = None;
        if !place.left {
            cx.bye(place.lent.leg, place.lent.login, reason_of(&Cause::new(200, "Transferred")));
        }
        self.ask(cx, side.other(), Purpose::Meet)
    }

    /// Who came has gone. `false`: whose place it was has hung up meanwhile.
    pub(super) fn keeps_place(&mut self, cx: &mut Cx<'_>, side: Side, place: Place) -> bool {
        let Place { lent: Lent { leg, login, session }, remote, left } = place;
        if left {
            return false;
        }
        self.refuse_held_back_of(cx, side);
        *self.legs.of_mut(side) = leg;
        *self.logins.of_mut(side) = login;
        *self.sessions.of_mut(side) = session;
        *cx.media.host_mut(side) = None;
        if let Some(remote) = remote {
            cx.tell_remote(side, remote);
        }
        self.go_on(cx);
        true
    }

    /// Whether a message is of the party whose place is being taken.
    pub(super) fn has_place(&self, side: Side, message: &Message) -> bool {
        let joining = self.joining.as_ref().filter(|joining| joining.side == side);
        let place = joining.and_then(|joining| joining.place.as_ref());
        place.is_some_and(|place| place.lent.leg.dialog.matches(message))
    }

    /// A request of that party: it may hang up, and everything else is too late or too early.
    pub(super) fn handle_in_place(&mut self, cx: &mut Cx<'_>, server: ServerId, message: &Message) {
        let place = self.joining.as_mut().and_then(|joining| joining.place.as_mut());
        let Some(place) = place.filter(|place| !place.left) else {
            return in_dialog::refuse(cx, server, message, &Cause::new(481, "Call Does Not Exist"));
        };
        if let Err(error) = place.lent.leg.dialog.handle_request(message) {
            return in_dialog::refuse(cx, server, message, &super::refusal(&error));
        }
        match message.method() {
            Some(Method::Bye) => {
                place.left = true;
                in_dialog::respond_ok(cx, server, message, None);
            }
            Some(Method::Options) => in_dialog::respond_ok(cx, server, message, None),
            _ => self.refuse_meanwhile(cx, server, message),
        }
    }

    pub(super) fn replacement_timeout(&mut self, cx: &mut Cx<'_>) {
        let due = |one: &Replacement| one.again.is_some_and(|at| at <= cx.now.instant);
        if self.replacement.as_ref().is_some_and(due) {
            self.send_for(cx);
        }
    }

    /// When [`Established::replacement_timeout`] has something to do.
    pub(super) fn replacement_until(&self) -> Option<Instant> {
        self.replacement.as_ref().and_then(|one| one.again)
    }
}
