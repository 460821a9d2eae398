//! The session timers of both legs: each leg agrees with its party by itself who refreshes, and when. RFC 4028.
//!
//! A refresh that says nothing new is for the leg that it came on and crosses nowhere: an UPDATE without a body, and a
//! re-INVITE that offers what its sender has offered last, to which the answer is known. Everything else crosses as it
//! would without a timer, and its 2xx begins the interval anew on either leg.

use bytes::Bytes;
use sip::dialog::offer_answer::Side::{Local, Remote};
use sip::dialog::offer_answer::{Agreed, Carrier, Verdict};
use sip::dialog::{SessionTerms, SessionTimer, SessionTimerOutput};
use sip::transaction::ServerId;
use sip::{Message, Method, Name, StatusCode};

use super::Established;
use super::own::Purpose;
use crate::call::body::{Body, SentBody};
use crate::call::cx::Cx;
use crate::call::sent::Sent;
use crate::call::session::{answering, asking, policy, refreshes, said};
use crate::call::sides::Sides;
use crate::call::{Leg, Next, in_dialog};
use crate::clock::Now;
use crate::media::Side;
use crate::reply::Cause;

/// One timer for each leg.
pub(super) fn timers(legs: &Sides<Leg>) -> Sides<SessionTimer> {
    Sides { a: legs.a.session_timer(), b: legs.b.session_timer() }
}

impl Established {
    /// The call is gone on with: the intervals begin anew, and we refresh early.
    pub fn resume_sessions(&mut self, now: Now, terms: [Option<SessionTerms>; 2]) {
        for (side, terms) in [Side::A, Side::B].into_iter().zip(terms) {
            let policy = policy(self.legs.of(side).profile.session_timer);
            if let Some(terms) = terms {
                *self.sessions.of_mut(side) = SessionTimer::resumed(now.instant, policy, terms);
            }
        }
    }

    /// The callee's 2xx came.
    ///
    /// - `timer`: the one that its INVITE asked by.
    pub fn session_agreed(&mut self, cx: &Cx<'_>, timer: SessionTimer, response: &Message) {
        if cx.account.emergency {
            return;
        }
        self.sessions.b = timer;
        self.sessions.b.handle_success(cx.now.instant, said(response).expires);
    }

    /// A 2xx of `side`'s party to `sent`, a request of ours; one of before the call was up said nothing of timers.
    pub(super) fn session_heard(&mut self, cx: &Cx<'_>, side: Side, sent: &Message, response: &Message) {
        if refreshes(sent.method()) && said(sent).supported {
            self.sessions.of_mut(side).handle_success(cx.now.instant, said(response).expires);
        }
    }

    /// Our 2xx to a request of `side`'s party, with what it says of the session timer.
    pub fn session_accepted(
        &mut self,
        cx: &Cx<'_>,
        side: Side,
        asked: &Message,
        response: Message,
    ) -> Message {
        let demanded = asked.values(Name::Require).any(|tag| tag.eq_ignore_ascii_case("timer"));
        if cx.account.emergency && !demanded {
            return response;
        }
        let timer = self.sessions.of_mut(side);
        match timer.answer(&said(asked)) {
            Ok(answer) if refreshes(asked.method()) => {
                timer.handle_accepted(cx.now.instant, answer);
                answering(&response, answer)
            }
            _ => response,
        }
    }

    /// Refuses a request of `side`'s that asks for less than we bear. RFC 4028 §9.
    pub(super) fn refuse_short_session(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        server: ServerId,
        message: &Message,
    ) -> bool {
        if !refreshes(message.method()) {
            return false;
        }
        let Err(least) = self.sessions.of_mut(side).answer(&said(message)) else { return false };
        let reply = Cause::new(422, "Session Interval Too Small").reply(message, None);
        cx.respond(server, reply.header(Name::MinSe, least.to_string()).build());
        true
    }

