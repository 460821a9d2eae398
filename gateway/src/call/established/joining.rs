//! A party that comes to a call from another one: it is offered what the other party described, and media is led to it.

use bytes::Bytes;
use sip::dialog::offer_answer::Side::Remote;
use sip::sdp::Sdp;

use super::Established;
use super::own::Purpose;
use crate::call::Next;
use crate::call::cx::Cx;
use crate::call::leg::{Leg, LegRef};
use crate::call::negotiation::Refused;
use crate::call::sent::Login;
use crate::media::Side;
use crate::reply::Cause;

impl Established {
    /// The party of `leg` is on `side` from now on.
    pub fn join(&mut self, cx: &mut Cx<'_>, side: Side, leg: Leg, login: Login) -> Next {
        let leg_ref = match side {
            Side::A => LegRef::A,
            Side::B => LegRef::B(0),
        };
        cx.bind(&leg.dialog.local_tag, leg_ref);
        cx.history.comes(side, &leg);
        // Its session begins anew with the 2xx to what it is asked now.
        *self.sessions.of_mut(side) = leg.session_timer();
        *self.legs.of_mut(side) = leg;
        *self.logins.of_mut(side) = login;
        // New packet indices must not come under an old key.
        self.legs.of_mut(side).sdes.forget_own();
        self.ask(cx, side, Purpose::Join)
    }

    /// What the party of `to` is offered: what the other one can do, whatever it holds.
    pub(super) fn offer_to_joining(&mut self, cx: &mut Cx<'_>, to: Side) -> Result<Bytes, Refused> {
        let other = self.legs.of(to.other());
        let described = other.offers.agreed().and_then(|agreed| Sdp::parse(agreed.of(Remote)).ok());
        let described = described.ok_or_else(|| Cause::new(488, "nothing was agreed on"))?;
        let offer = described.resumed(other.flow.remote.ip());
        self.bridge(to.other()).offer_anew(cx, &offer)
    }
}
