//! Port pairs: drawn at random, rested after use.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::random::Random;

/// The port pairs of every local address. A pair is named by its even port.
#[derive(Debug)]
pub(super) struct PortPools {
    /// All pairs that may ever be drawn.
    pairs: Vec<u16>,
    /// Pairs of each address that are kept for emergency calls.
    reserve: usize,
    quarantine: Duration,
    pools: HashMap<IpAddr, Pool>,
}

#[derive(Debug)]
struct Pool {
    free: Vec<u16>,
    /// Pairs that rest, by the end of their rest.
    resting: VecDeque<(Instant, u16)>,
}

/// How many ports are in what state, over all addresses in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortCounts {
    /// Bound by calls.
    pub used: usize,
    /// Resting after use, or found busy.
    pub resting: usize,
    /// To be drawn.
    pub free: usize,
}

impl PortPools {
    /// - `range`: ports for media.
    /// - `excluded`: ports that are never drawn.
    /// - `emergency_ports`: ports kept for emergency calls, for each address.
    pub(super) fn new(
        range: &RangeInclusive<u16>,
        excluded: &HashSet<u16>,
        emergency_ports: u16,
        quarantine: Duration,
    ) -> PortPools {
        let fits = |port: &u16| port.is_multiple_of(2) && *port > 0 && *port < *range.end();
        let allowed = |port: &u16| !excluded.contains(port) && !excluded.contains(&(port + 1));
        PortPools {
            pairs: range.clone().filter(fits).filter(allowed).collect(),
            reserve: usize::from(emergency_ports).div_ceil(2),
            quarantine,
            pools: HashMap::new(),
        }
    }

    /// Draws a pair of `address`; `None`: none is left for a call of this kind.
    pub(super) fn draw(
        &mut self,
        now: Instant,
        address: IpAddr,
        emergency: bool,
        random: &mut impl Random,
    ) -> Option<u16> {
        let pairs = &self.pairs;
        let pool = self
            .pools
            .entry(address)
            .or_insert_with(|| Pool { free: pairs.clone(), resting: VecDeque::new() });
        while let Some((until, pair)) = pool.resting.front().copied()
            && until <= now
        {
            pool.resting.pop_front();
            pool.free.push(pair);
        }
        if pool.free.is_empty() && emergency {
            // A stray packet of the last call is better than no emergency call.
            return pool.resting.pop_front().map(|(_, pair)| pair);
        }
        if pool.free.len() <= self.reserve && !emergency || pool.free.is_empty() {
            return None;
        }
        let index = usize::try_from(random.below(pool.free.len() as u64)).unwrap_or(0);
        Some(pool.free.swap_remove(index))
    }

    /// Takes back a pair that was used, or found busy: it rests.
    pub(super) fn rest(&mut self, now: Instant, address: IpAddr, pair: u16) {
        if let Some(pool) = self.pools.get_mut(&address) {
            pool.resting.push_back((now + self.quarantine, pair));
        }
    }

    /// Takes back a pair that was never used.
    pub(super) fn give_back(&mut self, address: IpAddr, pair: u16) {
        if let Some(pool) = self.pools.get_mut(&address) {
            pool.free.push(pair);
        }
    }

    /// Whether an ordinary call would find a pair for each leg, wherever its parties are.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        self.pools.values().all(|pool| {
            let rested = pool.resting.iter().take_while(|(until, _)| *until <= now).count();
            pool.free.len() + rested >= self.reserve + 2
        })
    }

    /// How many ports are used, resting and free.
    pub(super) fn counts(&self) -> PortCounts {
        let mut counts = PortCounts::default();
        for pool in self.pools.values() {
            counts.free += 2 * pool.free.len();
            counts.resting += 2 * pool.resting.len();
            counts.used += 2 * self.pairs.len().saturating_sub(pool.free.len() + pool.resting.len());
        }
        counts
    }
}

/// Reads `ip_local_reserved_ports`, such as `8080,9000-9010`; what is not understood is passed over.
pub(super) fn parse_reserved(text: &str) -> HashSet<u16> {
    let mut ports = HashSet::new();
    for item in text.trim().split(',') {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        if let (Ok(first), Ok(last)) = (first.trim().parse::<u16>(), last.trim().parse::<u16>()) {
            ports.extend(first..=last);
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;
    use std::net::Ipv4Addr;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const QUARANTINE: Duration = Duration::from_secs(10);

    fn pools(range: RangeInclusive<u16>, excluded: &[u16], emergency_ports: u16) -> PortPools {
        PortPools::new(&range, &excluded.iter().copied().collect(), emergency_ports, QUARANTINE)
    }

    fn draw_all(pools: &mut PortPools, now: Instant, emergency: bool) -> Vec<u16> {
        let mut random = SeededRandom::new(7);
        std::iter::from_fn(|| pools.draw(now, LOCAL, emergency, &mut random)).collect()
    }

    #[test]
    fn pairs_are_even_whole_and_not_excluded() {
        let mut pools = pools(5001..=5012, &[5005, 5008], 0);
        let mut drawn = draw_all(&mut pools, Instant::now(), false);
        drawn.sort_unstable();
        assert_eq!(drawn, [5002, 5006, 5010]);
        assert_eq!(pools.counts(), PortCounts { used: 6, resting: 0, free: 0 });
    }

    #[test]
    fn the_order_is_random() {
        let mut pools = pools(10_000..=10_199, &[], 0);
        let drawn = draw_all(&mut pools, Instant::now(), false);
        assert_eq!(drawn.len(), 100);
        assert!(!drawn.is_sorted());
    }

    #[test]
    fn a_used_pair_rests() {
        let start = Instant::now();
        let mut pools = pools(5000..=5001, &[], 0);
        assert_eq!(draw_all(&mut pools, start, false), [5000]);
        pools.rest(start, LOCAL, 5000);
        assert!(draw_all(&mut pools, start + QUARANTINE - Duration::from_millis(1), false).is_empty());
        assert_eq!(draw_all(&mut pools, start + QUARANTINE, false), [5000]);
        pools.give_back(LOCAL, 5000);
        assert_eq!(draw_all(&mut pools, start + QUARANTINE, false), [5000]);
    }

    #[test]
    fn emergency_calls_have_some_set_aside_and_may_cut_a_rest_short() {
        let start = Instant::now();
        let mut pools = pools(5000..=5009, &[], 4);
        let drawn = draw_all(&mut pools, start, false);
        assert_eq!(drawn.len(), 3);
        pools.rest(start, LOCAL, drawn[0]);
        let emergency = draw_all(&mut pools, start, true);
        assert_eq!((emergency.len(), emergency.last()), (3, drawn.first()));
    }

    #[test]
    fn the_hosts_reserved_ports_are_read() {
        let ports = parse_reserved("8080,9000-9002, 5000 ,x,7-\n");
        let mut ports: Vec<_> = ports.into_iter().collect();
        ports.sort_unstable();
        assert_eq!(ports, [5000, 8080, 9000, 9001, 9002]);
        assert!(parse_reserved("\n").is_empty());
    }
}
