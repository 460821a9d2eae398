//! The signalling core of one shard: transactions, dialogs and calls, owned outright, sans-IO.
//!
//! Bytes were parsed outside; time, randomness, names, disk and media come in as [`Input`]s and go out as
//! [`Output`]s, so the whole core runs in a test under virtual time.
//!
//! ```text
//! Input::Message -> stateless (checks, stateless responses) -> sip::transaction -> dispatch -> Call -> actions -> Output
//! ```

mod actions;
mod adopt;
mod asked;
mod attempts;
pub mod calls_up;
mod changes;
mod copying;
mod dispatch;
mod emergency;
mod explained;
mod fault;
mod flow;
mod handed_on;
mod hosts;
pub mod io;
mod journal;
mod kept;
mod kin;
mod large;
pub mod live;
mod make_room;
mod media;
mod new_call;
mod open;
mod options;
mod parked;
mod parties;
mod passing;
mod peers_lines;
mod per_source;
mod permits;
mod probe;
mod profiles;
mod questions;
mod recording;
mod redirect;
mod refer;
mod refusal_lines;
mod refusal_records;
mod refuse;
mod register;
mod registrations;
mod replaces;
pub mod shared;
mod sip_log;
mod sound;
mod stateless;
mod traced;
pub mod unproven;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sip::auth::Nonces;
use sip::transaction::{ClientId, Owner, ServerId, Timers, Transactions};
use smol_str::SmolStr;
use uuid::Uuid;

use crate::call::{Call, Event, LegRef, RequestId};
use crate::clock::Now;
use crate::ids::Tokens;
use crate::local::Locals;
use crate::media::{CallStatistics, MediaKey};
use crate::metrics::ShardMetrics;
use crate::record::{EndedBy, Lost};
use crate::reply::Cause;
use crate::resolve::Lookup;
use crate::route::RouteEnd;
use crate::trace::Tap;
use crate::why::Ladder;

pub use adopt::AdoptError;
pub use io::{Effect, Input, Machine, OrphanCall, Output, QueryId};
pub use kin::Word;
pub use live::{Live, LiveError};
pub(crate) use parties::facts;
pub use shared::Shared;

/// One call in this shard: the number that its media keys carry above their low 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(u64);

impl CallKey {
    /// Above so many bits is the number of the shard that has the call.
    const SHARD_SHIFT: u32 = 40;

    fn shard(self) -> u16 {
        u16::try_from(self.0 >> Self::SHARD_SHIFT).unwrap_or(u16::MAX)
    }

    fn media(self) -> MediaKey {
        MediaKey(self.0 << 8)
    }
}

impl From<MediaKey> for CallKey {
    fn from(key: MediaKey) -> CallKey {
        CallKey(key.0 >> 8)
    }
}

/// A call and what the core holds for it.
struct Slot {
    call: Call,
    /// The server transaction of the INVITE that began it. Kept while the call is up: a late copy must not become a second
    /// call.
    invite: Option<ServerId>,
    /// Which deadline stands in `wakeups`.
    wakeup: Option<Instant>,
    /// Client transactions by the call's own numbers.
    requests: HashMap<RequestId, ClientId>,
    permits: permits::Permits,
    kin: kin::Kin,
    /// What crossed, until the call has come to nothing.
    ladder: Ladder,
    /// How attempts at hosts failed, in order.
    ends: Vec<RouteEnd>,
    /// Which media session of it is looked at, and by whom.
    tapped: Option<Box<(MediaKey, Tap)>>,
    /// Which media session of it has its RTCP told.
    reports: Option<MediaKey>,
    /// The connectors whose sinks its sound goes to, and to which it went.
    sound: Option<Box<sound::Sound>>,
    /// Where it is kept what became of it.
    explained: Option<explained::EntryId>,
    /// Its end, until it is written down.
    unwritten: Option<journal::Unwritten>,
    /// Those figures, where they came before its end.
    figures: Option<Box<CallStatistics>>,
    /// It is in the journal.
    journaled: bool,
    /// What it has in the journal since it rings, but for the connector that calls: the others may not be its own at its end.
    ringing: Vec<crate::record::CallKey>,
    /// What the journal has of it still, though it is over: its parties have not all heard so.
    hanging_up: Vec<crate::record::CallKey>,
    /// Media packets that were lost since it began.
    lost: Lost,
    /// What its media was like.
    minutes: questions::Minutes,
}

