//! The flood guard: who was refused too often is met with silence.
//!
//! A fixed table of atomics shared by all shards and connections: memory does not grow with the number of
//! sources, and no lock is taken. Each source hashes (keyed, so nobody can aim) to a bucket of a few slots; a new
//! one takes the slot that was quiet longest. Two shards that race for a slot may lose a count, which only makes
//! the guard a little more patient.
//!
//! UDP sources can be forged, so a stranger could try to have a customer silenced: addresses that the configuration
//! lists are exempt ([`Guard::exempt`]).

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ipnet::IpNet;

use super::counters::ListenCounters;
use crate::ids::HashKey;

const WAYS: usize = 4;

/// How patient the guard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardLimits {
    /// Refusals and unparsable messages that a source may collect in a window before it is silenced.
    pub refusals: u32,
    /// How long counts live; a silenced source stays so until its window has passed.
    pub window: Duration,
    /// Sources remembered at one time, rounded up to a power of two.
    pub sources: usize,
    /// Least time between two log lines.
    pub log_interval: Duration,
}

impl Default for GuardLimits {
    /// 20 refusals a minute, 16,384 sources (256 KiB), one log line a second.
    fn default() -> GuardLimits {
        GuardLimits {
            refusals: 20,
            window: Duration::from_secs(60),
            sources: 16_384,
            log_interval: Duration::from_secs(1),
        }
    }
}

/// Counts per source address (IPv6: per /64, since one customer has as many addresses as it likes).
pub struct Guard {
    limits: GuardLimits,
    key: HashKey,
    start: Instant,
    slots: Box<[Slot]>,
    exempt: ArcSwap<Vec<IpNet>>,
    last_log_ms: AtomicU64,
    unlogged: AtomicU64,
    counters: Arc<ListenCounters>,
}

/// `source`: the hash, 0 when free. `state`: window start in ms since the guard's start, 40 bits; count, 24 bits.
#[derive(Default)]
struct Slot {
    source: AtomicU64,
    state: AtomicU64,
}

const COUNT_BITS: u32 = 24;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

impl Guard {
    /// An empty table; `start` is the earliest `now` that will be handed in.
    pub fn new(limits: GuardLimits, key: HashKey, start: Instant, counters: Arc<ListenCounters>) -> Guard {
        let slots = limits.sources.max(WAYS).next_power_of_two();
        Guard {
            limits,
            key,
            start,
            slots: (0..slots).map(|_| Slot::default()).collect(),
            exempt: ArcSwap::default(),
            last_log_ms: AtomicU64::new(0),
            unlogged: AtomicU64::new(0),
            counters,
        }
    }

    /// The addresses that are never silenced: every allowlist of the configuration. Forgets all counts.
    pub fn exempt(&self, networks: Vec<IpNet>) {
        self.exempt.store(Arc::new(networks));
        for slot in &self.slots {
            slot.source.store(0, Relaxed);
            slot.state.store(0, Relaxed);
        }
    }

    /// A message from `source` was refused (not listed, wrong digest too often) or was no SIP at all.
    pub fn refused(&self, now: Instant, source: IpAddr) {
        if self.lists(source) {
            return;
        }
        let now_ms = self.since_start_ms(now);
        let hash = self.hash(source);
        let slot = self.bucket(hash).iter().find(|slot| slot.source.load(Relaxed) == hash);
        let Some(slot) =
            slot.or_else(|| self.bucket(hash).iter().min_by_key(|slot| slot.state.load(Relaxed)))
        else {
            return; // Buckets are never empty.
        };
        let state = slot.state.load(Relaxed);
        let (started_ms, count) = (state >> COUNT_BITS, state & COUNT_MAX);
        let known = slot.source.swap(hash, Relaxed) == hash && self.in_window(now_ms, started_ms);
        let (started_ms, count) = if known { (started_ms, (count + 1).min(COUNT_MAX)) } else { (now_ms, 1) };
        slot.state.store(started_ms << COUNT_BITS | count, Relaxed);
        if count == u64::from(self.limits.refusals) {
            self.counters.sources_silenced.increment();
            self.log(now_ms, source);
        }
    }

    /// Whether the configuration lists `source`; see [`Guard::exempt`].
    pub fn lists(&self, source: IpAddr) -> bool {
        self.exempt.load().iter().any(|network| network.contains(&source.to_canonical()))
    }

