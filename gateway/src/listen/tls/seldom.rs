//! Log lines about TLS that failed: not one for each stranger.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The least time between two log lines about TLS that failed.
const INTERVAL: Duration = Duration::from_secs(1);

/// Lets a log line through now and then, and counts the others: a peer that tries all the time fills no disk.
#[derive(Debug)]
pub(in crate::listen) struct Seldom {
    start: Instant,
    /// Milliseconds after `start` when the next line may come.
    next_ms: AtomicU64,
    skipped: AtomicU64,
}

impl Seldom {
    /// - `start`: not after any `now` that will be handed in.
    pub(in crate::listen) fn new(start: Instant) -> Seldom {
        Seldom { start, next_ms: AtomicU64::new(0), skipped: AtomicU64::new(0) }
    }

    /// How many lines were left out since the one before, where one may be written now.
    pub(in crate::listen) fn may(&self, now: Instant) -> Option<u64> {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let now_ms = millis(now.saturating_duration_since(self.start));
        let next = now_ms.saturating_add(millis(INTERVAL));
        let turn = |next_ms: u64| (next_ms <= now_ms).then_some(next);
        if self.next_ms.fetch_update(Relaxed, Relaxed, turn).is_err() {
            self.skipped.fetch_add(1, Relaxed);
            return None;
        }
        Some(self.skipped.swap(0, Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_which_says_how_many_it_stands_for() {
        let start = Instant::now();
        let seldom = Seldom::new(start);
        let at = |ms| seldom.may(start + Duration::from_millis(ms));
        assert_eq!([at(5), at(6), at(900), at(1_005)], [Some(0), None, None, Some(2)]);
        assert_eq!([at(1_500), at(9_000), at(10_000)], [None, Some(1), Some(0)]);
    }
}
