//! Requests that nobody asked us for: we have a purpose of our own.

use std::time::Instant;

use sip::dialog::offer_answer::Side::{Local, Remote};
use sip::dialog::offer_answer::{Carrier, Refusable, glare_wait};
use sip::{Message, Method, Name, StatusCode};

use super::crossing::PATIENCE;
use super::{Established, FarInvite};
use crate::call::allow::Promises;
use crate::call::body::{Body, SentBody};
use crate::call::cx::Cx;
use crate::call::io::{Action, Failure, RequestId};
use crate::call::sent::Sent;
use crate::call::{Next, TIMER_C, session};
use crate::media::Side;
use crate::reply::Cause;

/// Why we ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The party has an idea of the media that the other one does not share: what both had agreed on is offered again.
    /// RFC 6337 §3.4.
    Rollback,
    /// The other party has come in the place of somebody else: what it has agreed on is offered.
    Meet,
    /// The party comes from another call, and is offered what the other one described last.
    Join,
    /// The session timer of the leg is half over. RFC 4028 §10.
    Refresh,
}

/// A request of ours that waits for its response.
#[derive(Debug)]
struct Own {
    to: Side,
    purpose: Purpose,
    sent: Sent,
    give_up: Instant,
}

impl Own {
    fn is_invite(&self) -> bool {
        self.sent.message.method() == Some(Method::Invite)
    }
}

/// The requests of our own, those that wait for a better moment among them.
#[derive(Debug, Default)]
pub(super) struct OwnRequests {
    sent: Vec<Own>,
    again: Vec<(Instant, Side, Purpose)>,
}

impl OwnRequests {
    /// Whether nothing is asked, now or later.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.again.is_empty()
    }

    /// Whether an INVITE waits for the response of `to`'s party.
    pub fn has_invited(&self, to: Side) -> bool {
        self.sent.iter().any(|own| own.to == to && own.is_invite())
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let sent = self.sent.iter().map(|own| own.give_up);
        sent.chain(self.again.iter().map(|(at, ..)| *at)).min()
    }
}

