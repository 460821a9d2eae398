//! NTP timestamps, as sender reports carry them.

use std::time::{Duration, Instant};

/// Seconds from 1 January 1900 to 1 January 1970.
const UNIX_EPOCH: u64 = 2_208_988_800;

/// A 64-bit NTP timestamp: seconds since 1900 above, binary fraction below. RFC 3550 §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// The timestamp of a moment given as time since the Unix epoch. Wraps in 2036, as NTP does.
    pub fn from_unix(unix: Duration) -> NtpTime {
        let seconds = unix.as_secs().wrapping_add(UNIX_EPOCH);
        let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
        NtpTime(seconds << 32 | fraction)
    }

    /// The middle 32 bits: seconds and fraction in units of 1/65536 s, wrapping every 18.2 h.
    pub fn short(self) -> NtpShort {
        NtpShort((self.0 >> 16) as u32)
    }
}

/// The middle 32 bits of an NTP timestamp, or a length of time in the same unit of 1/65536 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NtpShort(pub u32);

impl NtpShort {
    /// A length of time; more than 18.2 h is clamped.
    pub fn from_duration(duration: Duration) -> NtpShort {
        let units = (duration.as_nanos() << 16) / 1_000_000_000;
        NtpShort(u32::try_from(units).unwrap_or(u32::MAX))
    }

    /// As a length of time.
    pub fn to_duration(self) -> Duration {
        Duration::from_nanos((u64::from(self.0) * 1_000_000_000) >> 16)
    }
}

/// Wall-clock time that is derived from the monotonic clock, so that reports do not jump when the host's clock is set.
#[derive(Debug, Clone, Copy)]
pub struct NtpClock {
    start: Instant,
    unix: Duration,
}

impl NtpClock {
    /// Ties `start` to the time since the Unix epoch at that moment.
    pub fn new(start: Instant, unix: Duration) -> NtpClock {
        NtpClock { start, unix }
    }

    /// The timestamp of `now`; moments before the start count as the start.
    pub fn at(&self, now: Instant) -> NtpTime {
        NtpTime::from_unix(self.unix + now.saturating_duration_since(self.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epochs_are_seventy_years_apart() {
        assert_eq!(NtpTime::from_unix(Duration::ZERO).0 >> 32, UNIX_EPOCH);
        let half = NtpTime::from_unix(Duration::from_millis(500));
        assert_eq!(half.0 as u32, 0x8000_0000);
        assert_eq!(half.short().0 & 0xffff, 0x8000);
    }

    #[test]
    fn short_form_is_65536ths_of_a_second() {
        assert_eq!(NtpShort::from_duration(Duration::from_millis(5_250)).0, 0x0005_4000);
        assert_eq!(NtpShort(0x0006_2000).to_duration(), Duration::from_millis(6_125));
        assert_eq!(NtpShort::from_duration(Duration::from_secs(100_000)).0, u32::MAX);
    }
}
