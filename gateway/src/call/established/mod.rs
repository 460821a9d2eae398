//! Both legs are up: re-INVITE, UPDATE, INFO and MESSAGE cross to the other leg, BYE ends both, OPTIONS is answered here,
//! REFER transfers the other party, or crosses.

mod crossing;
mod handshake;
mod held_back;
mod joining;
mod lending;
mod newcomer;
mod own;
mod passing;
mod reliable;
mod replacing;
mod session;
mod transfer;
mod update;

use std::time::{Duration, Instant};

use sip::dialog::offer_answer::Carrier;
use sip::dialog::{DialogError, SessionTimer, UasReliable};
use sip::transaction::ServerId;
use sip::{Message, Method, Name};

use super::allow::Promises;
use super::body::Body;
use super::cx::Cx;
use super::ended::{Ended, Waiting};
use super::headers::{self, Lines};
use super::io::{Failure, RequestId};
use super::leg::Leg;
use super::negotiation::Bridge;
use super::requests::reason_of;
use super::sent::Login;
use super::sides::Sides;
use super::{Next, due, in_dialog};
use crate::media::Side;
use crate::peer::Source;
use crate::reply::demanded_beside_100rel;
use config::Prack;

use crate::reply::Cause;
pub(super) use crossing::Crossing;
pub(super) use handshake::{FarInvite, Handshake};
use held_back::HeldBack;
use joining::Joining;
use newcomer::Replacing;
use own::OwnRequests;
use passing::Passed;
use reliable::OwnPrack;
use replacing::Replacement;
use transfer::{Phase, Transfer};

/// See the module.
#[derive(Debug)]
pub(super) struct Established {
    pub legs: Sides<Leg>,
    /// How challenges of each leg's party are met.
    pub logins: Sides<Login>,
    /// Requests that crossed and wait for their response.
    pub crossings: Vec<Crossing>,
    /// PRACKs of ours that are not answered.
    pracks: Vec<OwnPrack>,
    /// What the caller may still acknowledge of the ringing.
    pub provisionals: Option<Box<UasReliable<Message>>>,
    /// Requests of our own.
    own: OwnRequests,
    /// The session timer of each leg.
    pub sessions: Sides<SessionTimer>,
    /// An offer that waits for the ACK of the one before.
    held_back: Option<Box<HeldBack>>,
    /// 2xx of ours to each party's INVITE that wait for the ACK.
    handshakes: Sides<Option<Box<Handshake>>>,
    /// The transfer that a party asked for.
    transfer: Option<Box<Transfer>>,
    /// A REFER that crossed.
    passed: Option<Box<Passed>>,
    /// Who wants to take the place of a party.
    replacing: Option<Box<Replacing>>,
    /// Who is on its way to this call.
    joining: Option<Box<Joining>>,
    /// Whose place somebody is to take.
    replacement: Option<Replacement>,
    pub max_duration: Duration,
    /// When the call has lasted long enough.
    expires: Option<Instant>,
}

impl Established {
    pub fn new(legs: Sides<Leg>, logins: Sides<Login>, max_duration: Duration) -> Self {
        let sessions = session::timers(&legs);
        Established {
            sessions,
            legs,
            logins,
            crossings: Vec::new(),
            pracks: Vec::new(),
            provisionals: None,
            own: OwnRequests::default(),
            held_back: None,
            handshakes: Sides::default(),
            transfer: None,
            passed: None,
            replacing: None,
            joining: None,
            replacement: None,
            max_duration,
            expires: None,
        }
    }

    /// The caller is told of the 2xx now.
    pub fn begin(&mut self, cx: &mut Cx<'_>) {
        self.legs.a.dialog.confirm();
        cx.history.times.answered = Some(cx.now.unix);
        cx.history.answered_at = Some(cx.now.instant);
        self.lasts_until(cx.now.instant + self.max_duration);
    }

    /// The call must end then at the latest.
    pub fn lasts_until(&mut self, expires: Instant) {
        self.expires = Some(expires);
    }

    /// Sends `response`, a 2xx to `side`'s INVITE, until the ACK comes.
    ///
    /// - `invite`: the same on the other leg, if there is one.
    pub fn accept(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        server: ServerId,
        response: Message,
        invite: Option<FarInvite>,
    ) {
        *self.handshakes.of_mut(side) = Some(Box::new(Handshake::begin(cx, server, response, invite)));
    }

