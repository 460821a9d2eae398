//! When whoever failed is asked again.

use std::time::{Duration, Instant};

/// After the first failure; each further one in a row doubles the wait.
const FIRST: Duration = Duration::from_millis(500);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// Failures in a row.
#[derive(Debug, Default, Clone, Copy)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Takes note of a failure. Returns the instant of the next try.
    ///
    /// - `spread`: 0 to 255, random: up to a half of the wait is left out, so that calls that lost a server together do not all
    ///   come back to it at once.
    pub fn failed(&mut self, now: Instant, spread: u8) -> Instant {
        let wait = LONGEST.min(FIRST * 2_u32.saturating_pow(self.failures.min(16)));
        self.failures = self.failures.saturating_add(1);
        now + wait - wait / 2 * u32::from(spread) / 255
    }

    /// It worked.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Failures since it last worked.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_limit_and_are_spread() {
        let start = Instant::now();
        let waits = |spread| {
            let mut backoff = Backoff::default();
            [(); 9].map(|()| (backoff.failed(start, spread) - start).as_millis())
        };
        assert_eq!(waits(0), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(waits(255), [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
        let mut backoff = Backoff { failures: u32::MAX };
        assert_eq!((backoff.failed(start, 0) - start).as_secs(), 30);
        backoff.succeeded();
        assert_eq!((backoff.failed(start, 0) - start).as_millis(), 500);
    }
}
