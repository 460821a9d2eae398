//! Mean and maximum of a figure over a period.

use std::time::Duration;

/// Collects lengths of time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spread {
    /// In seconds.
    sum: f64,
    count: u64,
    max: f64,
}

impl Spread {
    /// So many values of this sum, the largest of which is `max`; in seconds.
    pub fn new(sum: f64, count: u64, max: f64) -> Spread {
        Spread { sum, count, max }
    }

    /// Adds one value, in seconds.
    pub fn add(&mut self, seconds: f64) {
        self.sum += seconds;
        self.count += 1;
        self.max = self.max.max(seconds);
    }

    /// Adds all values of another.
    pub fn merge(&mut self, other: Spread) {
        self.sum += other.sum;
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// The mean; `None` without a value.
    pub fn mean(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_secs_f64(self.sum / self.count as f64))
    }

    /// The largest value; `None` without a value.
    pub fn max(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_secs_f64(self.max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collects() {
        let mut spread = Spread::default();
        assert_eq!((spread.mean(), spread.max()), (None, None));
        spread.add(0.25);
        let mut other = Spread::default();
        other.add(0.75);
        spread.merge(other);
        assert_eq!(spread.mean(), Some(Duration::from_millis(500)));
        assert_eq!(spread.max(), Some(Duration::from_millis(750)));
    }
}