    /// A request inside one of the dialogs.
    pub fn handle_request(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        server: ServerId,
        message: Message,
        source: &Source,
    ) -> Next {
        let method = message.method().unwrap_or(Method::Options);
        if self.has_place(side, &message) {
            self.handle_in_place(cx, server, &message);
            return Next::Stay;
        }
        let leg = self.legs.of_mut(side);
        // A BYE tells no key, and keeping up a call that is over helps nobody.
        if !leg.may_use(source.transport) && method != Method::Bye {
            let cause = Cause::new(403, format!("This call takes TLS only, not {}", source.transport));
            in_dialog::refuse(cx, server, &message, &cause);
            return Next::Stay;
        }
        if let Err(error) = leg.dialog.handle_request(&message) {
            in_dialog::refuse(cx, server, &message, &refusal(&error));
            return Next::Stay;
        }
        self.came_by(cx, side, source);
        if self.is_away(side) && !matches!(method, Method::Bye | Method::Subscribe) {
            in_dialog::refuse(cx, server, &message, &Cause::new(481, "Call Does Not Exist"));
            return Next::Stay;
        }
        let demanded = self.demanded(side, &message);
        if let Some(demanded) = demanded.filter(|_| method != Method::Bye) {
            in_dialog::refuse_demand(cx, server, &message, &demanded);
            return Next::Stay;
        }
        if self.refuse_short_session(cx, side, server, &message) {
            return Next::Stay;
        }
        match method {
            Method::Bye => return self.handle_bye(cx, side, server, &message),
            Method::Options => {
                in_dialog::respond_ok(cx, server, &message, self.allows_of_other(side));
            }
            Method::Invite | Method::Update | Method::Info | Method::Message
                if self.is_away(side.other()) || self.joining.is_some() =>
            {
                self.handle_meanwhile(cx, side, server, message);
            }
            Method::Invite => self.handle_invite(cx, side, server, message),
            Method::Prack => self.handle_prack(cx, side, server, &message),
            // Who has not acknowledged its 2xx may not have it yet.
            Method::Update if !message.body().is_empty() && self.keeps_offers(side) => {
                self.hold_back(cx, side, server, message);
            }
            Method::Update => self.handle_update(cx, side, server, message),
            Method::Info | Method::Message => self.forward(cx, side, server, message),
            Method::Refer => self.refer(cx, side, server, &message),
            Method::Notify => self.notified(cx, side, server, message),
            Method::Subscribe => {
                if let Err(message) = self.pass_subscribe(cx, side, server, message) {
                    self.subscribe(cx, side, server, &message);
                }
            }
            _ => in_dialog::refuse_method(cx, server, &message, self.allows_of_other(side)),
        }
        Next::Stay
    }

    /// An INVITE inside the dialog: one at a time in either direction (RFC 3261 §14).
    fn handle_invite(&mut self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: Message) {
        match self.is_busy(side) {
            true => self.hold_back(cx, side, server, message),
            false => self.forward(cx, side, server, message),
        }
    }

    /// Whether a 2xx of ours has had no ACK: no other INVITE may cross.
    fn awaits_ack(&self) -> bool {
        self.handshakes.a.is_some() || self.handshakes.b.is_some()
    }

    /// Whether no description is on its way, as far as INVITE and ACK bring one.
    pub fn has_agreed(&self) -> bool {
        self.crossings.is_empty() && !self.is_busy(Side::A) && !self.is_busy(Side::B)
    }

    /// Whether an INVITE of `side`'s must wait: for an ACK, for the other party's response to an INVITE of our own, or
    /// until both parties are here.
    fn is_busy(&self, side: Side) -> bool {
        self.awaits_ack()
            || self.own.has_invited(side.other())
            || self.joining.is_some()
            || self.replacement.is_some()
            || self.replacing.is_some()
            || self.is_away(side.other())
    }

    /// The same of an UPDATE with an offer.
    fn keeps_offers(&self, side: Side) -> bool {
        self.handshakes.of(side.other()).is_some() || self.replacement.is_some()
    }

    /// A request for the other party, which is not here now: what only refreshes is answered, an offer waits a moment.
    fn handle_meanwhile(&mut self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: Message) {
        if !self.awaits_ack() && self.answer_refresh(cx, side, server, &message) {
            return;
        }
        match message.method() {
            Some(Method::Invite | Method::Update) if self.is_deserted() && !self.awaits_ack() => {
                self.answer_for_other(cx, side, server, &message);
            }
            Some(Method::Invite) => self.hold_back(cx, side, server, message),
            Some(Method::Update) if !message.body().is_empty() => self.hold_back(cx, side, server, message),
            _ => self.refuse_meanwhile(cx, server, &message),
        }
    }

