//! Interarrival jitter.

use std::time::{Duration, Instant};

use super::Spread;

/// A change of transit time beyond this is no jitter but a timestamp that was set anew (a source that restarts, a fax
/// machine's tone generator that hands over to another): the measurement starts again from there.
const DISCONTINUITY: f64 = 1.0;
/// The same where a talkspurt begins: the timestamps of some phones stand still in between. Others mark each packet.
const TALKSPURT: f64 = 0.2;

/// The running estimate of one stream. RFC 3550 §6.4.1 and A.8: `J += (|D| - J) / 16`.
///
/// Kept in seconds, so that it survives a change of clock rate; [`Jitter::ticks`] gives a report's unit.
#[derive(Debug, Clone, Default)]
pub struct Jitter {
    /// Arrival and timestamp of the packet before.
    previous: Option<(Instant, u32)>,
    /// J, in seconds.
    value: f64,
    /// J after each packet of the period.
    period: Spread,
}

impl Jitter {
    /// Takes one packet: `arrival`, its `timestamp`, `clock_rate` in Hz (0 is ignored), and whether it has the marker.
    pub fn handle_packet(&mut self, arrival: Instant, timestamp: u32, clock_rate: u32, marker: bool) {
        if clock_rate == 0 {
            return;
        }
        if let Some((before, timestamp_before)) = self.previous {
            let ticks = timestamp.wrapping_sub(timestamp_before) as i32;
            let difference = seconds(before, arrival) - f64::from(ticks) / f64::from(clock_rate);
            if difference.abs() < if marker { TALKSPURT } else { DISCONTINUITY } {
                self.value += (difference.abs() - self.value) / 16.0;
                self.period.add(self.value);
            }
        }
        self.previous = Some((arrival, timestamp));
    }

    /// The estimate in seconds, with the arrival and timestamp of the packet before: from there another one can go on.
    pub(crate) fn state(&self) -> (f64, Option<(Instant, u32)>) {
        (self.value, self.previous)
    }

    /// Goes on from where another one that began with [`Jitter::state`] has come; `period`: its estimates meanwhile.
    pub(crate) fn go_on(&mut self, value: f64, previous: Option<(Instant, u32)>, period: Spread) {
        (self.value, self.previous) = (value, previous);
        self.period.merge(period);
    }

    /// Forgets the packet before: the next one only begins a measurement, and the estimate stays as it is.
    pub fn rebase(&mut self) {
        self.previous = None;
    }

    /// The estimate.
    pub fn value(&self) -> Duration {
        Duration::from_secs_f64(self.value)
    }

    /// The estimate in ticks of `clock_rate`, rounded down, as a report carries it.
    pub fn ticks(&self, clock_rate: u32) -> u32 {
        (self.value * f64::from(clock_rate)) as u32
    }

    /// The estimates after each packet since this was last asked.
    pub fn take_period(&mut self) -> Spread {
        std::mem::take(&mut self.period)
    }
}

/// From `earlier` to `later` in seconds; negative where the kernel's stamps are out of order.
fn seconds(earlier: Instant, later: Instant) -> f64 {
    match later.checked_duration_since(earlier) {
        Some(forward) => forward.as_secs_f64(),
        None => -earlier.saturating_duration_since(later).as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Estimate in 8 kHz ticks after packets 20 ms apart whose arrival is off schedule by `late_ms`.
    fn ticks(late_ms: &[i64]) -> f64 {
        let start = crate::test_start() + Duration::from_secs(1);
        let mut jitter = Jitter::default();
        for (n, late_ms) in late_ms.iter().enumerate() {
            let at_ms = 20 * n as i64 + 1000 + late_ms;
            jitter.handle_packet(start + Duration::from_millis(at_ms as u64), 160 * n as u32, 8000, false);
        }
        jitter.value * 8000.0
    }

    #[test]
    fn figures_computed_from_the_formula() {
        let close = |value: f64, expected: f64| assert!((value - expected).abs() < 0.001, "{value}");
        close(ticks(&[0, 10]), 5.0);
        close(ticks(&[0, 10, 0]), 9.6875);
        close(ticks(&[[0; 1].as_slice(), &[50; 17]].concat()), 8.902);
        let alternating: Vec<i64> = (0..400).map(|n| if n % 2 == 0 { 5 } else { -5 }).collect();
        close(ticks(&alternating), 80.0);
    }

    #[test]
    fn a_timestamp_that_is_set_anew_is_no_jitter() {
        let start = crate::test_start();
        let mut jitter = Jitter::default();
        jitter.handle_packet(start, 347_200, 8000, false);
        jitter.handle_packet(start + Duration::from_millis(20), 0, 8000, false);
        jitter.handle_packet(start + Duration::from_millis(40), 160, 8000, false);
        assert_eq!(jitter.value(), Duration::ZERO);
        assert_eq!(jitter.take_period().max(), Some(Duration::ZERO));
    }
}
