//! The B2BUA: one sans-IO machine a call.
//!
//! A [`Call`] takes [`Event`]s (a message on a leg, a timer, a resolved name, a media event, an operator's word) and
//! puts out [`Action`]s (respond, request, cancel, media command, record). It never waits: whatever waits (DNS, disk,
//! sockets) is outside and answers with an event. One mutation, then drain [`Call::poll_action`], then arm
//! [`Call::poll_timeout`].
//!
//! ```text
//! INVITE admitted -> Setup (ports, route after route) -> Accepted (journal) -> Established -> Ended
//!                      |  18x relayed: no other route any more  |                               ^
//!                      +--- refused, cancelled, routes exhausted+-------------------------------+
//! ```
//!
//! A call that has ended lingers without ports or money until its last client INVITE transaction is over: a late 2xx
//! still gets its ACK and BYE from here.

mod accepted;
mod addresses;
mod allow;
mod body;
mod cx;
mod ended;
mod established;
mod handed;
mod headers;
mod history;
mod in_dialog;
mod io;
mod leg;
mod lent;
mod media;
mod media_host;
mod negotiation;
mod newcomer;
mod next_hop;
mod orphan;
mod party;
mod profile;
mod reasons;
mod referral;
mod requests;
mod response;
mod rules;
mod sdes;
mod sent;
mod session;
mod setup;
mod sides;
mod snapshot;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sip::auth::Secret;
use sip::dialog::Dialog;
use sip::header::Replaces;
use sip::transaction::ServerId;
use sip::{Message, Method, Name, StatusCode};

use crate::clock::Now;
use crate::ids::Tokens;
use crate::media::{MediaKey, Side};
use crate::peer::{Party, Transport};
use crate::record::{Account, Settled, Times};
use crate::reply::Cause;

pub use body::{Body, unsupported as unsupported_body};
pub use io::{
    Action, AttemptEnd, Back, Event, Failure, Hop, Passing, Redirected, Referred, RequestId, SentOn,
};
pub use leg::{Leg, LegRef};
pub use lent::{GivenBack, Lent};
pub use newcomer::{Newcomer, Place};
pub use orphan::orphan_legs;
pub use party::{caller_user, from};
pub use profile::{Local, PartyKind, Profile};
pub use rules::{CodeRule, HeaderRule, heard, told};
pub use session::session_timer_with;
pub use setup::Route;
pub use snapshot::Snapshot;

use accepted::Accepted;
use cx::Cx;
use ended::Ended;
use established::Established;
use handed::Handed;
use history::History;
use media::{MediaNews, MediaSession};
use requests::Requests;
use setup::{Caller, Setup};

/// The longest that a callee may ring: Timer C of RFC 3261 §16.6, which must be above three minutes.
pub const TIMER_C: Duration = Duration::from_secs(185);

/// What the core knows of an INVITE when it starts a call: everything is admitted and routed.
pub struct NewCall {
    /// Our id for the call, in every record, log line and event.
    pub transaction_id: uuid::Uuid,
    /// The INVITE as it came.
    pub invite: Message,
    /// What [`Body::read`] found in the INVITE.
    pub body: Result<Body, Cause>,
    /// Its server transaction; none where a REFER asked for the call, and the INVITE is ours.
    pub server: Option<ServerId>,
    /// Where responses and requests to the caller go.
    pub flow: crate::peer::Peer,
    /// Our tag on the a-leg; the stateful responses so far carry it already.
    pub local_tag: String,
    /// What we are towards the caller.
    pub local: Local,
    /// How the caller's system speaks.
    pub profile: Arc<Profile>,
    /// For the digest challenges of a carrier that calls: user and secret.
    pub credentials: Option<(String, Secret)>,
    /// Where the b-leg may be tried, best first. Never empty.
    pub routes: Vec<Route>,
    /// What a customer says of who sent the call on, as far as it may: Diversion, History-Info.
    pub redirections: Vec<(Name, String)>,
    /// The call goes back to the party that a REFER of its came from, in that party's words.
    pub back: Option<Box<Back>>,
    /// The connectors that are billed, and the parties.
    pub account: Account,
    /// The first media session's key.
    pub media: MediaKey,
    /// An emergency call that may use what is set aside for such.
    pub set_aside: bool,
    /// The longest that the call may last once answered.
    pub max_duration: Duration,
}