impl Slot {
    /// A call that nothing has left yet.
    fn new(now: Now, call: Call, permits: permits::Permits) -> Box<Self> {
        let (requests, kin, ends, lost) = Default::default();
        let ladder = Ladder::new(now);
        let (invite, wakeup, tapped, reports, explained, unwritten, figures, minutes) = Default::default();
        let (journaled, ringing, hanging_up, sound) = Default::default();
        Box::new(Self {
            call,
            invite,
            wakeup,
            requests,
            permits,
            kin,
            ladder,
            ends,
            journaled,
            ringing,
            hanging_up,
            sound,
            tapped,
            reports,
            explained,
            unwritten,
            figures,
            lost,
            minutes,
        })
    }
}

/// Whose client transaction it is.
#[derive(Debug, Clone, Copy)]
enum Client {
    Call(CallKey, RequestId),
    Probe(probe::Probe),
    Registration(registrations::Asking),
}

/// What a name is looked up for.
enum Query {
    /// A call's route.
    Route(CallKey, u32, Lookup),
    /// Where a call's media goes.
    Media(CallKey, u32, Arc<str>),
    /// A request that is ready but for its address.
    Parked(Box<parked::Parked>),
    /// The same, and the message did not wait any more.
    Missed(Lookup),
    /// A host that is probed.
    Probe(Lookup),
    /// A registrar of a carrier's.
    Registration(u32),
}

/// The core of one shard.
pub struct Core {
    shared: Arc<Shared>,
    /// What calls that begin now are made under.
    live: Arc<Live>,
    /// What we are towards each peer, under that configuration.
    locals: Arc<Locals>,
    gauges: ShardMetrics,
    tokens: Tokens,
    nonces: Nonces,
    transactions: Transactions<flow::Flow>,
    /// In the order in which they began, so that a list of them can be asked for in pages. Boxed: what is moved when one comes or
    /// goes is small.
    calls: BTreeMap<CallKey, Box<Slot>>,
    /// Our tags, and whose they are.
    tags: HashMap<SmolStr, (CallKey, LegRef)>,
    /// Tags that were ours, and the shard that their legs have gone to.
    moved: HashMap<String, u16>,
    /// INVITEs that went to another shard.
    handed_on: handed_on::HandedOn,
    /// Which calls are recorded elsewhere.
    copies: copying::Copies,
    clients: HashMap<ClientId, Client>,
    /// Requests that went by TCP for their size.
    large: large::LargeRequests,
    /// BYEs of ours that are not answered yet: a gateway that stops waits for them.
    byes: HashSet<ClientId>,
    servers: HashMap<ServerId, CallKey>,
    /// The requests that are being served, by their source.
    per_source: per_source::PerSource,
    queries: HashMap<QueryId, Query>,
    unresolved: parked::Unresolved,
    wakeups: BTreeSet<(Instant, CallKey)>,
    /// What calls of this shard have to tell each other: from which, to which.
    told: VecDeque<(CallKey, CallKey, Event)>,
    probes: probe::Probes,
    registrations: registrations::Registrations,
    explained: explained::Explained,
    refusals: refusal_records::RefusalRecords,
    refusal_lines: refusal_lines::RefusalLines,
    emergency_lines: refusal_lines::RefusalLines<emergency::Told>,
    login_lines: refusal_lines::RefusalLines,
    call_lines: refusal_lines::RefusalLines<Uuid>,
    reports: questions::Reports,
    next_call: u64,
    next_query: u64,
    draining: Draining,
    /// The last call is gone, and that was said.
    drained: bool,
    outputs: VecDeque<Output>,
}

/// Whether new calls are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Draining {
    No,
    /// Only emergency calls are.
    Yes,
    /// None, and the live ones were hung up.
    Stopped,
}

