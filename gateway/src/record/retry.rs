//! When to try a failing disk again, and how often to say so.

use std::time::{Duration, Instant};

/// Calls may be refused until it works, so that nothing is put off for longer.
const DELAY: Duration = Duration::from_secs(1);
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// The failures of one operation.
#[derive(Debug, Default)]
pub struct Retry {
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    at: Instant,
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
        let logged = self.failing.take().map(|failing| failing.logged);
        let log = logged.is_none_or(|logged| logged + LOG_INTERVAL <= now);
        let logged = if log { now } else { logged.unwrap_or(now) };
        self.failing = Some(Failing { at: now + DELAY, logged });
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
    fn tries_every_second_and_logs_now_and_then() {
        let start = Instant::now();
        let mut retry = Retry::default();
        let mut logged = Vec::new();
        let mut now = start;
        for _ in 0..65 {
            assert!(retry.is_due(now));
            if retry.failed(now) {
                logged.push((now - start).as_secs());
            }
            assert!(!retry.is_due(now));
            now = retry.at().unwrap();
        }
        assert_eq!(logged, [0, 30, 60]);
        assert!(retry.succeeded());
        assert!(!retry.succeeded());
        assert!(retry.is_due(start));
    }
}