/// Where a call stands, with what it needs there and nowhere else.
#[derive(Debug)]
enum Stage {
    /// Until the callee's 2xx.
    Setup(Box<Setup>),
    /// The callee took the call, and the caller does not know yet.
    Accepted(Box<Accepted>),
    /// Both legs are up.
    Established(Box<Established>),
    /// The party that was transferred is in another call.
    Handed(Box<Handed>),
    /// Down. What is left is only waiting for transactions to end.
    Ended(Ended),
}

/// Where an event leads.
#[derive(Debug)]
#[must_use]
enum Next {
    /// The stage goes on.
    Stay,
    Setup(Box<Setup>),
    Accepted(Box<Accepted>),
    /// The caller may hear of the 2xx, or is refused after all.
    Accept,
    Refuse(Cause),
    Established(Box<Established>),
    Handed(Box<Handed>),
    /// Both legs are down, for this cause.
    Ended(Ended, Cause),
}

impl Next {
    /// The call is over, and nobody has to be told any more.
    fn down(cause: Cause) -> Next {
        Next::Ended(Ended::default(), cause)
    }
}

/// One B2BUA call.
pub struct Call {
    /// Our id for the call.
    pub transaction_id: uuid::Uuid,
    account: Account,
    history: History,
    media: MediaSession,
    requests: Requests,
    stage: Stage,
    out: VecDeque<Action>,
}

impl Call {
    /// Starts a call: asks for media ports, then tries the routes in order.
    ///
    /// The dialog with the caller begins here; an INVITE that can't begin one has been refused by the core.
    ///
    /// # Errors
    /// What is wrong with an INVITE that can't open a dialog (RFC 3261 §12.1.1).
    pub fn new(now: Now, new: NewCall, tokens: &mut Tokens) -> Result<Call, Cause> {
        let dialog = Dialog::uas(&new.invite, &new.local_tag)
            .map_err(|error| Cause::new(error.status().code(), error.to_string()))?;
        let times = Times { started: now.unix, ringing: None, answered: None, ended: None };
        let mut history = History::new(times, &dialog.call_id);
        let forgeable = new.local.transport == Transport::Udp && new.account.sip_auth_user.is_none();
        history.can_be_forged = forgeable && !new.account.emergency && new.server.is_some();
        history.proven = new.server.is_none();
        history.is_at(Side::A, new.flow.remote.ip());
        let mut call = Call::over(
            new.transaction_id,
            new.account,
            history,
            MediaSession::new(new.media).set_aside(new.set_aside),
        );
        let mut leg = Leg::new(dialog, new.flow, new.local, new.profile);
        leg.contact_user.clone_from(&call.account.callee);
        leg.heard(&new.invite);
        let (login, emergency) = (new.credentials, call.account.emergency);
        let caller = Caller {
            server: new.server,
            invite: new.invite,
            body: new.body,
            leg,
            login,
            emergency,
            replaced: false,
            back: new.back,
            rang: false,
            tag_is_taken: false,
            max_duration: new.max_duration,
        };
        call.step(now, tokens, |_, cx| {
            cx.bind(&caller.leg.dialog.local_tag.clone(), LegRef::A);
            Setup::begin(cx, caller, new.routes, new.redirections)
        });
        Ok(call)
    }

    /// A call at its last stage, to be given another one.
    fn over(transaction_id: uuid::Uuid, account: Account, history: History, media: MediaSession) -> Call {
        let (requests, out) = Default::default();
        Call { transaction_id, account, history, media, requests, stage: Stage::Ended(Ended::default()), out }
    }

    /// Something happened to this call.
    pub fn handle(&mut self, now: Now, tokens: &mut Tokens, event: Event) {
        self.step(now, tokens, |stage, cx| enter(stage, cx, event));
    }

