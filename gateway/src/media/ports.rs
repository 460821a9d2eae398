//! Port pairs: drawn at random, rested after use.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::NoRoom;
use crate::peer::Party;
use crate::random::Random;

/// The port pairs of every local address. A pair is named by its even port.
#[derive(Debug)]
pub(super) struct PortPools {
    /// All pairs that may ever be drawn.
    pairs: Vec<u16>,
    /// Pairs of each address that are kept for emergency calls.
    reserve: usize,
    quarantine: Duration,
    /// Sockets that ordinary calls may hold.
    sockets: usize,
    /// Pairs of all addresses that are in use, two sockets each.
    drawn: usize,
    pools: HashMap<IpAddr, Pool>,
}

/// A party takes one more pair only while it holds less than so many times what is left. Alone it finds eight ninths of the
/// pairs, two such parties find eight seventeenths each, and there always are some for whoever comes next.
const SHARE: usize = 8;

/// For whom a pair is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// Who is charged with it; none for an emergency call that may use what is set aside.
    party: Option<Party>,
    emergency: bool,
}

impl Claim {
    pub(super) fn new(party: Option<Party>, emergency: bool) -> Claim {
        Claim { party, emergency }
    }

    /// Whether the pairs and the sockets that are set aside are for it.
    fn is_set_aside(&self) -> bool {
        self.emergency && self.party.is_none()
    }
}

#[derive(Debug)]
struct Pool {
    free: Vec<u16>,
    /// Pairs that rest, by the end of their rest, and whose they are so long.
    resting: VecDeque<(Instant, u16, Option<Party>)>,
    /// Pairs that parties hold or let rest; none of those that hold none.
    shares: HashMap<Party, usize>,
}

impl Pool {
    /// What has rested is free.
    fn wake(&mut self, now: Instant) {
        while self.resting.front().is_some_and(|(until, ..)| *until <= now) {
            if let Some((_, pair, party)) = self.resting.pop_front() {
                self.free.push(pair);
                self.discharge(party.as_ref());
            }
        }
    }

    fn charge(&mut self, party: Option<&Party>) {
        if let Some(party) = party {
            *self.shares.entry(party.clone()).or_default() += 1;
        }
    }

    fn discharge(&mut self, party: Option<&Party>) {
        let Some(party) = party else { return };
        if let Some(share) = self.shares.get_mut(party) {
            *share -= 1;
            if *share == 0 {
                self.shares.remove(party);
            }
        }
    }

    fn share(&self, party: Option<&Party>) -> usize {
        party.and_then(|party| self.shares.get(party)).copied().unwrap_or(0)
    }
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
    /// - `sockets`: how many ordinary calls may hold, over all addresses.
    pub(super) fn new(
        range: &RangeInclusive<u16>,
        excluded: &HashSet<u16>,
        emergency_ports: u16,
        quarantine: Duration,
        sockets: usize,
    ) -> PortPools {
        PortPools {
            pairs: pairs(range, excluded),
            reserve: usize::from(emergency_ports).div_ceil(2),
            quarantine,
            sockets,
            drawn: 0,
            pools: HashMap::new(),
        }
    }

    /// Draws a pair of `address`.
    ///
    /// # Errors
    /// Why there is none for a call of this kind.
    pub(super) fn draw(
        &mut self,
        now: Instant,
        address: IpAddr,
        claim: &Claim,
        random: &mut impl Random,
    ) -> Result<u16, NoRoom> {
        let pairs = &self.pairs;
        let new = || Pool { free: pairs.clone(), resting: VecDeque::new(), shares: HashMap::new() };
        let pool = self.pools.entry(address).or_insert_with(new);
        pool.wake(now);
        let reserve = if claim.is_set_aside() { 0 } else { self.reserve };
        let spare = pool.free.len().saturating_sub(reserve);
        let pair = if !claim.is_set_aside() && 2 * (self.drawn + 1) > self.sockets {
            return Err(NoRoom::Descriptors);
        } else if spare > 0 {
            if !claim.emergency && pool.share(claim.party.as_ref()) >= SHARE * spare {
                return Err(NoRoom::Share);
            }
            let index = usize::try_from(random.below(pool.free.len() as u64)).unwrap_or(0);
            pool.free.swap_remove(index)
        } else if claim.emergency
            && let Some((_, pair, party)) = pool.resting.pop_front()
        {
            // A stray packet of the last call is better than no emergency call.
            pool.discharge(party.as_ref());
            pair
        } else {
            return Err(NoRoom::Ports);
        };
        pool.charge(claim.party.as_ref());
        self.drawn += 1;
        Ok(pair)
    }

    /// Takes back a pair that was used, or found busy: it rests.
    pub(super) fn rest(&mut self, now: Instant, address: IpAddr, pair: u16, claim: &Claim) {
        self.drawn = self.drawn.saturating_sub(1);
        if let Some(pool) = self.pools.get_mut(&address) {
            pool.resting.push_back((now + self.quarantine, pair, claim.party.clone()));
        }
    }

    /// Takes back a pair that was never used.
    pub(super) fn give_back(&mut self, address: IpAddr, pair: u16, claim: &Claim) {
        self.drawn = self.drawn.saturating_sub(1);
        if let Some(pool) = self.pools.get_mut(&address) {
            pool.free.push(pair);
            pool.discharge(claim.party.as_ref());
        }
    }

