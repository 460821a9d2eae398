//! How many streams may begin where each is remembered.

use std::time::{Duration, Instant};

/// At once: a few announcements, a transfer, a conference.
const AT_ONCE: u8 = 8;
/// One more after so long.
const EACH: Duration = Duration::from_secs(1);

/// SRTP remembers each SSRC that it has sent under for as long as its key lives, and takes a bounded number. Whoever makes up
/// SSRCs in the clear must not use them up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    left: u8,
    /// Until when what is left was counted.
    counted: Option<Instant>,
}

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance { left: AT_ONCE, counted: None }
    }
}

impl Allowance {
    /// One more stream begins; returns whether it may.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let counted = *self.counted.get_or_insert(now);
        let seconds = now.saturating_duration_since(counted).as_secs();
        self.left = u8::try_from(seconds).unwrap_or(AT_ONCE).saturating_add(self.left).min(AT_ONCE);
        self.counted = Some(counted + EACH * u32::try_from(seconds).unwrap_or(u32::MAX));
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handful_at_once_then_one_a_second() {
        let start = crate::test_start();
        let mut allowance = Allowance::default();
        let mut taken = |seconds: f64| allowance.take(start + Duration::from_secs_f64(seconds));
        assert_eq!((0..100).filter(|_| taken(10.0)).count(), 8);
        assert!(!taken(10.9));
        assert!(taken(11.0) && !taken(11.9));
        assert!(taken(12.1) && !taken(12.9) && taken(13.0)); // what was left of a second counts
        assert_eq!((0..100).filter(|_| taken(10_000.0)).count(), 8);
        assert!(!taken(1.0)); // the kernel's stamps are out of order
    }
}