    /// An UPDATE without a description before the caller knows of the 2xx. RFC 3311 §5.2.
    pub fn refresh(&mut self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: &Message) {
        let leg = self.legs.of_mut(side);
        if let Err(error) = leg.dialog.handle_request(message) {
            return in_dialog::refuse(cx, server, message, &refusal(&error));
        }
        leg.dialog.refresh_target(message);
        if let Some(demanded) = self.demanded(side, message) {
            return in_dialog::refuse_demand(cx, server, message, &demanded);
        }
        let contact = self.legs.of(side).contact().to_string();
        let response =
            in_dialog::ok(message, self.allows_of_other(side)).header(Name::Contact, contact).build();
        // The caller's session begins with its 2xx.
        let response = match side {
            Side::A => response,
            Side::B if self.refuse_short_session(cx, side, server, message) => return,
            Side::B => self.session_accepted(cx, side, message, response),
        };
        cx.respond(server, response);
    }

    /// What a request demands that we have not.
    fn demanded(&self, side: Side, message: &Message) -> Option<String> {
        demanded_beside_100rel(message, self.legs.of(side).profile.prack != Prack::Off)
    }

    /// A PRACK after the 2xx, of what described no session. RFC 3262 §3.
    fn handle_prack(&mut self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: &Message) {
        let uas = self.provisionals.as_mut().filter(|_| side == Side::A);
        let known = match message.rack() {
            Ok(rack) => uas.is_some_and(|uas| uas.handle_prack(cx.now.instant, &rack)),
            Err(error) => return in_dialog::refuse(cx, server, message, &Cause::new(400, error.to_string())),
        };
        match known {
            false => in_dialog::refuse(cx, server, message, &Cause::new(481, "Nothing waits for this PRACK")),
            true if !message.body().is_empty() => {
                in_dialog::refuse(
                    cx,
                    server,
                    message,
                    &Cause::new(488, "A session description has no place here"),
                );
            }
            true => in_dialog::respond_ok(cx, server, message, self.allows_of_other(side)),
        }
    }

    /// The same before the caller knows of the 2xx.
    pub fn take_prack(&mut self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: &Message) {
        match self.legs.of_mut(side).dialog.handle_request(message) {
            Ok(()) => self.handle_prack(cx, side, server, message),
            Err(error) => in_dialog::refuse(cx, server, message, &refusal(&error)),
        }
    }

    /// Whether a request of ours is one that crossed.
    pub fn is_crossing(&self, request: RequestId) -> bool {
        self.crossings.iter().any(|one| one.sent.id == request)
    }

    fn handle_bye(&mut self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: &Message) -> Next {
        in_dialog::respond_ok(cx, server, message, self.allows_of_other(side));
        if self.deserted_by(cx, side) {
            return Next::Stay;
        }
        if let Some(next) = self.bye_on_the_way(cx, side, message) {
            return next;
        }
        // What it still owes an ACK for is over; what it accepted itself needs none any more.
        if let Some(mut invite) = self.handshakes.of_mut(side).take().and_then(|one| one.invite) {
            invite.acknowledge(cx, self.legs.of(side.other()), None);
        }
        if let Some(invite) =
            self.handshakes.of_mut(side.other()).as_mut().and_then(|one| one.invite.as_mut())
        {
            invite.forgive();
        }
        cx.history.told(side, message.value(Name::Reason).as_deref());
        let profiles = [side, side.other()].map(|side| &self.legs.of(side).profile);
        let says = headers::lines(message, profiles[0], profiles[1]);
        let mut byes = Sides::default();
        *byes.of_mut(side.other()) = Some(says);
        self.end(cx, byes, Cause::new(200, "OK"))
    }

    /// An ACK of a 2xx.
    pub fn handle_ack(&mut self, cx: &mut Cx<'_>, side: Side, message: &Message, source: &Source) -> Next {
        let mine = |one: &mut Box<Handshake>| one.is_acknowledged_by(message);
        let Some(handshake) = self.handshakes.of_mut(side).take_if(mine) else { return Next::Stay };
        self.came_by(cx, side, source);
        let next = self.acknowledged(cx, side, *handshake, message);
        if let Next::Stay = next {
            self.go_on(cx);
        }
        next
    }

