//! Requests that crossed from one leg to the other: their responses, or the want of any.
//!
//! A request without response, and a party that knows nothing of an INFO, cost nobody the call: the asker is told
//! under a status that ends no dialog (RFC 5057 §5), and silence of the media ends the call where nobody is there.

use std::time::{Duration, Instant};

use sip::dialog::offer_answer::Side::{Local, Remote};
use sip::dialog::offer_answer::{Carrier, Held};
use sip::dialog::{DialogState, Sipfrag, UacReliable};
use sip::text::word;
use sip::transaction::ServerId;
use sip::{Message, Method, Name, StatusCode};

use super::own::Purpose;
use super::passing::refer_sub;
use super::reliable::{Known, RELIABLE};
use super::{Established, FarInvite};
use crate::call::allow::allow_to;
use crate::call::body::{Body, SentBody};
use crate::call::cx::Cx;
use crate::call::headers::{self, lines_of_cancel};
use crate::call::io::{Action, Failure, RequestId};
use crate::call::negotiation::{Before, Refused, refusable};
use crate::call::sent::Sent;
use crate::call::session::refreshes;
use crate::call::sides::Sides;
use crate::call::{Next, TIMER_C, in_dialog, response, session};
use crate::media::Side;
use crate::reply::Cause;
use config::Prack;

/// So many requests may wait for the other leg's response.
const MOST_CROSSINGS: usize = 8;

/// How long the response to any other request than INVITE is awaited, and to an INVITE that was cancelled: the asker gives
/// up after 32 s (Timer F; RFC 3261 §9.1), and a response after that is for nobody. RFC 4320 §4.2.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A request that waits for its response.
#[derive(Debug)]
pub(in crate::call) struct Crossing {
    /// Whose it is; it went to the other party.
    pub from: Side,
    /// What was asked, and the transaction that waits for the response.
    server: ServerId,
    pub(super) asked: Message,
    pub sent: Sent,
    /// What held before: it holds on if the offer is refused.
    before: Option<Before>,
    /// When to refuse it ourselves.
    pub give_up: Instant,
    /// It was cancelled: by the asker, or by us who waited for too long.
    cancelled: Option<Canceller>,
    /// The other side's reliable provisional responses to it.
    pub(super) reliable: Option<UacReliable>,
}

/// Who wants no response to an INVITE any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Canceller {
    Asker,
    TimerC,
}

impl Crossing {
    /// A request that leaves now.
    fn new(
        cx: &Cx<'_>,
        from: Side,
        (server, asked): (ServerId, Message),
        sent: Sent,
        before: Option<Before>,
    ) -> Self {
        let give_up = cx.now.instant;
        let (cancelled, reliable) = (None, None);
        let mut this = Crossing { from, server, asked, sent, before, give_up, cancelled, reliable };
        this.give_up += if this.answers_invite() { TIMER_C } else { PATIENCE };
        this
    }

    /// The dialog that it went to is over, and had no 2xx.
    pub fn end(self, cx: &mut Cx<'_>) {
        in_dialog::refuse(cx, self.server, &self.asked, &Cause::new(487, "Call Ended"));
    }

    /// Whether an UPDATE with an offer went out as what it is.
    fn is_update(&self) -> bool {
        let is = |message: &Message| message.method() == Some(Method::Update);
        self.before.is_some() && is(&self.asked) && is(&self.sent.message)
    }

    /// Whether the asker waits for the response to an INVITE, which may take its time.
    fn answers_invite(&self) -> bool {
        self.asked.method() == Some(Method::Invite)
    }

    fn is_invite(&self) -> bool {
        self.sent.message.method() == Some(Method::Invite)
    }

