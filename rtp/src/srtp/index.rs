//! The numbers that name a packet for the cipher.

use serde::{Deserialize, Serialize};

/// Rollover counter: how often a stream's sequence numbers have wrapped. RFC 3711 §3.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Roc(pub u32);

/// A packet's number in its stream that never wraps: 48 bits, `roc * 2^16 + seq`. RFC 3711 §3.3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct PacketIndex(pub u64);

/// A packet's number under a key for SRTCP: 31 bits, carried in each packet. RFC 3711 §3.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct SrtcpIndex(pub u32);

impl PacketIndex {
    /// The index of a packet of which the counter and the sequence number are known.
    pub fn new(roc: Roc, seq: u16) -> PacketIndex {
        PacketIndex(u64::from(roc.0) << 16 | u64::from(seq))
    }

    /// The rollover counter.
    pub fn roc(self) -> Roc {
        Roc((self.0 >> 16) as u32)
    }

    /// The sequence number.
    pub fn seq(self) -> u16 {
        self.0 as u16
    }

    /// Estimates the full index of a packet that carries only its low 16 bits.
    ///
    /// - `self`: highest index authenticated so far.
    /// - `seq`: the header's sequence number, host byte order; may have wrapped.
    ///
    /// Picks the index nearest to `self`, so gaps of up to 2^15 - 1 packets are absorbed; before the first wrap and after
    /// the last, where the nearest does not exist, the one with the counter of `self`. Never fails: a wrong guess surfaces
    /// later as [`SrtpError::AuthFailed`](super::SrtpError::AuthFailed); only an authenticated index may replace `self`.
    ///
    /// Source: RFC 3711 §3.3.1 and Appendix A.
    pub fn estimate(self, seq: u16) -> PacketIndex {
        let Roc(roc) = self.roc();
        let guess = if self.seq() < 0x8000 {
            if i32::from(seq) - i32::from(self.seq()) > 0x8000 { roc.checked_sub(1) } else { Some(roc) }
        } else if i32::from(self.seq()) - 0x8000 > i32::from(seq) {
            roc.checked_add(1)
        } else {
            Some(roc)
        };
        PacketIndex::new(Roc(guess.unwrap_or(roc)), seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(roc: u32, highest: u16, seq: u16, expected: u32) {
        let estimate = PacketIndex::new(Roc(roc), highest).estimate(seq);
        assert_eq!(estimate, PacketIndex::new(Roc(expected), seq), "{seq} after {highest} of roc {roc}");
    }

    #[test]
    fn the_nearest_index_is_taken() {
        check(5, 0, 1, 5);
        check(5, 0xffff, 0, 6); // wraps
        check(5, 0xffff, 0x7ffe, 6);
        check(5, 0xffff, 0x7fff, 5); // 2^15 either way
        check(5, 0, 0xffff, 4); // a late one from before the wrap
        check(5, 0, 0x8001, 4);
        check(5, 0, 0x8000, 5);
        check(5, 0x7fff, 0xffff, 5);
        check(5, 0x8000, 0, 5);
        check(5, 0x8001, 0, 6);
    }

    #[test]
    fn the_ends_of_the_range_do_not_wrap() {
        check(0, 3, 0xfffe, 0);
        check(u32::MAX, 0xffff, 0, u32::MAX);
    }
}
