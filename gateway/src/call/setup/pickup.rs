//! Somebody picks up what rings at another phone of its house: an INVITE with Replaces that names the early dialog with a callee.
//! RFC 3891 §3, RFC 5359 §2.15.
//!
//! Who comes takes the callee's place, whose INVITE is cancelled with all its forks. Both the caller and who comes have offered
//! then, each in an INVITE of its own, and either is answered with what the other one offered. The caller hears that in a dialog
//! in which nothing was described: whatever was agreed on while it rang was agreed on with others.

use sip::Message;
use sip::dialog::Early;
use sip::header::Replaces;

use super::attempt::Fork;
use super::dialled::Dialled;
use super::{Caller, Setup, Trying};
use crate::call::accepted::Accepted;
use crate::call::body::{Body, SentBody};
use crate::call::cx::Cx;
use crate::call::established::Established;
use crate::call::history::AttemptTold;
use crate::call::io::AttemptEnd;
use crate::call::leg::{Leg, LegRef};
use crate::call::negotiation::Bridge;
use crate::call::newcomer::{Newcomer, Place, busy};
use crate::call::sides::Sides;
use crate::call::{Next, response};
use crate::media::Side;
use crate::reply::Cause;

/// What phones take for no missed call.
const ELSEWHERE: &str = "Call completed elsewhere";

impl Setup {
    /// The place of a callee that rings, where Replaces names its dialog.
    pub fn place(&self, replaces: &Replaces) -> Option<Place> {
        let Trying::Dialled(dialled) = &self.trying else { return None };
        let named = |fork: &&Early<Fork>| {
            replaces.names(&fork.dialog.call_id, &fork.dialog.local_tag, &fork.dialog.remote_tag)
        };
        let callee = &dialled.attempt.forks.iter().find(named)?.data.b;
        Some(Place {
            party: callee.flow.party.clone(),
            rings: true,
            contact_user: callee.contact_user.clone(),
        })
    }

    /// Somebody picks the call up.
    pub fn handle_newcomer(&mut self, cx: &mut Cx<'_>, mut who: Box<Newcomer>) -> Next {
        let Some(dialled) = self.take_dialled() else {
            cx.refuse(who.server, &who.invite, &who.leg, &busy());
            return Next::Stay;
        };
        match self.caller.picked_up(cx, &dialled, &mut who) {
            Ok((leg, for_caller, for_newcomer)) => {
                self.pick_up(cx, dialled, *who, leg, [for_caller, for_newcomer])
            }
            Err(cause) => {
                cx.refuse(who.server, &who.invite, &who.leg, &cause);
                self.dialled(dialled)
            }
        }
    }

    fn pick_up(
        &mut self,
        cx: &mut Cx<'_>,
        dialled: Box<Dialled>,
        who: Newcomer,
        leg: Leg,
        [for_caller, for_newcomer]: [Message; 2],
    ) -> Next {
        cx.attempt_ends(AttemptEnd::GivenUp, AttemptTold::silent("picked up by another phone"));
        dialled.leave(cx, Cause::new(200, ELSEWHERE).says(), false);
        let caller = &self.caller;
        let Newcomer { place, leg: newcomer, login, server, invite } = who;
        cx.bind(&newcomer.dialog.local_tag, place);
        cx.history.comes(Side::B, &newcomer);
        let logins = Sides { a: caller.login.clone(), b: login };
        let mut up = Established::new(Sides { a: leg, b: newcomer }, logins, caller.max_duration);
        if caller.replaced {
            up.is_to_be_replaced(cx, Side::A);
        }
        let newcomer = (server, invite, for_newcomer);
        Next::Accepted(Box::new(Accepted::picked_up(cx, up, caller, for_caller, newcomer)))
    }
}

impl Caller {
    /// Its leg with who comes, and what both are answered.
    ///
    /// # Errors
    /// Why they can't be connected so; nothing has changed then.
    fn picked_up(
        &mut self,
        cx: &mut Cx<'_>,
        dialled: &Dialled,
        who: &mut Newcomer,
    ) -> Result<(Leg, Message, Message), Cause> {
        // The callee has answered, or who waits is no caller: it is transferred.
        if dialled.accepting.is_some() || self.server.is_none() {
            return Err(busy());
        }
        let offer = self.leg.offers.open().and(self.body.as_ref().ok()).and_then(Body::sdp);
        let offer = offer.ok_or_else(|| Cause::new(488, "The caller has offered nothing"))?;
        let body = Body::read(&who.invite)?;
        // A dialog in which it has only heard that somebody rings goes on; what was described in one was somebody else's media.
        let silent = |fork: &&Early<Fork>| {
            let Fork { a, has_tag, reliable, .. } = &fork.data;
            *has_tag && a.sdp.last.is_empty() && reliable.to_caller.is_none()
        };
        let silent = dialled.attempt.forks.iter().find(silent).map(|fork| fork.data.a.clone());
        let is_new = silent.is_none();
        let mut leg = silent.unwrap_or_else(|| self.leg.clone());
        let mut bridge = Bridge { from: &mut who.leg.end, to: &mut leg.end, side: Side::B };
        let [to_caller, to_newcomer] = bridge.answer_both(cx, &body, offer)?;
        if is_new && std::mem::replace(&mut self.tag_is_taken, true) {
            leg.dialog.local_tag = cx.tokens.tag();
            cx.bind(&leg.dialog.local_tag.clone(), LegRef::A);
        }
        who.leg.dialog.confirm();
        let to_caller = response::accept(&leg, &who.leg, &self.invite, SentBody::description(to_caller));
        let to_newcomer = response::accept(&who.leg, &leg, &who.invite, SentBody::description(to_newcomer));
        Ok((leg, to_caller, to_newcomer))
    }
}