    /// What the asker is told where the other side has no response for it. Never 408 and 481, which end its dialog, nor
    /// 408 to anything but INVITE (RFC 4320 §4.2).
    ///
    /// - `said`: what the other side responded, if anything.
    fn failure(&self, said: Option<StatusCode>) -> Cause {
        match self.cancelled {
            Some(Canceller::Asker) => Cause::new(487, "Request Terminated"),
            _ if self.answers_invite() => Cause::new(504, "The other side does not answer"),
            _ if said.is_some() => Cause::new(500, "The other side does not take it"),
            _ => Cause::new(500, "The other side does not answer"),
        }
    }
}

impl Established {
    /// Sends a request across and remembers whom to tell of its response.
    pub(super) fn forward(&mut self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: Message) {
        let method = message.method().unwrap_or(Method::Info);
        self.forward_as(cx, side, server, message, method);
    }

    /// The same as a request of the method `sends`: an offer is an offer, whatever carries it.
    pub fn forward_as(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        server: ServerId,
        message: Message,
        sends: Method,
    ) {
        if self.crossings.len() >= MOST_CROSSINGS {
            let cause = Cause::new(503, "Too many requests at one time").later(Duration::from_secs(1));
            return in_dialog::refuse(cx, server, &message, &cause);
        }
        if self.answer_refresh(cx, side, server, &message) {
            return;
        }
        let before = self.bridge(side).before(cx);
        let (body, offers) = match self.cross_request(cx, side, &message, &sends) {
            Ok(crossed) => crossed,
            Err(refused) => {
                // An offer that came at the wrong time changed nothing.
                if let Refused::Cause(_) = refused {
                    self.bridge(side).restore(cx, Some(before));
                }
                let cause = refused.cause(cx);
                return in_dialog::refuse(cx, server, &message, &cause);
            }
        };
        let from = self.legs.of_mut(side);
        if matches!(sends, Method::Invite | Method::Update) {
            from.heard(&message);
        }
        let (profile, allows) = (from.profile.clone(), from.allows);
        let to = self.legs.of_mut(side.other());
        let allowed = allow_to(&to.profile, allows, None);
        let (timed, invites) = (refreshes(Some(sends.clone())), sends == Method::Invite);
        let (builder, hop) = to.request(sends, cx.tokens);
        let mut builder =
            headers::cross(&message, builder, &profile, &to.profile).shown(Name::Allow, allowed);
        if timed && !cx.account.emergency {
            builder = session::offering(builder, self.sessions.of(side.other()));
        }
        // What is offered in a reliable response would need the asker's answer in a PRACK.
        if invites && offers && to.profile.prack != Prack::Off {
            builder = builder.header(Name::Supported, RELIABLE);
        }
        let sent = Sent::new(cx, SentBody::attach(body, builder).build(), hop);
        let before = Some(before).filter(|_| offers);
        self.crossings.push(Crossing::new(cx, side, (server, message), sent, before));
    }

    /// Sends a request across that is for the other party's side of a subscription, with these header fields of ours.
    pub(super) fn send_across(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        (server, message): (ServerId, Message),
        lines: Vec<(Name, String)>,
        fragment: Option<Sipfrag>,
    ) {
        if self.crossings.len() >= MOST_CROSSINGS {
            let cause = Cause::new(503, "Too many requests at one time").later(Duration::from_secs(1));
            return in_dialog::refuse(cx, server, &message, &cause);
        }
        let method = message.method().unwrap_or(Method::Notify);
        let from = self.legs.of(side);
        let (profile, allows) = (from.profile.clone(), from.allows);
        let to = self.legs.of_mut(side.other());
        let allowed = allow_to(&to.profile, allows, None);
        let (builder, hop) = to.request(method, cx.tokens);
        let builder = headers::cross(&message, builder, &profile, &to.profile).shown(Name::Allow, allowed);
        let builder = lines.into_iter().fold(builder, |builder, (name, value)| builder.header(name, value));
        let builder = match fragment {
            Some(fragment) => builder.body(Sipfrag::CONTENT_TYPE, fragment.to_string().into()),
            None => builder.no_body(),
        };
        let sent = Sent::new(cx, builder.build(), hop);
        self.crossings.push(Crossing::new(cx, side, (server, message), sent, None));
    }

