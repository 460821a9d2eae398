//! The process: its cores, what they want done outside, and what they share.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use config::Config;

use super::{Answers, BETWEEN_SHARDS, Coming, GATEWAY, ROOM, World};
use crate::clock::Now;
use crate::core::{Core, Effect, Input, Live, Output, Shared, Word};
use crate::ids::{HashKey, Tokens};
use crate::listen::{Guard, GuardLimits};
use crate::local::BoundAddresses;
use crate::media::{MediaRoom, MediaSettings, OwnAddresses};
use crate::metrics::Metrics;
use crate::random::SeededRandom;
use crate::record::Record;
use crate::resolve::{Lookup, ResolveError};

impl World {
    /// A new configuration (TOML) holds for what begins from now on.
    pub fn configure(&mut self, config: &str) {
        self.config = parsed(config);
        let live = Arc::new(Live::new(self.config.clone()).unwrap());
        let shards = u16::try_from(self.cores.len()).unwrap();
        (0..shards)
            .for_each(|shard| self.input(shard, Input::Configuration { live: live.clone(), taken: None }));
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
        self.open_calls.clear();
        (self.shared, self.metrics, self.cores) = fresh;
        snapshots
    }

    /// Whether records can be written.
    pub fn accept_calls(&self, accept: bool) {
        self.accepts_calls.store(accept, Ordering::Relaxed);
    }

    /// A shard forgets its calls, as if they had been over for long.
    pub fn forget_calls(&mut self, shard: u16) {
        self.cores[usize::from(shard)].forget_calls();
        self.open_calls.clear();
        self.ask_all();
    }

    pub(super) fn perform(&mut self, shard: u16, output: Output) {
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

    pub(super) fn carry_out(&mut self, shard: u16, effect: Effect) {
        match effect {
            Effect::Media(command) => self.command(shard, command),
            Effect::Listen(listen) => self.listened.push(*listen),
            Effect::Recordings { change, .. } => self.recordings.push(change),
            Effect::Record(Record::CallDetail(facts)) => {
                self.open_calls.remove(&facts.key());
                self.cdrs.push(*facts);
            }
            Effect::Record(Record::HangingUp(facts)) => {
                self.open_calls.remove(&facts.key());
                self.hanging_up.push(facts.key());
                self.cdrs.push(*facts);
            }
            Effect::Record(Record::Detail(detail)) => self.details.push(*detail),
            Effect::Record(Record::Quality(_) | Record::Audit(_) | Record::Streaming(_)) => {}
            Effect::Record(Record::SipMessage(facts)) => self.sip_log.push(*facts),
            Effect::Rings { entries, .. } => {
                self.open_calls.extend(entries.iter().map(|entry| entry.facts.key()));
                self.ringing.extend(entries);
            }
            Effect::Answered { call, entries } => {
                self.open_calls.extend(entries.iter().map(|entry| entry.facts.key()));
                self.journaled.extend(entries);
                match self.journal {
                    Answers::After(delay) => {
                        self.queue(self.now + delay, Coming::Core(shard, Input::Journaled { call }));
                    }
                    Answers::Failing | Answers::Never => {}
                }
            }
            Effect::HungUp { entries } => {
                self.open_calls.retain(|key| !entries.contains(key));
                self.hanging_up.retain(|key| !entries.contains(key));
                self.hung_up.extend(entries);
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
            Effect::Answer { question, answer } => self.said.push((shard, question, *answer)),
            Effect::Drained => self.drained.push(shard),
        }
    }

    pub(super) fn look_up(&self, lookup: &Lookup) -> Result<Vec<SocketAddr>, ResolveError> {
        self.names.get(&*lookup.host).cloned().ok_or_else(|| ResolveError::NotFound(lookup.host.clone()))
    }
}

pub(super) fn parsed(config: &str) -> Arc<Config> {
    match Config::parse(config, Path::new("simulation.toml")) {
        Ok((config, _)) => Arc::new(config),
        Err(errors) => panic!("{errors}"),
    }
}

/// A process: what its shards share, its metrics, its cores.
pub(super) fn gateway(
    config: Arc<Config>,
    now: Now,
    shards: u16,
    seed: u64,
    accepts_calls: &Arc<AtomicBool>,
) -> (Arc<Shared>, Metrics, Vec<Core>) {
    let listeners = config.listen.iter().map(|listen| listen.address).collect();
    let metrics = Metrics::new(&config.gateway.region);
    metrics.configure(config.voice_connector.iter().map(|connector| connector.id.as_str()));
    metrics.configure_carriers(config.carrier.iter().map(|carrier| carrier.name.as_str()));
    let key = HashKey::random(&mut SeededRandom::new(seed));
    let guard = Arc::new(Guard::new(GuardLimits::default(), key, now.instant, Arc::default()));
    guard.exempt(crate::listen::listed(&config));
    let live = Arc::new(Live::new(config).unwrap());
    let accepts = accepts_calls.clone();
    let accepts = Box::new(move || accepts.load(Ordering::Relaxed));
    let settings = MediaSettings { addresses: vec![GATEWAY], listeners, ..MediaSettings::default() };
    let own = Arc::new(OwnAddresses::new(&settings, Vec::new()));
    let media = MediaRoom { own, calls: ROOM };
    let shared =
        Arc::new(Shared::new(metrics.clone(), guard, [7; 32], BoundAddresses::new(), media, accepts));
    let core = |shard: u16| {
        let random = SeededRandom::new(seed.wrapping_mul(31).wrapping_add(u64::from(shard) + 1));
        Core::new(now, shared.clone(), live.clone(), Tokens::new(0, shard, Box::new(random)))
    };
    let cores = (0..shards).map(core).collect();
    (shared, metrics, cores)
}
