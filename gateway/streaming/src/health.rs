//! Which targets of a sink work. Shared by its calls, so that not each of them tries first who has just failed another.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::backoff::Backoff;

/// Targets in order of priority.
#[derive(Debug)]
pub struct Health(Mutex<Vec<Target>>);

#[derive(Debug, Default, Clone, Copy)]
struct Target {
    backoff: Backoff,
    /// Not before.
    at: Option<Instant>,
}

impl Health {
    /// - `targets`: how many there are.
    #[must_use]
    pub fn new(targets: usize) -> Self {
        Self(Mutex::new(vec![Target::default(); targets]))
    }

    /// How many there are.
    #[must_use]
    pub fn targets(&self) -> usize {
        self.lock().len()
    }

    /// The first target by priority that has not failed lately.
    #[must_use]
    pub fn best(&self, now: Instant) -> Option<usize> {
        self.lock().iter().position(|target| target.at.is_none_or(|at| at <= now))
    }

    /// When the first one may be tried again; `None`: now, or there is none.
    #[must_use]
    pub fn next(&self, now: Instant) -> Option<Instant> {
        let targets = self.lock();
        targets.iter().map(|target| target.at).min().flatten().filter(|at| *at > now)
    }

    /// Target number `index` failed.
    pub fn failed(&self, index: usize, now: Instant, spread: u8) {
        if let Some(target) = self.lock().get_mut(index) {
            // Calls that fail together are one failure.
            if target.at.is_none_or(|at| at <= now) {
                target.at = Some(target.backoff.failed(now, spread));
            }
        }
    }

    /// Target number `index` works.
    pub fn succeeded(&self, index: usize) {
        if let Some(target) = self.lock().get_mut(index) {
            *target = Target::default();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Target>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_that_works_is_taken_and_those_before_it_come_back() {
        let (health, start) = (Health::new(2), Instant::now());
        assert_eq!((health.best(start), health.next(start)), (Some(0), None));
        health.failed(0, start, 0);
        health.failed(0, start, 0);
        assert_eq!(health.best(start), Some(1));
        health.failed(1, start + Duration::from_millis(100), 0);
        assert_eq!(health.best(start + Duration::from_millis(200)), None);
        let back = health.next(start + Duration::from_millis(200)).unwrap();
        assert_eq!(back, start + Duration::from_millis(500), "two calls that failed together count once");
        assert_eq!(health.best(back), Some(0));
        health.failed(0, back, 0);
        assert_eq!(health.next(back), Some(start + Duration::from_millis(600)));
        health.succeeded(0);
        assert_eq!(health.best(back), Some(0));
    }
}