    /// The body of a request as the other party gets it, and whether it makes an offer.
    fn cross_request(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        message: &Message,
        sends: &Method,
    ) -> Result<(Option<SentBody>, bool), Refused> {
        let method = message.method().unwrap_or(Method::Info);
        let body = Body::read(message)?;
        match (Carrier::of(&method, None, false), Carrier::of(sends, None, false)) {
            (Some(came), Some(leaves)) => {
                let crossed = self.bridge(side).cross(cx, &body, came, leaves)?;
                Ok((crossed, body.sdp().is_some()))
            }
            _ if body.sdp().is_some() => {
                let method = word(&method.to_string());
                Err(Cause::new(415, format!("A session description has no meaning in {method}")).into())
            }
            _ => Ok((body.as_is(), false)),
        }
    }

    /// A response to a request that crossed.
    pub(super) fn crossing_heard(&mut self, cx: &mut Cx<'_>, index: usize, message: &Message) -> Next {
        let (Some(status), Some(crossing)) = (message.status(), self.crossings.get_mut(index)) else {
            return Next::Stay;
        };
        if status.is_provisional() {
            self.cross_provisional(cx, index, message);
            return Next::Stay;
        }
        let side = crossing.from.other();
        if matches!(status.code(), 401 | 407) {
            let (leg, login) = (self.legs.of_mut(side), self.logins.of(side));
            if crossing.sent.authenticate_in(cx, message, login, leg) {
                return Next::Stay;
            }
        }
        let mut crossing = self.crossings.remove(index);
        let waits = crossing.cancelled.is_none();
        if waits && self.ask_for_longer_session(cx, side, &mut crossing.sent, message) {
            self.crossings.push(crossing);
            return Next::Stay;
        }
        self.refer_answered(cx, &crossing, Some(message));
        match status.code() {
            // An INVITE concerns the whole dialog: who does not know it has lost the call.
            481 if crossing.is_invite() => {
                self.cross_refusal(cx, crossing, message);
                return self.hang_up(cx, Cause::new(481, "The other side lost the call"));
            }
            481 if crossing.asked.method() == Some(Method::Notify) => {
                self.refer_is_over();
                self.cross_refusal(cx, crossing, message);
            }
            // Some systems say so of what they do not take, and proxies of what had no response.
            408 | 481 => self.refuse_crossing(cx, crossing, Some(status)),
            300.. if crossing.cancelled == Some(Canceller::TimerC) => {
                self.refuse_crossing(cx, crossing, Some(status));
            }
            405 | 501 if crossing.is_update() && self.is_up() => self.turn(cx, crossing),
            300.. => self.cross_refusal(cx, crossing, message),
            _ => return self.cross_success(cx, crossing, message),
        }
        Next::Stay
    }

    /// Whether the caller knows of the 2xx.
    fn is_up(&self) -> bool {
        self.legs.a.dialog.state == DialogState::Confirmed
    }

    /// The other side takes no UPDATE, and has not said so before: the offer goes to it as a re-INVITE.
    fn turn(&mut self, cx: &mut Cx<'_>, crossing: Crossing) {
        let Crossing { from, server, asked, sent, before, .. } = crossing;
        self.take_back(cx, &asked, &sent, from);
        self.give_back(cx, from, before);
        self.legs.of_mut(from.other()).refuses_update();
        self.handle_update(cx, from, server, asked);
    }

    fn cross_provisional(&mut self, cx: &mut Cx<'_>, index: usize, message: &Message) {
        if self.heard_reliably(cx, index, message) == Err(Known) {
            return;
        }
        let Some(crossing) = self.crossings.get_mut(index) else { return };
        let reliable = crossing.asked.values(Name::Require).any(|tag| tag.eq_ignore_ascii_case(RELIABLE));
        let says = message.status().is_some_and(|status| status.code() > 100) && !reliable;
        if crossing.cancelled.is_some() || !says || !crossing.answers_invite() {
            return;
        }
        // Timer C starts again with each 101-199. RFC 3261 §16.7.
        if crossing.is_invite() {
            crossing.give_up = cx.now.instant + TIMER_C;
        }
        let (from, to) = (self.legs.of(crossing.from.other()), self.legs.of(crossing.from));
        cx.respond(crossing.server, response::cross(from, to, message, None, &crossing.asked));
    }

