//! When to try a sink again that is away, and how often to say so.

use std::time::{Duration, Instant};

use crate::random::Random;

/// After the first failure; each further one doubles it.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(120);

const LOG_INTERVAL: Duration = Duration::from_secs(300);

/// The failures of one sink.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    wait: Duration,
    at: Instant,
    logged: Instant,
}

impl Backoff {
    /// When it may be tried again; `None`: now.
    pub(super) fn at(&self) -> Option<Instant> {
        self.failing.as_ref().map(|failing| failing.at)
    }

    /// It failed. Says whether to log that: the first time, and then every five minutes.
    ///
    /// Of each wait a random part up to a half is left out, so that gateways that lost a sink together do not all come back to it
    /// at once.
    pub(super) fn failed(&mut self, now: Instant, random: &mut dyn Random) -> bool {
        let before = self.failing.take();
        let wait = before.as_ref().map_or(FIRST, |failing| LONGEST.min(failing.wait * 2));
        let log = before.as_ref().is_none_or(|failing| failing.logged + LOG_INTERVAL <= now);
        let logged = before.filter(|_| !log).map_or(now, |failing| failing.logged);
        let half = u64::try_from(wait.as_millis() / 2).unwrap_or(u64::MAX);
        let at = now + wait - Duration::from_millis(random.below(half));
        self.failing = Some(Failing { wait, at, logged });
        log
    }

    /// It worked. Says whether it had failed before.
    pub(super) fn succeeded(&mut self) -> bool {
        self.failing.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn waits_grow_to_a_limit_and_are_told_apart() {
        let start = Instant::now();
        let waits = |seed| {
            let (mut backoff, mut random, mut now) = (Backoff::default(), SeededRandom::new(seed), start);
            let waits = [1, 2, 4, 8, 16, 32, 64, 120, 120].map(|full| {
                backoff.failed(now, &mut random);
                let wait = backoff.at().unwrap() - now;
                let full = Duration::from_secs(full);
                assert!(wait > full / 2 - Duration::from_millis(1) && wait <= full, "{wait:?} of {full:?}");
                now += wait;
                wait
            });
            assert!(backoff.succeeded() && !backoff.succeeded());
            waits
        };
        assert_ne!(waits(1), waits(2));
    }

    #[test]
    fn an_outage_is_told_every_five_minutes() {
        let (mut backoff, mut random, start) = (Backoff::default(), SeededRandom::new(1), Instant::now());
        let (mut now, mut told) = (start, Vec::new());
        while now < start + Duration::from_secs(1_500) {
            if backoff.failed(now, &mut random) {
                told.push(now);
            }
            now = backoff.at().unwrap();
        }
        assert!((4..=5).contains(&told.len()), "{told:?}");
        assert!(told.windows(2).all(|two| two[1] - two[0] >= LOG_INTERVAL));
    }
}
