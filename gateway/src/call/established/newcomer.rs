//! An INVITE with Replaces: it goes to the party that stays as a re-INVITE. If that accepts, who sent it takes the place of the
//! party that it named, which is hung up; if not, everything stays as it is. RFC 3891.

use std::time::Instant;

use sip::dialog::offer_answer::Side::Local;
use sip::dialog::offer_answer::{Carrier, Refusable};
use sip::transaction::ServerId;
use sip::{Message, Method, Name, StatusCode};

use super::crossing::PATIENCE;
use super::own::Purpose;
use super::replacing::MOST_NEWCOMERS;
use super::{Established, FarInvite};
use crate::call::allow::allow_to;
use crate::call::body::{Body, SentBody};
use crate::call::cx::Cx;
use crate::call::headers;
use crate::call::io::{Action, Failure, RequestId};
use crate::call::leg::End;
use crate::call::negotiation::{Before, Bridge, Refused};
use crate::call::newcomer::{Newcomer, busy};
use crate::call::requests::reason_of;
use crate::call::sent::Sent;
use crate::call::{LONGEST_SETUP, Next, TIMER_C, response, session};
use crate::media::Side;
use crate::reply::Cause;

/// A newcomer, while the party that stays has not answered.
#[derive(Debug)]
pub(super) struct Replacing {
    who: Box<Newcomer>,
    sent: Sent,
    /// What held before an offer of the newcomer's; none where the other party makes it.
    before: Option<Before>,
    give_up: Instant,
    /// The longest that it waits, whatever is heard meanwhile.
    longest: Instant,
    cancelled: bool,
}

impl Replacing {
    fn side(&self) -> Side {
        self.who.place.side()
    }
}

impl Established {
    /// Somebody wants the place of a party.
    pub fn handle_newcomer(&mut self, cx: &mut Cx<'_>, mut who: Box<Newcomer>) {
        let transfers = self.transfer.as_ref().is_some_and(|transfer| !transfer.is_over());
        let changes = self.is_changing() || self.replacement.is_some() || transfers || self.passes();
        if !self.is_idle() || changes || cx.history.newcomers() >= MOST_NEWCOMERS {
            return refuse(cx, &who, &busy());
        }
        let side = who.place.side();
        let to = side.other();
        let offers = !who.invite.body().is_empty();
        let mut bridge = between(&mut who.leg.end, &mut self.legs.of_mut(to).end, side);
        let before = bridge.before(cx);
        let crossed = Body::read(&who.invite)
            .map_err(Refused::from)
            .and_then(|body| bridge.cross(cx, &body, Carrier::Invite, Carrier::Invite));
        let body = match crossed {
            Ok(body) => body,
            Err(refused) => {
                if let Refused::Cause(_) = refused {
                    bridge.restore(cx, Some(before));
                }
                let cause = if refused.is_untimely() { busy() } else { refused.text() };
                return refuse(cx, &who, &cause);
            }
        };
        let stays = self.legs.of_mut(to);
        let allowed = allow_to(&stays.profile, who.leg.allows, None);
        let (builder, hop) = stays.request(Method::Invite, cx.tokens);
        let builder = headers::cross(&who.invite, builder, &who.leg.profile, &stays.profile);
        let builder = session::offering(builder.shown(Name::Allow, allowed), self.sessions.of(to));
        let sent = Sent::new(cx, SentBody::attach(body, builder).build(), hop);
        let (before, give_up) = (Some(before).filter(|_| offers), cx.now.instant + TIMER_C);
        let longest = cx.now.instant + LONGEST_SETUP;
        self.replacing = Some(Box::new(Replacing { who, sent, before, give_up, longest, cancelled: false }));
    }

    /// Whether somebody comes to this call.
    pub(super) fn is_changing(&self) -> bool {
        self.joining.is_some() || self.replacing.is_some()
    }

