//! OPTIONS probes: every address of every host that calls may go to, each by itself. The first shard asks for all.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use config::Config;
use sip::{Builder, Message, Method, Name};

use super::changes::Changes;
use super::flow::Flow;
use super::{Client, Core, Query, Shared};
use crate::clock::Now;
use crate::peer::Peer;
use crate::random::Random;
use crate::resolve::{Lookup, ResolveError};
use crate::route::{HostKey, ProbeResult, Target, Via};

/// How long a host may take to answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// The hosts that are probed.
#[derive(Default)]
pub(super) struct Probes {
    hosts: Vec<Host>,
    /// Probes that wait for an answer, in the order in which they give up.
    pending: Vec<(Instant, Probe)>,
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
    next: Instant,
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
        let known: HashMap<Lookup, Instant> =
            self.hosts.drain(..).map(|host| (host.target.lookup, host.next)).collect();
        let mut seen = HashSet::new();
        for (via, target, interval) in probed(config) {
            if seen.insert(target.lookup.clone()) {
                let next = match known.get(&target.lookup) {
                    Some(next) => (*next).min(now.instant + interval),
                    None => now.instant + Duration::from_millis(random.below(1000)),
                };
                self.hosts.push(Host { target, via, interval, next });
            }
        }
    }

    /// When to probe, to give up on a probe, or to say how many hosts changed health.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let next = self.hosts.iter().map(|host| host.next);
        next.chain(self.pending.iter().map(|(at, _)| *at)).chain(self.changes.poll_timeout()).min()
    }
}

/// The hosts of `config` that are probed, whose they are, and how often.
fn probed(config: &Config) -> impl Iterator<Item = (Via, Target, Duration)> + '_ {
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

impl Shared {
    /// Brings the gauges of the hosts that are probed up to date.
    pub fn show_hosts(&self, now: Instant, config: &Config) {
        let health = self.health();
        for (via, Target { lookup, .. }, _) in probed(config) {
            let host = match lookup.port {
                Some(port) => format!("{}:{port}", lookup.host),
                None => lookup.host.to_string(),
            };
            let up = health.is_usable(now, &lookup);
            self.metrics.host_up(&via, &host, lookup.transport.parameter(), up);
        }
    }
}

impl Core {
    /// Sends the probes that are due and gives up on those that were not answered.
    pub(super) fn handle_probes(&mut self, now: Now) {
        self.probes.changes.handle_timeout(now.instant);
        let pending = std::mem::take(&mut self.probes.pending);
        let (late, waiting) = pending.into_iter().partition(|(at, _)| *at <= now.instant);
        self.probes.pending = waiting;
        for (_, probe) in Vec::<(Instant, Probe)>::from_iter(late) {
            self.probed(now, probe.host, ProbeResult::Silence);
        }
        let mut due = Vec::new();
        for host in &mut self.probes.hosts {
            if host.next <= now.instant {
                host.next = now.instant + host.interval;
                due.push(host.target.lookup.clone());
            }
        }
        for lookup in due {
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
            .header(Name::Via, local.via(&self.tokens.branch()));
        let options = target.route.iter().fold(options, |options, hop| options.header(Name::Route, hop));
        let options = options
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("<sip:{}>;tag={}", local.host_port(), self.tokens.tag()))
            .header(Name::To, format!("<{}>", target.to_uri(None)))
            .header(Name::CallId, self.tokens.call_id(&local.host()))
            .header(Name::CSeq, "1 OPTIONS")
            .header(Name::Contact, local.contact(""))
            .header(Name::Accept, "application/sdp")
            .build();
        let mut peer = Peer::new(transport, local.listener, address);
        peer.server_name = Some(lookup.host.clone());
        peer.party = Some(via.party());
        let id = self.transactions.request(now.instant, options, Flow::to(peer), transport.is_reliable());
        self.probes.number += 1;
        let probe = Probe { host, number: self.probes.number };
        self.clients.insert(id, Client::Probe(probe));
        self.probes.pending.push((now.instant + PATIENCE, probe));
    }

    /// A host that turns is told, if not too many do.
    fn probed(&mut self, now: Now, host: HostKey, result: ProbeResult) {
        if let Some(alive) = self.shared.probed(now, host, result)
            && self.probes.changes.take(now.instant, alive)
        {
            tracing::warn!(address = %host.address, transport = %host.transport, alive, "host changed health");
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
