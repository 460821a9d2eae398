//! Virtual time, and everything that the gateway's core stands between: phones, network, media, journal, names.

mod network;
mod process;
mod workers;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use config::Config;
use sip::Message;

use super::connections::Connections;
use super::ladder::{Line, draw};
use super::laws::Watch;
use super::link::Link;
use super::phone::{News, Phone};
use crate::clock::Now;
use crate::core::{Core, Input, Machine, Shared};
use crate::ids::{HashKey, Ownership};
use crate::media::{Command, MediaKey, Side};
use crate::metrics::Metrics;
use crate::peer::{ConnectionId, ListenerId, Peer, Source, Transport};
use crate::question::{Answer, QuestionId};
use crate::random::SeededRandom;
use crate::record::{AnsweredCall, CallDetail, CallFacts, CallKey, SipMessageFacts};
use process::{gateway, parsed};

/// When the simulation begins, as time since the Unix epoch.
pub(crate) const EPOCH: Duration = Duration::from_secs(1_700_000_000);

/// Where the gateway of every scenario listens and takes media.
pub(crate) const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// How long a shard takes to hear what another one tells.
const BETWEEN_SHARDS: Duration = Duration::from_micros(50);

/// So many calls have room, as signalling believes; the simulated media workers refuse none.
const ROOM: usize = 200;

/// A phone of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PhoneId(pub usize);

/// One call of one phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CallId(pub PhoneId, pub usize);

/// How something outside answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    After(Duration),
    Failing,
    Never,
}

pub(crate) const AT_ONCE: Answers = Answers::After(Duration::ZERO);

type Deed = Box<dyn FnOnce(&mut World)>;

enum Coming {
    Core(u16, Input),
    ToGateway(Source, Message),
    ToPhone(PhoneId, Message, Option<ConnectionId>),
    Deed(Deed),
}

/// When cores and phones want to be woken, as they said after they last did something: asking each of them at each step would
/// cost more than what they do.
#[derive(Default)]
struct Wakes {
    cores: Vec<Option<Instant>>,
    phones: Vec<Option<Instant>>,
}

impl Wakes {
    fn first(&self) -> Option<Instant> {
        self.cores.iter().chain(&self.phones).flatten().min().copied()
    }
}

/// See the module.
pub(crate) struct World {
    start: Instant,
    now: Instant,
    /// What the wall clock said at the start; somebody may set it.
    pub wall: Duration,
    /// What calls that begin now are made under.
    pub config: Arc<Config>,
    serial: u64,
    queue: BTreeMap<(Instant, u64), Coming>,
    wakes: Wakes,
    pub random: SeededRandom,
    pub link: Link,
    pub media: Answers,
    /// So many media sessions may be open at one time.
    pub media_room: usize,
    pub journal: Answers,
    pub names: HashMap<String, Vec<SocketAddr>>,
    pub look_up_takes: Duration,
    /// Addresses that refuse (`true`) or swallow whatever is sent there.
    pub dead: HashMap<SocketAddr, bool>,
    /// What is sent to these phones takes so much longer.
    pub far: HashMap<PhoneId, Duration>,
    /// Call-IDs of messages that went there.
    pub unreached: HashSet<String>,
    pub shared: Arc<Shared>,
    pub metrics: Metrics,
    accepts_calls: Arc<AtomicBool>,
    pub cores: Vec<Core>,
    ownership: Ownership,
    pub phones: Vec<Phone>,
    by_address: HashMap<(Transport, SocketAddr), PhoneId>,
    /// Where phones' datagrams come from, and the address of their connections, where that is not their own.
    outside: HashMap<PhoneId, SocketAddr>,
    connections: Connections,
    /// Which shards are told when a connection ends.
    watched: HashSet<(ConnectionId, u16)>,
    /// On streams nothing overtakes.
    streams: HashMap<(PhoneId, bool), Instant>,
    /// Media sessions that are open, with the addresses told for them.
    pub open_media: HashMap<MediaKey, usize>,
    media_busy: HashMap<MediaKey, Instant>,
    /// Whose each RTP port of the gateway is.
    media_ports: HashMap<u16, (MediaKey, Side)>,
    pub media_log: Vec<(Duration, Command)>,
    next_port: u16,
    pub cdrs: Vec<CallFacts>,
    pub details: Vec<CallDetail>,
    pub sip_log: Vec<SipMessageFacts>,
    pub journaled: Vec<AnsweredCall>,
    /// What the journal was told of calls that rang.
    pub ringing: Vec<AnsweredCall>,
    /// What the journal has of calls without an end.
    pub open_calls: HashSet<CallKey>,
    /// Calls that are over, while their parties have not all heard so.
    pub hanging_up: Vec<CallKey>,
    /// Those that have, and calls of an earlier run that are hung up.
    pub hung_up: Vec<CallKey>,
    pub drained: Vec<u16>,
    /// What the shards said to questions.
    pub said: Vec<(u16, QuestionId, Answer)>,
    /// The calls whose sound was wanted.
    pub listened: Vec<crate::sound::Listen>,
    /// How recordings of such calls were to change.
    pub recordings: Vec<crate::sound::Change>,
    /// Messages that a shard handed on to another one.
    pub handed_on: usize,
    pub ladder: Vec<Line>,
    /// OPTIONS that the gateway sent, which are in no ladder.
    pub probes: Vec<(Peer, Message)>,
    /// The listener that a phone's messages come to, where it is not the first of its transport.
    pub arrives_at: HashMap<PhoneId, ListenerId>,
    pub watch: Watch,
    /// What happens when a phone has news: the random phones' wits.
    pub wits: Option<fn(&mut World, PhoneId, News)>,
    /// No gateway: what a phone sends goes straight to the phone whose address it names.
    pub direct: bool,
}