impl Core {
    /// The core of shard `tokens.shard()`.
    pub fn new(now: Now, shared: Arc<Shared>, live: Arc<Live>, mut tokens: Tokens) -> Core {
        let shard = tokens.shard();
        let probes = probe::Probes::new(now, &live.config, shard, tokens.random());
        shared.registrar.configure(&live.config);
        let per_source = per_source::PerSource::new(shared.memory);
        let mut core = Core {
            nonces: Nonces::new(shared.nonce_key, shard, stateless::NONCE_LIFETIME),
            gauges: shared.metrics.shard(shard),
            locals: Arc::new(Locals::new(&live.config, &shared.bound.load())),
            shared,
            live,
            transactions: Transactions::new(Timers::default()),
            calls: BTreeMap::new(),
            tags: HashMap::new(),
            moved: HashMap::new(),
            handed_on: handed_on::HandedOn::default(),
            copies: copying::Copies::default(),
            clients: HashMap::new(),
            large: large::LargeRequests::default(),
            byes: HashSet::new(),
            servers: HashMap::new(),
            per_source,
            queries: HashMap::new(),
            unresolved: parked::Unresolved::default(),
            wakeups: BTreeSet::new(),
            told: VecDeque::new(),
            probes,
            registrations: registrations::Registrations::default(),
            explained: explained::Explained::default(),
            refusals: refusal_records::RefusalRecords::default(),
            refusal_lines: refusal_lines::RefusalLines::default(),
            emergency_lines: refusal_lines::RefusalLines::default(),
            login_lines: refusal_lines::RefusalLines::default(),
            call_lines: refusal_lines::RefusalLines::default(),
            reports: questions::Reports::default(),
            next_call: u64::from(shard) << CallKey::SHARD_SHIFT,
            next_query: 0,
            draining: Draining::No,
            drained: false,
            outputs: VecDeque::new(),
            tokens,
        };
        core.configure_registrations(now);
        core
    }

    /// Calls that are set up or up now.
    pub fn live_calls(&self) -> usize {
        self.calls.values().filter(|slot| slot.call.is_live()).count()
    }

    /// What the core holds, for gauges and for the law that nothing stays: calls (also those that only wait for late
    /// messages), tags, client and server transactions (but probes and REGISTERs), and whose they are; questions and
    /// deadlines.
    pub fn held(&self) -> [usize; 8] {
        let probes = self.clients.values().filter(|client| !matches!(client, Client::Call(..))).count();
        [
            self.calls.len(),
            self.tags.len() + self.moved.len(),
            self.transactions.client_len().saturating_sub(probes),
            self.transactions.server_len(),
            self.clients.len().saturating_sub(probes) + self.large.len(),
            self.servers.len(),
            self.queries.len(),
            self.wakeups.len(),
        ]
    }

    /// What it may call its own, in bytes.
    #[cfg(test)]
    pub(crate) fn has_memory(&mut self, bytes: u64) {
        self.per_source = per_source::PerSource::new(bytes);
    }

    /// The callers' Call-IDs of what is left, for the ladder of a simulation.
    #[cfg(test)]
    pub(crate) fn call_ids(&self) -> Vec<String> {
        let side = crate::media::Side::A;
        self.calls.values().map(|slot| slot.call.call_id(side).to_owned()).collect()
    }

    fn event(&mut self, now: Now, key: CallKey, event: Event) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        slot.call.handle(now, &mut self.tokens, event);
        self.drain(now, key);
    }

    /// After a call moved: its actions, what follows from them, its deadline, its end.
    fn drain(&mut self, now: Now, key: CallKey) {
        loop {
            let mut follow = Vec::new();
            while let Some(action) = self.calls.get_mut(&key).and_then(|slot| slot.call.poll_action()) {
                follow.extend(self.act(now, key, action));
            }
            let Some(slot) = self.calls.get_mut(&key) else { return };
            if follow.is_empty() {
                break;
            }
            for event in follow {
                slot.call.handle(now, &mut self.tokens, event);
            }
        }
        self.write_records(key);
        self.copied_moved(now, key);
        let Some(slot) = self.calls.get_mut(&key) else { return };
        slot.call.pack();
        if !slot.hanging_up.is_empty() && slot.call.is_hung_up() {
            let entries = std::mem::take(&mut slot.hanging_up);
            self.outputs.push_back(Output::Effect(Effect::HungUp { entries }));
        }
        let over = slot.call.is_over();
        let wakeup = slot.call.poll_timeout().filter(|_| !over);
        if slot.wakeup != wakeup {
            if let Some(old) = slot.wakeup {
                self.wakeups.remove(&(old, key));
            }
            if let Some(new) = wakeup {
                self.wakeups.insert((new, key));
            }
            slot.wakeup = wakeup;
        }
        if over && let Some(slot) = self.calls.remove(&key) {
            for tag in slot.call.tags() {
                self.unbind(tag, key);
            }
            self.copies.forget(key);
        }
    }

    /// Carries out what the transaction layer wants until it is quiet.
    fn pump(&mut self, now: Now) {
        loop {
            while let Some(output) = self.transactions.poll_output() {
                self.dispatch(now, output);
            }
            let Some((from, to, event)) = self.told.pop_front() else { break };
            self.hear(now, from, to, event);
        }
        if self.draining != Draining::No && !self.drained && self.is_down() {
            // Not before: a call for help may need a carrier that knows us.
            self.stop_registrations(now);
            while let Some(output) = self.transactions.poll_output() {
                self.dispatch(now, output);
            }
        }
        if self.draining != Draining::No && !self.drained && self.is_down() && self.registrations.are_over() {
            self.drained = true;
            self.effect(Effect::Drained);
        }
        self.gauges.set_transactions(self.transactions.client_len(), self.transactions.server_len());
        self.gauges.set_dialogs(self.tags.len());
    }

    /// Whether every call has ended, its records are written and the parties know it: our BYEs and CANCELs are answered.
    fn is_down(&self) -> bool {
        let parked = |query: &Query| matches!(query, Query::Parked(_));
        self.byes.is_empty()
            && self.calls.values().all(|slot| slot.call.is_down() && slot.unwritten.is_none())
            && !self.queries.values().any(parked)
    }

    fn hang_up_all(&mut self, now: Now, cause: &Cause) {
        let keys: Vec<CallKey> = self.calls.keys().copied().collect();
        for key in keys {
            self.event(now, key, Event::HangUp { cause: cause.clone(), by: EndedBy::Gateway });
        }
    }
}

