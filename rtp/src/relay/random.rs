//! Chance, all of it from one seed that the caller handed in.

/// SplitMix64: spreads timers and makes names. Not for secrets.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(super) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    }

    /// Sixteen letters a-p: 64 bits.
    pub(super) fn name(&mut self) -> [u8; 16] {
        let mut name = [0; 16];
        for letters in name.chunks_mut(8) {
            let mut bits = self.next();
            for letter in letters {
                *letter = b'a' + (bits & 15) as u8;
                bits >>= 4;
            }
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_its_numbers_and_no_others() {
        let numbers = |seed| {
            let mut random = Random::new(seed);
            [random.next(), random.next()]
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
        assert!(Random::new(1).name().iter().all(|letter| (b'a'..=b'p').contains(letter)));
    }
}