    /// Time passed. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Now, tokens: &mut Tokens) {
        self.step(now, tokens, |stage, cx| match stage {
            Stage::Setup(setup) => setup.handle_timeout(cx),
            Stage::Accepted(accepted) => accepted.handle_timeout(cx),
            Stage::Established(up) => up.handle_timeout(cx),
            Stage::Handed(handed) => handed.handle_timeout(cx),
            Stage::Ended(ended) => {
                ended.handle_timeout(cx);
                Next::Stay
            }
        });
        self.step(now, tokens, |_, cx| {
            cx.ask_for_media_again();
            Next::Stay
        });
        if let Some(cause) = self.media.handle_timeout(now) {
            self.step(now, tokens, |stage, cx| hang_up(stage, cx, cause));
        }
    }

    /// The next thing to do; drain to `None` after every mutation.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// When to call [`Call::handle_timeout`] next; `None` when nothing runs.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let stage = match &self.stage {
            Stage::Setup(setup) => setup.poll_timeout(),
            Stage::Accepted(accepted) => accepted.poll_timeout(),
            Stage::Established(up) => up.poll_timeout(),
            Stage::Handed(handed) => handed.poll_timeout(),
            Stage::Ended(ended) => ended.poll_timeout(),
        };
        stage.into_iter().chain(self.media.poll_timeout()).min()
    }

    /// Brings the call from one stage to the next.
    fn step(&mut self, now: Now, tokens: &mut Tokens, step: impl FnOnce(&mut Stage, &mut Cx<'_>) -> Next) {
        let Call { transaction_id, account, history, media, requests, stage, out } = self;
        let id = *transaction_id;
        let mut cx = Cx { now, tokens, id, account, history, media, requests, out };
        let mut next = step(stage, &mut cx);
        loop {
            next = match next {
                Next::Stay => return,
                Next::Accept => match std::mem::take(stage) {
                    Stage::Accepted(accepted) => accepted.accept(&mut cx),
                    other => return *stage = other,
                },
                Next::Refuse(cause) => match std::mem::take(stage) {
                    Stage::Accepted(accepted) => accepted.refuse(&mut cx, cause),
                    other => return *stage = other,
                },
                Next::Setup(setup) => return *stage = Stage::Setup(setup),
                Next::Accepted(accepted) => return *stage = Stage::Accepted(accepted),
                Next::Established(up) => return *stage = Stage::Established(up),
                Next::Handed(handed) => return *stage = Stage::Handed(handed),
                Next::Ended(ended, cause) => {
                    *stage = Stage::Ended(ended);
                    return cx.settle(cause);
                }
            }
        }
    }

    /// Whether the call has ended and nothing of it is left to wait for: forget it.
    pub fn is_over(&self) -> bool {
        let ended = matches!(&self.stage, Stage::Ended(ended) if ended.is_over());
        ended && self.requests.are_over() && self.media.is_closed()
    }

    /// Gives up what a call that is over has no use for, once its actions are drained: it waits for late messages for half a
    /// minute, and many do so at one time.
    pub fn pack(&mut self) {
        if matches!(self.stage, Stage::Ended(_)) {
            self.out.shrink_to_fit();
            self.history.pack();
        }
    }

    /// Whether the call still costs somebody something: set-up or talk, not the wait for late messages.
    pub fn is_live(&self) -> bool {
        !matches!(self.stage, Stage::Ended(_))
    }

    /// Whether it is an ordinary call that holds ports and is not answered yet, so that it may give way to one for help.
    pub fn may_give_way(&self) -> bool {
        matches!(self.stage, Stage::Setup(_)) && !self.account.emergency && self.media.opened().is_some()
    }

    /// Whether the parties know that it has ended, as far as we can tell them: no BYE waits to be sent, and no INVITE
    /// that was cancelled for its final response.
    pub fn is_down(&self) -> bool {
        let ended = match &self.stage {
            Stage::Ended(ended) => !ended.has_deferred_bye(),
            Stage::Handed(handed) => handed.is_down(),
            Stage::Setup(_) | Stage::Accepted(_) | Stage::Established(_) => false,
        };
        ended && !self.requests.await_cancelled()
    }

    /// The parties and connectors of the call.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// When things happened.
    pub fn times(&self) -> Times {
        self.history.times
    }

    /// Whether the caller has shown that it hears us.
    pub fn is_proven(&self) -> bool {
        self.history.proven
    }

    /// Our tags on all legs, as the core's index knows them.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.requests.tags()
    }

    /// Whether `message`, whose To tag is ours on `leg`, is inside that leg's dialog, or one that an INVITE of ours
    /// began which was left.
    pub fn is_dialog_of(&self, leg: LegRef, message: &Message) -> bool {
        is_dialog_of(&self.stage, leg, message)
            || self.requests.is_dialog_of(message)
            || self.is_left(leg, message)
    }

    /// Whether Replaces names the dialog of `leg`.
    pub fn is_named(&self, leg: LegRef, replaces: &Replaces) -> bool {
        match &self.stage {
            Stage::Accepted(accepted) => leg::names(replaces, &accepted.up().legs.of(leg.side()).dialog),
            Stage::Established(up) => leg::names(replaces, &up.legs.of(leg.side()).dialog),
            Stage::Setup(setup) => setup.is_named(leg, replaces),
            Stage::Handed(_) | Stage::Ended(_) => false,
        }
    }

    /// Whether a party waits for another call, or a place in one, that it asked for here.
    pub fn asks_for_another(&self) -> bool {
        matches!(&self.stage, Stage::Established(up) if up.asks_for_another())
    }

    fn is_left(&self, leg: LegRef, message: &Message) -> bool {
        let call_id = message.call_id().unwrap_or_default();
        matches!(leg, LegRef::B(index) if self.history.has_dialled(index, call_id))
    }

    /// The SIP Call-ID of a leg; the b-leg's is that of the newest attempt, the caller's before there is one.
    pub fn call_id(&self, side: Side) -> &str {
        self.history.call_id(side)
    }

    /// The connector whose SIP log a message of this call belongs to, and the Call-ID of that connector's leg.
    ///
    /// A leg of a connector's customer is that connector's alone; a leg of a carrier is the other side's.
    pub fn log_of<'a>(&'a self, message: &'a Message) -> Option<(&'a str, &'a str)> {
        let call_id = message.call_id().ok()?;
        let account = &self.account;
        if call_id == self.call_id(Side::A) {
            return match &account.outbound {
                Some(own) => Some((own, call_id)),
                None => Some((account.inbound.as_deref()?, self.call_id(Side::B))),
            };
        }
        match self.history.party_of(call_id)?.as_ref()? {
            Party::VoiceConnector(own) => Some((own, call_id)),
            Party::Carrier(_) => Some((account.outbound.as_deref()?, self.call_id(Side::A))),
        }
    }

    /// Where a leg's party is.
    pub fn endpoint(&self, side: Side) -> Option<std::net::IpAddr> {
        self.history.endpoint(side)
    }

    /// What its record would say if the call ended now.
    pub fn settled(&self, cause: Cause) -> Settled {
        settled(self.transaction_id, &self.account, &self.history, &self.media, cause)
    }
}