    /// Asks the party of `to` again, with the interval that it bears, where `response` says which. RFC 4028 §7.3.
    pub(super) fn ask_for_longer_session(
        &mut self,
        cx: &mut Cx<'_>,
        to: Side,
        sent: &mut Sent,
        response: &Message,
    ) -> bool {
        let timer = self.sessions.of_mut(to);
        let short = response.status() == Some(StatusCode::SESSION_INTERVAL_TOO_SMALL);
        let longer = short && timer.handle_too_small(said(response).min_se);
        if longer {
            sent.change_in(cx, self.legs.of_mut(to), |again| asking(again, timer));
        }
        longer
    }

    /// Answers a refresh of `side`'s that says nothing new. `false`: the request is for the other party.
    pub(super) fn answer_refresh(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        server: ServerId,
        message: &Message,
    ) -> bool {
        let updates = self.allows_of_other(side).is_none_or(|it| it.crosses("UPDATE"));
        // Who is spoken to is for the other party, where it can be told.
        let says_who =
            [Name::PAssertedIdentity, Name::RemotePartyId].iter().any(|name| message.has(name.clone()));
        if !message.has(Name::SessionExpires) || says_who && updates {
            return false;
        }
        let leg = self.legs.of_mut(side);
        let answer = match message.method() {
            Some(Method::Update) if message.body().is_empty() => None,
            Some(Method::Invite) => match answer_again(leg, message) {
                Some(answer) => Some(answer),
                None => return false,
            },
            _ => return false,
        };
        leg.dialog.refresh_target(message);
        leg.heard(message);
        let contact = leg.contact().to_string();
        let reply = in_dialog::ok(message, self.allows_of_other(side)).header(Name::Contact, contact);
        let response = SentBody::attach(answer, reply).build();
        let response = self.session_accepted(cx, side, message, response);
        match message.method() {
            Some(Method::Invite) => self.accept(cx, side, server, response, None),
            _ => cx.respond(server, response),
        }
        true
    }

    /// Refreshes what is due, and ends the call of which a party refreshes nothing.
    pub(super) fn session_timeouts(&mut self, cx: &mut Cx<'_>) -> Next {
        for side in [Side::A, Side::B] {
            let timer = self.sessions.of_mut(side);
            timer.handle_timeout(cx.now.instant);
            let next = match timer.poll_output() {
                Some(SessionTimerOutput::Refresh) => self.ask(cx, side, Purpose::Refresh),
                Some(SessionTimerOutput::Expired) if !cx.account.emergency => {
                    self.hang_up(cx, Cause::new(408, "Session timer expired"))
                }
                Some(SessionTimerOutput::Expired) | None => continue,
            };
            if let Next::Ended(..) = next {
                return next;
            }
        }
        Next::Stay
    }

    /// A refresh of ours failed; 408: nothing came. Only a party that is not there ends the call. RFC 4028 §10.
    pub(super) fn not_refreshed(&mut self, cx: &mut Cx<'_>, side: Side, status: StatusCode) -> Next {
        let timer = self.sessions.of_mut(side);
        timer.handle_failure(cx.now.instant, status);
        match timer.poll_output() {
            Some(SessionTimerOutput::Expired) if status == StatusCode::CALL_DOES_NOT_EXIST => {
                self.hang_up(cx, Cause::new(481, "The other side lost the call"))
            }
            Some(SessionTimerOutput::Expired) if !cx.account.emergency => {
                self.hang_up(cx, Cause::new(408, "A session refresh was not answered"))
            }
            _ => Next::Stay,
        }
    }
}

/// Our answer to an offer that `leg`'s party made and that we answered last: the same. `None`: the offer is another one, or
/// may not come now.
fn answer_again(leg: &mut Leg, message: &Message) -> Option<SentBody> {
    let offer = Body::read(message).ok()?.description()?;
    let same = |agreed: &&Agreed<Bytes>| agreed.offered_by == Remote && agreed.remote == offer;
    let answer = leg.offers.agreed().filter(same)?.local.clone();
    let Verdict::Offer(_) = leg.offers.take(Remote, Carrier::Invite, Some(offer)) else { return None };
    let _ = leg.offers.take(Local, Carrier::InviteOk, Some(answer.clone()));
    leg.sdp.last = answer.clone();
    Some(SentBody::description(answer))
}
