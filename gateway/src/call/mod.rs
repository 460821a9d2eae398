//! The B2BUA: one sans-IO machine a call.
//!
//! A [`Call`] takes [`Event`]s (a message on a leg, a timer, a resolved name, a media event, an operator's word) and
//! puts out [`Action`]s (answer, request, cancel, media command, record). It never waits: whatever waits (DNS, disk,
//! sockets) is outside and answers with an event. One mutation, then drain [`Call::poll_action`], then arm
//! [`Call::poll_timeout`].
//!
//! ```text
//! INVITE admitted -> Opening (ports) -> Trying (route after route) -> Answering (journal) -> Established -> Ended
//!                                         |  18x relayed: no other route any more                        |
//!                                         +--- refused, cancelled, routes exhausted -------------------->+
//! ```
//!
//! A call that has ended lingers without ports or money until its last client INVITE transaction is over: a late 2xx
//! still gets its ACK and BYE from here.

mod addresses;
mod allow;
mod answer;
mod attempt;
mod body;
mod confirmed;
mod ending;
mod exchange;
mod failure;
mod handshake;
mod headers;
mod invite;
mod io;
mod leg;
mod media;
mod media_host;
mod next_hop;
mod proof;
mod report;
mod sdes;
mod setup;
mod snapshot;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sip::auth::Secret;
use sip::dialog::Dialog;
use sip::transaction::ServerId;
use sip::{Message, Name};

use crate::clock::Now;
use crate::ids::Tokens;
use crate::media::{MediaKey, Side};
use crate::peer::Party;
use crate::record::{Account, AttemptDetail, Settled, Times};
use crate::reply::Cause;

pub use attempt::Route;
pub use body::{offered_streams, unsupported as unsupported_body};
pub use io::{Action, AttemptEnd, Event, Failure, Hop, RequestId};
pub use leg::{Leg, LegRef, Local, Nat, PartyKind, Profile};
pub(crate) use next_hop::leads_nowhere;
pub use sdes::Policy;
pub use snapshot::Snapshot;

use attempt::Attempt;
use handshake::Handshake;
use media::MediaSession;

/// The longest that a callee may ring: Timer C of RFC 3261 §16.6, which must be above three minutes.
pub const TIMER_C: Duration = Duration::from_secs(185);

/// The longest from the INVITE to the answer, whatever is heard meanwhile: early media is free, each 1xx starts Timer C
/// anew, and a name may have many addresses of which none answers. An emergency call may take longer.
const LONGEST_SETUP: Duration = Duration::from_secs(300);

/// What the core knows of an INVITE when it starts a call: everything is admitted and routed.
pub struct NewCall {
    /// Our id for the call, in every record, log line and event.
    pub transaction_id: uuid::Uuid,
    /// The INVITE as it came.
    pub invite: Message,
    /// Its server transaction.
    pub server: ServerId,
    /// Where answers and requests to the caller go.
    pub flow: crate::peer::Peer,
    /// Our tag on the a-leg; the stateful answers so far carry it already.
    pub local_tag: String,
    /// What we are towards the caller.
    pub local: Local,
    /// How the caller's system speaks.
    pub profile: Profile,
    /// For the digest challenges of a carrier that calls: user and secret.
    pub credentials: Option<(String, Secret)>,
    /// Where the b-leg may be tried, best first. Never empty.
    pub routes: Vec<Route>,
    /// What a customer says of who sent the call on, as far as it may: Diversion, History-Info.
    pub redirections: Vec<(Name, String)>,
    /// Who is billed and how the parties are called.
    pub account: Account,
    /// The first media session's key.
    pub media: MediaKey,
    /// The longest that the call may last once answered.
    pub max_duration: Duration,
}

/// Where a call stands.
#[derive(Debug)]
enum Phase {
    /// The media ports are being opened, or the next route's name resolved.
    Preparing,
    /// One attempt is out; `attempts.last()` is it.
    Trying,
    /// The callee answered; the journal has not confirmed it yet.
    Answering,
    /// Both legs are up.
    Established,
    /// Down. What is left is only waiting for transactions to end.
    Ended,
}