impl Default for Stage {
    fn default() -> Self {
        Stage::Ended(Ended::default())
    }
}

/// The one door: what an event means at each stage.
fn enter(stage: &mut Stage, cx: &mut Cx<'_>, event: Event) -> Next {
    use Stage::{Accepted, Ended, Established, Handed, Setup};
    match (stage, event) {
        (stage, Event::Request { leg, server, message, .. }) if !is_dialog_of(stage, leg, &message) => {
            cx.left_dialog(stage, leg, server, &message);
        }
        (Setup(setup), Event::Request { leg, server, message, .. }) => {
            return setup.handle_request(cx, leg, server, &message);
        }
        (Accepted(accepted), Event::Request { leg, server, message, .. }) => {
            return accepted.handle_request(cx, leg.side(), server, message);
        }
        (Established(up), Event::Request { leg, server, message, source }) => {
            return up.handle_request(cx, leg.side(), server, message, &source);
        }
        (Handed(handed), Event::Request { leg, server, message, .. }) => {
            return handed.handle_request(cx, leg.side(), server, &message);
        }
        (Ended(ended), Event::Request { leg, server, message, .. }) => {
            ended.handle_request(cx, leg.side(), server, &message);
        }

        (Setup(setup), Event::Cancelled { server, message }) => {
            return setup.handle_cancel(cx, server, &message);
        }
        (Accepted(accepted), Event::Cancelled { server, message }) => {
            return accepted.handle_cancel(cx, server, &message);
        }
        (Established(up), Event::Cancelled { server, message }) => up.handle_cancel(cx, server, &message),

        (Established(up), Event::Ack { leg, message, source }) => {
            return up.handle_ack(cx, leg.side(), &message, &source);
        }
        (Ended(ended), Event::Ack { leg, message, .. }) => ended.handle_ack(cx, leg.side(), &message),

        (stage, Event::Response { request, message, flow }) => {
            let next = match stage {
                Setup(setup) => setup.handle_response(cx, request, &message, flow),
                Accepted(accepted) => accepted.handle_response(cx, request, &message),
                Established(up) => up.handle_response(cx, request, &message),
                Handed(handed) => handed.handle_response(cx, request, &message),
                Ended(ended) => ended.handle_response(cx, request, &message).then_some(Next::Stay),
            };
            let late = || {
                cx.late_response(request, &message);
                Next::Stay
            };
            return next.unwrap_or_else(late);
        }
        (stage, Event::Failed { request, cause }) => {
            let next = match stage {
                Setup(setup) => setup.handle_failed(cx, request, cause),
                Accepted(accepted) => accepted.handle_failed(cx, request, cause),
                Established(up) => up.handle_failed(cx, request, cause),
                Handed(handed) => handed.handle_failed(cx, request, cause),
                Ended(ended) => ended.handle_failed(cx, request, cause).then_some(Next::Stay),
            };
            let late = || {
                cx.late_failure(request, cause);
                Next::Stay
            };
            return next.unwrap_or_else(late);
        }
        (_, Event::Done { request }) => cx.requests.done(request),

        (stage, Event::Media(event)) => {
            return match (cx.media_news(event), stage) {
                (MediaNews::Opened, Setup(setup)) => setup.handle_ports(cx),
                (MediaNews::NoPorts(cause), stage) => hang_up(stage, cx, cause),
                (MediaNews::Silent, Handed(_)) => Next::Stay,
                (MediaNews::Silent, stage) => hang_up(stage, cx, Cause::new(408, "Media inactivity")),
                (MediaNews::Opened | MediaNews::None, _) => Next::Stay,
            };
        }
        (stage, Event::MediaLocated { query, addresses }) => {
            let side = cx.media_was_asked_for(query);
            if let Some((side, end)) = side.and_then(|side| Some((side, end(stage, side)?))) {
                cx.media_located(side, end, &addresses);
            }
        }

        (Setup(setup), Event::Resolved { query, addresses }) => {
            return setup.handle_resolved(cx, query, addresses);
        }
        (Setup(setup), Event::Admitted) => return setup.handle_admitted(cx),
        (Setup(setup), Event::Limited { cause }) => return setup.handle_limited(cx, cause),
        (Setup(setup), Event::Redirected { sent_on }) => return setup.handle_redirected(cx, sent_on),
        (Accepted(accepted), Event::Journaled) => return accepted.handle_journaled(cx),
        (Accepted(accepted), Event::MayAnswer { may }) => return accepted.handle_may_answer(cx, may),
        (Established(up), Event::Progress { status }) => return up.handle_progress(cx, status),
        (Established(up), Event::Newcomer(who)) => up.handle_newcomer(cx, who),
        (_, Event::Newcomer(who)) => cx.refuse(who.server, &who.invite, &who.leg, &newcomer::busy()),
        (Established(up), Event::PassesRefer { user }) => up.send_refer_on(cx, &user),
        (Established(up), Event::Taken) => return up.handle_taken(cx),
        (Established(up), Event::Returned(back)) => return up.handle_returned(cx, *back),
        (Established(up), Event::LeftOnTheWay { bye }) => return up.handle_left_on_the_way(cx, &bye),
        (Established(up), Event::Abandoned { cause }) => return up.handle_abandoned(cx, cause),
        (Setup(setup), Event::Abandoned { cause }) => return setup.handle_abandoned(cx, cause),
        (Accepted(accepted), Event::Abandoned { cause }) => return accepted.handle_abandoned(cx, cause),
        (Setup(setup), Event::Replace { by, .. }) => setup.handle_replace(cx, by.as_ref()),
        (Accepted(accepted), Event::Replace { leg, replaces, by }) => {
            accepted.handle_replace(cx, leg.side(), &replaces, by.as_ref());
        }
        (Established(up), Event::Replace { leg, replaces, by }) => {
            up.handle_replace(cx, leg.side(), &replaces, by.as_ref());
        }
        (_, Event::Replace { .. }) => cx.act(Action::Progress { status: StatusCode::CALL_DOES_NOT_EXIST }),
        (Established(up), Event::Joined(lent)) => return up.handle_joined(cx, lent),
        (Handed(handed), Event::Over { cause }) => return handed.end(cx, cause),
        (Accepted(accepted), Event::Joined(lent)) => return accepted.handle_joined(lent),
        // There is no call any more that it could come to.
        (_, Event::Joined(lent)) => {
            cx.act(Action::GiveBack(GivenBack::too_late(*lent)));
        }
        (_, Event::Returned(back)) => {
            let Lent { leg, login, .. } = back.lent;
            cx.bye(leg, login, requests::reason_of(&back.cause));
        }
        (stage, Event::HangUp { cause }) => return hang_up(stage, cx, cause),

        // Words that came too late for their stage.
        (Handed(_) | Ended(_), Event::Cancelled { .. })
        | (Setup(_) | Accepted(_) | Handed(_), Event::Ack { .. })
        | (Accepted(_) | Established(_) | Handed(_) | Ended(_), Event::Resolved { .. })
        | (
            Accepted(_) | Established(_) | Handed(_) | Ended(_),
            Event::Admitted | Event::Limited { .. } | Event::Redirected { .. },
        )
        | (Setup(_) | Established(_) | Handed(_) | Ended(_), Event::Journaled | Event::MayAnswer { .. })
        | (Setup(_) | Accepted(_) | Handed(_) | Ended(_), Event::Progress { .. } | Event::Taken)
        | (Handed(_) | Ended(_), Event::Abandoned { .. })
        | (_, Event::LeftOnTheWay { .. } | Event::PassesRefer { .. })
        | (Setup(_) | Accepted(_) | Established(_) | Ended(_), Event::Over { .. }) => {}
    }
    Next::Stay
}

