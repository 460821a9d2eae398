//! Lines in the log for calls that are refused, or that ask for help: some for each source or connector, then how many
//! more there were.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// So long the lines of a source are counted.
const WINDOW: Duration = Duration::from_secs(10);
/// So many lines of one source are written in a window, by one shard.
const LINES: u32 = 10;
/// So many sources, or connectors, are told apart; the others share their lines.
const SOURCES: usize = 20_000;

/// See the module.
#[derive(Debug)]
pub(super) struct RefusalLines<K = IpAddr> {
    /// When the window ends; `None`: nobody was refused since the last one.
    until: Option<Instant>,
    refused: HashMap<Option<K>, u32>,
}

impl<K> Default for RefusalLines<K> {
    fn default() -> Self {
        RefusalLines { until: None, refused: HashMap::new() }
    }
}

/// What was not written of a source; `None`: of all that could not be told apart.
pub(super) type LeftOut<K> = (Option<K>, u32);

impl<K: Hash + Eq> RefusalLines<K> {
    /// A call of `source` was refused: whether that is worth a line of its own.
    pub(super) fn take(&mut self, now: Instant, source: K) -> bool {
        self.until.get_or_insert(now + WINDOW);
        let source = Some(source);
        let known = self.refused.contains_key(&source) || self.refused.len() < SOURCES;
        let refused = self.refused.entry(source.filter(|_| known)).or_default();
        *refused += 1;
        *refused <= LINES
    }

    /// Whether `source` has lines left; takes none.
    pub(super) fn has_line(&self, source: K) -> bool {
        self.refused.get(&Some(source)).is_none_or(|refused| *refused <= LINES)
    }

    /// When to call [`RefusalLines::handle_timeout`].
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.until
    }

    /// What is still to be said of the window that is over.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Vec<LeftOut<K>> {
        if self.until.is_none_or(|until| until > now) {
            return Vec::new();
        }
        self.until = None;
        let left_out = self.refused.drain().filter(|(_, refused)| *refused > LINES);
        left_out.map(|(source, refused)| (source, refused - LINES)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_lines_a_source_and_then_a_count() {
        let (mut said, start) = (RefusalLines::default(), Instant::now());
        let source = |last: u8| IpAddr::from([192, 0, 2, last]);
        let written = (0..5_000).filter(|_| said.take(start, source(1))).count();
        assert_eq!(written, 10);
        assert!(said.take(start, source(2)), "another source has lines of its own");
        let end = said.poll_timeout().unwrap();
        assert_eq!(said.handle_timeout(end - Duration::from_millis(1)), []);
        assert_eq!(said.handle_timeout(end), [(Some(source(1)), 4_990)]);
        assert_eq!(said.poll_timeout(), None);
        assert!(said.take(end, source(1)));
    }

    #[test]
    fn the_table_is_bounded() {
        let (mut said, start) = (RefusalLines::default(), Instant::now());
        for number in 0..100_000_u32 {
            said.take(start, IpAddr::from(number.to_be_bytes()));
        }
        assert_eq!(said.refused.len(), SOURCES + 1);
        assert_eq!(said.handle_timeout(start + WINDOW), [(None, 79_990)]);
    }
}
