//! Port pairs: drawn at random, rested after use.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::NoRoom;
use super::ready::{ENOUGH, Kept, Ready};
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
    /// Pairs of all addresses that are open and not in use, likewise; and how many these may be.
    kept: usize,
    most_kept: usize,
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
    /// Those of them that are open.
    ready: Ready,
    /// Pairs that rest, by the end of their rest.
    resting: VecDeque<Resting>,
    /// Pairs that parties hold or let rest; none of those that hold none.
    shares: HashMap<Party, usize>,
}

#[derive(Debug)]
struct Resting {
    until: Instant,
    pair: u16,
    /// Whose it is so long.
    party: Option<Party>,
    kept: Option<Kept>,
}

/// A pair that was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Drawn {
    pub(super) pair: u16,
    /// Its ports, where they are open.
    pub(super) kept: Option<Kept>,
}

impl Resting {
    /// Whether a worker can have it at once: it is closed, or open there.
    fn is_for(&self, worker: usize) -> bool {
        self.kept.is_none_or(|kept| kept.worker == worker)
    }
}

impl Pool {
    /// What has rested is free.
    fn wake(&mut self, now: Instant) {
        while self.resting.front().is_some_and(|resting| resting.until <= now) {
            if let Some(Resting { pair, party, kept, .. }) = self.resting.pop_front() {
                self.set_free(pair, kept);
                self.discharge(party.as_ref());
            }
        }
    }

