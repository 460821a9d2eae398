//! Time inside this crate: ticks of 48 kHz since the call was answered, in which a sample of each rate is a whole number.

use std::time::Duration;

pub const PER_SECOND: i64 = 48_000;

/// A frame: 20 ms.
pub const FRAME: i64 = PER_SECOND / 50;

pub const fn millis(millis: i64) -> i64 {
    millis * PER_SECOND / 1000
}

pub fn from_duration(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros() * 48 / 1000).unwrap_or(i64::MAX)
}

/// Of what comes before the answer: zero.
pub fn to_duration(ticks: i64) -> Duration {
    Duration::from_nanos(u64::try_from(ticks).unwrap_or(0).saturating_mul(125_000) / 6)
}

/// Ticks of a sample of so many a second.
pub fn of_sample(rate: u32) -> i64 {
    PER_SECOND / i64::from(rate.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_as_long_as_its_samples() {
        assert_eq!(to_duration(FRAME), Duration::from_millis(20));
        assert_eq!(from_duration(Duration::from_millis(20)), FRAME);
        assert_eq!(FRAME, 160 * of_sample(8000));
        assert_eq!(to_duration(-5), Duration::ZERO);
    }
}