    /// A 2xx on its way to the party that asked.
    fn cross_success(&mut self, cx: &mut Cx<'_>, crossing: Crossing, message: &Message) -> Next {
        let (from, is_invite) = (crossing.from, crossing.is_invite());
        let Crossing { server, asked, sent, before, .. } = crossing;
        let far = self.legs.of_mut(from.other());
        far.dialog.handle_response(message);
        far.heard(message);
        self.session_heard(cx, from.other(), &sent.message, message);
        let invite = is_invite.then(|| FarInvite::new(&sent));
        let method = asked.method().unwrap_or(Method::Info);
        // Without an offer in the request, this response brings one.
        let offered = before.is_some();
        let before = before.unwrap_or_else(|| self.bridge(from.other()).before(cx));
        let carrier = |method: &Method| Carrier::of(method, message.status(), false);
        let carriers = sent.message.method().and_then(|sent| Some((carrier(&sent)?, carrier(&method)?)));
        let body = match (Body::read(message), carriers) {
            (Ok(body), Some((came, leaves))) if is_invite || offered => {
                self.bridge(from.other()).cross(cx, &body, came, leaves)
            }
            (Err(cause), Some(_)) if is_invite || offered => Err(cause.into()),
            (body, _) => Ok(body.ok().and_then(|body| body.as_is())),
        };
        let mut invite = invite;
        if let Some(invite) = &mut invite
            && (offered || body.is_err())
        {
            invite.acknowledge(cx, self.legs.of(from.other()), None);
        }
        match body {
            Ok(body) => {
                self.legs.of_mut(from).dialog.refresh_target(&asked);
                let (near, far) = (self.legs.of(from), self.legs.of(from.other()));
                let response = response::cross(far, near, message, body, &asked);
                let response = match refer_sub(message).filter(|_| method == Method::Refer) {
                    Some((name, value)) => response.edit().header(name, value).build(),
                    None => response,
                };
                let response = self.session_accepted(cx, from, &asked, response);
                match invite.filter(|_| method == Method::Invite) {
                    Some(invite) => self.accept(cx, from, server, response, Some(invite)),
                    None => cx.respond(server, response),
                }
                Next::Stay
            }
            Err(refused) => {
                let cause = Cause::new(488, refused.text().text);
                in_dialog::refuse(cx, server, &asked, &cause);
                let offerer = if offered { from } else { from.other() };
                self.give_back(cx, offerer, Some(before));
                if let Some(refusable) = refusable(&method) {
                    let _ = self.legs.of_mut(from).offers.refused(Remote, refusable);
                }
                // In an early dialog there is no INVITE to say it with.
                match self.is_up() {
                    true => self.ask(cx, from.other(), Purpose::Rollback),
                    false => Next::Stay,
                }
            }
        }
    }

    /// A refusal on its way to the party that asked. A challenge of the other side's and another address of its are for
    /// us, and we have no use for it: the asker hears that it was refused, and why.
    fn cross_refusal(&mut self, cx: &mut Cx<'_>, crossing: Crossing, message: &Message) {
        let (from, status) = (crossing.from, message.status().map_or(500, |status| status.code()));
        let Crossing { server, asked, sent, before, .. } = crossing;
        self.take_back(cx, &asked, &sent, from);
        self.give_back(cx, from, before);
        let text = match status {
            401 | 407 => "The other side asks for credentials".to_owned(),
            300..=399 => format!("Redirected ({status}), not followed"),
            _ => {
                let (near, far) = (self.legs.of(from), self.legs.of(from.other()));
                return cx.respond(server, response::cross(far, near, message, None, &asked));
            }
        };
        in_dialog::refuse(cx, server, &asked, &Cause::new(403, text));
    }

