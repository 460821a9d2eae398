//! When to try a failing disk again, and how often to say so.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// The failures of one operation.
#[derive(Debug, Default)]
pub struct Retry {
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    at: Instant,
    delay: Duration,
    logged: Instant,
}

impl Retry {
    /// Whether it may be tried now.
    pub fn is_due(&self, now: Instant) -> bool {
        self.at().is_none_or(|at| at <= now)
    }

    /// When it may be tried again; `None`: it works.
    pub fn at(&self) -> Option<Instant> {
        self.failing.as_ref().map(|failing| failing.at)
    }

    /// It failed. Says whether to log that: the first time, and then every 30 s.
    pub fn failed(&mut self, now: Instant) -> bool {
        let previous = self.failing.take();
        let delay = previous.as_ref().map_or(FIRST, |failing| (failing.delay * 2).min(LONGEST));
        let logged = previous.map(|failing| failing.logged);
        let log = logged.is_none_or(|logged| logged + LOG_INTERVAL <= now);
        let logged = if log { now } else { logged.unwrap_or(now) };
        self.failing = Some(Failing { at: now + delay, delay, logged });
        log
    }

    /// It worked. Says whether it had failed before.
    pub fn succeeded(&mut self) -> bool {
        self.failing.take().is_some()
    }

    /// Lets it be tried now.
    pub fn hurry(&mut self, now: Instant) {
        if let Some(failing) = &mut self.failing {
            failing.at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_less_and_less_often_and_logs_now_and_then() {
        let start = Instant::now();
        let mut retry = Retry::default();
        let mut tried = Vec::new();
        let mut now = start;
        for _ in 0..9 {
            assert!(retry.is_due(now));
            tried.push(((now - start).as_secs(), retry.failed(now)));
            assert!(!retry.is_due(now));
            now = retry.at().unwrap();
        }
        assert_eq!(
            tried,
            [
                (0, true),
                (1, false),
                (3, false),
                (7, false),
                (15, false),
                (31, true),
                (61, true),
                (91, true),
                (121, true)
            ]
        );
        assert!(retry.succeeded());
        assert!(!retry.succeeded());
        assert!(retry.is_due(start));
    }
}
