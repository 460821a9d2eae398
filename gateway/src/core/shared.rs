//! What the shards share: limits, hosts' health, metrics, the flood guard.
//!
//! Everything here is read without a lock on the signalling path; what changes is swapped whole or atomic.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::calls_up::CallsUp;
use super::hosts::Hosts;
use super::passing::Grants;
use super::unproven::Unproven;
use crate::clock::Now;
use crate::drains::Drains;
use crate::hep::Feed;
use crate::ids::HashKey;
use crate::limits::Limits;
use crate::listen::Guard;
use crate::local::BoundAddresses;
use crate::media::MediaRoom;
use crate::metrics::Metrics;
use crate::minutes::Minutes;
use crate::readiness::Readiness;
use crate::registrar::Registrar;
use crate::resolve::Lookup;
use crate::route::{Health, HostKey, ProbeResult};
use crate::termination_health::TerminationHealth;
use crate::trace::Tracer;

/// Bytes of a shard where nobody says what there is.
const DEFAULT_MEMORY: u64 = 1 << 30;

/// See the module.
pub struct Shared {
    /// Calls a second and at one time.
    pub limits: Limits,
    /// How long calls have talked today.
    pub minutes: Minutes,
    health: ArcSwap<Health>,
    /// The hosts that are probed.
    pub hosts: Arc<Hosts>,
    /// Counters and gauges.
    pub metrics: Metrics,
    /// The sources that are not answered any more.
    pub guard: Arc<Guard>,
    /// The key of the digest nonces, the same for all shards.
    pub nonce_key: [u8; 32],
    /// The addresses that the listeners really have.
    pub bound: ArcSwap<BoundAddresses>,
    /// Whom calls are up with.
    pub calls_up: CallsUp,
    /// Bytes that each shard may call its own.
    pub memory: u64,
    /// How many calls have room, and where no media may go.
    pub media: MediaRoom,
    /// Answers that wait for their ACK.
    pub unproven: Unproven,
    /// Calls that began and have not ended.
    calls: AtomicUsize,
    /// Whether records can be written; else only emergency calls are taken.
    accepts_calls: Box<dyn Fn() -> bool + Send + Sync>,
    /// What else stands in the way of new calls.
    pub readiness: Readiness,
    /// Where customers' systems are that have registered.
    pub registrar: Registrar,
    /// Who looks at calls.
    pub tracer: Tracer,
    /// Whom what crosses is told.
    pub feed: Feed,
    /// Who may replace a dialog of somebody else's.
    pub grants: Grants,
    /// What the operator has taken out of service.
    pub drains: Arc<Drains>,
    /// When customers' systems were last heard of.
    pub termination_health: Arc<TerminationHealth>,
    /// Whether calls can be recorded.
    pub recordings: crate::sound::Health,
    /// Which sinks take calls, of those without which none is placed.
    pub sinks: crate::sound::Reaches,
}

impl Shared {
    /// Shared state of a gateway that starts.
    ///
    /// - `accepts_calls`: asks the recorder whether there is room for records.
    pub fn new(
        metrics: Metrics,
        guard: Arc<Guard>,
        nonce_key: [u8; 32],
        bound: BoundAddresses,
        media: MediaRoom,
        accepts_calls: Box<dyn Fn() -> bool + Send + Sync>,
    ) -> Shared {
        let hosts = Arc::<Hosts>::default();
        let shown = hosts.clone();
        metrics.on_page(move |page| shown.show(page));
        Shared {
            hosts,
            registrar: Registrar::default(),
            tracer: Tracer::default(),
            feed: Feed::default(),
            grants: Grants::default(),
            drains: Arc::default(),
            termination_health: Arc::default(),
            recordings: crate::sound::Health::default(),
            sinks: crate::sound::Reaches::default(),
            limits: Limits::default(),
            minutes: Minutes::default(),
            health: ArcSwap::from_pointee(Health::new()),
            metrics,
            guard,
            nonce_key,
            bound: ArcSwap::from_pointee(bound),
            calls_up: CallsUp::default(),
            memory: DEFAULT_MEMORY,
            media,
            unproven: Unproven::new(HashKey::derived(&nonce_key)),
            calls: AtomicUsize::new(0),
            accepts_calls,
            readiness: Readiness::default(),
        }
    }

    /// The same, on a machine with so many bytes for each shard; 1 GiB unless it is said.
    pub fn with_memory(self, memory: u64) -> Shared {
        Shared { memory, ..self }
    }

    /// The same, with collectors of what crosses.
    pub fn with_feed(self, feed: Feed) -> Shared {
        Shared { feed, ..self }
    }

    /// A call begins.
    pub fn call_began(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    /// A call has ended, and said so once.
    pub fn call_ended(&self) {
        self.calls.fetch_sub(1, Relaxed);
    }

    /// Calls of all shards that began and have not ended.
    pub fn live_calls(&self) -> usize {
        self.calls.load(Relaxed)
    }

    /// Whether records can be written.
    pub fn records_accept_calls(&self) -> bool {
        (self.accepts_calls)()
    }

    /// How the hosts are.
    pub fn health(&self) -> Arc<Health> {
        self.health.load_full()
    }

    /// A host said, by 503 with Retry-After, that it wants no calls for a while. Says whether that is news.
    pub fn rest(&self, now: Now, host: HostKey, rest: Duration) -> bool {
        let news = self.health.load().is_alive(now.instant, &host);
        self.change_health(|health| health.handle_answer(now.instant, host, 503, Some(rest)));
        news
    }

    /// Takes a probe's result; returns whether the host is alive, where that is news.
    pub fn probed(&self, now: Now, host: HostKey, result: ProbeResult) -> Option<bool> {
        let known = self.health.load().is_alive(now.instant, &host);
        let alive = !matches!(result, ProbeResult::Silence | ProbeResult::Answer { status: 408 | 503, .. });
        if known != alive || !alive {
            self.change_health(|health| {
                health.handle_probe(now.instant, host, result);
            });
        }
        (known != alive).then_some(alive)
    }

    /// Remembers the addresses behind a name; returns them in the order in which to try them.
    pub fn resolved(&self, now: Instant, lookup: Lookup, addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let health = self.health.load();
        let ordered = health.ordered(now, addresses.clone(), lookup.transport);
        let ordered = self.registrar.carriers.first(&lookup, ordered);
        if !health.knows(&lookup, &addresses) {
            self.change_health(|health| health.handle_resolved(lookup.clone(), addresses.clone()));
        }
        ordered
    }

    /// Health changes are rare (a probe that turns, a host that rests), so a copy is cheaper than a lock for all.
    fn change_health(&self, change: impl Fn(&mut Health)) {
        self.health.rcu(|health| {
            let mut copy = Health::clone(health);
            change(&mut copy);
            copy
        });
    }

    /// A source was refused: some more of it, and it is not answered any more. A host that we call by its name is no
    /// stranger, and may be late with the last words of a call.
    pub fn refused(&self, now: Now, source: IpAddr) {
        if self.health.load().is_behind_a_name(source) {
            return;
        }
        self.guard.refused(now.instant, source);
    }
}
