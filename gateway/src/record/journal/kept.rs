//! The records of the journal that somebody still waits for: the directory, or a sink.

use std::collections::BTreeMap;

use super::Position;
use crate::metrics::RecordKind;

/// A record in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) position: Position,
    pub(super) kind: RecordKind,
    /// The directory has it.
    pub(super) there: bool,
}

/// Records by their numbers, and how far each sink is.
#[derive(Debug, Default)]
pub(super) struct Records {
    kept: BTreeMap<u64, Kept>,
    undelivered: usize,
    /// By name: the number of the first record that the sink has not.
    sinks: BTreeMap<String, u64>,
}

impl Records {
    pub(super) fn insert(&mut self, sequence: u64, position: Position, kind: RecordKind) {
        let new = Kept { position, kind, there: false };
        let old = self.kept.insert(sequence, new);
        self.undelivered += usize::from(old.is_none_or(|old| old.there));
    }

    /// The directory has it. Returns the bytes that nobody needs any more.
    pub(super) fn delivered(&mut self, sequence: u64) -> u64 {
        let first = self.first_wanted();
        let Some(kept) = self.kept.get_mut(&sequence) else { return 0 };
        self.undelivered -= usize::from(!kept.there);
        kept.there = true;
        if first.is_some_and(|first| first <= sequence) {
            return 0;
        }
        self.kept.remove(&sequence).map_or(0, |kept| kept.position.length)
    }

    /// A sink has all before `next`. Returns the bytes that nobody needs any more.
    pub(super) fn taken(&mut self, sink: &str, next: u64) -> u64 {
        let before = self.first_wanted();
        match self.sinks.get_mut(sink) {
            Some(position) => *position = next,
            None => drop(self.sinks.insert(sink.to_owned(), next)),
        }
        self.drop_from(before)
    }

    /// A sink is no more. Returns the bytes that nobody needs any more.
    pub(super) fn forget_sink(&mut self, sink: &str) -> u64 {
        let before = self.first_wanted();
        self.sinks.remove(sink);
        self.drop_from(before)
    }

    /// What every sink and the directory have. What lay before `before` was looked at then.
    fn drop_from(&mut self, before: Option<u64>) -> u64 {
        let (from, until) = (before.unwrap_or(u64::MAX), self.first_wanted().unwrap_or(u64::MAX));
        if from >= until {
            return 0;
        }
        let there = |(sequence, kept): (&u64, &Kept)| kept.there.then_some(*sequence);
        let done: Vec<u64> = self.kept.range(from..until).filter_map(there).collect();
        done.iter().filter_map(|sequence| self.kept.remove(sequence)).map(|kept| kept.position.length).sum()
    }

    /// The first record that some sink has not; `None`: there are no sinks.
    fn first_wanted(&self) -> Option<u64> {
        self.sinks.values().min().copied()
    }

    pub(super) fn get(&self, sequence: u64) -> Option<&Kept> {
        self.kept.get(&sequence)
    }

    /// In their order, those numbered `first` and higher.
    pub(super) fn from(&self, first: u64) -> impl Iterator<Item = (u64, &Kept)> {
        self.kept.range(first..).map(|(sequence, kept)| (*sequence, kept))
    }

    pub(super) fn undelivered(&self) -> usize {
        self.undelivered
    }

    /// How many the directory has, and some sink has not.
    pub(super) fn held(&self) -> usize {
        self.kept.len() - self.undelivered
    }

    pub(super) fn sinks(&self) -> &BTreeMap<String, u64> {
        &self.sinks
    }

    /// Puts each where it is in another file; those that are not there are lost.
    pub(super) fn move_to(&mut self, position: impl Fn(u64, Position) -> Option<Position>) {
        self.kept.retain(|sequence, kept| {
            let there = position(*sequence, kept.position);
            kept.position = there.unwrap_or(kept.position);
            there.is_some()
        });
        self.undelivered = self.kept.values().filter(|kept| !kept.there).count();
    }

    pub(super) fn bytes(&self) -> u64 {
        self.kept.values().map(|kept| kept.position.length).sum()
    }
}
