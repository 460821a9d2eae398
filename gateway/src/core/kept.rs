//! Answered requests that are kept for repeats, and others that are only remembered: in the order of their answers, by source, and no more than there is room for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::net::IpAddr;

/// What one costs beside the bytes of its answer: its keys, the way to its peer, its places in tables and queues.
const ENTRY: u64 = 768;

/// See the module. Who is repeated after it was forgotten is answered as if it were new; so it is the oldest that go, and
/// those of a source that has more than half of the room before those of others.
pub(super) struct Kept<I> {
    /// Bytes.
    room: u64,
    used: u64,
    by_source: HashMap<IpAddr, u64>,
    entries: HashMap<I, Entry>,
    /// By age.
    ages: BTreeMap<u64, I>,
    ages_of: BTreeSet<(IpAddr, u64)>,
    next: u64,
    /// A source with more than its half.
    greedy: Option<IpAddr>,
}

struct Entry {
    source: IpAddr,
    age: u64,
    cost: u64,
}

impl<I: Copy + Eq + Hash> Kept<I> {
    /// - `room`: bytes for all of them.
    pub(super) fn new(room: u64) -> Kept<I> {
        Kept {
            room,
            used: 0,
            by_source: HashMap::new(),
            entries: HashMap::new(),
            ages: BTreeMap::new(),
            ages_of: BTreeSet::new(),
            next: 0,
            greedy: None,
        }
    }

    /// - `length`: bytes of the answer.
    pub(super) fn add(&mut self, id: I, source: IpAddr, length: usize) {
        let cost = ENTRY + u64::try_from(length).unwrap_or(u64::MAX / 8);
        let age = self.next;
        self.next += 1;
        self.used += cost;
        let own = self.by_source.entry(source).or_default();
        *own += cost;
        if *own > self.room / 2 {
            self.greedy = Some(source);
        }
        self.ages.insert(age, id);
        self.ages_of.insert((source, age));
        self.entries.insert(id, Entry { source, age, cost });
    }

    pub(super) fn remove(&mut self, id: I) {
        let Some(Entry { source, age, cost }) = self.entries.remove(&id) else { return };
        self.ages.remove(&age);
        self.ages_of.remove(&(source, age));
        self.used -= cost;
        let own = self.by_source.entry(source).or_default();
        *own -= cost;
        if *own <= self.room / 2 && self.greedy == Some(source) {
            self.greedy = None;
        }
        if *own == 0 {
            self.by_source.remove(&source);
        }
    }

    /// The oldest of all.
    pub(super) fn oldest(&self) -> Option<I> {
        self.ages.values().next().copied()
    }

    /// The oldest of a source that has too much, or else of all where there are too many.
    pub(super) fn too_old(&self) -> Option<I> {
        let age = match self.greedy {
            Some(source) => self.ages_of.range((source, 0)..).next().map(|(_, age)| age)?,
            None if self.used > self.room => self.ages.keys().next()?,
            None => return None,
        };
        self.ages.get(age).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn forget(kept: &mut Kept<u64>) -> Vec<u64> {
        let mut forgotten = Vec::new();
        while let Some(oldest) = kept.too_old() {
            kept.remove(oldest);
            forgotten.push(oldest);
        }
        forgotten
    }

    #[test]
    fn the_oldest_of_who_has_more_than_half_go_first() {
        let mut kept = Kept::new(10 * ENTRY);
        (0..5).for_each(|id| kept.add(id, OTHER, 0));
        (10..15).for_each(|id| kept.add(id, SOURCE, 0));
        assert_eq!(forget(&mut kept), [0; 0]);
        kept.remove(11);
        kept.add(15, SOURCE, 0);
        assert_eq!(forget(&mut kept), [0; 0]);
        kept.add(16, SOURCE, 0);
        assert_eq!(forget(&mut kept), [10], "its own, though others' are older");
        kept.add(17, SOURCE, 2 * ENTRY as usize);
        assert_eq!(forget(&mut kept), [12, 13, 14]);
        let third = IpAddr::from([192, 0, 2, 3]);
        kept.add(20, third, 0);
        assert_eq!(forget(&mut kept), [0], "then the oldest of all");
        for id in [1, 2, 3, 4, 15, 16, 17, 20, 99] {
            kept.remove(id);
        }
        assert_eq!((kept.used, kept.by_source.len(), kept.ages.len(), kept.ages_of.len()), (0, 0, 0, 0));
    }

    #[test]
    fn what_alone_is_too_large_goes_at_once() {
        let mut kept = Kept::new(0);
        kept.add(1, SOURCE, 100);
        assert_eq!(forget(&mut kept), [1]);
        assert_eq!(kept.used, 0);
    }

    /// An INVITE and a BYE a call, each for 32 s, in 64 MiB; and another source with a request a second.
    #[test]
    fn fifteen_hundred_calls_a_second_for_two_minutes() {
        let mut kept = Kept::new(64 << 20);
        let mut by_timer = VecDeque::new();
        let (mut forgotten, mut next) = (0, 0_u64);
        for second in 0..120_u64 {
            while by_timer.front().is_some_and(|(since, _)| since + 32 <= second) {
                let (_, id) = by_timer.pop_front().unwrap();
                kept.remove(id);
            }
            for (source, count) in [(SOURCE, 3_000), (OTHER, 1)] {
                for _ in 0..count {
                    kept.add(next, source, 450);
                    by_timer.push_back((second, next));
                    for oldest in forget(&mut kept) {
                        let since = oldest / 3_001;
                        assert!(
                            since + 8 < second,
                            "{since} at {second}: kept for some seconds all the same"
                        );
                        forgotten += 1;
                    }
                    next += 1;
                }
            }
            assert!(kept.used <= 64 << 20 && kept.by_source[&SOURCE] <= 32 << 20);
            assert_eq!(kept.by_source[&OTHER], (ENTRY + 450) * (second + 1).min(32), "none of the other's");
            assert_eq!(kept.ages.len(), kept.entries.len());
        }
        assert!(forgotten > 100_000, "{forgotten}");
    }
}