    fn set_free(&mut self, pair: u16, kept: Option<Kept>) {
        match kept {
            Some(kept) => self.ready.push(pair, kept),
            None => self.free.push(pair),
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
    /// - `most_kept`: how many pairs may stay open while no call has them, over all addresses.
    pub(super) fn new(
        range: &RangeInclusive<u16>,
        excluded: &HashSet<u16>,
        emergency_ports: u16,
        quarantine: Duration,
        sockets: usize,
        most_kept: usize,
    ) -> PortPools {
        let pairs = pairs(range, excluded);
        PortPools {
            most_kept: most_kept.min(pairs.len() / 8),
            kept: 0,
            pairs,
            reserve: usize::from(emergency_ports).div_ceil(2),
            quarantine,
            sockets,
            drawn: 0,
            pools: HashMap::new(),
        }
    }

    /// Draws a pair of `address` for a call of `worker`.
    ///
    /// # Errors
    /// Why there is none for a call of this kind.
    pub(super) fn draw(
        &mut self,
        now: Instant,
        address: IpAddr,
        claim: &Claim,
        random: &mut impl Random,
        worker: usize,
    ) -> Result<Drawn, NoRoom> {
        let pairs = &self.pairs;
        let new = || Pool {
            free: pairs.clone(),
            ready: Ready::default(),
            resting: VecDeque::new(),
            shares: HashMap::new(),
        };
        let pool = self.pools.entry(address).or_insert_with(new);
        pool.wake(now);
        let reserve = if claim.is_set_aside() { 0 } else { self.reserve };
        let ready = pool.ready.of(worker);
        let spare = (pool.free.len() + ready).saturating_sub(reserve);
        // Others' open pairs are as good as in use, until they are closed for want of sockets.
        let more = if ready == 0 { self.kept } else { 0 };
        let drawn = if !claim.is_set_aside() && 2 * (self.drawn + more + 1) > self.sockets {
            return Err(NoRoom::Descriptors);
        } else if spare > 0 {
            if !claim.emergency && pool.share(claim.party.as_ref()) >= SHARE * spare {
                return Err(NoRoom::Share);
            }
            let full = 2 * (self.drawn + self.kept + 1) > self.sockets;
            // What is set aside is closed: an open pair is of no use to an emergency call of another worker.
            let open = if ready >= ENOUGH || pool.free.len() <= reserve || full {
                pool.ready.draw(worker, random)
            } else {
                None
            };
            match open {
                Some((pair, kept)) => Drawn { pair, kept: Some(kept) },
                None => {
                    let index = usize::try_from(random.below(pool.free.len() as u64)).unwrap_or(0);
                    Drawn { pair: pool.free.swap_remove(index), kept: None }
                }
            }
        } else if claim.emergency
            && let Some(index) = pool.resting.iter().position(|resting| resting.is_for(worker))
            && let Some(Resting { pair, party, kept, .. }) = pool.resting.remove(index)
        {
            // A stray packet of the last call is better than no emergency call.
            pool.discharge(party.as_ref());
            Drawn { pair, kept }
        } else {
            return Err(NoRoom::Ports);
        };
        pool.charge(claim.party.as_ref());
        self.drawn += 1;
        self.kept = self.kept.saturating_sub(usize::from(drawn.kept.is_some()));
        Ok(drawn)
    }

    /// The same where enough pairs are open that the worker has nothing to do about it.
    pub(super) fn draw_open(
        &mut self,
        now: Instant,
        address: IpAddr,
        claim: &Claim,
        random: &mut impl Random,
        worker: usize,
    ) -> Option<Drawn> {
        let pool = self.pools.get_mut(&address)?;
        pool.wake(now);
        if pool.ready.of(worker) < ENOUGH {
            return None;
        }
        self.draw(now, address, claim, random, worker).ok()
    }

    /// Takes back a pair that was used, or found busy: it rests.
    ///
    /// - `kept`: its ports, if they stay open after [`PortPools::may_keep`] has allowed it.
    pub(super) fn rest(
        &mut self,
        now: Instant,
        address: IpAddr,
        pair: u16,
        claim: &Claim,
        kept: Option<Kept>,
    ) {
        self.drawn = self.drawn.saturating_sub(1);
        if let Some(pool) = self.pools.get_mut(&address) {
            let party = claim.party.clone();
            pool.resting.push_back(Resting { until: now + self.quarantine, pair, party, kept });
        }
    }

    /// Takes back a pair that was never used.
    ///
    /// - `kept`: as it is for [`PortPools::rest`].
    pub(super) fn give_back(&mut self, address: IpAddr, pair: u16, claim: &Claim, kept: Option<Kept>) {
        self.drawn = self.drawn.saturating_sub(1);
        if let Some(pool) = self.pools.get_mut(&address) {
            pool.set_free(pair, kept);
            pool.discharge(claim.party.as_ref());
        }
    }

    /// Whether one more pair may stay open when its call has ended; it is counted then.
    pub(super) fn may_keep(&mut self) -> bool {
        let may = self.kept < self.most_kept && !self.is_scarce();
        self.kept += usize::from(may);
        may
    }

    /// What [`PortPools::may_keep`] has allowed could not be done.
    pub(super) fn keeps_not(&mut self) {
        self.kept = self.kept.saturating_sub(1);
    }

    /// Ports or sockets run short, so that none is kept for later.
    fn is_scarce(&self) -> bool {
        2 * (self.drawn + self.kept) > self.sockets / 4 * 3
            || self.pools.values().any(|pool| pool.free.len() < self.pairs.len() / 4)
    }

    /// The open ports that a worker is to close, because they run short. Their pairs are free, or rest, as others do.
    pub(super) fn reclaim(&mut self, worker: usize) -> Vec<Kept> {
        let mut closed = Vec::new();
        if self.kept == 0 || !self.is_scarce() {
            return closed;
        }
        for pool in self.pools.values_mut() {
            for (pair, kept) in pool.ready.take(worker) {
                pool.free.push(pair);
                closed.push(kept);
            }
            let resting = pool.resting.iter_mut().filter(|resting| resting.is_for(worker));
            closed.extend(resting.filter_map(|resting| resting.kept.take()));
        }
        self.kept = self.kept.saturating_sub(closed.len());
        closed
    }

    /// The open ports that a worker has not needed since this was asked last, and is to close.
    pub(super) fn take_unused(&mut self, now: Instant, worker: usize) -> Vec<Kept> {
        let mut closed = Vec::new();
        for pool in self.pools.values_mut() {
            pool.wake(now);
            for (pair, kept) in pool.ready.take_unused(worker) {
                pool.free.push(pair);
                closed.push(kept);
            }
        }
        self.kept = self.kept.saturating_sub(closed.len());
        closed
    }

    /// The open ports of one pair, which the worker is to close. `None`: a call has got them meanwhile.
    pub(super) fn reclaim_one(&mut self, address: IpAddr, pair: u16, worker: usize) -> Option<Kept> {
        let pool = self.pools.get_mut(&address)?;
        let resting = pool.resting.iter_mut().find(|resting| resting.pair == pair);
        let kept = match resting {
            Some(resting) => resting.kept.take()?,
            None => {
                let kept = pool.ready.remove(worker, pair)?;
                pool.free.push(pair);
                kept
            }
        };
        self.kept = self.kept.saturating_sub(1);
        Some(kept)
    }

    /// Why an ordinary call would not find a pair for each leg, wherever its parties are.
    pub(super) fn no_room(&self, now: Instant) -> Option<NoRoom> {
        if 2 * (self.drawn + 2) > self.sockets {
            return Some(NoRoom::Descriptors);
        }
        let is_short = |pool: &Pool| {
            let rested = pool.resting.iter().take_while(|resting| resting.until <= now).count();
            pool.free.len() + pool.ready.len() + rested < self.reserve + 2
        };
        self.pools.values().any(is_short).then_some(NoRoom::Ports)
    }

    /// How many ordinary calls fit at one time on so many addresses.
    pub(super) fn calls(&self, addresses: usize) -> usize {
        let pairs = self.pairs.len().saturating_sub(self.reserve) * addresses;
        (pairs / 2).min(self.sockets / 4)
    }

    /// How many ports are used, resting and free, of each address that a call has used so far.
    pub(super) fn by_address(&self) -> impl Iterator<Item = (IpAddr, PortCounts)> + '_ {
        self.pools.iter().map(|(address, pool)| {
            let (free, resting) = (pool.free.len() + pool.ready.len(), pool.resting.len());
            let used = 2 * self.pairs.len().saturating_sub(free + resting);
            (*address, PortCounts { used, resting: 2 * resting, free: 2 * free })
        })
    }

    /// The same, of all of them together.
    pub(super) fn counts(&self) -> PortCounts {
        self.by_address().fold(PortCounts::default(), |sum, (_, counts)| PortCounts {
            used: sum.used + counts.used,
            resting: sum.resting + counts.resting,
            free: sum.free + counts.free,
        })
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
mod tests;