    /// What an ACK of `side`'s means for the other leg.
    fn acknowledged(&mut self, cx: &mut Cx<'_>, side: Side, handshake: Handshake, message: &Message) -> Next {
        let Some(mut invite) = handshake.invite.filter(|invite| !invite.is_acknowledged()) else {
            return Next::Stay;
        };
        // A delayed offer: this ACK carries the answer (RFC 3261 §13.2.2.4).
        let crossed = Body::read(message)
            .map_err(Into::into)
            .and_then(|body| self.bridge(side).cross(cx, &body, Carrier::Ack, Carrier::Ack));
        let far = self.legs.of(side.other());
        match crossed {
            Ok(body) => {
                invite.acknowledge(cx, far, body);
                Next::Stay
            }
            // An ACK can't be refused, and the two sides would be left with different ideas of the media.
            Err(refused) => {
                invite.acknowledge(cx, far, None);
                self.hang_up(cx, refused.text())
            }
        }
    }

    /// The party of `side` said something that only it can know.
    fn came_by(&mut self, cx: &mut Cx<'_>, side: Side, source: &Source) {
        let leg = self.legs.of_mut(side);
        leg.came_by(source.peer());
        cx.history.is_at(side, leg.flow.remote.ip());
        if side == Side::A {
            cx.caller_is_proven();
        }
    }

    /// A response to a request of ours. `None`: the request is none of the call's that are under way.
    pub fn handle_response(
        &mut self,
        cx: &mut Cx<'_>,
        request: RequestId,
        message: &Message,
    ) -> Option<Next> {
        if let Some(transfer) = &mut self.transfer {
            let (leg, login) = (self.legs.of_mut(transfer.by), self.logins.of(transfer.by));
            if transfer.referral.heard(cx, (leg, login), request, message) {
                return Some(Next::Stay);
            }
        }
        if let Some(next) = self.replacing_heard(cx, request, message) {
            return Some(next);
        }
        if self.prack_heard(cx, request, message) {
            return Some(Next::Stay);
        }
        match self.crossings.iter().position(|one| one.sent.id == request) {
            Some(index) => Some(self.crossing_heard(cx, index, message)),
            None => self.own_heard(cx, request, message),
        }
    }

    /// No response will come to a request of ours. `None`: as above.
    pub fn handle_failed(&mut self, cx: &mut Cx<'_>, request: RequestId, lost: Failure) -> Option<Next> {
        if let Some(transfer) = &mut self.transfer
            && transfer.referral.lost(cx, self.legs.of_mut(transfer.by), request, lost)
        {
            return Some(Next::Stay);
        }
        if let Some(next) = self.replacing_lost(cx, request, lost) {
            return Some(next);
        }
        if self.prack_lost(cx, request, lost) {
            return Some(Next::Stay);
        }
        match self.crossings.iter().position(|one| one.sent.id == request) {
            Some(index) => Some(self.crossing_lost(cx, index, lost)),
            None => self.own_lost(cx, request, lost),
        }
    }

    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Next {
        for side in [Side::A, Side::B] {
            let Some(handshake) = self.handshakes.of_mut(side) else { continue };
            if handshake.handle_timeout(cx) {
                return self.no_ack(cx, side);
            }
        }
        self.held_back_timeout(cx);
        self.crossing_timeouts(cx);
        self.passed_timeout(cx);
        self.replacement_timeout(cx);
        self.replacing_timeout(cx);
        for timeouts in [Self::own_timeouts, Self::transfer_timeouts, Self::session_timeouts] {
            match timeouts(self, cx) {
                Next::Stay => {}
                next => return next,
            }
        }
        match due(&mut self.expires, cx.now) {
            true => self.hang_up(cx, Cause::new(480, "Maximum call duration reached")),
            false => Next::Stay,
        }
    }