impl World {
    /// A gateway of `shards` under `config` (TOML), without phones.
    pub fn new(config: &str, shards: u16, seed: u64) -> World {
        let start = Instant::now();
        let config = parsed(config);
        let key = HashKey::random(&mut SeededRandom::new(seed ^ 0x5eed));
        let now = Now { instant: start, unix: EPOCH };
        let accepts_calls = Arc::new(AtomicBool::new(true));
        let (shared, metrics, cores) = gateway(config.clone(), now, shards, seed, &accepts_calls);
        World {
            start,
            now: start,
            wall: EPOCH,
            config,
            serial: 0,
            queue: BTreeMap::new(),
            wakes: Wakes::default(),
            random: SeededRandom::new(seed),
            link: Link::PERFECT,
            media: AT_ONCE,
            media_room: usize::MAX,
            journal: AT_ONCE,
            names: HashMap::new(),
            look_up_takes: Duration::from_millis(20),
            dead: HashMap::new(),
            far: HashMap::new(),
            unreached: HashSet::new(),
            cores,
            shared,
            metrics,
            accepts_calls,
            ownership: Ownership::new(0, shards, key),
            phones: Vec::new(),
            by_address: HashMap::new(),
            outside: HashMap::new(),
            connections: Connections::default(),
            watched: HashSet::new(),
            streams: HashMap::new(),
            open_media: HashMap::new(),
            media_busy: HashMap::new(),
            media_ports: HashMap::new(),
            media_log: Vec::new(),
            next_port: 20_000,
            cdrs: Vec::new(),
            details: Vec::new(),
            sip_log: Vec::new(),
            journaled: Vec::new(),
            ringing: Vec::new(),
            open_calls: HashSet::new(),
            hanging_up: Vec::new(),
            hung_up: Vec::new(),
            drained: Vec::new(),
            said: Vec::new(),
            listened: Vec::new(),
            recordings: Vec::new(),
            handed_on: 0,
            ladder: Vec::new(),
            probes: Vec::new(),
            arrives_at: HashMap::new(),
            watch: Watch::default(),
            wits: None,
            direct: false,
        }
    }