    /// Refuses the asker ourselves; everything stays as it was agreed before.
    ///
    /// - `said`: what the other side responded, for the Reason (RFC 3326).
    fn refuse_crossing(&mut self, cx: &mut Cx<'_>, crossing: Crossing, said: Option<StatusCode>) {
        self.refer_answered(cx, &crossing, None);
        let failure = crossing.failure(said);
        let Crossing { from, server, asked, sent, before, .. } = crossing;
        self.take_back(cx, &asked, &sent, from);
        self.give_back(cx, from, before);
        let mut reply = failure.reply(&asked, None);
        if let Some(said) = said {
            reply = reply.set(Name::Reason, Cause::new(said.code(), said.default_reason()).reason());
        }
        cx.respond(server, reply.build());
    }

    /// The request had no 2xx on either leg: its offer is gone. What the other side has answered reliably holds there all the same
    /// (RFC 6141 §3.3), and is taken back by an offer of our own.
    fn take_back(&mut self, cx: &mut Cx<'_>, asked: &Message, sent: &Sent, from: Side) {
        if let Some(request) = asked.method().as_ref().and_then(refusable) {
            let _ = self.legs.of_mut(from).offers.refused(Remote, request);
        }
        if let Some(request) = sent.message.method().as_ref().and_then(refusable) {
            let held = self.legs.of_mut(from.other()).offers.refused(Local, request);
            if held == Held::Within {
                self.ask_later(cx, from.other(), Purpose::Rollback);
            }
        }
    }

    /// What held before the offer of `from`'s holds on.
    fn give_back(&mut self, cx: &mut Cx<'_>, from: Side, before: Option<Before>) {
        self.bridge(from).restore(cx, before);
    }

    /// No response to a request that crossed. Who can't be reached at all is gone: both parties are told.
    pub(super) fn crossing_lost(&mut self, cx: &mut Cx<'_>, index: usize, lost: Failure) -> Next {
        if lost == Failure::Transport && self.repeat_crossing(cx, index) {
            return Next::Stay;
        }
        let crossing = self.crossings.remove(index);
        // What was cancelled may never have left: nothing is known of the other side.
        if lost == Failure::Timeout || crossing.cancelled.is_some() {
            self.refuse_crossing(cx, crossing, None);
            return Next::Stay;
        }
        let cause = Cause::new(502, "The other side can't be reached");
        in_dialog::refuse(cx, crossing.server, &crossing.asked, &cause);
        self.hang_up(cx, cause)
    }

    /// The same before the 2xx, where the INVITE tells whether the other side is there.
    pub fn early_crossing_lost(&mut self, cx: &mut Cx<'_>, request: RequestId, lost: Failure) {
        let Some(index) = self.crossings.iter().position(|one| one.sent.id == request) else { return };
        if lost != Failure::Transport || !self.repeat_crossing(cx, index) {
            let crossing = self.crossings.remove(index);
            self.refuse_crossing(cx, crossing, None);
        }
    }

    /// The request could not be delivered: it is sent once more, where it may be.
    fn repeat_crossing(&mut self, cx: &mut Cx<'_>, index: usize) -> bool {
        let Some(crossing) = self.crossings.get_mut(index).filter(|one| one.cancelled.is_none()) else {
            return false;
        };
        let leg = self.legs.of_mut(crossing.from.other());
        let before = crossing.sent.id;
        if !crossing.sent.repeat_in(cx, leg, false) {
            return false;
        }
        if crossing.is_invite() {
            cx.requests.give_up(before, leg);
        }
        true
    }

