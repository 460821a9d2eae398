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

/// A worker that has calls may have so many more open than it needed.
const SPARE: usize = 4 * ENOUGH;

/// The pairs of one address that have rested and are open still, by worker.
#[derive(Debug, Default)]
pub(super) struct Ready(HashMap<usize, Shelf>);

/// Those of one worker.
#[derive(Debug, Default)]
struct Shelf {
    pairs: Vec<(u16, Kept)>,
    /// How many were left at one time since the last [`Ready::take_unused`].
    least: usize,
    /// Some call has asked since.
    used: bool,
}

impl Ready {
    /// How many there are for a worker.
    pub(super) fn of(&self, worker: usize) -> usize {
        self.0.get(&worker).map_or(0, |shelf| shelf.pairs.len())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(|shelf| shelf.pairs.len()).sum()
    }

    pub(super) fn push(&mut self, pair: u16, kept: Kept) {
        self.0.entry(kept.worker).or_default().pairs.push((pair, kept));
    }

    /// Any one of a worker's.
    pub(super) fn draw(&mut self, worker: usize, random: &mut impl Random) -> Option<(u16, Kept)> {
        let shelf = self.0.get_mut(&worker)?;
        let index = usize::try_from(random.below(shelf.pairs.len() as u64)).unwrap_or(0);
        let drawn = (index < shelf.pairs.len()).then(|| shelf.pairs.swap_remove(index));
        shelf.used = true;
        shelf.least = shelf.least.min(shelf.pairs.len());
        drawn
    }

    /// Takes out a pair.
    pub(super) fn remove(&mut self, worker: usize, pair: u16) -> Option<Kept> {
        let shelf = self.0.get_mut(&worker)?;
        let index = shelf.pairs.iter().position(|(one, _)| *one == pair)?;
        shelf.least = shelf.least.min(shelf.pairs.len() - 1);
        Some(shelf.pairs.swap_remove(index).1)
    }

    /// Takes out all of a worker's.
    pub(super) fn take(&mut self, worker: usize) -> Vec<(u16, Kept)> {
        self.0.remove(&worker).unwrap_or_default().pairs
    }

    /// Takes out what a worker has not needed since this was asked last, and hardly will: all where there were no calls.
    pub(super) fn take_unused(&mut self, worker: usize) -> Vec<(u16, Kept)> {
        let Some(shelf) = self.0.get_mut(&worker) else { return Vec::new() };
        let spare = if shelf.used { SPARE } else { 0 };
        let left = shelf.pairs.len() - shelf.least.saturating_sub(spare).min(shelf.pairs.len());
        let unused = shelf.pairs.split_off(left);
        (shelf.least, shelf.used) = (left, false);
        unused
    }
}
