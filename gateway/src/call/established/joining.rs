//! A party that comes to a call from another one: it is offered what the other party described, and media is led to it.
//! Until it has taken that its leg is only lent: where it does not, or the other party hangs up, it goes back.

use bytes::Bytes;
use sip::dialog::offer_answer::Side::Remote;
use sip::sdp::Sdp;
use sip::transaction::ServerId;
use sip::{Message, StatusCode};

use super::Established;
use super::own::Purpose;
use super::replacing::Place;
use crate::call::cx::Cx;
use crate::call::io::Action;
use crate::call::leg::LegRef;
use crate::call::lent::{GivenBack, Lent};
use crate::call::negotiation::Refused;
use crate::call::requests::reason_of;
use crate::call::sides::Sides;
use crate::call::{Next, in_dialog};
use crate::media::Side;
use crate::reply::Cause;

/// So many times it is asked again, where it asks for something itself at the same time (491).
const MOST_TRIES: u8 = 5;

/// Somebody is on its way to this call.
#[derive(Debug)]
pub(super) struct Joining {
    pub side: Side,
    /// The call ends, for this cause: who comes goes back as soon as it has responded.
    off: Option<Cause>,
    /// The other party has hung up.
    deserted: bool,
    /// How often it was asked again.
    tries: u8,
    /// Whose place it takes, if anybody's: who has it until then.
    pub place: Option<Box<Place>>,
}

impl Established {
    /// The party of a leg is on `side` from now on.
    ///
    /// - `deserted`: the other party has hung up already.
    /// - `place`: who was there.
    pub fn join(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        lent: Lent,
        deserted: bool,
        place: Option<Box<Place>>,
    ) -> Next {
        let leg_ref = match side {
            Side::A => LegRef::A,
            Side::B => LegRef::B(0),
        };
        let Lent { leg, login, session } = lent;
        cx.bind(&leg.dialog.local_tag, leg_ref);
        cx.history.comes(side, &leg);
        *self.sessions.of_mut(side) = session;
        *self.legs.of_mut(side) = leg;
        *self.logins.of_mut(side) = login;
        self.joining = Some(Box::new(Joining { side, off: None, deserted, tries: 0, place }));
        if deserted {
            return self.send_back(cx, Cause::new(480, "The target hung up"), false);
        }
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

    /// Whether who is on its way may be asked once more.
    pub(super) fn may_ask_again_to_join(&mut self) -> bool {
        self.joining.as_mut().is_some_and(|joining| {
            joining.tries += 1;
            joining.off.is_none() && joining.tries <= MOST_TRIES
        })
    }

    /// It took what it was offered.
    ///
    /// - `answer`: whether its answer is of use.
    pub(super) fn joined(&mut self, cx: &mut Cx<'_>, answer: Result<(), Cause>) -> Next {
        let off = self.joining.as_ref().and_then(|joining| joining.off.clone());
        if let Some(cause) = off.or(answer.err()) {
            return self.send_back(cx, cause, true);
        }
        let Some(Joining { side, place, .. }) = self.joining.take().map(|one| *one) else {
            return Next::Stay;
        };
        cx.watch_for_silence();
        cx.act(Action::Progress { status: StatusCode::OK });
        // Whoever hangs up both legs after a crash must find this one.
        cx.act(Action::Journal);
        match place {
            Some(place) => self.took_place(cx, side, *place),
            None => Next::Stay,
        }
    }

    /// It did not take what it was offered, or nothing was heard of it (408).
    pub(super) fn not_joined(&mut self, cx: &mut Cx<'_>, status: StatusCode, misled: bool) -> Next {
        let code = match status.code() {
            // Of what passes between it and us nobody else can make anything.
            300..=399 | 401 | 407 | 421 | 422 | 491 => 500,
            408 => 504,
            code => code,
        };
        self.send_back(cx, Cause::new(code, format!("Who is transferred refused ({status})")), misled)
    }

    /// The call is to end while somebody is on its way to it.
    ///
    /// - `deserted`: the other party has hung up.
    pub(super) fn call_off(&mut self, cx: &mut Cx<'_>, cause: Cause, deserted: bool) -> Next {
        let Some(joining) = &mut self.joining else { return Next::Stay };
        let to = joining.side;
        joining.deserted |= deserted;
        joining.off.get_or_insert_with(|| cause.clone());
        match self.cancel_own(cx, to) {
            true => Next::Stay,
            false => self.send_back(cx, cause, false),
        }
    }

    /// Who was on its way goes back to where it came from, and the call is over.
    fn send_back(&mut self, cx: &mut Cx<'_>, cause: Cause, misled: bool) -> Next {
        let Some(Joining { side, off, deserted, place, .. }) = self.joining.take().map(|one| *one) else {
            return Next::Stay;
        };
        let stays = off.is_none() && !deserted;
        let cause = off.unwrap_or(cause);
        let (leg, login) = (self.legs.of(side).clone(), self.logins.of(side).clone());
        let session = self.sessions.of(side).clone();
        let mut byes = Sides::default();
        *byes.of_mut(side.other()) = (!deserted).then(|| reason_of(&cause));
        let lent = Lent { leg, login, session };
        cx.act(Action::GiveBack(Box::new(GivenBack { lent, cause: cause.clone(), misled })));
        if let Some(place) = place
            && self.keeps_place(cx, side, *place)
        {
            if stays {
                return Next::Stay;
            }
            *byes.of_mut(side) = Some(reason_of(&cause));
        }
        match deserted {
            true => self.end(cx, byes, Cause::new(200, "OK")),
            false => self.end(cx, byes, cause),
        }
    }

    /// A BYE while somebody is on its way to this call. `None`: nobody is, or the BYE has told its call.
    pub(super) fn bye_on_the_way(&mut self, cx: &mut Cx<'_>, side: Side, bye: &Message) -> Option<Next> {
        let joining = self.joining.as_ref()?;
        if side == joining.side {
            cx.act(Action::LeftOnTheWay { bye: Box::new(bye.clone()) });
            let place = self.joining.take().and_then(|joining| joining.place)?;
            self.end_own_to(cx, side);
            return self.keeps_place(cx, side, *place).then_some(Next::Stay);
        }
        cx.history.told(side, bye.value(sip::Name::Reason).as_deref());
        Some(self.call_off(cx, Cause::new(480, "The target hung up"), true))
    }

    /// The call in which a REFER asked for this one is over, and with it who was on its way.
    pub fn handle_abandoned(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        let Some(Joining { side, off, deserted, place, .. }) = self.joining.take().map(|one| *one) else {
            return self.replacement_abandoned(cx, cause);
        };
        let mut byes = Sides { a: Some(reason_of(&cause)), b: Some(reason_of(&cause)) };
        if deserted {
            *byes.of_mut(side.other()) = None;
        }
        if let Some(place) = place {
            self.end_own_to(cx, side);
            let (leg, login) = (self.legs.of(side).clone(), self.logins.of(side).clone());
            if self.keeps_place(cx, side, *place) {
                cx.bye(leg, login, reason_of(&cause));
                if off.is_none() && !deserted {
                    return Next::Stay;
                }
            }
        }
        self.end(cx, byes, cause)
    }

    /// Refuses what nobody is there for: who comes has not joined yet, or the other party is on its way elsewhere.
    pub(super) fn refuse_meanwhile(&self, cx: &mut Cx<'_>, server: ServerId, message: &Message) {
        let cause = Cause::new(500, "The call is being transferred").later(std::time::Duration::from_secs(2));
        in_dialog::refuse(cx, server, message, &cause);
    }
}
