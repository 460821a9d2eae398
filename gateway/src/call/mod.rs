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
//! A recording session is one stage by itself: [`recording`] where one comes to us, [`copying`] where we have a call recorded. It
//! has one leg, and no route.
//!
//! A call that has ended lingers without ports or money until its last client INVITE transaction is over: a late 2xx
//! still gets its ACK and BYE from here.

mod accepted;
mod addresses;
mod allow;
mod body;
mod clearance;
mod copying;
mod cx;
mod door;
mod ended;
mod established;
mod handed;
mod headers;
mod history;
mod in_dialog;
mod io;
mod leg;
mod leg_view;
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
mod recording;
mod referral;
mod requests;
mod response;
mod ringing;
mod rtcp;
mod rules;
mod sdes;
mod sent;
mod session;
mod setup;
mod sides;
mod snapshot;
mod views;
mod ways;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sip::auth::Secret;
use sip::dialog::Dialog;
use sip::transaction::ServerId;
use sip::{Message, Name};
use smol_str::SmolStr;

use crate::clock::Now;
use crate::ids::Tokens;
use crate::media::{MediaKey, Side};
use crate::peer::{Party, Transport};
use crate::record::{self, Account, Settled, Times};
use crate::reply::Cause;

pub use body::{Body, unsupported as unsupported_body};
pub use copying::{LABELS, NewCopy, RecordingServer};
pub use io::{
    Action, AttemptEnd, Back, Event, Failure, Hop, Passing, Redirected, Referred, RequestId, SentOn,
};
pub use leg::{Leg, LegRef};
pub use lent::{GivenBack, Lent};
pub use newcomer::{Newcomer, Place};
pub use orphan::orphan_legs;
pub use party::{caller_user, from};
pub use profile::{Local, PartyKind, Profile};
pub use recording::NewRecording;
pub use ringing::{Rang, rang, shard_of_rang};
pub use rules::{CodeRule, HeaderRule, heard, told};
pub use session::session_timer_with;
pub use setup::{LONGEST_SETUP, Route};
pub use snapshot::Snapshot;

use accepted::Accepted;
use copying::Copying;
use cx::Cx;
use door::{enter, hang_up};
use ended::Ended;
use established::Established;
use handed::Handed;
use history::{AttemptTold, History};
use media::MediaSession;
use recording::Recording;
use requests::Requests;
use setup::{Caller, Setup};
use ways::{Way, Ways};

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
    pub local_tag: SmolStr,
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
    /// No call, but a recording session, from its INVITE to its end.
    Recording(Box<Recording>),
    /// No call, but what has one recorded elsewhere.
    Copying(Box<Copying>),
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
    Recording(Box<Recording>),
    Copying(Box<Copying>),
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
        let mut history = History::new(times, dialog.call_id.clone());
        let forgeable = new.local.transport == Transport::Udp && new.account.sip_auth_user.is_none();
        history.can_be_forged = forgeable && !new.account.emergency && new.server.is_some();
        history.proven = new.server.is_none();
        history.is_at(Side::A, new.flow.remote.ip());
        history.ways.a = Some(Way::of_peer(&new.flow));
        let mut call = Call::over(
            new.transaction_id,
            new.account,
            history,
            MediaSession::new(new.media).set_aside(new.set_aside),
        );
        let mut leg = Leg::new(dialog, new.flow, new.local, new.profile);
        leg.contact_user = call.account.callee.as_str().into();
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
            Stage::Recording(recording) => recording.handle_timeout(cx),
            Stage::Copying(copying) => copying.handle_timeout(cx),
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
            Stage::Recording(recording) => recording.poll_timeout(),
            Stage::Copying(copying) => copying.poll_timeout(),
            Stage::Ended(ended) => ended.poll_timeout(),
        };
        stage.into_iter().chain(self.media.poll_timeout()).min()
    }

    /// Gives up what a call has no use for, once its actions are drained: one that is over waits for late messages for half a
    /// minute, one that is held has nothing to do for much longer, and there are many of both at one time.
    pub fn pack(&mut self) {
        let ended = matches!(self.stage, Stage::Ended(_));
        if ended || self.requests.are_over() {
            self.out.shrink_to_fit();
        }
        if let Stage::Established(up) = &mut self.stage {
            up.pack();
        }
        if ended {
            self.history.pack();
            self.media.pack();
        }
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
                Next::Accept => match cx.leave(stage) {
                    Stage::Accepted(accepted) => accepted.accept(&mut cx),
                    other => return *stage = other,
                },
                Next::Refuse(cause) => match cx.leave(stage) {
                    Stage::Accepted(accepted) => accepted.refuse(&mut cx, cause),
                    other => return *stage = other,
                },
                Next::Setup(setup) => return *stage = Stage::Setup(setup),
                Next::Accepted(accepted) => return *stage = Stage::Accepted(accepted),
                Next::Established(up) => return *stage = Stage::Established(up),
                Next::Recording(recording) => return *stage = Stage::Recording(recording),
                Next::Copying(copying) => return *stage = Stage::Copying(copying),
                Next::Handed(handed) => {
                    cx.leave(stage);
                    return *stage = Stage::Handed(handed);
                }
                Next::Ended(ended, cause) => {
                    cx.leave(stage);
                    *stage = Stage::Ended(ended);
                    return cx.settle(cause);
                }
            }
        }
    }
}

impl Default for Stage {
    fn default() -> Self {
        Stage::Ended(Ended::default())
    }
}

impl Cx<'_> {
    /// The caller acknowledged, or asked for something in the dialog: nobody else knows our tag.
    fn caller_is_proven(&mut self) {
        if !std::mem::replace(&mut self.history.proven, true) {
            self.act(Action::Proven);
        }
    }

    /// Takes a stage, whose legs may be left with it.
    fn leave(&mut self, stage: &mut Stage) -> Stage {
        self.history.ways = self.history.ways.updated(&stage.ways());
        std::mem::take(stage)
    }

    /// Everything that a call holds goes back, and its record is written.
    fn settle(&mut self, cause: Cause) {
        self.history.times.ended = Some(self.history.ended(self.now));
        self.attempt_ends(AttemptEnd::GivenUp, AttemptTold::silent(cause.text.clone()));
        self.close_media();
        let mut settled =
            settled(self.id, self.account, (self.history, &self.history.ways), self.media, cause);
        settled.attempts = std::mem::take(&mut self.history.tried);
        if let Some(note) = self.history.unacknowledged_note(self.now) {
            settled.times.answered = None;
            settled.notes.push(note);
        }
        self.act(Action::Settle(Box::new(settled)));
    }
}

/// Without the attempts.
fn settled(
    transaction_id: uuid::Uuid,
    account: &Account,
    (history, ways): (&History, &Ways),
    media: &MediaSession,
    cause: Cause,
) -> Settled {
    let leg = |way: Option<Way>| way.map(|way| way.detail(media.codec()));
    Settled {
        transaction_id: record::transaction_id(transaction_id),
        account: account.clone(),
        times: history.times,
        a_call_id: history.call_id(Side::A).clone(),
        b_call_id: history.call_id(Side::B).clone(),
        cause,
        notes: history.released_note().into_iter().chain(media.strangers_note()).collect(),
        carrier: history.taken_by(),
        ended_by: history.by(),
        reason: history.reason(),
        attempts: Vec::new(),
        streamed: Vec::new(),
        caller_leg: leg(ways.a),
        callee_leg: leg(ways.b),
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
