//! OPTIONS probes: every address of every host that calls may go to, each by itself. The first shard asks for all.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use config::Config;
use sip::{Builder, Message, Method, Name};

use super::changes::Changes;
use super::flow::Flow;
use super::{Client, Core, Query};
use crate::clock::Now;
use crate::peer::{Peer, Transport};
use crate::random::Random;
use crate::resolve::{Lookup, ResolveError};
use crate::route::{HostKey, ProbeResult, Target, Via};

/// How long a host may take to answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// The hosts that are probed.
#[derive(Default)]
pub(super) struct Probes {
    hosts: Vec<Host>,
    /// When each host is probed next, by its place among them.
    turns: BTreeSet<(Instant, usize)>,
    /// Probes that wait for an answer, in the order in which they give up.
    pending: VecDeque<(Instant, Probe)>,
    /// Of the next probe.
    number: u64,
    changes: Changes,
}

/// One question to one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe {
    host: HostKey,
    number: u64,
}

struct Host {
    /// Of several that are reached by one way, the first.
    target: Target,
    /// Whose it is.
    via: Via,
    interval: Duration,
}

impl Probes {
    /// The hosts of `config`; none in any shard but the first. First probes are spread over a second.
    pub fn new(now: Now, config: &Config, shard: u16, random: &mut dyn Random) -> Probes {
        let mut probes = Probes::default();
        probes.configure(now, config, shard, random);
        probes
    }

    /// Goes on under another configuration: a host that is probed already keeps its turn, but for an interval that is shorter
    /// now, and a probe that is out may still be answered.
    pub fn configure(&mut self, now: Now, config: &Config, shard: u16, random: &mut dyn Random) {
        if shard != 0 {
            return;
        }
        let turn =
            |(next, host): &(Instant, usize)| Some((self.hosts.get(*host)?.target.lookup.clone(), *next));
        let known: HashMap<Lookup, Instant> = self.turns.iter().filter_map(turn).collect();
        self.hosts.clear();
        self.turns.clear();
        let mut seen = HashSet::new();
        for (via, target, interval) in probed(config) {
            if seen.insert(target.lookup.clone()) {
                let next = match known.get(&target.lookup) {
                    Some(next) => (*next).min(now.instant + interval),
                    None => now.instant + Duration::from_millis(random.below(1000)),
                };
                self.turns.insert((next, self.hosts.len()));
                self.hosts.push(Host { target, via, interval });
            }
        }
    }

    /// When to probe, to give up on a probe, or to say how many hosts changed health.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let turn = self.turns.first().map(|(at, _)| *at);
        let pending = self.pending.front().map(|(at, _)| *at);
        [turn, pending, self.changes.poll_timeout()].into_iter().flatten().min()
    }

    /// The next host whose turn has come; it has another one after its interval.
    fn due(&mut self, now: Instant) -> Option<Lookup> {
        let (at, index) = self.turns.first().copied().filter(|(at, _)| *at <= now)?;
        self.turns.remove(&(at, index));
        let host = self.hosts.get(index)?;
        self.turns.insert((now + host.interval, index));
        Some(host.target.lookup.clone())
    }

    /// The next probe that was not answered in time.
    fn late(&mut self, now: Instant) -> Option<Probe> {
        self.pending.front().filter(|(at, _)| *at <= now)?;
        self.pending.pop_front().map(|(_, probe)| probe)
    }
}

/// The hosts of `config` that are probed, whose they are, and how often.
pub(super) fn probed(config: &Config) -> impl Iterator<Item = (Via, Target, Duration)> + '_ {
    let called = config.voice_connector.iter().filter(|connector| connector.origination.enabled);
    let routes = called.flat_map(move |one| {
        let interval = one.origination.options_interval;
        let of = move |route| (Via::Connector(one.clone()), Target::new(route, None), interval);
        one.origination.route.iter().map(of)
    });
    let hosts = config.carrier.iter().flat_map(move |one| {
        let target = |host| Target::new(host, one.outbound_proxy.as_ref());
        one.host.iter().map(move |host| (Via::Carrier(one.clone()), target(host), one.options_interval))
    });
    routes.chain(hosts).filter(|(_, _, interval)| !interval.is_zero())
}