impl Machine for Core {
    fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Message { source, message } => self.handle_message(now, source, message, 0),
            Input::HandedOn { source, message, hops } => self.handle_message(now, source, message, hops),
            Input::SendFailed { owner: Owner::Client(id) } => {
                self.transactions.handle_client_error(now.instant, id);
            }
            Input::SendFailed { owner: Owner::Server(id) } => {
                self.transactions.handle_server_error(now.instant, id);
            }
            Input::SendFailed { owner: Owner::Stateless } => {}
            Input::ConnectionEnded(connection) => {
                self.shared.registrar.lost(connection);
                self.registration_flow_lost(now, connection);
            }
            Input::Resolved { query, result } => self.handle_resolved(now, query, result),
            Input::Media(event) => self.handle_media(now, event),
            Input::MakeRoom { asked } => self.make_room(None, asked),
            Input::Journaled { call } => self.event(now, CallKey(call), Event::Journaled),
            Input::Word(word) => self.hear_word(now, word),
            Input::Untold(word) => self.untold(word),
            Input::Orphan(orphan) => self.hang_up_orphan(now, orphan),
            Input::Configuration { live, taken: _taken } => {
                self.live = live;
                self.locals = Arc::new(Locals::new(&self.live.config, &self.shared.bound.load()));
                let shard = self.tokens.shard();
                if shard == 0 {
                    // One that is behind would bring back what holds no more.
                    self.shared.registrar.configure(&self.live.config);
                }
                self.probes.configure(now, &self.live.config, shard, self.tokens.random());
                self.configure_registrations(now);
            }
            Input::Question { id, question } => self.asked(now, id, question),
            Input::Drain => {
                if self.draining == Draining::No {
                    self.draining = Draining::Yes;
                }
            }
            Input::Stop => {
                self.draining = Draining::Stopped;
                self.drained = false;
                let cause = Cause::new(503, "Gateway is shutting down").later(Duration::from_secs(30));
                self.hang_up_all(now, &cause);
                self.stop_registrations(now);
            }
        }
        self.pump(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.transactions.handle_timeout(now.instant);
        self.handle_unresolved(now);
        self.pump(now);
        while let Some((at, key)) = self.wakeups.first().copied() {
            if at > now.instant {
                break;
            }
            self.wakeups.pop_first();
            if let Some(slot) = self.calls.get_mut(&key) {
                slot.wakeup = None;
                slot.call.handle_timeout(now, &mut self.tokens);
            }
            self.drain(now, key);
        }
        for (source, left_out) in self.refusal_lines.handle_timeout(now.instant) {
            let source = source.map(tracing::field::display);
            tracing::warn!(source, left_out, "more calls were refused");
        }
        self.count_emergency_lines(now);
        self.count_peers_lines(now);
        self.handle_probes(now);
        self.handle_registrations(now);
        self.pump(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let calls = self.wakeups.first().map(|(at, _)| *at);
        let own = [
            self.transactions.poll_timeout(),
            self.probes.poll_timeout(),
            self.registrations.poll_timeout(),
            self.unresolved.poll_timeout(),
            self.refusal_lines.poll_timeout(),
            self.emergency_lines.poll_timeout(),
            self.login_lines.poll_timeout(),
            self.call_lines.poll_timeout(),
        ];
        own.into_iter().flatten().chain(calls).min()
    }
}