/// One B2BUA call.
pub struct Call {
    /// Our id for the call.
    pub transaction_id: uuid::Uuid,
    phase: Phase,
    a: Leg,
    b: Option<Leg>,
    /// The caller's INVITE and its server transaction, until it is finally answered.
    invite: Option<Message>,
    server: Option<ServerId>,
    routes: VecDeque<Route>,
    redirections: Vec<(Name, String)>,
    /// The route that the newest attempt uses, or that answered.
    route: Option<Route>,
    /// The carrier that took the call, and how the callee's challenges are answered.
    carrier: Option<String>,
    credentials: Option<(String, Secret)>,
    /// How the challenges of a carrier that called are answered.
    caller_credentials: Option<(String, Secret)>,
    /// Addresses behind the route's host that were not tried yet.
    targets: VecDeque<SocketAddr>,
    attempts: Vec<Attempt>,
    /// The caller has heard a route ring: nobody else is tried.
    rang: bool,
    /// What is told of every attempt; the last one may still go on.
    tried: Vec<AttemptDetail>,
    /// The routes that did not take the call.
    failed: Vec<failure::Failed>,
    /// The 2xx for the caller, while the journal is asked.
    answer: Option<Message>,
    handshakes: Vec<Handshake>,
    exchanges: Vec<exchange::Exchange>,
    /// INVITEs inside the dialogs that were sent again or given up, and who asked for them: a late 2xx must have its ACK
    /// all the same.
    repeated: Vec<(RequestId, Side)>,
    /// ACKs to 2xx, kept to answer repeats while the client transaction lives.
    acks: Vec<handshake::SentAck>,
    /// Client transactions that are still alive: the call cannot be forgotten before they end.
    open_requests: Vec<RequestId>,
    media: MediaSession,
    account: Account,
    pub(crate) times: Times,
    /// When it was answered, by the clock that nobody sets; `None` also for a call that was taken over.
    answered_at: Option<Instant>,
    max_duration: Duration,
    timers: Deadlines,
    next_request: u32,
    next_query: u32,
    proof: proof::Proof,
    ending: ending::Ending,
    actions: VecDeque<Action>,
}

/// The call's own deadlines; each is `None` when it does not run.
#[derive(Debug, Default)]
struct Deadlines {
    /// When to give up on a route that has said nothing.
    first_response: Option<Instant>,
    /// When to give up on a route that does not ring.
    progress: Option<Instant>,
    /// When to stop ringing (Timer C).
    ringing: Option<Instant>,
    /// When the call has been set up for long enough, whatever is heard meanwhile.
    longest_setup: Option<Instant>,
    /// When the call has lasted long enough.
    max_duration: Option<Instant>,
    /// When to go on without the journal.
    journal: Option<Instant>,
    /// When to give up on media ports.
    media_open: Option<Instant>,
    /// When to go on without the media workers' last word.
    media_close: Option<Instant>,
}