/// We end the call.
fn hang_up(stage: &mut Stage, cx: &mut Cx<'_>, cause: Cause) -> Next {
    match stage {
        Stage::Setup(setup) => setup.give_up(cx, cause),
        Stage::Accepted(accepted) => accepted.hang_up(cause),
        Stage::Established(up) => up.hang_up(cx, cause),
        Stage::Handed(handed) => handed.hang_up(cx, &cause),
        Stage::Ended(_) => Next::Stay,
    }
}

/// The party at the end of a leg, as far as its media goes.
fn end(stage: &Stage, side: Side) -> Option<&leg::End> {
    match stage {
        Stage::Setup(setup) => setup.end(side),
        Stage::Accepted(accepted) => Some(&accepted.up().legs.of(side).end),
        Stage::Established(up) => Some(&up.legs.of(side).end),
        Stage::Handed(_) | Stage::Ended(_) => None,
    }
}

/// Whether `message`, whose To tag is ours on `leg`, is inside a dialog of the stage.
fn is_dialog_of(stage: &Stage, leg: LegRef, message: &Message) -> bool {
    match stage {
        Stage::Setup(setup) => setup.is_dialog_of(leg, message),
        Stage::Accepted(accepted) => accepted.up().is_dialog_of(leg.side(), message),
        Stage::Established(up) => up.is_dialog_of(leg.side(), message),
        Stage::Handed(handed) => handed.is_dialog_of(leg.side(), message),
        Stage::Ended(ended) => ended.is_dialog_of(message),
    }
}

