//! UPDATE in an early dialog (RFC 3311): offers and answers cross to the other leg's dialog of the same fork before the
//! 2xx, in both directions.

use sip::dialog::Early;
use sip::transaction::ServerId;
use sip::{Message, Method, Name};

use super::Setup;
use super::attempt::Fork;
use crate::call::allow::Promises;
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
        let takes = self.caller.takes_reliable();
        let mine = |fork: &Early<Fork>| match side {
            Side::A => fork.data.a.dialog.matches(message),
            Side::B => fork.dialog.matches(message),
        };
        let Some(fork) = self.fork_mut(mine) else { return self.refresh(cx, server, message, side) };
        let dialog = match side {
            Side::A => &mut fork.data.a.dialog,
            Side::B => &mut fork.dialog,
        };
        if let Err(error) = dialog.handle_request(message) {
            return in_dialog::refuse(cx, server, message, &refusal(&error));
        }
        if let Some(demanded) = demanded_beside_100rel(message, takes) {
            return in_dialog::refuse_demand(cx, server, message, &demanded);
        }
        let tag = fork.dialog.remote_tag.clone();
        let far = fork.data.end(side.other());
        let (goes, told) = (far.allows_update() == Some(true), far.profile.given);
        match Body::read(message) {
            Err(cause) => in_dialog::refuse(cx, server, message, &cause),
            // It says who is spoken to, and to a side that is told.
            Ok(Body::None) if goes && told && message.has(Name::PAssertedIdentity) => {
                self.cross_early(cx, &tag, side, server, message);
            }
            Ok(Body::None) => {
                dialog_of(fork, side).refresh_target(message);
                let near = fork.data.end(side);
                let other = far_allows(fork, side);
                let promises = Promises { to: &near.profile, other: other.as_deref() };
                let reply = in_dialog::ok(message, Some(promises)).header(Name::Contact, near.contact());
                cx.respond(server, reply.build());
            }
            Ok(_) if goes => self.cross_early(cx, &tag, side, server, message),
            // After the 2xx a re-INVITE may say it.
            Ok(_) => {
                let cause = Refused::TooEarly.cause(cx);
                in_dialog::refuse(cx, server, message, &cause);
            }
        }
    }

    /// Sends an UPDATE, or the offer of a PRACK as one, to the other leg's dialog of the fork with this tag.
    pub(super) fn cross_early(
        &mut self,
        cx: &mut Cx<'_>,
        tag: &str,
        side: Side,
        server: ServerId,
        message: &Message,
    ) {
        self.with_up(cx, tag, |up, cx| up.forward_as(cx, side, server, message.clone(), Method::Update));
    }

    /// A response to a request that crossed; true: it is one.
    pub(super) fn crossing_answered(
        &mut self,
        cx: &mut Cx<'_>,
        request: RequestId,
        message: &Message,
    ) -> bool {
        let Some(tag) = self.tag_of_crossing(request) else { return false };
        self.with_up(cx, &tag, |up, cx| {
            let _: Option<Next> = up.handle_response(cx, request, message);
        });
        true
    }

    /// No response will come to a request that crossed; true: it is one.
    pub(super) fn crossing_lost(&mut self, cx: &mut Cx<'_>, request: RequestId, lost: Failure) -> bool {
        let Some(tag) = self.tag_of_crossing(request) else { return false };
        self.with_up(cx, &tag, |up, cx| up.early_crossing_lost(cx, request, lost));
        true
    }

    fn tag_of_crossing(&self, request: RequestId) -> Option<String> {
        let mine = |(_, crossing): &&(String, Crossing)| crossing.sent.id == request;
        self.crossings.iter().find(mine).map(|(tag, _)| tag.clone())
    }

    /// Refuses whoever has waited for long enough.
    pub(super) fn crossing_timeouts(&mut self, cx: &mut Cx<'_>) {
        let due = |(_, crossing): &&(String, Crossing)| crossing.give_up <= cx.now.instant;
        let tags: Vec<String> = self.crossings.iter().filter(due).map(|(tag, _)| tag.clone()).collect();
        for tag in tags {
            self.with_up(cx, &tag, Established::crossing_timeouts);
        }
    }

    /// Nobody answers any more what crossed in these dialogs.
    pub(super) fn end_crossings(&mut self, cx: &mut Cx<'_>) {
        self.pracks.clear();
        for (_, crossing) in std::mem::take(&mut self.crossings) {
            crossing.end(cx);
        }
    }

    /// What crossed in the dialog of this tag.
    pub(super) fn crossings_of(&mut self, tag: &str) -> Vec<Crossing> {
        let all = std::mem::take(&mut self.crossings);
        let (mine, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(own, _)| own == tag);
        self.crossings = others;
        mine.into_iter().map(|(_, crossing)| crossing).collect()
    }

    /// Does something with both legs of a fork that a call does with its own when they are up: requests cross alike.
    fn with_up(&mut self, cx: &mut Cx<'_>, tag: &str, act: impl FnOnce(&mut Established, &mut Cx<'_>)) {
        let login = self.target.as_ref().and_then(|target| target.route.credentials.clone());
        let logins = Sides { a: self.caller.login.clone(), b: login };
        let (crossings, longest) = (self.crossings_of(tag), self.max_duration);
        let Some(fork) = self.fork_mut(|fork| fork.dialog.remote_tag == tag) else { return };
        // What is said now is said of its own media.
        fork.data.takes_media(cx);
        let legs = Sides { a: fork.data.a.clone(), b: Fork::far(fork) };
        let mut up = Established::new(legs, logins, longest);
        up.crossings = crossings;
        act(&mut up, cx);
        fork.data.described(cx);
        fork.data.a = up.legs.a;
        Fork::put_back(fork, up.legs.b);
        self.crossings.extend(up.crossings.into_iter().map(|crossing| (tag.to_owned(), crossing)));
    }

    /// One of the early dialogs, or the one that is being accepted.
    pub(super) fn fork_mut(&mut self, mine: impl Fn(&Early<Fork>) -> bool) -> Option<&mut Early<Fork>> {
        let forks = self.attempt.iter_mut().flat_map(|attempt| attempt.forks.iter_mut());
        let mut forks = self.accepting.iter_mut().map(|accepting| &mut accepting.fork).chain(forks);
        forks.find(|fork| mine(fork))
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

fn far_allows(fork: &Early<Fork>, side: Side) -> Option<Vec<String>> {
    fork.data.end(side.other()).allows.clone()
}