impl Deadlines {
    /// An INVITE goes out by `attempt`.
    fn wait_for(&mut self, now: Now, attempt: &crate::route::Attempt) {
        self.first_response = Some(now.instant + attempt.first_response_timeout());
        self.progress = Some(now.instant + attempt.progress_timeout());
    }
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
        let mut a = Leg::new(dialog, new.flow, new.local, new.profile);
        a.contact_user = new.account.callee.clone();
        a.heard(&new.invite);
        let times = Times { started: now.unix, ringing: None, answered: None, ended: None };
        let mut call = Call::empty(new.transaction_id, a, new.account, times);
        call.invite = Some(new.invite);
        call.server = Some(new.server);
        call.caller_credentials = new.credentials;
        call.routes = new.routes.into();
        call.redirections = new.redirections;
        call.media = MediaSession::new(new.media);
        call.max_duration = new.max_duration;
        call.actions.push_back(Action::Bind { tag: call.a.dialog.local_tag.clone(), leg: LegRef::A });
        call.begin(now, tokens);
        Ok(call)
    }

    /// A call of which only the a-leg is known.
    fn empty(transaction_id: uuid::Uuid, a: Leg, account: Account, times: Times) -> Call {
        Call {
            transaction_id,
            phase: Phase::Preparing,
            a,
            b: None,
            invite: None,
            server: None,
            routes: VecDeque::new(),
            redirections: Vec::new(),
            route: None,
            carrier: None,
            credentials: None,
            caller_credentials: None,
            targets: VecDeque::new(),
            attempts: Vec::new(),
            rang: false,
            tried: Vec::new(),
            failed: Vec::new(),
            answer: None,
            handshakes: Vec::new(),
            exchanges: Vec::new(),
            repeated: Vec::new(),
            acks: Vec::new(),
            open_requests: Vec::new(),
            media: MediaSession::new(MediaKey(0)),
            account,
            times,
            answered_at: None,
            max_duration: Duration::ZERO,
            timers: Deadlines::default(),
            next_request: 0,
            next_query: 0,
            proof: proof::Proof::default(),
            ending: ending::Ending::default(),
            actions: VecDeque::new(),
        }
    }

    /// Something happened to this call.
    pub fn handle(&mut self, now: Now, tokens: &mut Tokens, event: Event) {
        match event {
            Event::Request { leg, server, message, source } => {
                self.handle_request(now, tokens, leg, server, message, &source)
            }
            Event::Cancelled { server, message } => self.handle_cancel(now, tokens, server, &message),
            Event::Ack { leg, message, source } => self.handle_ack(now, tokens, leg, &message, &source),
            Event::Response { request, message, flow } => {
                self.handle_response(now, tokens, request, message, flow)
            }
            Event::Failed { request, cause } => self.handle_failed(now, tokens, request, cause),
            Event::Done { request } => {
                self.open_requests.retain(|open| *open != request);
                self.acks.retain(|ack| ack.request != request);
                self.repeated.retain(|(repeated, _)| *repeated != request);
            }
            Event::Media(event) => self.handle_media(now, tokens, event),
            Event::Resolved { query, addresses } => self.handle_resolved(now, tokens, query, addresses),
            Event::MediaLocated { query, addresses } => self.handle_media_located(query, &addresses),
            Event::Journaled => self.handle_journaled(now, tokens),
            Event::MayAnswer { may } => self.handle_may_answer(now, tokens, may),
            Event::Admitted => self.handle_admitted(now, tokens),
            Event::Limited { cause } => self.handle_limited(now, cause),
            Event::HangUp { cause } => self.hang_up(now, tokens, cause),
        }
    }

    /// Time passed. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Now, tokens: &mut Tokens) {
        self.handshake_timeouts(now, tokens);
        self.exchange_timeouts(now);
        self.setup_timeouts(now, tokens);
        if due(&mut self.timers.max_duration, now) {
            self.hang_up(now, tokens, Cause::new(480, "Maximum call duration reached"));
        }
        self.media_timeouts(now);
    }

    /// The next thing to do; drain to `None` after every mutation.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call [`Call::handle_timeout`] next; `None` when nothing runs.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = [
            self.timers.first_response,
            self.timers.progress,
            self.timers.ringing,
            self.timers.longest_setup,
            self.timers.max_duration,
            self.timers.journal,
            self.timers.media_open,
            self.timers.media_close,
            self.proof.again,
        ];
        let handshakes = self.handshakes.iter().filter_map(Handshake::poll_timeout);
        let exchanges = self.exchanges.iter().map(|exchange| exchange.give_up);
        own.into_iter().flatten().chain(handshakes).chain(exchanges).min()
    }

    /// Whether the call has ended and nothing of it is left to wait for: forget it.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended)
            && self.open_requests.is_empty()
            && self.handshakes.is_empty()
            && self.media.is_closed()
    }

    /// Whether the call still costs somebody something: set-up or talk, not the wait for late messages.
    pub fn is_live(&self) -> bool {
        !matches!(self.phase, Phase::Ended)
    }

    /// Whether the parties know that it has ended, as far as we can tell them: no BYE waits to be sent, and no INVITE
    /// that was cancelled for its final answer.
    pub fn is_down(&self) -> bool {
        let cancelled = |attempt: &Attempt| attempt.abandoned && !attempt.over;
        !self.is_live() && !self.ending.has_deferred_bye() && !self.attempts.iter().any(cancelled)
    }

    /// The parties and connectors of the call.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Our tags on all legs, as the core's index knows them.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        let legs = std::iter::once(self.a.dialog.local_tag.as_str());
        legs.chain(self.attempts.iter().map(|attempt| attempt.local_tag.as_str()))
            .chain(self.b.iter().map(|leg| leg.dialog.local_tag.as_str()))
    }

    /// Whether `message`, whose To tag is ours on `leg`, is inside that leg's dialog.
    pub fn is_dialog_of(&self, leg: LegRef, message: &Message) -> bool {
        match leg {
            LegRef::A => self.a.dialog.matches(message),
            // Early dialogs of an attempt are not kept apart: the Call-ID must do, with our tag.
            LegRef::B(index) => match &self.b {
                Some(leg) if self.is_answered_by(index) => leg.dialog.matches(message),
                _ => self.attempt_has(index, message.call_id().unwrap_or_default()),
            },
        }
    }

    fn is_answered_by(&self, index: u32) -> bool {
        // A restored call has its dialog, not its attempts.
        let tag =
            usize::try_from(index).ok().and_then(|index| self.attempts.get(index)).map(|one| &one.local_tag);
        self.b.as_ref().is_some_and(|leg| tag.is_none_or(|tag| *tag == leg.dialog.local_tag))
    }

    fn attempt_has(&self, index: u32, call_id: &str) -> bool {
        let attempt = usize::try_from(index).ok().and_then(|index| self.attempts.get(index));
        attempt.is_some_and(|attempt| attempt.invite.call_id().is_ok_and(|own| own == call_id))
    }

    /// The SIP Call-ID of a leg; the b-leg's is that of the newest attempt, the caller's before there is one.
    pub fn call_id(&self, side: Side) -> &str {
        let b = self.b.as_ref().map(|leg| leg.dialog.call_id.as_str()).filter(|id| !id.is_empty());
        let newest = self.attempts.last().and_then(|attempt| attempt.invite.call_id().ok());
        match side {
            Side::A => &self.a.dialog.call_id,
            Side::B => b.or(newest).unwrap_or(&self.a.dialog.call_id),
        }
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
        // Each attempt has a Call-ID of its own; a restored call has no attempts.
        let attempt = self.attempts.iter().find(|attempt| attempt.invite.call_id() == Ok(call_id));
        let party =
            attempt.map(|attempt| &attempt.flow).or(self.b.as_ref().map(|leg| &leg.flow))?.party.as_ref()?;
        match party {
            Party::VoiceConnector(own) => Some((own, call_id)),
            Party::Carrier(_) => Some((account.outbound.as_deref()?, self.call_id(Side::A))),
        }
    }

    /// Where a leg's party is.
    pub fn endpoint(&self, side: Side) -> Option<std::net::IpAddr> {
        self.leg(side).map(|leg| leg.flow.remote.ip())
    }

    /// What its record would say if the call ended now.
    pub fn settled(&self, cause: Cause) -> Settled {
        let taken = |attempt: &AttemptDetail| attempt.status == Some(200);
        let took_it = self.times.answered.is_some() || self.tried.last().is_some_and(taken);
        Settled {
            transaction_id: self.transaction_id,
            account: self.account.clone(),
            times: self.times,
            a_call_id: self.call_id(Side::A).to_owned(),
            b_call_id: self.call_id(Side::B).to_owned(),
            cause,
            notes: self.released_note().into_iter().chain(self.media.strangers_note()).collect(),
            carrier: self.carrier.clone().filter(|_| took_it),
            ended_by: self.ending.by(),
            reason: self.ending.reason(),
            attempts: self.tried.clone(),
        }
    }

    /// Both legs, for whoever must hang them up after a restart, without what only their media needs (keys must not
    /// lie on the disk); `None` before the answer.
    pub fn legs(&self) -> Option<[Leg; 2]> {
        Some([self.a.without_media(), self.b.as_ref()?.without_media()])
    }

    fn leg(&self, side: Side) -> Option<&Leg> {
        match side {
            Side::A => Some(&self.a),
            Side::B => self.b.as_ref(),
        }
    }

    fn leg_mut(&mut self, side: Side) -> Option<&mut Leg> {
        match side {
            Side::A => Some(&mut self.a),
            Side::B => self.b.as_mut(),
        }
    }

    /// How challenges of a leg's party are answered.
    fn credentials_of(&self, side: Side) -> Option<(String, Secret)> {
        match side {
            Side::A => self.caller_credentials.clone(),
            Side::B => self.credentials.clone(),
        }
    }

    fn request_id(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }

    /// Sends a request that a client transaction carries; the call outlives it.
    fn send(&mut self, message: Message, hop: Hop) -> RequestId {
        let request = self.request_id();
        self.open_requests.push(request);
        self.actions.push_back(Action::Request { request, message, hop });
        request
    }

    fn respond(&mut self, server: ServerId, response: Message) {
        self.actions.push_back(Action::Respond { server, response });
    }

    /// An answer that we give ourselves, its cause in the reason phrase and in `Reason`.
    fn refuse(&mut self, server: ServerId, request: &Message, local_tag: &str, cause: &Cause) {
        self.respond(server, cause.reply(request, Some(local_tag)).build());
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
