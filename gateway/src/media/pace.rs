//! How often a busy worker wakes.
//!
//! Most of a packet's price is waking and asking the kernel. While datagrams come in closely, a worker rests between one wake and the
//! next, and serves what came meanwhile together. A packet leaves later by that much at most; what is measured is not
//! touched, for the time of arrival is the kernel's stamp. A packet that comes alone goes at once.

use std::time::{Duration, Instant};

/// The least time from one wake of a busy worker to the next.
const PACE: Duration = Duration::from_micros(500);

/// The wakes of one worker.
#[derive(Debug)]
pub(super) struct Pace {
    woken: Instant,
    busy: bool,
}

impl Pace {
    /// Of a worker that begins at `now`.
    pub(super) fn new(now: Instant) -> Pace {
        Pace { woken: now, busy: false }
    }

    /// The worker woke at `now`.
    pub(super) fn wake(&mut self, now: Instant) {
        self.busy = now.saturating_duration_since(self.woken) < 2 * PACE;
        self.woken = now;
    }

    /// How long it rests at `now`, when all is served.
    pub(super) fn rest(&self, now: Instant) -> Duration {
        if self.busy { (self.woken + PACE).saturating_duration_since(now) } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets that come `every` so often for a second: how many wakes they take, and how long the last to leave waited.
    fn wakes(every: Duration) -> (usize, Duration) {
        let begin = Instant::now();
        let mut pace = Pace::new(begin);
        let (mut wakes, mut longest) = (0, Duration::ZERO);
        let mut next = begin + Duration::from_secs(10);
        let end = next + Duration::from_secs(1);
        let mut now = next;
        while next < end {
            now = now.max(next);
            wakes += 1;
            pace.wake(now);
            while next <= now {
                longest = longest.max(now - next);
                next += every;
            }
            now += pace.rest(now);
        }
        (wakes, longest)
    }

    #[test]
    fn what_comes_closely_is_served_together() {
        let (wakes, longest) = wakes(Duration::from_micros(20));
        assert!(wakes <= 2002, "{wakes} wakes");
        assert!(longest <= PACE, "{longest:?}");
    }

    #[test]
    fn what_comes_alone_goes_at_once() {
        assert_eq!(wakes(Duration::from_millis(1)), (1000, Duration::ZERO));
    }
}
