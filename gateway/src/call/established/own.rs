//! Requests that nobody asked us for: we have a purpose of our own.

use std::time::Instant;

use bytes::Bytes;
use sip::dialog::offer_answer::Side::Local;
use sip::dialog::offer_answer::{Refusable, glare_wait};
use sip::{Message, Method};

use super::{Established, FarInvite};
use crate::call::body::{Body, SentBody};
use crate::call::cx::Cx;
use crate::call::io::{Action, Failure, RequestId};
use crate::call::sent::Sent;
use crate::call::{Next, TIMER_C};
use crate::media::Side;
use crate::reply::Cause;

/// Why we ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The party has an idea of the media that the other one does not share: what both had agreed on is offered again.
    /// RFC 6337 §3.4.
    Rollback,
    /// The party comes from another call, and is offered what the other one described last.
    Join,
}

/// A request of ours that waits for its response.
#[derive(Debug)]
struct Own {
    to: Side,
    purpose: Purpose,
    sent: Sent,
    give_up: Instant,
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

    pub fn poll_timeout(&self) -> Option<Instant> {
        let sent = self.sent.iter().map(|own| own.give_up);
        sent.chain(self.again.iter().map(|(at, ..)| *at)).min()
    }
}

impl Established {
    /// Asks the party of `to` for `purpose`, or will, where now is not the time for it.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, to: Side, purpose: Purpose) -> Next {
        let body = match purpose {
            Purpose::Rollback => self.bridge(to.other()).offer_again(cx),
            Purpose::Join => self.offer_to_joining(cx, to),
        };
        match body {
            Ok(_) if self.handshakes.of(to).is_some() => {
                let _ = self.legs.of_mut(to).offers.refused(Local, Refusable::Invite);
                self.ask_later(cx, to, purpose);
            }
            Ok(body) => self.reinvite(cx, to, purpose, body),
            Err(refused) if refused.is_untimely() => self.ask_later(cx, to, purpose),
            Err(refused) => return self.hang_up(cx, refused.text()),
        }
        Next::Stay
    }

    fn reinvite(&mut self, cx: &mut Cx<'_>, to: Side, purpose: Purpose, offer: Bytes) {
        let (builder, hop) = self.legs.of_mut(to).request(Method::Invite, cx.tokens);
        let message = SentBody::attach(Some(SentBody::description(offer)), builder).build();
        let sent = Sent::new(cx, message, hop);
        self.own.sent.push(Own { to, purpose, sent, give_up: cx.now.instant + TIMER_C });
    }

    /// After an interval that keeps two sides from asking each other at one time for ever. RFC 3261 §14.1.
    fn ask_later(&mut self, cx: &mut Cx<'_>, to: Side, purpose: Purpose) {
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
        let Own { purpose, sent, .. } = self.own.sent.swap_remove(index);
        if status.is_success() {
            return Some(match (self.own_accepted(cx, to, &sent, message), purpose) {
                (Err(cause), Purpose::Join) => self.hang_up(cx, cause),
                // An answer of no use changes nothing: what held before holds on here.
                (Ok(()) | Err(_), _) => Next::Stay,
            });
        }
        let _ = leg.offers.refused(Local, Refusable::Invite);
        Some(match (status.code(), purpose) {
            (491, _) => {
                self.ask_later(cx, to, purpose);
                Next::Stay
            }
            // Nothing more can be said; silence of the media ends the call where nobody hears anybody.
            (_, Purpose::Rollback) => Next::Stay,
            (code, Purpose::Join) => {
                self.hang_up(cx, Cause::new(480, format!("The transfer was refused ({code})")))
            }
        })
    }

    fn own_accepted(
        &mut self,
        cx: &mut Cx<'_>,
        to: Side,
        sent: &Sent,
        message: &Message,
    ) -> Result<(), Cause> {
        let leg = self.legs.of_mut(to);
        leg.dialog.handle_response(message);
        leg.heard(message);
        FarInvite::new(sent).acknowledge(cx, self.legs.of(to), None);
        Body::read(message).and_then(|body| self.bridge(to).take_answer(cx, &body))
    }

    /// No response will come to a request of our own. `None`: the request is none of these.
    pub(super) fn own_lost(&mut self, cx: &mut Cx<'_>, request: RequestId, lost: Failure) -> Option<Next> {
        let index = self.own.sent.iter().position(|own| own.sent.id == request)?;
        let own = self.own.sent.get_mut(index)?;
        let leg = self.legs.of_mut(own.to);
        if lost == Failure::Transport && own.sent.repeat_in(cx, leg, false) {
            cx.requests.give_up(request, leg);
            return Some(Next::Stay);
        }
        self.own.sent.swap_remove(index);
        Some(self.hang_up(cx, Cause::new(502, "The other side can't be reached")))
    }

    /// Asks what waited for a better moment, and gives up on what nobody answers.
    pub(super) fn own_timeouts(&mut self, cx: &mut Cx<'_>) -> Next {
        let silent = |own: &mut Own| own.give_up <= cx.now.instant;
        for own in Vec::from_iter(self.own.sent.extract_if(.., silent)) {
            cx.act(Action::Cancel { request: own.sent.id, says: Vec::new(), left: false });
            let leg = self.legs.of_mut(own.to);
            let _ = leg.offers.refused(Local, Refusable::Invite);
            cx.requests.give_up(own.sent.id, leg);
            if own.purpose == Purpose::Join {
                return self.hang_up(cx, Cause::new(480, "The transfer was not answered"));
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

    /// The dialogs end: a 2xx that crosses our BYE is acknowledged.
    pub(super) fn end_own(&mut self, cx: &mut Cx<'_>) {
        for own in std::mem::take(&mut self.own.sent) {
            cx.requests.give_up(own.sent.id, self.legs.of(own.to));
        }
    }
}