impl Established {
    /// Asks the party of `to` for `purpose`, or will, where now is not the time for it.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, to: Side, purpose: Purpose) -> Next {
        let body = match purpose {
            Purpose::Rollback | Purpose::Meet => self.bridge(to.other()).offer_again(cx),
            Purpose::Join => self.offer_to_joining(cx, to),
            // Another request may have done it meanwhile.
            Purpose::Refresh if !self.sessions.of(to).is_refreshing() => return Next::Stay,
            Purpose::Refresh if self.updates(to) => {
                self.send_own(cx, to, purpose, Method::Update, None);
                return Next::Stay;
            }
            Purpose::Refresh => self.bridge(to.other()).offer_same(),
        };
        match body {
            Ok(_) if self.handshakes.of(to).is_some() => {
                let _ = self.legs.of_mut(to).offers.refused(Local, Refusable::Invite);
                self.ask_later(cx, to, purpose);
            }
            Ok(body) => {
                let body = Some(SentBody::description(body));
                self.send_own(cx, to, purpose, Method::Invite, body);
            }
            Err(refused) if refused.is_untimely() => self.ask_later(cx, to, purpose),
            Err(refused) => return self.hang_up(cx, refused.text()),
        }
        Next::Stay
    }

    /// Whether the party of `to` says that it takes UPDATE. One without a description is no offer, and has no glare.
    fn updates(&self, to: Side) -> bool {
        self.legs.of(to).allows_update() == Some(true)
    }

    fn send_own(
        &mut self,
        cx: &mut Cx<'_>,
        to: Side,
        purpose: Purpose,
        method: Method,
        body: Option<SentBody>,
    ) {
        let allowed = self.allows_of_other(to).map(Promises::allow);
        let (builder, hop) = self.legs.of_mut(to).request(method, cx.tokens);
        let builder = allowed.into_iter().fold(builder, |builder, allow| builder.shown(Name::Allow, allow));
        let builder = match cx.account.emergency {
            true => builder,
            false => session::offering(builder, self.sessions.of(to)),
        };
        let sent = Sent::new(cx, SentBody::attach(body, builder).build(), hop);
        self.own.sent.push(Own { to, purpose, sent, give_up: cx.now.instant + TIMER_C });
    }

    /// After an interval that keeps two sides from asking each other at one time for ever. RFC 3261 §14.1.
    pub(super) fn ask_later(&mut self, cx: &mut Cx<'_>, to: Side, purpose: Purpose) {
        let wait = glare_wait(self.legs.of(to).dialog.role);
        let steps = u64::try_from((*wait.end() - *wait.start()).as_millis() / 10).unwrap_or(u64::MAX);
        let steps = u32::try_from(cx.tokens.random().below(steps + 1)).unwrap_or_default();
        let wait = *wait.start() + std::time::Duration::from_millis(10) * steps;
        self.own.again.push((cx.now.instant + wait, to, purpose));
    }

    /// A response to a request of our own. `None`: the request is none of these.
    pub(super) fn own_heard(
        &mut self,
        cx: &mut Cx<'_>,
        request: RequestId,
        message: &Message,
    ) -> Option<Next> {
        let index = self.own.sent.iter().position(|own| own.sent.id == request)?;
        let (status, own) = (message.status()?, self.own.sent.get_mut(index)?);
        let to = own.to;
        if status.is_provisional() {
            own.give_up = cx.now.instant + TIMER_C;
            return Some(Next::Stay);
        }
        let (leg, login) = (self.legs.of_mut(to), self.logins.of(to));
        if matches!(status.code(), 401 | 407) && own.sent.authenticate_in(cx, message, login, leg) {
            return Some(Next::Stay);
        }
        let mut own = self.own.sent.swap_remove(index);
        if self.ask_for_longer_session(cx, to, &mut own.sent, message) {
            self.own.sent.push(own);
            return Some(Next::Stay);
        }
        let next = match status.is_success() {
            true => self.own_accepted(cx, &own, message),
            false => self.own_refused(cx, &own, status),
        };
        if let Next::Stay = next {
            self.go_on(cx);
        }
        Some(next)
    }

    fn own_refused(&mut self, cx: &mut Cx<'_>, own: &Own, status: StatusCode) -> Next {
        let Own { to, purpose, .. } = *own;
        let leg = self.legs.of_mut(to);
        match own.is_invite() {
            true => drop(leg.offers.refused(Local, Refusable::Invite)),
            // It takes no UPDATE, whatever it said.
            false if matches!(status.code(), 405 | 501) => {
                leg.refuses_update();
                return self.ask(cx, to, purpose);
            }
            false => {}
        }
        match (status.code(), purpose) {
            (491, Purpose::Join) if !self.may_ask_again_to_join() => self.not_joined(cx, status, false),
            (491, _) => {
                self.ask_later(cx, to, purpose);
                Next::Stay
            }
            // Nothing more can be said; silence of the media ends the call where nobody hears anybody.
            (_, Purpose::Rollback | Purpose::Meet) => Next::Stay,
            (_, Purpose::Join) => self.not_joined(cx, status, false),
            (_, Purpose::Refresh) => self.not_refreshed(cx, to, status),
        }
    }

    fn own_accepted(&mut self, cx: &mut Cx<'_>, own: &Own, message: &Message) -> Next {
        let to = own.to;
        let leg = self.legs.of_mut(to);
        leg.dialog.handle_response(message);
        leg.heard(message);
        self.session_heard(cx, to, &own.sent.message, message);
        if !own.is_invite() {
            return Next::Stay;
        }
        FarInvite::new(&own.sent).acknowledge(cx, self.legs.of(to), None);
        match Body::read(message).and_then(|body| self.bridge(to).take_answer(cx, &body)) {
            answer if own.purpose == Purpose::Join => self.joined(cx, answer),
            Ok(()) => Next::Stay,
            // An answer of no use changes nothing: what held before holds on here, and no offer is open.
            Err(_) => {
                let _ = self.legs.of_mut(to).offers.take(Remote, Carrier::InviteOk, None);
                Next::Stay
            }
        }
    }

    /// No response will come to a request of our own. `None`: the request is none of these.
    pub(super) fn own_lost(&mut self, cx: &mut Cx<'_>, request: RequestId, lost: Failure) -> Option<Next> {
        let index = self.own.sent.iter().position(|own| own.sent.id == request)?;
        let own = self.own.sent.get_mut(index)?;
        let leg = self.legs.of_mut(own.to);
        if lost == Failure::Transport && own.sent.repeat_in(cx, leg, false) {
            if own.is_invite() {
                cx.requests.give_up(request, leg);
            }
            return Some(Next::Stay);
        }
        let own = self.own.sent.swap_remove(index);
        Some(match own.purpose {
            Purpose::Refresh => self.own_refused(cx, &own, StatusCode::REQUEST_TIMEOUT),
            Purpose::Join => self.not_joined(cx, StatusCode::REQUEST_TIMEOUT, false),
            Purpose::Rollback | Purpose::Meet => {
                self.hang_up(cx, Cause::new(502, "The other side can't be reached"))
            }
        })
    }

    /// Asks what waited for a better moment, and gives up on what nobody answers.
    pub(super) fn own_timeouts(&mut self, cx: &mut Cx<'_>) -> Next {
        let silent = |own: &mut Own| own.give_up <= cx.now.instant;
        for own in Vec::from_iter(self.own.sent.extract_if(.., silent)) {
            if own.is_invite() {
                cx.act(Action::Cancel { request: own.sent.id, says: Vec::new(), left: false });
                cx.requests.give_up(own.sent.id, self.legs.of(own.to));
            }
            let next = match own.purpose {
                Purpose::Join => self.not_joined(cx, StatusCode::REQUEST_TIMEOUT, true),
                Purpose::Rollback | Purpose::Meet | Purpose::Refresh => {
                    self.own_refused(cx, &own, StatusCode::REQUEST_TIMEOUT)
                }
            };
            if let Next::Ended(..) = next {
                return next;
            }
        }
        let due = |(at, ..): &mut (Instant, Side, Purpose)| *at <= cx.now.instant;
        for (_, to, purpose) in Vec::from_iter(self.own.again.extract_if(.., due)) {
            match self.ask(cx, to, purpose) {
                Next::Stay => {}
                next => return next,
            }
        }
        Next::Stay
    }

    /// Cancels the INVITE that asks the party of `to` to join, and drops what it would be asked later.
    /// `false`: none is out.
    pub(super) fn cancel_own(&mut self, cx: &mut Cx<'_>, to: Side) -> bool {
        self.own.again.retain(|(_, side, _)| *side != to);
        let Some(own) = self.own.sent.iter_mut().find(|own| own.to == to && own.purpose == Purpose::Join)
        else {
            return false;
        };
        own.give_up = own.give_up.min(cx.now.instant + PATIENCE);
        cx.act(Action::Cancel { request: own.sent.id, says: Vec::new(), left: false });
        true
    }

    /// The dialogs end: a 2xx that crosses our BYE is acknowledged.
    pub(super) fn end_own(&mut self, cx: &mut Cx<'_>) {
        [Side::A, Side::B].into_iter().for_each(|side| self.end_own_to(cx, side));
    }

    /// The same of one dialog: nothing is asked in it any more.
    pub(super) fn end_own_to(&mut self, cx: &mut Cx<'_>, to: Side) {
        self.own.again.retain(|(_, side, _)| *side != to);
        let mine = |own: &mut Own| own.to == to;
        for own in Vec::from_iter(self.own.sent.extract_if(.., mine)).into_iter().filter(Own::is_invite) {
            cx.act(Action::Cancel { request: own.sent.id, says: Vec::new(), left: false });
            cx.requests.give_up(own.sent.id, self.legs.of(to));
        }
    }
}
