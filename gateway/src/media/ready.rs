//! Pairs whose sockets stay open between two calls.
//!
//! Opening the four sockets of a call costs more system calls than all else that a call does. So a worker keeps some: their ports
//! rest like others, what comes meanwhile is read and thrown away, and what came before the next call began is not heard by it.

use std::collections::HashMap;

use super::driver::KeptPort;
use crate::random::Random;

/// A call takes one of these only where there are so many, so that its ports can't be guessed.
pub(super) const ENOUGH: usize = 128;

/// The open ports of a pair, RTP first, and the worker that has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) worker: usize,
    pub(super) ports: [KeptPort; 2],
}

/// The pairs of one address that have rested and are open still, by worker.
#[derive(Debug, Default)]
pub(super) struct Ready(HashMap<usize, Vec<(u16, Kept)>>);

impl Ready {
    /// How many there are for a worker.
    pub(super) fn of(&self, worker: usize) -> usize {
        self.0.get(&worker).map_or(0, Vec::len)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    pub(super) fn push(&mut self, pair: u16, kept: Kept) {
        self.0.entry(kept.worker).or_default().push((pair, kept));
    }

    /// Any one of a worker's.
    pub(super) fn draw(&mut self, worker: usize, random: &mut impl Random) -> Option<(u16, Kept)> {
        let ready = self.0.get_mut(&worker)?;
        let index = usize::try_from(random.below(ready.len() as u64)).unwrap_or(0);
        (index < ready.len()).then(|| ready.swap_remove(index))
    }

    /// Takes out a pair.
    pub(super) fn remove(&mut self, worker: usize, pair: u16) -> Option<Kept> {
        let ready = self.0.get_mut(&worker)?;
        let index = ready.iter().position(|(one, _)| *one == pair)?;
        Some(ready.swap_remove(index).1)
    }

    /// Takes out all of a worker's.
    pub(super) fn take(&mut self, worker: usize) -> Vec<(u16, Kept)> {
        self.0.remove(&worker).unwrap_or_default()
    }
}