    /// A response to the INVITE that crossed for a newcomer. `None`: to another request.
    pub(super) fn replacing_heard(
        &mut self,
        cx: &mut Cx<'_>,
        request: RequestId,
        message: &Message,
    ) -> Option<Next> {
        let replacing = self.replacing.as_mut().filter(|one| one.sent.id == request)?;
        let status = message.status()?;
        if status.is_provisional() {
            replacing.give_up = (cx.now.instant + TIMER_C).min(replacing.longest);
            return Some(Next::Stay);
        }
        let to = replacing.side().other();
        let (stays, login) = (self.legs.of_mut(to), self.logins.of(to));
        if matches!(status.code(), 401 | 407) && replacing.sent.authenticate_in(cx, message, login, stays) {
            return Some(Next::Stay);
        }
        let mut replacing = self.replacing.take()?;
        if !replacing.cancelled && self.ask_for_longer_session(cx, to, &mut replacing.sent, message) {
            self.replacing = Some(replacing);
            return Some(Next::Stay);
        }
        let next = match status.is_success() {
            true => self.replace(cx, replacing, message),
            false => self.not_replaced(cx, replacing, Some(message)),
        };
        if let Next::Stay = next {
            self.go_on(cx);
        }
        Some(next)
    }

    /// The party that stays has accepted.
    fn replace(&mut self, cx: &mut Cx<'_>, replacing: Box<Replacing>, message: &Message) -> Next {
        let Replacing { mut who, sent, before, cancelled, .. } = *replacing;
        let side = who.place.side();
        let to = side.other();
        let stays = self.legs.of_mut(to);
        stays.dialog.handle_response(message);
        stays.heard(message);
        self.session_heard(cx, to, &sent.message, message);
        let mut invite = FarInvite::new(&sent);
        let stays = self.legs.of_mut(to);
        let mut bridge = between(&mut stays.end, &mut who.leg.end, to);
        let mine = bridge.before(cx);
        let answer = Body::read(message).map_err(Refused::from);
        let answer = answer.and_then(|body| bridge.cross(cx, &body, Carrier::InviteOk, Carrier::InviteOk));
        let offered = before.is_some();
        if offered || answer.is_err() || cancelled {
            invite.acknowledge(cx, self.legs.of(to), None);
        }
        let refusal = match (&answer, cancelled) {
            (_, true) => Some(Cause::new(487, "Request Terminated")),
            (Err(refused), false) => Some(Cause::new(488, refused.clone().text().text)),
            (Ok(_), false) => None,
        };
        if let Some(cause) = refusal {
            refuse(cx, &who, &cause);
            let stays = &mut self.legs.of_mut(to).end;
            match before {
                Some(before) => between(&mut who.leg.end, stays, side).restore(cx, Some(before)),
                None => between(stays, &mut who.leg.end, to).restore(cx, Some(mine)),
            }
            return self.ask(cx, to, Purpose::Rollback);
        }
        self.refuse_crossings(cx);
        let Newcomer { place, mut leg, login, server, invite: asked } = *who;
        let response = response::cross(self.legs.of(to), &leg, message, answer.unwrap_or_default(), &asked);
        leg.dialog.confirm();
        cx.bind(&leg.dialog.local_tag, place);
        cx.history.comes(side, &leg);
        *self.sessions.of_mut(side) = leg.session_timer();
        let old = std::mem::replace(self.legs.of_mut(side), leg);
        let known = std::mem::replace(self.logins.of_mut(side), login);
        if side == Side::A {
            self.provisionals = None;
        }
        cx.bye(old, known, reason_of(&Cause::new(200, "Replaced")));
        cx.act(Action::Replaced { side });
        let response = self.session_accepted(cx, side, &asked, response);
        self.accept(cx, side, server, response, Some(invite));
        Next::Stay
    }

