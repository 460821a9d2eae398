//! Counts by source address, or by user and address, in bounded memory and without a lock.
//!
//! A fixed table of atomics: each source hashes (keyed, so nobody can aim) to a bucket of a few slots; a new one takes
//! the slot that was quiet longest. Two shards that race for a slot may lose a count, which only makes whoever
//! counts a little more patient.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::ids::HashKey;

const WAYS: usize = 4;

/// Who is counted: an address (IPv6: its /64, since one customer has as many addresses as it likes), or a user there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted<'a> {
    source: IpAddr,
    user: Option<&'a str>,
}

impl From<IpAddr> for Counted<'_> {
    fn from(source: IpAddr) -> Self {
        Counted { source, user: None }
    }
}

impl<'a> From<(IpAddr, &'a str)> for Counted<'a> {
    fn from((source, user): (IpAddr, &'a str)) -> Self {
        Counted { source, user: Some(user) }
    }
}

/// Counts of sources, each within a window that its first count begins.
pub(super) struct Tally {
    window: Duration,
    key: HashKey,
    start: Instant,
    slots: Box<[Slot]>,
}

/// `source`: the hash, 0 when free. `state`: window start in ms since the tally's start, 40 bits; count, 24 bits.
#[derive(Default)]
struct Slot {
    source: AtomicU64,
    state: AtomicU64,
}

const COUNT_BITS: u32 = 24;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

impl Tally {
    /// An empty table.
    ///
    /// - `window`: how long counts live;
    /// - `sources`: remembered at one time, rounded up to a power of two;
    /// - `start`: the earliest `now` that will be handed in.
    pub fn new(window: Duration, sources: usize, key: HashKey, start: Instant) -> Tally {
        let slots = sources.max(WAYS).next_power_of_two();
        Tally { window, key, start, slots: (0..slots).map(|_| Slot::default()).collect() }
    }

    /// One more of `source`. Returns its count.
    pub fn add<'a>(&self, now: Instant, source: impl Into<Counted<'a>>) -> u64 {
        let now_ms = self.since_start_ms(now);
        let hash = self.hash(source.into());
        let slot = self.bucket(hash).iter().find(|slot| slot.source.load(Relaxed) == hash);
        let Some(slot) =
            slot.or_else(|| self.bucket(hash).iter().min_by_key(|slot| slot.state.load(Relaxed)))
        else {
            return 0; // Buckets are never empty.
        };
        let state = slot.state.load(Relaxed);
        let (started_ms, count) = (state >> COUNT_BITS, state & COUNT_MAX);
        let known = slot.source.swap(hash, Relaxed) == hash && self.in_window(now_ms, started_ms);
        let (started_ms, count) = if known { (started_ms, (count + 1).min(COUNT_MAX)) } else { (now_ms, 1) };
        slot.state.store(started_ms << COUNT_BITS | count, Relaxed);
        count
    }

    /// The count of `source`.
    pub fn count<'a>(&self, now: Instant, source: impl Into<Counted<'a>>) -> u64 {
        let hash = self.hash(source.into());
        let now_ms = self.since_start_ms(now);
        let counts = self.bucket(hash).iter().filter_map(|slot| {
            let state = slot.state.load(Relaxed);
            let known = slot.source.load(Relaxed) == hash && self.in_window(now_ms, state >> COUNT_BITS);
            known.then_some(state & COUNT_MAX)
        });
        counts.max().unwrap_or(0)
    }

    /// Forgets all counts.
    pub fn clear(&self) {
        for slot in &self.slots {
            slot.source.store(0, Relaxed);
            slot.state.store(0, Relaxed);
        }
    }

    fn in_window(&self, now_ms: u64, started_ms: u64) -> bool {
        now_ms.saturating_sub(started_ms) < millis(self.window)
    }

    pub fn since_start_ms(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.start))
    }

    fn hash(&self, counted: Counted<'_>) -> u64 {
        let network = match counted.source.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)),
        };
        let hash = match counted.user {
            Some(user) => self.key.hash(&[&network.octets(), user.as_bytes()].concat()),
            None => self.key.hash(&network.octets()),
        };
        hash.max(1)
    }

    fn bucket(&self, hash: u64) -> &[Slot] {
        let buckets = (self.slots.len() / WAYS).max(1);
        let bucket = usize::try_from(hash >> 32).unwrap_or(0) % buckets;
        self.slots.get(bucket * WAYS..(bucket + 1) * WAYS).unwrap_or(&self.slots)
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn counts_live_for_a_window_and_the_table_does_not_grow() {
        let start = Instant::now();
        let window = Duration::from_secs(60);
        let tally = Tally::new(window, 64, HashKey::random(&mut SeededRandom::new(1)), start);
        let source = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(tally.count(start, source), 0);
        assert_eq!((1..=3).map(|_| tally.add(start, source)).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(tally.count(start + window - Duration::from_millis(1), source), 3);
        assert_eq!(tally.count(start + window, source), 0);
        assert_eq!(tally.add(start + window, source), 1);
        for stranger in 0..100_000_u32 {
            let now = start + window + Duration::from_micros(u64::from(stranger));
            tally.add(now, IpAddr::V4(stranger.into()));
        }
        assert_eq!(tally.slots.len(), 64);
        let loud = IpAddr::from([203, 0, 113, 5]);
        assert_eq!(tally.add(start + window * 2, loud), 1);
        tally.clear();
        assert_eq!(tally.count(start + window * 2, loud), 0);
    }
}