    /// Why an ordinary call would not find a pair for each leg, wherever its parties are.
    pub(super) fn no_room(&self, now: Instant) -> Option<NoRoom> {
        if 2 * (self.drawn + 2) > self.sockets {
            return Some(NoRoom::Descriptors);
        }
        let is_short = |pool: &Pool| {
            let rested = pool.resting.iter().take_while(|(until, ..)| *until <= now).count();
            pool.free.len() + rested < self.reserve + 2
        };
        self.pools.values().any(is_short).then_some(NoRoom::Ports)
    }

    /// How many ordinary calls fit at one time on so many addresses.
    pub(super) fn calls(&self, addresses: usize) -> usize {
        let pairs = self.pairs.len().saturating_sub(self.reserve) * addresses;
        (pairs / 2).min(self.sockets / 4)
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

/// The even ports of the pairs of a range of which no port is excluded.
pub(super) fn pairs(range: &RangeInclusive<u16>, excluded: &HashSet<u16>) -> Vec<u16> {
    let fits = |port: &u16| port.is_multiple_of(2) && *port > 0 && *port < *range.end();
    let allowed = |port: &u16| !excluded.contains(port) && !excluded.contains(&(port + 1));
    range.clone().filter(fits).filter(allowed).collect()
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
        PortPools::new(&range, &excluded.iter().copied().collect(), emergency_ports, QUARANTINE, usize::MAX)
    }

    fn draw_all(pools: &mut PortPools, now: Instant, emergency: bool) -> Vec<u16> {
        draw_for(pools, now, &Claim::new(None, emergency))
    }

    fn draw_for(pools: &mut PortPools, now: Instant, claim: &Claim) -> Vec<u16> {
        let mut random = SeededRandom::new(7);
        std::iter::from_fn(|| pools.draw(now, LOCAL, claim, &mut random).ok()).collect()
    }

    fn of(name: &str) -> Claim {
        Claim::new(Some(Party::VoiceConnector(name.into())), false)
    }

    fn nobody() -> Claim {
        Claim::new(None, false)
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
        pools.rest(start, LOCAL, 5000, &nobody());
        assert!(draw_all(&mut pools, start + QUARANTINE - Duration::from_millis(1), false).is_empty());
        assert_eq!(draw_all(&mut pools, start + QUARANTINE, false), [5000]);
        pools.give_back(LOCAL, 5000, &nobody());
        assert_eq!(draw_all(&mut pools, start + QUARANTINE, false), [5000]);
    }

    #[test]
    fn emergency_calls_have_some_set_aside_and_may_cut_a_rest_short() {
        let start = Instant::now();
        let mut pools = pools(5000..=5009, &[], 4);
        let drawn = draw_all(&mut pools, start, false);
        assert_eq!(drawn.len(), 3);
        pools.rest(start, LOCAL, drawn[0], &nobody());
        let emergency = draw_all(&mut pools, start, true);
        assert_eq!((emergency.len(), emergency.last()), (3, drawn.first()));
    }

    /// Who has more emergency calls than what is set aside is for leaves that to others.
    #[test]
    fn an_emergency_call_beyond_what_is_set_aside_has_the_ordinary_pairs_before_all_others() {
        let start = Instant::now();
        let mut pools = pools(5000..=5019, &[], 4);
        let beyond = Claim::new(of("flood").party, true);
        let drawn = draw_for(&mut pools, start, &beyond);
        assert_eq!(drawn.len(), 8);
        assert!(draw_for(&mut pools, start, &of("pbx")).is_empty());
        pools.rest(start, LOCAL, drawn[0], &beyond);
        assert_eq!(draw_for(&mut pools, start, &beyond), [drawn[0]]);
        assert_eq!(draw_all(&mut pools, start, true).len(), 2);
    }

    /// Two greedy parties and one that comes late: each finds its share, and rest counts as use.
    #[test]
    fn no_party_starves_another() {
        let start = Instant::now();
        let mut pools = pools(10_000..=11_999, &[], 0);
        let first = draw_for(&mut pools, start, &of("greedy"));
        assert_eq!(first.len(), 889);
        let mut random = SeededRandom::new(7);
        assert_eq!(pools.draw(start, LOCAL, &of("greedy"), &mut random), Err(NoRoom::Share));
        assert_eq!(draw_for(&mut pools, start, &of("late")).len(), 99);
        assert_eq!(draw_for(&mut pools, start, &of("latest")).len(), 11);
        assert!(pools.draw(start, LOCAL, &Claim::new(None, true), &mut random).is_ok());
        for pair in &first {
            pools.rest(start, LOCAL, *pair, &of("greedy"));
        }
        assert!(draw_for(&mut pools, start, &of("greedy")).is_empty());
        let rested = start + QUARANTINE;
        assert_eq!(draw_for(&mut pools, rested, &of("late")).len(), 780);
        assert_eq!(draw_for(&mut pools, rested, &of("greedy")).len(), 97);
    }

    #[test]
    fn sockets_are_set_aside_for_emergency_calls() {
        let start = Instant::now();
        let mut pools = PortPools::new(&(5000..=5099), &HashSet::new(), 0, QUARANTINE, 9);
        assert_eq!(pools.calls(1), 2);
        let drawn = draw_for(&mut pools, start, &of("pbx"));
        assert_eq!(drawn.len(), 4);
        let mut random = SeededRandom::new(7);
        assert_eq!(pools.draw(start, LOCAL, &of("branch"), &mut random), Err(NoRoom::Descriptors));
        assert!(pools.draw(start, LOCAL, &Claim::new(None, true), &mut random).is_ok());
        pools.rest(start, LOCAL, drawn[0], &of("pbx"));
        pools.rest(start, LOCAL, drawn[1], &of("pbx"));
        assert_eq!(draw_for(&mut pools, start, &of("branch")).len(), 1);
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
