//! OPTIONS probes: every address of every host that calls may go to, each by itself. The first shard asks for all.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use config::Config;
use sip::{Builder, Message, Method, Name};

use super::changes::Changes;
use super::{Client, Core, Live, Query, Shared};
use crate::clock::Now;
use crate::peer::{Party, Peer, Transport};
use crate::random::Random;
use crate::resolve::{Lookup, ResolveError};
use crate::route::{HostKey, ProbeResult, Via};

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
    lookup: Lookup,
    /// Whose it is; of two that have the same, the first.
    party: Party,
    interval: Duration,
    next: Instant,
}

impl Probes {
    /// The hosts of `config`; none in any shard but the first. First probes are spread over a second.
    pub fn new(now: Now, config: &Config, shard: u16, random: &mut dyn Random) -> Probes {
        let mut probes = Probes::default();
        if shard != 0 {
            return probes;
        }
        let mut seen = HashSet::new();
        for (via, lookup, interval) in probed(config) {
            if seen.insert(lookup.clone()) {
                let next = now.instant + Duration::from_millis(random.below(1000));
                probes.hosts.push(Host { lookup, party: via.party(), interval, next });
            }
        }
        probes
    }

    /// When to probe, to give up on a probe, or to say how many hosts changed health.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let next = self.hosts.iter().map(|host| host.next);
        next.chain(self.pending.iter().map(|(at, _)| *at)).chain(self.changes.poll_timeout()).min()
    }
}

/// The hosts of `config` that are probed, whose they are, and how often.
fn probed(config: &Config) -> impl Iterator<Item = (Via, Lookup, Duration)> + '_ {
    let lookup = |route: &config::Route| Lookup {
        host: route.host.to_string().into(),
        port: route.port,
        transport: Transport::from(route.protocol),
    };
    let called = config.voice_connector.iter().filter(|connector| connector.origination.enabled);
    let routes = called.flat_map(move |one| {
        let of = move |route| (Via::Connector(one.clone()), lookup(route), one.origination.options_interval);
        one.origination.route.iter().map(of)
    });
    let hosts = config.carrier.iter().flat_map(move |one| {
        one.host.iter().map(move |host| (Via::Carrier(one.clone()), lookup(host), one.options_interval))
    });
    routes.chain(hosts).filter(|(_, _, interval)| !interval.is_zero())
}

impl Shared {
    /// Brings the gauges of the hosts that are probed up to date.
    pub fn show_hosts(&self, now: Instant, config: &Config) {
        let health = self.health();
        for (via, lookup, _) in probed(config) {
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
                due.push(host.lookup.clone());
            }
        }
        let live = self.live.clone();
        for lookup in due {
            match lookup.literal() {
                Some(address) => self.probe(now, &live, address, &lookup),
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
        let live = self.live.clone();
        for address in self.shared.resolved(now.instant, lookup.clone(), addresses) {
            self.probe(now, &live, address, &lookup);
        }
    }

    fn probe(&mut self, now: Now, live: &Live, address: SocketAddr, lookup: &Lookup) {
        let transport = lookup.transport;
        let Some(listener) = self.listener_for(live, transport, Some(address.ip())) else { return };
        let Some(local) = self.local(live, listener, address.ip()) else { return };
        let host = HostKey { address, transport };
        let own = local.advertise;
        let options = Builder::request(Method::Options, &format!("sip:{address}"))
            .header(Name::Via, local.via(&self.tokens.branch()))
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("<sip:{own}>;tag={}", self.tokens.tag()))
            .header(Name::To, format!("<sip:{address}>"))
            .header(Name::CallId, self.tokens.call_id(&own.ip().to_string()))
            .header(Name::CSeq, "1 OPTIONS")
            .header(Name::Contact, local.contact(""))
            .header(Name::Accept, "application/sdp")
            .build();
        let mut peer = Peer::new(transport, listener, address);
        peer.server_name = Some(lookup.host.clone());
        peer.party =
            self.probes.hosts.iter().find(|host| host.lookup == *lookup).map(|host| host.party.clone());
        let id = self.transactions.request(now.instant, options, peer, transport.is_reliable());
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