    /// Refuses whoever has waited for long enough. An INVITE is cancelled before (RFC 3261 §16.8).
    pub fn crossing_timeouts(&mut self, cx: &mut Cx<'_>) {
        while let Some(index) = self.crossings.iter().position(|one| one.give_up <= cx.now.instant) {
            let Some(crossing) = self.crossings.get(index) else { return };
            if crossing.is_invite() && crossing.cancelled.is_none() {
                if crossing.answers_invite() {
                    self.cancel_crossing(cx, index, Canceller::TimerC, Vec::new());
                    continue;
                }
                cx.act(Action::Cancel { request: crossing.sent.id, says: Vec::new(), left: false });
            }
            let crossing = self.crossings.remove(index);
            if crossing.is_invite() {
                cx.requests.give_up(crossing.sent.id, self.legs.of(crossing.from.other()));
            }
            self.refuse_crossing(cx, crossing, None);
        }
    }

    /// A re-INVITE was cancelled. Its asker hears what the other side makes of that: 487, or the 2xx that crossed the
    /// CANCEL, so that both have the same idea of the media.
    pub fn handle_cancel(&mut self, cx: &mut Cx<'_>, server: ServerId, message: &Message) {
        if self.drop_held_back(cx, Some(server)) || self.cancel_newcomer(cx, server) {
            return;
        }
        let mine = |one: &Crossing| one.server == server && one.cancelled.is_none();
        let Some(index) = self.crossings.iter().position(mine) else { return };
        let Some(from) = self.crossings.get(index).map(|one| one.from) else { return };
        let says = lines_of_cancel(message, &self.legs.of(from).profile, &self.legs.of(from.other()).profile);
        self.cancel_crossing(cx, index, Canceller::Asker, says);
    }

    pub(super) fn cancel_crossing(
        &mut self,
        cx: &mut Cx<'_>,
        index: usize,
        by: Canceller,
        says: Vec<(Name, String)>,
    ) {
        let Some(crossing) = self.crossings.get_mut(index) else { return };
        crossing.cancelled = Some(by);
        crossing.give_up = cx.now.instant + PATIENCE;
        cx.act(Action::Cancel { request: crossing.sent.id, says, left: false });
    }

    /// Whether an INVITE or an offer waits for its response.
    pub(super) fn has_offers(&self) -> bool {
        self.crossings.iter().any(|one| one.is_invite() || one.before.is_some())
    }

    /// Cancels the INVITEs that wait for their response.
    pub(super) fn cancel_invites(&mut self, cx: &mut Cx<'_>) {
        for index in 0..self.crossings.len() {
            let waits = |one: &Crossing| one.is_invite() && one.cancelled.is_none();
            if self.crossings.get(index).is_some_and(waits) {
                self.cancel_crossing(cx, index, Canceller::TimerC, Vec::new());
            }
        }
    }

    /// Gives up the room of crossings that are over: a call is mostly held.
    pub fn pack(&mut self) {
        if self.crossings.is_empty() {
            self.crossings = Vec::new();
        }
    }

    /// Refuses whoever still waits for the response to another request than an INVITE.
    pub(super) fn refuse_crossings(&mut self, cx: &mut Cx<'_>) {
        for crossing in std::mem::take(&mut self.crossings) {
            self.refuse_crossing(cx, crossing, None);
        }
    }

    /// Refuses whoever still waits for a response: the dialog is over (RFC 3261 §15.1.2).
    ///
    /// - `told`: the parties that get a BYE; a 2xx of theirs that crosses it is acknowledged.
    pub(super) fn end_crossings(&mut self, cx: &mut Cx<'_>, told: &Sides<bool>) {
        for crossing in std::mem::take(&mut self.crossings) {
            in_dialog::refuse(cx, crossing.server, &crossing.asked, &Cause::new(487, "Call Ended"));
            if !crossing.is_invite() {
                continue;
            }
            let to = crossing.from.other();
            if *told.of(to) {
                cx.requests.give_up(crossing.sent.id, self.legs.of(to));
            }
            if crossing.cancelled.is_none() {
                cx.act(Action::Cancel { request: crossing.sent.id, says: Vec::new(), left: false });
            }
        }
    }
}
