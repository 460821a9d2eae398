//! A party on its way to the call that a REFER asked for: its leg is lent, and comes back unless it joins. Meanwhile nobody
//! says anything to it here.

use sip::dialog::offer_answer::Carrier;
use sip::dialog::offer_answer::Side::{Local, Remote};
use sip::transaction::ServerId;
use sip::{Builder, Message, Method, Name, StatusCode};

use super::Established;
use super::own::Purpose;
use super::transfer::Phase;
use crate::call::body::{Body, SentBody};
use crate::call::cx::Cx;
use crate::call::handed::Handed;
use crate::call::headers;
use crate::call::io::Action;
use crate::call::leg::{Leg, LegRef};
use crate::call::lent::{GivenBack, Lent};
use crate::call::negotiation::{Refused, refusable};
use crate::call::sides::Sides;
use crate::call::{Next, in_dialog};
use crate::media::Side;
use crate::reply::Cause;

impl Established {
    /// Who is transferred goes to the other call, which has been accepted.
    pub(super) fn lend(&mut self, cx: &mut Cx<'_>) {
        let Some(transfer) = &mut self.transfer else { return };
        transfer.phase = Phase::Lent;
        let side = transfer.by.other();
        // What crosses is answered by nobody once others speak in the dialog.
        self.refuse_crossings(cx);
        let leg = self.legs.of(side);
        let resting = leg.session_timer();
        let (mut leg, login) = (leg.clone(), self.logins.of(side).clone());
        // In the other call's account who asked for it stands in its place.
        leg.number = Some(self.number_of(cx, side).into());
        let session = std::mem::replace(self.sessions.of_mut(side), resting);
        cx.bear_silence();
        cx.act(Action::HandOver(Box::new(Lent { leg, login, session })));
    }

    /// It has joined.
    pub(super) fn gone(&mut self, cx: &mut Cx<'_>) -> Next {
        let Some((subscriber, deserted)) = self.leave(cx) else { return Next::Stay };
        cx.close_media();
        Handed::begin(cx, subscriber.0, subscriber.1, !deserted)
    }

    /// It has not joined, and is here again.
    pub fn handle_returned(&mut self, cx: &mut Cx<'_>, back: GivenBack) -> Next {
        let GivenBack { lent: Lent { leg, login, session }, cause, misled } = back;
        let Some(transfer) = self.transfer.as_mut().filter(|transfer| transfer.phase == Phase::Lent) else {
            return Next::Stay;
        };
        let (side, deserted) = (transfer.by.other(), transfer.deserted);
        transfer.phase = Phase::Over;
        transfer.referral.tell(cx, self.legs.of_mut(side.other()), cause.status);
        let leg_ref = match side {
            Side::A => LegRef::A,
            Side::B => LegRef::B(0),
        };
        cx.bind(&leg.dialog.local_tag, leg_ref);
        self.legs.of_mut(side).comes_back(leg);
        *self.logins.of_mut(side) = login;
        *self.sessions.of_mut(side) = session;
        match cause.status.code() {
            // Nobody is left to whom it could return.
            _ if deserted => return self.hang_up(cx, cause),
            481 => return self.hang_up(cx, Cause::new(481, "The other side lost the call")),
            _ => {}
        }
        cx.watch_for_silence();
        if misled && let next @ Next::Ended(..) = self.ask(cx, side, Purpose::Rollback) {
            return next;
        }
        self.go_on(cx);
        Next::Stay
    }

    /// It hung up on its way.
    pub fn handle_left_on_the_way(&mut self, cx: &mut Cx<'_>, bye: &Message) -> Next {
        let Some(transfer) = self.transfer.as_ref().filter(|transfer| transfer.phase == Phase::Lent) else {
            return Next::Stay;
        };
        let by = transfer.by;
        cx.history.told(by.other(), bye.value(Name::Reason).as_deref());
        let says = headers::lines(bye, &self.legs.of(by.other()).profile, &self.legs.of(by).profile);
        let mut byes = Sides::default();
        *byes.of_mut(by) = Some(says);
        self.end(cx, byes, Cause::new(200, "OK"))
    }

    /// Whether who asked for a transfer has left, and the other party waits alone.
    pub(super) fn is_deserted(&self) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| transfer.deserted && transfer.phase != Phase::Lent)
    }

    /// Answers an offer of `side`'s, who waits alone, as the other party would that has left: with what it described last.
    pub(super) fn answer_for_other(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        server: ServerId,
        message: &Message,
    ) {
        let method = message.method().unwrap_or(Method::Update);
        let before = self.bridge(side).before(cx);
        let answer = match (message.body().is_empty(), method == Method::Invite) {
            (false, _) => self.answer_of_other(cx, side, message, &method),
            (true, false) => Ok(None),
            (true, true) => return self.refuse_meanwhile(cx, server, message),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(refused) => {
                let refusable = refusable(&method);
                if let Some(request) = refusable.filter(|_| !refused.is_untimely()) {
                    let _ = self.legs.of_mut(side).offers.refused(Remote, request);
                    let _ = self.legs.of_mut(side.other()).offers.refused(Local, request);
                    self.bridge(side).restore(cx, Some(before));
                }
                let cause = refused.cause(cx);
                return in_dialog::refuse(cx, server, message, &cause);
            }
        };
        let leg = self.legs.of_mut(side);
        leg.dialog.refresh_target(message);
        leg.heard(message);
        let contact = leg.contact().to_string();
        let reply = in_dialog::ok(message, self.allows_of_other(side)).header(Name::Contact, contact);
        let response = SentBody::attach(answer, reply).build();
        let response = self.session_accepted(cx, side, message, response);
        match method {
            Method::Invite => self.accept(cx, side, server, response, None),
            _ => cx.respond(server, response),
        }
    }

    fn answer_of_other(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        message: &Message,
        method: &Method,
    ) -> Result<Option<SentBody>, Refused> {
        let nothing = || Cause::new(488, "Nothing was agreed on");
        let offer = Carrier::of(method, None, false).ok_or_else(nothing)?;
        let answer = Carrier::of(method, Some(StatusCode::OK), false).ok_or_else(nothing)?;
        let agreed = self.legs.of(side.other()).offers.agreed().ok_or_else(nothing)?;
        let said = Builder::reply(message, StatusCode::OK, "OK", None)
            .body("application/sdp", agreed.of(Remote).clone())
            .build();
        self.bridge(side).cross(cx, &Body::read(message)?, offer, offer)?;
        self.bridge(side.other()).cross(cx, &Body::read(&said)?, answer, answer)
    }

    /// Whether the party of `side` is not in this call: it has asked for a transfer and left, or is on its way to the target.
    pub(super) fn is_away(&self, side: Side) -> bool {
        self.transfer.as_ref().is_some_and(|transfer| match side == transfer.by {
            true => transfer.deserted,
            false => transfer.phase == Phase::Lent,
        })
    }
}

impl Leg {
    /// Goes on where another call has spoken to the party: what was described there came to nothing.
    fn comes_back(&mut self, other: Leg) {
        let (dialog, mut end) = (other.dialog, other.end);
        end.offers = std::mem::take(&mut self.end.offers);
        end.sdes = self.end.sdes.clone();
        end.on_hold = self.end.on_hold;
        // The next offer is a new one to it, whatever it says.
        end.sdp.last.clear();
        *self = Leg { dialog, end };
    }
}
