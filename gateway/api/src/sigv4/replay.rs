//! Changes that were taken already: a signed one is taken once.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use super::{Claim, WINDOW};

/// What is remembered of all keys together: some 40 MB.
const MOST: usize = 1_000_000;

/// What a change is, beside what was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It comes for the first time.
    New,
    /// It was taken already, or nobody can know: it was signed before this memory began.
    Before,
    /// There is no room to remember it.
    NoRoom,
}

/// The signatures of the changes within the window.
///
/// Two changes that are alike in everything have the same signature when they were signed within the same second, so an
/// honest twin is taken for a replay: it gets an answer that clients try again on, and then it has another second.
#[derive(Debug)]
pub(crate) struct Replays {
    began: OffsetDateTime,
    most: usize,
    /// By the minute in which the claim dies.
    seen: HashMap<i64, HashSet<[u8; 32]>>,
    of_key: HashMap<String, HashMap<i64, usize>>,
    count: usize,
}

impl Replays {
    /// - `now`: what was signed until then may have been taken by a gateway before this one.
    pub(crate) fn new(now: OffsetDateTime) -> Replays {
        Replays::with_room_for(MOST, now)
    }

    pub(super) fn with_room_for(most: usize, now: OffsetDateTime) -> Replays {
        Replays { began: now, most, seen: HashMap::new(), of_key: HashMap::new(), count: 0 }
    }

    /// Whether a claim was taken already.
    pub(crate) fn has(&self, claim: &Claim) -> bool {
        self.seen.get(&dies(claim)).is_some_and(|seen| seen.contains(claim.signature()))
    }

    /// Remembers a claim that was proved.
    pub(crate) fn take(&mut self, claim: &Claim, now: OffsetDateTime) -> Seen {
        if claim.date.unix_timestamp() <= self.began.unix_timestamp() {
            return Seen::Before;
        }
        self.forget(now.unix_timestamp().div_euclid(60));
        let dies = dies(claim);
        if self.has(claim) {
            return Seen::Before;
        }
        let of_key: usize = self.of_key.get(&claim.key).map_or(0, |minutes| minutes.values().sum());
        // Half of the room may be one key's.
        if self.count >= self.most || of_key >= self.most / 2 {
            return Seen::NoRoom;
        }
        self.seen.entry(dies).or_default().insert(*claim.signature());
        *self.of_key.entry(claim.key.clone()).or_default().entry(dies).or_default() += 1;
        self.count += 1;
        Seen::New
    }

    fn forget(&mut self, minute: i64) {
        let before = self.seen.len();
        self.seen.retain(|dies, _| *dies >= minute);
        if self.seen.len() == before {
            return;
        }
        self.count = self.seen.values().map(HashSet::len).sum();
        self.of_key.retain(|_, minutes| {
            minutes.retain(|dies, _| *dies >= minute);
            !minutes.is_empty()
        });
    }
}

/// The minute in which a claim dies.
fn dies(claim: &Claim) -> i64 {
    (claim.date.unix_timestamp() + WINDOW).div_euclid(60) + 1
}
