//! UPDATE in an early dialog (RFC 3311): offers and answers cross to the other leg's dialog of the same fork before the
//! 2xx, in both directions.

use sip::dialog::Early;
use sip::transaction::ServerId;
use sip::{Message, Method, Name};
use smol_str::SmolStr;

use super::attempt::Fork;
use super::dialled::{Dialled, EarlyCall};
use super::{Caller, Setup, Trying};
use crate::call::allow::{Allows, Promises};
use crate::call::body::Body;
use crate::call::cx::Cx;
use crate::call::established::{Crossing, Established, refusal};
use crate::call::io::{Failure, RequestId};
use crate::call::leg::Leg;
use crate::call::negotiation::Refused;
use crate::call::sides::Sides;
use crate::call::{Next, in_dialog};
use crate::media::Side;
use crate::reply::demanded_beside_100rel;

impl Setup {
    /// An UPDATE before the 2xx.
    pub(super) fn handle_update(&mut self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: &Message) {
        let mine = |fork: &Early<Fork>| match side {
            Side::A => fork.data.a.dialog.matches(message),
            Side::B => fork.dialog.matches(message),
        };
        let early = match &mut self.trying {
            Trying::Dialled(dialled) => dialled.early(&self.caller, mine),
            Trying::Nothing | Trying::Prepared(_) => None,
        };
        match early {
            Some(mut early) => early.handle_update(cx, side, server, message),
            None => self.refresh(cx, server, message, side),
        }
    }
}

impl EarlyCall<'_> {
    fn handle_update(&mut self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: &Message) {
        if let Err(error) = dialog_of(self.fork, side).handle_request(message) {
            return in_dialog::refuse(cx, server, message, &refusal(&error));
        }
        if let Some(demanded) = demanded_beside_100rel(message, self.caller.takes_reliable()) {
            return in_dialog::refuse_demand(cx, server, message, &demanded);
        }
        let far = self.fork.data.end(side.other());
        let (goes, told) = (far.allows_update() == Some(true), far.profile.given);
        match Body::read(message) {
            Err(cause) => in_dialog::refuse(cx, server, message, &cause),
            // The UPDATE says who is spoken to, and to a side that is told.
            Ok(Body::None) if goes && told && message.has(Name::PAssertedIdentity) => {
                self.forward_update(cx, side, server, message);
            }
            Ok(Body::None) => {
                dialog_of(self.fork, side).refresh_target(message);
                let near = self.fork.data.end(side);
                let other = far_allows(self.fork, side);
                let promises = Promises { to: &near.profile, other };
                let reply = in_dialog::ok(message, Some(promises)).shown(Name::Contact, near.contact());
                cx.respond(server, reply.build());
            }
            Ok(_) if goes => self.forward_update(cx, side, server, message),
            // After the 2xx a re-INVITE may say it.
            Ok(_) => {
                let cause = Refused::TooEarly.cause(cx);
                in_dialog::refuse(cx, server, message, &cause);
            }
        }
    }

    /// Sends an UPDATE, or the offer of a PRACK as one, to the other leg's dialog.
    pub(super) fn forward_update(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        server: ServerId,
        message: &Message,
    ) {
        self.with_up(cx, |up, cx| up.forward_as(cx, side, server, message.clone(), Method::Update));
    }

    /// Does something with both legs of the dialog that a call does with its own when they are up: requests cross alike.
    fn with_up(&mut self, cx: &mut Cx<'_>, act: impl FnOnce(&mut Established, &mut Cx<'_>)) {
        let Self { caller, fork, login, crossings, .. } = self;
        let tag = fork.dialog.remote_tag.clone();
        // What is said now is said of its own media.
        fork.data.takes_media(cx);
        let legs = Sides { a: fork.data.a.clone(), b: Fork::far(fork) };
        let logins = Sides { a: caller.login.clone(), b: (*login).clone() };
        let mut up = Established::new(legs, logins, caller.max_duration);
        let mine = crossings.extract_if(.., |(own, _)| *own == tag);
        up.crossings = mine.map(|(_, crossing)| crossing).collect();
        act(&mut up, cx);
        fork.data.described(cx);
        fork.data.a = up.legs.a;
        Fork::put_back(fork, up.legs.b);
        crossings.extend(up.crossings.into_iter().map(|crossing| (tag.clone(), crossing)));
    }
}

impl Dialled {
    /// A response to a request that crossed; true: it is one.
    pub(super) fn crossing_answered(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &Caller,
        request: RequestId,
        message: &Message,
    ) -> bool {
        self.with_crossing(caller, request, |mut early| {
            early.with_up(cx, |up, cx| {
                let _: Option<Next> = up.handle_response(cx, request, message);
            });
        })
    }

    /// No response will come to a request that crossed; true: it is one.
    pub(super) fn crossing_lost(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &Caller,
        request: RequestId,
        lost: Failure,
    ) -> bool {
        self.with_crossing(caller, request, |mut early| {
            early.with_up(cx, |up, cx| up.early_crossing_lost(cx, request, lost));
        })
    }

    /// Does something in the dialog in which `request` crossed; true: there is one.
    fn with_crossing(
        &mut self,
        caller: &Caller,
        request: RequestId,
        act: impl FnOnce(EarlyCall<'_>),
    ) -> bool {
        let mine = |(_, crossing): &&(SmolStr, Crossing)| crossing.sent.id == request;
        let tag = self.crossings.iter().find(mine).map(|(tag, _)| tag.clone());
        let early = tag.and_then(|tag| self.early(caller, |fork| fork.dialog.remote_tag == tag));
        early.map(act).is_some()
    }

    /// Refuses whoever has waited for long enough.
    pub(super) fn crossing_timeouts(&mut self, cx: &mut Cx<'_>, caller: &Caller) {
        let due = |(_, crossing): &&(SmolStr, Crossing)| crossing.give_up <= cx.now.instant;
        let tags: Vec<SmolStr> = self.crossings.iter().filter(due).map(|(tag, _)| tag.clone()).collect();
        for tag in tags {
            if let Some(mut early) = self.early(caller, |fork| fork.dialog.remote_tag == tag) {
                early.with_up(cx, Established::crossing_timeouts);
            }
        }
    }
}

impl Fork {
    /// The leg of the callee's, after something was said there.
    pub(super) fn put_back(fork: &mut Early<Fork>, leg: Leg) {
        let Leg { dialog, end } = leg;
        fork.dialog = dialog;
        fork.data.b = end;
    }
}

fn dialog_of(fork: &mut Early<Fork>, side: Side) -> &mut sip::dialog::Dialog {
    match side {
        Side::A => &mut fork.data.a.dialog,
        Side::B => &mut fork.dialog,
    }
}

fn far_allows(fork: &Early<Fork>, side: Side) -> Option<Allows> {
    fork.data.end(side.other()).allows
}
