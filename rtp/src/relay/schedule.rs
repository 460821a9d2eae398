//! When our reports go out.

use std::time::{Duration, Instant};

/// Between reports, before chance. RFC 3550 §6.2.
const INTERVAL: Duration = Duration::from_secs(5);
/// The first one waits half as long. RFC 3550 §6.2.
const FIRST_INTERVAL: Duration = Duration::from_millis(2_500);
/// `e - 3/2`: the standard divides by it, since its timer reconsideration lengthens the interval. RFC 3550 §6.3.1.
const COMPENSATION: f64 = std::f64::consts::E - 1.5;

/// The report timer of one leg: every 5 s in the mean of the standard's formula, 2.05 s to 6.16 s apart.
///
/// With two members the bandwidth share never makes the interval longer than its minimum, so nothing else counts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Schedule {
    next: Option<Instant>,
}

impl Schedule {
    /// Starts the timer, unless it runs.
    pub(super) fn start(&mut self, now: Instant, random: u32) {
        self.next.get_or_insert(now + spread(FIRST_INTERVAL, random));
    }

    /// Whether a report is due; if so the timer runs on.
    pub(super) fn is_due(&mut self, now: Instant, random: u32) -> bool {
        let due = self.next.is_some_and(|next| next <= now);
        if due {
            self.next = Some(now + spread(INTERVAL, random));
        }
        due
    }

    /// Stops the timer.
    pub(super) fn stop(&mut self) {
        self.next = None;
    }

    /// When the next report is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }
}

/// `interval` times 0.5 to 1.5, by `random`, over the compensation.
fn spread(interval: Duration, random: u32) -> Duration {
    interval.mul_f64((0.5 + f64::from(random) / (f64::from(u32::MAX) + 1.0)) / COMPENSATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_standard() {
        let millis = |interval, random| spread(interval, random).as_millis();
        assert_eq!((millis(INTERVAL, 0), millis(INTERVAL, u32::MAX)), (2_052, 6_156));
        assert_eq!((millis(FIRST_INTERVAL, 0), millis(FIRST_INTERVAL, u32::MAX)), (1_026, 3_078));
    }

    #[test]
    fn it_runs_until_stopped() {
        let start = crate::test_start();
        let mut schedule = Schedule::default();
        assert!(!schedule.is_due(start, 0));
        schedule.start(start, 0);
        assert!(!schedule.is_due(start, 0));
        let first = schedule.next().unwrap();
        assert!(schedule.is_due(first, 0));
        assert!(!schedule.is_due(first, 0));
        assert!(schedule.next().unwrap() > first);
        schedule.stop();
        assert_eq!(schedule.next(), None);
    }
}