impl Cx<'_> {
    /// A request from where nobody is spoken to any more: a host that was left for another, whose late 2xx had a BYE of
    /// ours and which must not pass for the party that took the call; or a party whose BYE crossed ours.
    fn left_dialog(&mut self, stage: &mut Stage, leg: LegRef, server: ServerId, message: &Message) {
        match (stage, message.method()) {
            (Stage::Ended(ended), _) => ended.handle_request(self, leg.side(), server, message),
            (_, Some(Method::Bye)) => in_dialog::respond_ok(self, server, message, None),
            _ => in_dialog::refuse(self, server, message, &Cause::new(481, "Call Does Not Exist")),
        }
    }

    /// The caller acknowledged, or asked for something in the dialog: nobody else knows our tag.
    fn caller_is_proven(&mut self) {
        if !std::mem::replace(&mut self.history.proven, true) {
            self.act(Action::Proven);
        }
    }

    /// Everything that a call holds goes back, and its record is written.
    fn settle(&mut self, cause: Cause) {
        self.history.times.ended = Some(self.history.ended(self.now));
        self.attempt_ends(AttemptEnd::GivenUp, None, cause.text.clone(), None);
        self.close_media();
        let mut settled = settled(self.id, self.account, self.history, self.media, cause);
        if let Some(note) = self.history.unacknowledged_note(self.now) {
            settled.times.answered = None;
            settled.notes.push(note);
        }
        self.act(Action::Settle(Box::new(settled)));
    }
}

fn settled(
    transaction_id: uuid::Uuid,
    account: &Account,
    history: &History,
    media: &MediaSession,
    cause: Cause,
) -> Settled {
    Settled {
        transaction_id,
        account: account.clone(),
        times: history.times,
        a_call_id: history.call_id(Side::A).to_owned(),
        b_call_id: history.call_id(Side::B).to_owned(),
        cause,
        notes: history.released_note().into_iter().chain(media.strangers_note()).collect(),
        carrier: history.taken_by(),
        ended_by: history.by(),
        reason: history.reason(),
        attempts: history.tried.clone(),
    }
}

/// Takes a deadline that has passed.
fn due(deadline: &mut Option<Instant>, now: Now) -> bool {
    let passed = deadline.is_some_and(|at| at <= now.instant);
    if passed {
        *deadline = None;
    }
    passed
}
