//! What is kept for each SSRC.

use super::replay::ReplayWindow;
use crate::packet::Ssrc;

/// The streams of one direction under one key.
///
/// A handful at most in an honest call, and nearly always the one that was asked for last: a walk that keeps the latest in
/// front is faster than a table.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams {
    /// The latest first; beyond that in no order.
    known: Vec<Stream>,
    /// Counts what was put in or marked.
    clock: u64,
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    ssrc: Ssrc,
    window: ReplayWindow,
    /// The value of the clock when it was last marked.
    used: u64,
}

impl Streams {
    /// The window of a stream.
    pub(super) fn find(&mut self, ssrc: Ssrc) -> Option<&mut ReplayWindow> {
        if self.known.first().is_none_or(|first| first.ssrc != ssrc) {
            let place = self.known.iter().position(|stream| stream.ssrc == ssrc)?;
            self.known.swap(0, place);
        }
        self.known.first_mut().map(|stream| &mut stream.window)
    }

    /// Marks an index of a stream, which may be new; returns whether it is above all others of that stream.
    ///
    /// With `most` streams known, the one that was silent for longest makes way for a new one.
    pub(super) fn mark(&mut self, ssrc: Ssrc, index: u64, most: usize) -> bool {
        self.clock += 1;
        let above = match self.find(ssrc) {
            Some(window) => window.mark(index),
            None => {
                self.insert(ssrc, ReplayWindow::new(index), most);
                true
            }
        };
        if let Some(first) = self.known.first_mut() {
            first.used = self.clock;
        }
        above
    }

    /// Puts a new stream in front.
    pub(super) fn insert(&mut self, ssrc: Ssrc, window: ReplayWindow, most: usize) {
        if self.known.len() >= most {
            let oldest = self.known.iter().enumerate().min_by_key(|(_, stream)| stream.used);
            if let Some((place, _)) = oldest {
                self.known.swap_remove(place);
            }
        }
        self.known.push(Stream { ssrc, window, used: self.clock });
        let last = self.known.len() - 1;
        self.known.swap(0, last);
    }

    /// Puts a stream in front, new or not.
    pub(super) fn replace(&mut self, ssrc: Ssrc, window: ReplayWindow, most: usize) {
        match self.find(ssrc) {
            Some(known) => *known = window,
            None => self.insert(ssrc, window, most),
        }
    }

    /// Forgets a stream; returns its window.
    pub(super) fn remove(&mut self, ssrc: Ssrc) -> Option<ReplayWindow> {
        self.find(ssrc)?;
        Some(self.known.swap_remove(0).window)
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Every stream with its window.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Ssrc, ReplayWindow)> + '_ {
        self.known.iter().map(|stream| (stream.ssrc, stream.window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silent_makes_way() {
        let mut streams = Streams::default();
        for ssrc in 1..=3 {
            assert!(streams.mark(Ssrc(ssrc), 10, 3));
        }
        assert!(streams.mark(Ssrc(1), 11, 3)); // 2 is now the longest silent
        assert!(!streams.mark(Ssrc(1), 11, 3));
        assert!(streams.mark(Ssrc(4), 5, 3));
        assert_eq!(streams.len(), 3);
        assert!(streams.find(Ssrc(2)).is_none());
        assert_eq!(streams.find(Ssrc(1)).map(|window| window.highest()), Some(11));
        assert_eq!(streams.find(Ssrc(3)).map(|window| window.highest()), Some(10));
        assert_eq!(streams.find(Ssrc(4)).map(|window| window.highest()), Some(5));
    }
}