    /// Whether messages from `source` are to be dropped unread. Counts nothing.
    pub fn silenced(&self, now: Instant, source: IpAddr) -> bool {
        let hash = self.hash(source);
        self.bucket(hash).iter().any(|slot| {
            let state = slot.state.load(Relaxed);
            slot.source.load(Relaxed) == hash
                && state & COUNT_MAX >= u64::from(self.limits.refusals)
                && self.in_window(self.since_start_ms(now), state >> COUNT_BITS)
        })
    }

    fn log(&self, now_ms: u64, source: IpAddr) {
        let last = self.last_log_ms.load(Relaxed);
        let due = last == 0 || now_ms.saturating_sub(last) >= millis(self.limits.log_interval);
        if !due || self.last_log_ms.compare_exchange(last, now_ms.max(1), Relaxed, Relaxed).is_err() {
            self.unlogged.fetch_add(1, Relaxed);
            return;
        }
        let others = self.unlogged.swap(0, Relaxed);
        let window_s = self.limits.window.as_secs();
        tracing::warn!(%source, others, window_s, "silencing a source that was refused too often");
    }

    fn in_window(&self, now_ms: u64, started_ms: u64) -> bool {
        now_ms.saturating_sub(started_ms) < millis(self.limits.window)
    }

    fn since_start_ms(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.start))
    }

    fn hash(&self, source: IpAddr) -> u64 {
        let hash = match source.to_canonical() {
            IpAddr::V4(address) => self.key.hash(&address.octets()),
            IpAddr::V6(address) => {
                let network = Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX));
                self.key.hash(&network.octets())
            }
        };
        hash.max(1)
    }

    fn bucket(&self, hash: u64) -> &[Slot] {
        let buckets = (self.slots.len() / WAYS).max(1);
        let bucket = usize::try_from(hash >> 32).unwrap_or(0) % buckets;
        self.slots.get(bucket * WAYS..(bucket + 1) * WAYS).unwrap_or(&self.slots)
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Guard").field("limits", &self.limits).finish_non_exhaustive()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    fn guard(start: Instant) -> Guard {
        let limits = GuardLimits { refusals: 3, sources: 64, ..GuardLimits::default() };
        Guard::new(limits, HashKey::random(&mut SeededRandom::new(1)), start, Arc::default())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn silence_begins_at_the_limit_and_ends_with_the_window() {
        let start = Instant::now();
        let guard = guard(start);
        let source = address("192.0.2.1");
        for _ in 0..2 {
            guard.refused(start, source);
            assert!(!guard.silenced(start, source));
        }
        guard.refused(start, source);
        assert!(guard.silenced(start, source));
        assert!(guard.silenced(start + Duration::from_millis(59_999), source));
        assert!(!guard.silenced(start + Duration::from_secs(60), source));
        assert!(!guard.silenced(start, address("192.0.2.2")));
        assert_eq!(guard.counters.sources_silenced.value(), 1);
        // A new window counts from one.
        guard.refused(start + Duration::from_secs(60), source);
        assert!(!guard.silenced(start + Duration::from_secs(60), source));
    }

    #[test]
    fn an_ipv6_source_is_its_network_and_a_mapped_one_is_ipv4() {
        let start = Instant::now();
        let guard = guard(start);
        for last in 1..=3 {
            guard.refused(start, address(&format!("2001:db8:0:1::{last}")));
            guard.refused(start, address("192.0.2.1"));
        }
        assert!(guard.silenced(start, address("2001:db8:0:1::ffff")));
        assert!(!guard.silenced(start, address("2001:db8:0:2::1")));
        assert!(guard.silenced(start, address("::ffff:192.0.2.1")));
    }

    #[test]
    fn listed_sources_are_never_silenced() {
        let start = Instant::now();
        let guard = guard(start);
        let customer = address("198.51.100.7");
        (0..10).for_each(|_| guard.refused(start, customer));
        assert!(guard.silenced(start, customer));
        guard.exempt(vec!["198.51.100.0/24".parse().unwrap()]);
        (0..10).for_each(|_| guard.refused(start, customer));
        assert!(!guard.silenced(start, customer));
    }

    #[test]
    fn the_table_does_not_grow_and_keeps_the_latest() {
        let start = Instant::now();
        let guard = guard(start);
        for stranger in 0..100_000_u32 {
            guard.refused(start + Duration::from_micros(u64::from(stranger)), IpAddr::V4(stranger.into()));
        }
        let now = start + Duration::from_secs(1);
        let loud = address("203.0.113.5");
        (0..3).for_each(|_| guard.refused(now, loud));
        assert!(guard.silenced(now, loud));
        assert_eq!(guard.slots.len(), 64);
    }
}
