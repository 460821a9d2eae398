//! Virtual time, and everything that the gateway's core stands between: phones, network, media, journal, names.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use config::Config;
use sip::transaction::Owner;
use sip::{Message, Method};

use super::connections::Connections;
use super::ladder::{Line, draw};
use super::laws::Watch;
use super::link::Link;
use super::phone::{News, Phone};
use crate::clock::Now;
use crate::core::{Core, Effect, Input, Live, Machine, Output, Shared, Word};
use crate::ids::{HashKey, Ownership, Tokens};
use crate::listen::{Guard, GuardLimits};
use crate::media::{
    CallStatistics, Command, MediaEvent, MediaKey, MediaRoom, MediaSettings, NoRoom, OwnAddresses, Ports,
    Remote, Side,
};
use crate::metrics::Metrics;
use crate::peer::{ConnectionId, ListenerId, Peer, Source, Transport};
use crate::random::SeededRandom;
use crate::record::{AnsweredCall, CallDetail, CallFacts, Record, SipMessageFacts};
use crate::resolve::{Lookup, ResolveError};

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
    pub drained: Vec<u16>,
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
            drained: Vec::new(),
            handed_on: 0,
            ladder: Vec::new(),
            probes: Vec::new(),
            arrives_at: HashMap::new(),
            watch: Watch::default(),
            wits: None,
            direct: false,
        }
    }

    /// Puts a phone at `address`.
    pub fn phone(&mut self, name: &'static str, address: &str, transport: Transport) -> PhoneId {
        let id = PhoneId(self.phones.len());
        let address = address.parse().unwrap();
        let seed = crate::random::Random::next_u64(&mut self.random);
        self.phones.push(Phone::new(name, address, transport, seed));
        self.by_address.insert((transport, address), id);
        id
    }

    /// What `phone` sends comes from `outside` now, and what is sent there reaches it: a NAT, or a port of its own for
    /// what it sends.
    pub fn sends_from(&mut self, phone: PhoneId, outside: &str) {
        let transport = self.phones[phone.0].transport;
        let outside = outside.parse().unwrap();
        if let Some(before) = self.outside.insert(phone, outside) {
            self.by_address.remove(&(transport, before));
        }
        self.by_address.insert((transport, outside), phone);
    }

    /// What is sent to `outside` reaches `phone` too.
    pub fn is_also_at(&mut self, phone: PhoneId, outside: &str) {
        let transport = self.phones[phone.0].transport;
        self.by_address.insert((transport, outside.parse().unwrap()), phone);
    }

    /// `phone` takes TCP connections at its address too. What it is asked there it answers there.
    pub fn takes_tcp(&mut self, phone: PhoneId) {
        self.by_address.insert((Transport::Tcp, self.phones[phone.0].address), phone);
    }

    /// Puts a message on its way to the gateway by a connection of `phone`'s own.
    pub fn send_by_tcp(&mut self, phone: PhoneId, message: Message) {
        let address = self.phones[phone.0].address;
        let connection = self.connections.of(phone, address);
        self.send_by(phone, message, Some(connection));
    }

    /// `phone` believes that it is at `inside`, where nobody reaches it.
    pub fn hides_at(&mut self, phone: PhoneId, inside: &str) {
        let Phone { transport, address, .. } = self.phones[phone.0];
        self.by_address.remove(&(transport, address));
        self.phones[phone.0].address = inside.parse().unwrap();
    }

    /// All connections of `phone` break: whoever waited for an answer by one of them is told.
    pub fn lose_connections(&mut self, phone: PhoneId) {
        for (owner, shard) in self.connections.close(phone) {
            self.queue(self.now, Coming::Core(shard, Input::SendFailed { owner }));
        }
        let ended = |(id, _): &(ConnectionId, u16)| self.connections.get(*id).is_none();
        let mut told: Vec<_> = self.watched.iter().copied().filter(ended).collect();
        told.sort();
        for (id, shard) in told {
            self.watched.remove(&(id, shard));
            self.queue(self.now, Coming::Core(shard, Input::ConnectionEnded(id)));
        }
    }

    /// Nobody can connect to `phone`: it has no port open, or a firewall before it.
    pub fn takes_no_connections(&mut self, phone: PhoneId) {
        self.by_address.retain(|_, at| *at != phone);
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

    /// A new configuration (TOML) holds for what begins from now on.
    pub fn configure(&mut self, config: &str) {
        self.config = parsed(config);
        let live = Arc::new(Live::new(self.config.clone()).unwrap());
        let shards = u16::try_from(self.cores.len()).unwrap();
        (0..shards).for_each(|shard| self.input(shard, Input::Configuration(live.clone())));
    }

    /// The process dies and another one takes its place: the same configuration, nothing else. Returns what the cores
    /// had written down of their calls, as text.
    pub fn restart(&mut self) -> Vec<Vec<String>> {
        let written = |core: &Core| core.snapshots().iter().map(ToString::to_string).collect();
        let snapshots = self.cores.iter().map(written).collect();
        let shards = u16::try_from(self.cores.len()).unwrap();
        let config = self.config.clone();
        let seed = crate::random::Random::next_u64(&mut self.random);
        let fresh = gateway(config, self.clocks(), shards, seed, &self.accepts_calls);
        self.connections.close_all();
        (self.shared, self.metrics, self.cores) = fresh;
        snapshots
    }

    /// Whether anything of a call's leg has reached the gateway.
    pub fn hears(&self, call_id: &str) -> bool {
        let mine = |line: &&Line| line.to == "gw" && line.message.call_id().is_ok_and(|one| one == call_id);
        self.ladder.iter().filter(mine).any(|line| line.copies > 0)
    }

    /// What the media workers were last told of the party that sends to this port of the gateway.
    pub fn told_of(&self, port: u16) -> Option<&Remote> {
        let (key, side) = self.media_ports.get(&port)?;
        self.media_log.iter().rev().find_map(|(_, command)| match command {
            Command::Remote { key: of, side: its, remote, .. } if (of, its) == (key, side) => Some(remote),
            _ => None,
        })
    }

    /// Whether records can be written.
    pub fn accept_calls(&self, accept: bool) {
        self.accepts_calls.store(accept, Ordering::Relaxed);
    }

    /// Puts a message on its way to the gateway as if `phone` had sent it.
    pub fn send(&mut self, phone: PhoneId, message: Message) {
        self.send_by(phone, message, None);
    }

    /// - `flow`: the connection that it should take while that lives; else the phone's own.
    fn send_by(&mut self, phone: PhoneId, message: Message, flow: Option<ConnectionId>) {
        let live = flow.is_some_and(|id| self.connections.get(id).is_some());
        let reliable = live || self.phones[phone.0].transport.is_reliable();
        let name = self.phones[phone.0].name;
        let message = match self.phones[phone.0].writes {
            Some(writes) => Message::parse(writes(&message)).unwrap(),
            None => message,
        };
        if self.direct {
            return self.send_across(phone, message);
        }
        let arrivals = self.arrivals(phone, true, reliable);
        let source = self.source(phone, flow);
        self.note(name, "gw", &message, arrivals.len(), None);
        for at in arrivals {
            self.queue(at, Coming::ToGateway(source, message.clone()));
        }
    }

    /// Straight to the phone at the address in the Request-URI of a request, in the Via of a response.
    fn send_across(&mut self, from: PhoneId, message: Message) {
        let transport = self.phones[from.0].transport;
        let text = match message.request_uri() {
            Some(uri) => uri.rsplit('@').next().unwrap_or(uri).to_owned(),
            None => message
                .value(sip::Name::Via)
                .unwrap_or_default()
                .rsplit(' ')
                .next()
                .unwrap_or_default()
                .into(),
        };
        let address = text.split([';', '?']).next().and_then(|address| address.parse::<SocketAddr>().ok());
        let to = address.and_then(|address| self.by_address.get(&(transport, address)).copied());
        let Some(to) = to else {
            return self.note(self.phones[from.0].name, "nobody", &message, 0, None);
        };
        let arrivals = self.arrivals(to, false, transport.is_reliable());
        self.note(self.phones[from.0].name, self.phones[to.0].name, &message, arrivals.len(), None);
        for at in arrivals {
            self.queue(at, Coming::ToPhone(to, message.clone(), None));
        }
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

    /// A shard forgets its calls, as if they had been over for long.
    pub fn forget_calls(&mut self, shard: u16) {
        self.cores[usize::from(shard)].forget_calls();
        self.ask_all();
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

    fn perform(&mut self, shard: u16, output: Output) {
        match output {
            Output::Transmit { message, peer, owner } => {
                self.transmit(shard, message, &peer, owner);
            }
            Output::MakeRoom { asked } => {
                let shards = self.ownership.shards();
                if asked < shards {
                    self.queue(self.now, Coming::Core((shard + 1) % shards, Input::MakeRoom { asked }));
                }
            }
            Output::Watch(connection) => {
                self.watched.insert((connection, shard));
            }
            Output::Resolve { query, lookup } => {
                let result = self.look_up(&lookup);
                let at = self.now + self.look_up_takes;
                self.queue(at, Coming::Core(shard, Input::Resolved { query, result }));
            }
            Output::Effect(effect) => self.carry_out(shard, effect),
        }
    }

    fn carry_out(&mut self, shard: u16, effect: Effect) {
        match effect {
            Effect::Media(command) => self.command(shard, command),
            Effect::Record(Record::CallDetail(facts)) => self.cdrs.push(*facts),
            Effect::Record(Record::Detail(detail)) => self.details.push(*detail),
            Effect::Record(Record::Quality(_)) => {}
            Effect::Record(Record::SipMessage(facts)) => self.sip_log.push(*facts),
            Effect::Answered { call, entries } => {
                self.journaled.extend(entries);
                match self.journal {
                    Answers::After(delay) => {
                        self.queue(self.now + delay, Coming::Core(shard, Input::Journaled { call }));
                    }
                    Answers::Failing | Answers::Never => {}
                }
            }
            Effect::Tell { shard: to, word } => {
                let (to, input) = match usize::from(to) < self.cores.len() {
                    true => (to, Input::Word(word)),
                    false => (shard, Input::Untold(word)),
                };
                self.queue(self.now + BETWEEN_SHARDS, Coming::Core(to, input));
            }
            Effect::Left { tag } => {
                for to in 0..self.cores.len() {
                    let word = Word::Left { tag: tag.clone() };
                    self.queue(self.now + BETWEEN_SHARDS, Coming::Core(to as u16, Input::Word(word)));
                }
            }
            Effect::Forward { shard: to, source, message, hops } => {
                self.handed_on += 1;
                let (to, hops) = match usize::from(to) < self.cores.len() {
                    true => (to, hops),
                    false => (shard, u8::MAX),
                };
                let input = Input::HandedOn { source, message, hops };
                self.queue(self.now + BETWEEN_SHARDS, Coming::Core(to, input));
            }
            Effect::Drained => self.drained.push(shard),
        }
    }

    fn transmit(&mut self, shard: u16, message: Message, peer: &Peer, owner: Owner) {
        self.watch.leaves(self.now - self.start, &message);
        if message.method() == Some(Method::Options) {
            self.probes.push((peer.clone(), message.clone()));
        }
        let (phone, connection) = match peer.transport.is_reliable() {
            true => self.connection_to(peer).unzip(),
            false => (self.by_address.get(&(peer.transport, peer.remote)).copied(), None),
        };
        let killed = phone.and_then(|phone| self.dead.get(&self.phones[phone.0].address)).copied();
        let killed = self.dead.get(&peer.remote).copied().or(killed);
        match phone.filter(|_| killed.is_none()) {
            Some(phone) => {
                if let Some(id) = connection {
                    self.connections.sent(id, &message, owner, shard);
                }
                let arrivals = self.arrivals(phone, false, peer.transport.is_reliable());
                self.note("gw", self.phones[phone.0].name, &message, arrivals.len(), Some(peer));
                for at in arrivals {
                    self.queue(at, Coming::ToPhone(phone, message.clone(), connection));
                }
            }
            None => {
                self.note("gw", "nobody", &message, 0, Some(peer));
                self.unreached.insert(message.call_id().unwrap_or_default().to_owned());
                // Who listens nowhere refuses a connection.
                let refuses = killed.unwrap_or(peer.transport.is_reliable());
                if refuses && owner != Owner::Stateless {
                    let soon = self.now + Duration::from_millis(5);
                    self.queue(soon, Coming::Core(shard, Input::SendFailed { owner }));
                }
            }
        }
    }

    /// The flow of the peer while it lives, else a connection that the gateway dialled, now or before.
    fn connection_to(&mut self, peer: &Peer) -> Option<(PhoneId, ConnectionId)> {
        let known = peer.connection.filter(|id| self.connections.get(*id).is_some());
        let known = known.or_else(|| self.connections.dialled(peer.remote));
        if let Some(id) = known {
            return self.connections.get(id).map(|connection| (connection.phone, id));
        }
        let phone = *self.by_address.get(&(peer.transport, peer.remote))?;
        Some((phone, self.connections.dial(phone, peer.remote)))
    }

    fn look_up(&self, lookup: &Lookup) -> Result<Vec<SocketAddr>, ResolveError> {
        self.names.get(&*lookup.host).cloned().ok_or_else(|| ResolveError::NotFound(lookup.host.clone()))
    }

    /// The media workers: they do as they are told, in order, after a while.
    fn command(&mut self, shard: u16, command: Command) {
        self.media_log.push((self.elapsed(), command.clone()));
        let key = command.key();
        assert_eq!(key.shard(), shard, "a media key names its shard");
        let delay = match self.media {
            Answers::After(delay) => delay,
            Answers::Failing | Answers::Never => Duration::ZERO,
        };
        let busy = self.media_busy.get(&key).copied().unwrap_or(self.now).max(self.now);
        let at = busy + delay;
        self.media_busy.insert(key, at);
        let event = match command {
            Command::Open { .. }
                if self.media == Answers::Failing || self.open_media.len() >= self.media_room =>
            {
                MediaEvent::OpenFailed { key, cause: NoRoom::Ports, text: "no port on 192.0.2.1".into() }
            }
            Command::Open { .. } => {
                assert!(self.open_media.insert(key, 0).is_none(), "{key:?} was opened twice");
                self.next_port = self.next_port.wrapping_add(4) | 0x4000;
                let port = self.next_port & !3;
                let ports = |rtp| Ports { rtp, rtcp: rtp + 1 };
                self.media_ports.insert(port, (key, Side::A));
                self.media_ports.insert(port + 2, (key, Side::B));
                self.hold_ports(key, true);
                MediaEvent::Opened { key, a: ports(port), b: ports(port + 2) }
            }
            Command::Close { .. } => {
                self.hold_ports(key, false);
                self.open_media.remove(&key);
                self.media_busy.remove(&key);
                MediaEvent::Closed { key, statistics: Box::<CallStatistics>::default() }
            }
            Command::ExpectSrtp { .. } => return,
            Command::Remote { remote, .. } => {
                for to in [remote.rtp, remote.rtcp].into_iter().flatten() {
                    let is_ours = self.is_gateway(to);
                    self.watch.media_goes_to(self.elapsed(), key, to, is_ours);
                }
                *self.open_media.get_mut(&key).expect("a remote for an open session") += 1;
                return;
            }
        };
        if self.media != Answers::Never {
            self.queue(at, Coming::Core(shard, Input::Media(event)));
        }
    }

    /// Whether what is sent there comes to the gateway.
    fn is_gateway(&self, to: SocketAddr) -> bool {
        let listens = to.port() == 5060;
        let open =
            self.media_ports.get(&(to.port() & !1)).is_some_and(|(key, _)| self.open_media.contains_key(key));
        to.ip() == GATEWAY && (listens || open)
    }

    /// The ports of a session are the gateway's own while it is open.
    fn hold_ports(&self, key: MediaKey, open: bool) {
        for port in self.media_ports.iter().filter(|(_, (of, _))| *of == key).map(|(port, _)| *port) {
            self.shared.media.own.set_open(GATEWAY, port, open);
            self.shared.media.own.set_open(GATEWAY, port + 1, open);
        }
    }

    fn source(&mut self, phone: PhoneId, flow: Option<ConnectionId>) -> Source {
        let Phone { transport, address, .. } = self.phones[phone.0];
        let config = self.config.clone();
        let outside = self.outside.get(&phone).copied().unwrap_or(address);
        let flow = flow.filter(|id| self.connections.get(*id).is_some());
        let transport = if flow.is_some() { Transport::Tcp } else { transport };
        let has_transport = |one: &config::Listen| one.protocol == transport;
        let first = config.listen.iter().position(has_transport).unwrap();
        let listener = self.arrives_at.get(&phone).map_or(first, |listener| usize::from(listener.0));
        let connection =
            transport.is_reliable().then(|| flow.unwrap_or_else(|| self.connections.of(phone, outside)));
        let remote = connection.and_then(|id| self.connections.get(id)).map(|connection| connection.remote);
        Source {
            transport,
            listener: ListenerId(u16::try_from(listener).unwrap()),
            local: config.listen[listener].address,
            remote: remote.unwrap_or(outside),
            connection,
        }
    }

    fn arrivals(&mut self, phone: PhoneId, to_gateway: bool, reliable: bool) -> Vec<Instant> {
        let far = self.far.get(&phone).filter(|_| !to_gateway).copied().unwrap_or_default();
        let sent = self.now + far;
        if !reliable {
            return self.link.fate(&mut self.random).into_iter().map(|delay| sent + delay).collect();
        }
        let link = Link { lost: 0, repeated: 0, ..self.link };
        let delay = link.fate(&mut self.random).first().copied().unwrap_or_default();
        let last = self.streams.get(&(phone, to_gateway)).copied().unwrap_or(self.now);
        let at = (sent + delay).max(last);
        self.streams.insert((phone, to_gateway), at);
        vec![at]
    }

    fn note(
        &mut self,
        from: &'static str,
        to: &'static str,
        message: &Message,
        copies: usize,
        peer: Option<&Peer>,
    ) {
        if matches!(message.cseq().map(|cseq| cseq.method), Ok(Method::Options)) {
            return;
        }
        let (at, message, peer) = (self.now - self.start, message.clone(), peer.cloned());
        self.ladder.push(Line { at, from, to, message, copies, peer });
    }

    fn queue(&mut self, at: Instant, coming: Coming) {
        self.serial += 1;
        self.queue.insert((at, self.serial), coming);
    }
}

fn parsed(config: &str) -> Arc<Config> {
    match Config::parse(config, Path::new("simulation.toml")) {
        Ok((config, _)) => Arc::new(config),
        Err(errors) => panic!("{errors}"),
    }
}

/// A process: what its shards share, its metrics, its cores.
fn gateway(
    config: Arc<Config>,
    now: Now,
    shards: u16,
    seed: u64,
    accepts_calls: &Arc<AtomicBool>,
) -> (Arc<Shared>, Metrics, Vec<Core>) {
    let bound = config.listen.iter().map(|listen| listen.address).collect();
    let metrics = Metrics::new(&config.gateway.region);
    metrics.configure(config.voice_connector.iter().map(|connector| connector.id.as_str()));
    metrics.configure_carriers(config.carrier.iter().map(|carrier| carrier.name.as_str()));
    let key = HashKey::random(&mut SeededRandom::new(seed));
    let guard = Arc::new(Guard::new(GuardLimits::default(), key, now.instant, Arc::default()));
    guard.exempt(crate::listen::listed(&config));
    let live = Arc::new(Live::new(config).unwrap());
    let accepts = accepts_calls.clone();
    let accepts = Box::new(move || accepts.load(Ordering::Relaxed));
    let settings = MediaSettings { addresses: vec![GATEWAY], listeners: bound, ..MediaSettings::default() };
    let own = Arc::new(OwnAddresses::new(&settings, Vec::new()));
    let (bound, media) = (settings.listeners, MediaRoom { own, calls: ROOM });
    let shared = Arc::new(Shared::new(metrics.clone(), guard, [7; 32], bound, media, accepts));
    let core = |shard: u16| {
        let random = SeededRandom::new(seed.wrapping_mul(31).wrapping_add(u64::from(shard) + 1));
        Core::new(now, shared.clone(), live.clone(), Tokens::new(0, shard, Box::new(random)))
    };
    let cores = (0..shards).map(core).collect();
    (shared, metrics, cores)
}

/// Different transaction ids among `cdrs`.
pub(crate) fn transaction_ids(cdrs: &[CallFacts]) -> HashSet<&str> {
    cdrs.iter().map(|facts| facts.transaction_id.as_str()).collect()
}
