//! The two clocks: a monotonic one for all that waits, and the wall's for what is written down and stamped.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A stamp that is further ahead of now than this is not believed: the host's clock was set in between.
const AHEAD: Duration = Duration::from_secs(2);
/// Nor is one that is further behind: no datagram waits that long, however long the program was stopped.
const BEHIND: Duration = Duration::from_secs(60);

/// One moment on both clocks, read once for each turn of a driver or a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Monotonic: timers.
    pub instant: Instant,
    /// Since the Unix epoch, UTC: records, nonces, the kernel's stamps.
    pub unix: Duration,
}

impl Now {
    /// Reads both clocks; in a test whose runtime is paused, the monotonic one is the runtime's.
    pub fn read() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { instant: tokio::time::Instant::now().into_std(), unix }
    }

    /// When a datagram arrived that the kernel stamped with `stamp`.
    pub fn arrival(&self, stamp: Option<Duration>) -> Instant {
        let Some(stamp) = stamp else { return self.instant };
        if stamp <= self.unix {
            let age = self.unix - stamp;
            let arrival = if age <= BEHIND { self.instant.checked_sub(age) } else { None };
            return arrival.unwrap_or(self.instant);
        }
        let ahead = stamp - self.unix; // it came after this moment was taken
        if ahead <= AHEAD { self.instant + ahead } else { self.instant }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_moved_to_the_monotonic_clock() {
        let now = Now { instant: Instant::now() + Duration::from_secs(9), unix: Duration::from_secs(1000) };
        let arrival = |millis| now.arrival(Some(Duration::from_millis(millis)));
        assert_eq!(arrival(999_990), now.instant - Duration::from_millis(10));
        assert_eq!(arrival(1_000_003), now.instant + Duration::from_millis(3));
        assert_eq!(arrival(991_000), now.instant - Duration::from_secs(9)); // the program was stopped
        assert_eq!(arrival(900_000), now.instant);
        assert_eq!(arrival(1_100_000), now.instant);
        assert_eq!(now.arrival(None), now.instant);
    }
}
