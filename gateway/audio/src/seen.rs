//! Which numbers of a stream have come: a gap in its timestamps is a loss where numbers are missing, and else silence.

/// The newest 128 numbers.
#[derive(Debug, Default)]
pub struct Seen {
    /// Extended: it does not wrap.
    highest: Option<i64>,
    /// Bit `n`: number `highest - n` has come.
    bits: u128,
}

impl Seen {
    /// Takes note of a packet's number; returns it extended.
    pub fn handle(&mut self, seq: u16) -> i64 {
        let Some(highest) = self.highest else {
            self.highest = Some(i64::from(seq));
            self.bits = 1;
            return i64::from(seq);
        };
        let number = highest + i64::from(seq.wrapping_sub(highest as u16) as i16);
        let ahead = number - highest;
        match u32::try_from(ahead) {
            Ok(ahead) => {
                self.bits = self.bits.checked_shl(ahead).unwrap_or(0) | 1;
                self.highest = Some(number);
            }
            Err(_) => {
                let bit = u32::try_from(-ahead).ok().and_then(|behind| 1_u128.checked_shl(behind));
                self.bits |= bit.unwrap_or(0);
            }
        }
        number
    }

    /// Whether all numbers between these two have come.
    pub fn is_whole(&self, after: i64, before: i64) -> bool {
        let Some(highest) = self.highest else { return true };
        (after + 1..before).take(128).all(|number| {
            let behind = u32::try_from(highest - number).ok();
            behind.is_some_and(|behind| self.bits.checked_shr(behind).is_some_and(|bits| bits & 1 == 1))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_is_missing_across_the_wrap() {
        let mut seen = Seen::default();
        assert_eq!(seen.handle(65_534), 65_534);
        assert_eq!(seen.handle(1), 65_537);
        assert!(!seen.is_whole(65_534, 65_537));
        assert_eq!(seen.handle(0), 65_536);
        assert!(!seen.is_whole(65_534, 65_537), "65535 is missing");
        assert_eq!(seen.handle(65_535), 65_535);
        assert!(seen.is_whole(65_534, 65_537));
        assert!(!seen.is_whole(65_534, 65_540), "not come yet");
        seen.handle(40_000);
        assert!(seen.is_whole(5, 6));
    }
}
