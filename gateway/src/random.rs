//! Randomness as a value that is handed over, so that a simulation can repeat a run.

/// A source of random 64-bit numbers.
pub trait Random: Send {
    /// The next number, uniform over all 64 bits.
    fn next_u64(&mut self) -> u64;

    /// A number below `bound`; 0 where `bound` is 0. The bias, at most `bound / 2^64`, is of no account.
    fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }
}

/// The operating system's generator, read a page at a time: unpredictable, so fit for tags and ports.
pub struct SystemRandom {
    buffer: [u8; 512],
    used: usize,
}

impl SystemRandom {
    /// An empty buffer; the first number fills it.
    pub fn new() -> SystemRandom {
        SystemRandom { buffer: [0; 512], used: 512 }
    }
}

impl Default for SystemRandom {
    fn default() -> SystemRandom {
        SystemRandom::new()
    }
}

impl Random for SystemRandom {
    fn next_u64(&mut self) -> u64 {
        loop {
            if let Some(bytes) = self.buffer.get(self.used..).and_then(|rest| rest.first_chunk::<8>()) {
                self.used += 8;
                return u64::from_ne_bytes(*bytes);
            }
            // Linux fails here only before its pool is first seeded, so trying again is the whole remedy:
            // going on with predictable tags would be worse than waiting.
            while getrandom::fill(&mut self.buffer).is_err() {
                std::thread::yield_now();
            }
            self.used = 0;
        }
    }
}

/// SplitMix64: the same seed gives the same numbers. For simulations and tests only; an observer can predict it.
#[derive(Debug, Clone)]
pub struct SeededRandom(u64);

impl SeededRandom {
    /// Starts the sequence of `seed`.
    pub fn new(seed: u64) -> SeededRandom {
        SeededRandom(seed)
    }
}

impl Random for SeededRandom {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_the_system_does_not() {
        let take = |random: &mut dyn Random| (0..100).map(|_| random.next_u64()).collect::<Vec<_>>();
        assert_eq!(take(&mut SeededRandom::new(7)), take(&mut SeededRandom::new(7)));
        assert_ne!(take(&mut SeededRandom::new(7)), take(&mut SeededRandom::new(8)));
        let mut system = SystemRandom::new();
        let mut numbers = take(&mut system);
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 100);
    }

    #[test]
    fn below_stays_below() {
        let mut random = SeededRandom::new(1);
        assert!((0..1_000).all(|_| random.below(3) < 3));
        assert_eq!(random.below(0), 0);
    }
}