impl Core {
    /// Sends the probes that are due and gives up on those that were not answered.
    pub(super) fn handle_probes(&mut self, now: Now) {
        self.probes.changes.handle_timeout(now.instant);
        while let Some(probe) = self.probes.late(now.instant) {
            self.probed(now, probe.host, ProbeResult::Silence);
        }
        while let Some(lookup) = self.probes.due(now.instant) {
            match lookup.literal() {
                Some(address) => self.probe(now, address, &lookup),
                None => {
                    self.resolve(Query::Probe(lookup.clone()), lookup);
                }
            }
        }
    }

    /// The addresses behind a name that is probed. A name without any counts as it did before.
    pub(super) fn probe_resolved(
        &mut self,
        now: Now,
        lookup: Lookup,
        result: Result<Vec<SocketAddr>, ResolveError>,
    ) {
        let Ok(addresses) = result else { return };
        for address in self.shared.resolved(now.instant, lookup.clone(), addresses) {
            self.probe(now, address, &lookup);
        }
    }

    fn probe(&mut self, now: Now, address: SocketAddr, lookup: &Lookup) {
        let transport = lookup.transport;
        let asked = self.probes.hosts.iter().find(|host| host.target.lookup == *lookup);
        let Some(Host { target, via, .. }) = asked else { return };
        let Some(local) = self.locals.towards(transport, address.ip()) else { return };
        let local = local.named(via.peer().contact.as_ref());
        let host = HostKey { address, transport };
        let options = Builder::request(Method::Options, &target.host_uri())
            .shown(Name::Via, local.via(self.tokens.branch()));
        let options = target.route.iter().fold(options, |options, hop| options.header(Name::Route, hop));
        let options = options
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("<sip:{}>;tag={}", local.host_port(), self.tokens.tag()))
            .header(Name::To, format!("<{}>", target.to_uri(None)))
            .shown(Name::CallId, self.tokens.call_id(&local.host()))
            .header(Name::CSeq, "1 OPTIONS")
            .shown(Name::Contact, local.contact(""))
            .header(Name::Accept, "application/sdp")
            .build();
        let mut peer = Peer::new(transport, local.listener, address);
        peer.server_name = Some(lookup.host.clone());
        peer.party = Some(via.party());
        let id = self.transactions.request(now.instant, options, Flow::to(peer), transport.is_reliable());
        self.probes.number += 1;
        let probe = Probe { host, number: self.probes.number };
        self.clients.insert(id, Client::Probe(probe));
        self.probes.pending.push_back((now.instant + PATIENCE, probe));
    }

    /// A host that turns is told, if not too many do.
    fn probed(&mut self, now: Now, host: HostKey, result: ProbeResult) {
        if let Some(alive) = self.shared.probed(now, host, result)
            && self.probes.changes.take(now.instant, alive)
        {
            tracing::warn!(address = %host.address, transport = %host.transport, alive, "host changed health");
        }
    }

    /// A host wants no calls for a while.
    pub(super) fn rest(&mut self, now: Now, address: SocketAddr, transport: Transport, rest: Duration) {
        if self.shared.rest(now, HostKey { address, transport }, rest)
            && self.probes.changes.take(now.instant, false)
        {
            tracing::info!(%address, %transport, seconds = rest.as_secs(), "host rests");
        }
    }

    pub(super) fn probe_answered(&mut self, now: Now, probe: Probe, message: &Message) {
        let Some(status) = message.status().filter(|status| status.is_final()) else { return };
        self.probes.pending.retain(|(_, pending)| pending.host != probe.host);
        let (status, retry_after) = (status.code(), message.retry_after());
        self.probed(now, probe.host, ProbeResult::Answer { status, retry_after });
    }

    /// A probe could not be sent, or its Timer F fired: 28 s after it was given up, when a later one may have been
    /// answered.
    pub(super) fn probe_lost(&mut self, now: Now, probe: Probe) {
        let before = self.probes.pending.len();
        self.probes.pending.retain(|(_, pending)| *pending != probe);
        if self.probes.pending.len() < before {
            self.probed(now, probe.host, ProbeResult::Silence);
        }
    }
}