    /// It has not: everything stays as it is.
    fn not_replaced(&mut self, cx: &mut Cx<'_>, replacing: Box<Replacing>, said: Option<&Message>) -> Next {
        let Replacing { mut who, before, cancelled, .. } = *replacing;
        let side = who.place.side();
        let stays = self.legs.of_mut(side.other());
        let _ = stays.offers.refused(Local, Refusable::Invite);
        between(&mut who.leg.end, &mut stays.end, side).restore(cx, before);
        let status = said.and_then(Message::status).unwrap_or(StatusCode::REQUEST_TIMEOUT);
        match (status.code(), said) {
            _ if cancelled => refuse(cx, &who, &Cause::new(487, "Request Terminated")),
            (481, _) => {
                let cause = Cause::new(481, "The other side lost the call");
                refuse(cx, &who, &cause);
                return self.hang_up(cx, cause);
            }
            (408, _) | (_, None) => refuse(cx, &who, &Cause::new(504, "The other side does not answer")),
            (491, _) => refuse(cx, &who, &busy()),
            (401 | 407 | 300..=399, _) => {
                refuse(cx, &who, &Cause::new(403, format!("The other side responded {status}")));
            }
            (_, Some(said)) => {
                let response = response::cross(stays, &who.leg, said, None, &who.invite);
                cx.respond(who.server, response);
            }
        }
        Next::Stay
    }

    /// No response will come to it. `None`: to another request.
    pub(super) fn replacing_lost(
        &mut self,
        cx: &mut Cx<'_>,
        request: RequestId,
        lost: Failure,
    ) -> Option<Next> {
        let replacing = self.replacing.as_mut().filter(|one| one.sent.id == request)?;
        let stays = self.legs.of_mut(replacing.side().other());
        if lost == Failure::Transport && !replacing.cancelled && replacing.sent.repeat_in(cx, stays, false) {
            cx.requests.give_up(request, stays);
            return Some(Next::Stay);
        }
        let replacing = self.replacing.take()?;
        let next = self.not_replaced(cx, replacing, None);
        self.go_on(cx);
        Some(next)
    }

    pub(super) fn replacing_timeout(&mut self, cx: &mut Cx<'_>) {
        let Some(replacing) = self.replacing.as_mut().filter(|one| one.give_up <= cx.now.instant) else {
            return;
        };
        cx.act(Action::Cancel { request: replacing.sent.id, says: Vec::new(), left: false });
        cx.requests.give_up(replacing.sent.id, self.legs.of(replacing.side().other()));
        if let Some(replacing) = self.replacing.take() {
            let _ = self.not_replaced(cx, replacing, None);
            self.go_on(cx);
        }
    }

    pub(super) fn replacing_until(&self) -> Option<Instant> {
        self.replacing.as_ref().map(|replacing| replacing.give_up)
    }

    /// The newcomer's INVITE was cancelled. `false`: it was another one.
    pub(super) fn cancel_newcomer(&mut self, cx: &mut Cx<'_>, server: ServerId) -> bool {
        let Some(replacing) = self.replacing.as_mut().filter(|one| one.who.server == server) else {
            return false;
        };
        replacing.cancelled = true;
        replacing.give_up = cx.now.instant + PATIENCE;
        cx.act(Action::Cancel { request: replacing.sent.id, says: Vec::new(), left: false });
        true
    }

    /// The call ends, and no place is left in it.
    pub(super) fn end_replacing(&mut self, cx: &mut Cx<'_>) {
        let Some(replacing) = self.replacing.take() else { return };
        cx.act(Action::Cancel { request: replacing.sent.id, says: Vec::new(), left: false });
        cx.requests.give_up(replacing.sent.id, self.legs.of(replacing.side().other()));
        let cause = if replacing.cancelled { 487 } else { 603 };
        refuse(cx, &replacing.who, &Cause::new(cause, "The dialog of Replaces is over"));
    }
}

/// - `side`: of `from`.
fn between<'e>(from: &'e mut End, to: &'e mut End, side: Side) -> Bridge<'e> {
    Bridge { from, to, side }
}

fn refuse(cx: &mut Cx<'_>, who: &Newcomer, cause: &Cause) {
    cx.refuse(who.server, &who.invite, &who.leg, cause);
}