    /// Time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    pub fn clocks(&self) -> Now {
        Now { instant: self.now, unix: self.wall + self.elapsed() }
    }

    /// Lets `seconds` pass.
    pub fn run(&mut self, seconds: f64) {
        let until = self.now + Duration::from_secs_f64(seconds);
        self.ask_all();
        while let Some(next) = self.next().filter(|next| *next <= until) {
            self.step(next);
        }
        self.now = self.now.max(until);
    }

    /// Does something after `delay`.
    pub fn after(&mut self, delay: Duration, deed: impl FnOnce(&mut World) + 'static) {
        self.queue(self.now + delay, Coming::Deed(Box::new(deed)));
    }

    /// The phones take no offence at faults: they are answers to noise.
    pub fn deaf_to_faults(&mut self) {
        for phone in &mut self.phones {
            phone.habits.strict = false;
        }
    }

    /// Hands the core of `shard` something.
    pub fn input(&mut self, shard: u16, input: Input) {
        let now = self.clocks();
        self.cores[usize::from(shard)].handle(now, input);
        self.drain(shard);
    }

    /// Does what a core wants done that was spoken to without the world.
    pub fn settle(&mut self, shard: u16) {
        self.drain(shard);
    }

    /// Whether anything of a call's leg has reached the gateway.
    pub fn hears(&self, call_id: &str) -> bool {
        let mine = |line: &&Line| line.to == "gw" && line.message.call_id().is_ok_and(|one| one == call_id);
        self.ladder.iter().filter(mine).any(|line| line.copies > 0)
    }

    /// Lets a phone do something and sends what comes of it.
    pub fn with<R>(&mut self, phone: PhoneId, act: impl FnOnce(&mut Phone, Instant) -> R) -> R {
        let now = self.now;
        let result = act(&mut self.phones[phone.0], now);
        self.flush(phone);
        result
    }

    /// The ladder of the calls with these Call-IDs; of all without any.
    pub fn draw(&self, call_ids: &[String]) -> String {
        draw(&self.ladder, call_ids)
    }

    fn next(&self) -> Option<Instant> {
        let queue = self.queue.first_key_value().map(|((at, _), _)| *at);
        queue.into_iter().chain(self.wakes.first()).min()
    }

    /// Lets what comes next happen.
    pub fn go_on(&mut self) {
        if let Some(next) = self.next() {
            self.step(next);
        }
    }

    fn step(&mut self, next: Instant) {
        self.now = self.now.max(next);
        while let Some(entry) = self.queue.first_entry()
            && entry.key().0 <= self.now
        {
            let coming = entry.remove();
            self.come(coming);
        }
        let now = self.clocks();
        for shard in 0..self.cores.len() {
            if self.wakes.cores[shard].is_some_and(|at| at <= self.now) {
                self.cores[shard].handle_timeout(now);
                self.drain(u16::try_from(shard).unwrap());
            }
        }
        for phone in 0..self.phones.len() {
            if self.wakes.phones[phone].is_some_and(|at| at <= self.now) {
                self.phones[phone].handle_timeout(self.now);
                self.flush(PhoneId(phone));
            }
        }
    }

    /// Asks everybody when to be woken: a scenario may have done anything to them.
    fn ask_all(&mut self) {
        self.wakes.cores = self.cores.iter().map(Machine::poll_timeout).collect();
        self.wakes.phones = self.phones.iter().map(Phone::poll_timeout).collect();
    }

    fn come(&mut self, coming: Coming) {
        match coming {
            Coming::Core(shard, input) => self.input(shard, input),
            Coming::Deed(deed) => {
                deed(self);
                self.ask_all();
            }
            Coming::ToGateway(source, message) => {
                if source.connection.is_some_and(|id| !self.connections.received(id, &message)) {
                    return;
                }
                let shard = self.ownership.owner(&message);
                self.watch.arrives(self.now - self.start, &message);
                self.input(shard, Input::Message { source, message });
            }
            Coming::ToPhone(phone, message, connection) => {
                if connection.is_some_and(|id| self.connections.get(id).is_none()) {
                    return;
                }
                let now = self.now;
                self.phones[phone.0].handle_message(now, message, connection);
                self.flush(phone);
            }
        }
    }

    /// What a phone wants sent, and what its wits make of its news.
    fn flush(&mut self, phone: PhoneId) {
        while let Some((message, flow)) = self.phones[phone.0].poll_output() {
            self.send_by(phone, message, flow);
        }
        if let Some(wits) = self.wits {
            while let Some(news) = self.phones[phone.0].news.pop_front() {
                wits(self, phone, news);
            }
        }
        if let Some(wake) = self.wakes.phones.get_mut(phone.0) {
            *wake = self.phones[phone.0].poll_timeout();
        }
    }

    fn drain(&mut self, shard: u16) {
        while let Some(output) = self.cores[usize::from(shard)].poll_output() {
            self.perform(shard, output);
        }
        if let Some(wake) = self.wakes.cores.get_mut(usize::from(shard)) {
            *wake = self.cores[usize::from(shard)].poll_timeout();
        }
    }

    fn queue(&mut self, at: Instant, coming: Coming) {
        self.serial += 1;
        self.queue.insert((at, self.serial), coming);
    }
}

/// Different transaction ids among `cdrs`.
pub(crate) fn transaction_ids(cdrs: &[CallFacts]) -> HashSet<&str> {
    cdrs.iter().map(|facts| facts.transaction_id.as_str()).collect()
}
