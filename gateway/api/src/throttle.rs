//! So many requests a second of each key, and a burst.

use std::collections::HashMap;

use time::OffsetDateTime;

/// A bucket per key that fills with time.
#[derive(Debug)]
pub(crate) struct Throttle {
    rate: f64,
    burst: f64,
    buckets: HashMap<String, (OffsetDateTime, f64)>,
}

/// More keys than that are not remembered: those that were idle long enough to be full are forgotten.
const MOST: usize = 4096;

impl Throttle {
    /// - `rate`: requests a second.
    /// - `burst`: how many may come at once.
    pub(crate) fn new(rate: u32, burst: u32) -> Throttle {
        Throttle { rate: f64::from(rate.max(1)), burst: f64::from(burst.max(1)), buckets: HashMap::new() }
    }

    /// Counts a request of a known key.
    ///
    /// # Errors
    /// In how many milliseconds there will be room for one.
    pub(crate) fn take(&mut self, key: &str, now: OffsetDateTime) -> Result<(), u32> {
        let (rate, burst) = (self.rate, self.burst);
        let filled = |(since, level): (OffsetDateTime, f64)| {
            // A clock that was set back fills nothing.
            (level + (now - since).as_seconds_f64().max(0.0) * rate).min(burst)
        };
        if self.buckets.len() >= MOST && !self.buckets.contains_key(key) {
            self.buckets.retain(|_, bucket| filled(*bucket) < burst);
        }
        let level = self.buckets.get(key).copied().map_or(burst, filled);
        let (level, verdict) = if level >= 1.0 {
            (level - 1.0, Ok(()))
        } else {
            let wait = ((1.0 - level) / rate * 1000.0).ceil();
            // Between 1 and 1000, for no rate is below one a second.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            (level, Err(wait.clamp(1.0, 1000.0) as u32))
        };
        self.buckets.insert(key.to_owned(), (now, level));
        verdict
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_key_has_its_burst_and_then_its_rate() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let mut throttle = Throttle::new(10, 3);
        for _ in 0..3 {
            assert_eq!(throttle.take("a", start), Ok(()));
        }
        assert_eq!(throttle.take("a", start), Err(100));
        assert_eq!(throttle.take("b", start), Ok(()), "another key");
        assert!(throttle.take("a", start + Duration::from_millis(99)).is_err());
        assert_eq!(throttle.take("a", start + Duration::from_millis(101)), Ok(()));
        assert!(throttle.take("a", start - Duration::from_secs(100)).is_err(), "a clock that was set back");
        assert_eq!(throttle.take("a", start + Duration::from_secs(1000)), Ok(()));
    }

    #[test]
    fn idle_keys_are_forgotten() {
        let mut throttle = Throttle::new(1, 1);
        for number in 0..3 * MOST {
            let now = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(2 * number as u64);
            assert_eq!(throttle.take(&number.to_string(), now), Ok(()));
        }
        assert!(throttle.buckets.len() <= MOST);
    }
}