    /// The ACK of a 2xx never came: the leg that should have sent it is gone. RFC 3261 §13.3.1.4.
    fn no_ack(&mut self, cx: &mut Cx<'_>, side: Side) -> Next {
        if let Some(mut invite) = self.handshakes.of_mut(side).take().and_then(|one| one.invite) {
            invite.acknowledge(cx, self.legs.of(side.other()), None);
        }
        self.hang_up(cx, Cause::new(408, "ACK missing"))
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let handshakes = [&self.handshakes.a, &self.handshakes.b].into_iter().flatten();
        let handshakes = handshakes.filter_map(|one| one.poll_timeout());
        let crossings = self.crossings.iter().map(|crossing| crossing.give_up);
        let transfer = self.transfer.as_ref().and_then(|transfer| transfer.poll_timeout());
        let (held_back, passed) = (self.held_back_until(), self.passed_until());
        let (replacement, replacing) = (self.replacement_until(), self.replacing_until());
        let own =
            [self.own.poll_timeout(), held_back, self.expires, transfer, passed, replacement, replacing];
        let sessions = [&self.sessions.a, &self.sessions.b].map(SessionTimer::poll_timeout);
        let single = own.into_iter().chain(sessions).flatten();
        handshakes.chain(crossings).chain(single).min()
    }

    /// We end the call.
    pub fn hang_up(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        if self.joining.is_some() {
            return self.call_off(cx, cause, false);
        }
        let byes = Sides { a: Some(reason_of(&cause)), b: Some(reason_of(&cause)) };
        self.end(cx, byes, cause)
    }

    /// Takes both legs down.
    ///
    /// - `byes`: what the BYE to each party says; `None`: it has hung up itself.
    pub fn end(&mut self, cx: &mut Cx<'_>, byes: Sides<Option<Lines>>, cause: Cause) -> Next {
        // A dialog that is up can only be ended after its ACK.
        for side in [Side::A, Side::B] {
            if let Some(invite) = self.handshakes.of_mut(side).as_mut().and_then(|one| one.invite.as_mut()) {
                invite.acknowledge(cx, self.legs.of(side.other()), None);
            }
        }
        // Who is not here is hung up elsewhere, or has hung up.
        let byes = Sides {
            a: byes.a.filter(|_| !self.is_away(Side::A)),
            b: byes.b.filter(|_| !self.is_away(Side::B)),
        };
        let told = Sides { a: byes.a.is_some(), b: byes.b.is_some() };
        let subscriber = self.end_transfer(cx);
        let mut waiting = Vec::new();
        for (side, bye) in [(Side::A, byes.a), (Side::B, byes.b)] {
            let (leg, login) = (self.legs.of(side).clone(), self.logins.of(side).clone());
            match (self.handshakes.of_mut(side).take(), bye) {
                (Some(handshake), bye) => {
                    waiting.push(Waiting { side, leg, login, handshake: *handshake, bye })
                }
                (None, Some(says)) => cx.bye(leg, login, says),
                (None, None) => {}
            }
        }
        self.end_crossings(cx, &told);
        self.end_own(cx);
        self.end_replacing(cx);
        self.drop_held_back(cx, None);
        let ended = match subscriber {
            Some(subscriber) => Ended::telling(waiting, subscriber),
            None => Ended::new(waiting),
        };
        Next::Ended(ended, cause)
    }

    /// What `side` says to the other leg.
    fn bridge(&mut self, side: Side) -> Bridge<'_> {
        let Sides { a, b } = &mut self.legs;
        let (from, to) = match side {
            Side::A => (&mut a.end, &mut b.end),
            Side::B => (&mut b.end, &mut a.end),
        };
        Bridge { from, to, side }
    }

    /// What the other party than `side` allows, if it has said.
    pub fn allows_of_other(&self, side: Side) -> Option<Promises<'_>> {
        let (to, other) = (&*self.legs.of(side).profile, self.legs.of(side.other()).allows);
        Some(Promises { to, other })
    }

    /// Whether a message from the party of `side` is inside that leg's dialog.
    pub fn is_dialog_of(&self, side: Side, message: &Message) -> bool {
        self.legs.of(side).dialog.matches(message) || self.has_place(side, message)
    }

    /// Whether a party waits for the call that it asked for by a REFER.
    pub fn asks_for_another(&self) -> bool {
        let asks = |phase: Phase| matches!(phase, Phase::Calls | Phase::Accepted(_));
        self.transfer.as_ref().is_some_and(|transfer| asks(transfer.phase))
    }
}

/// The refusal of a request that is not in order.
pub(super) fn refusal(error: &DialogError) -> Cause {
    match error {
        DialogError::OutOfOrder { .. } => Cause::new(500, "CSeq out of order"),
        other => Cause::new(400, other.to_string()),
    }
}
