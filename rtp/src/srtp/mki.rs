//! The master key identifier: a key's name in each packet under it.

use serde::{Deserialize, Serialize};

use super::SrtpError;

/// A master key identifier, as `a=crypto` writes it: a number and the bytes that it takes. RFC 3711 §3.1, RFC 4568 §6.1.
///
/// It is not authenticated: it names a key, and the tag says whether the name is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mki {
    /// The number, big-endian in packets.
    value: u64,
    /// Bytes that it takes in a packet.
    len: u8,
}

/// The longest that SDP can name, in bytes. RFC 4568 §9.2.
const LONGEST: u8 = 128;

impl Mki {
    /// `value` in `len` bytes; `None`: not 1 to 128 bytes, or the value does not fit.
    pub fn new(value: u64, len: u8) -> Option<Mki> {
        let fits = len >= 8 || value >> (8 * u32::from(len)) == 0;
        (fits && (1..=LONGEST).contains(&len)).then_some(Mki { value, len })
    }

    /// The number.
    pub fn value(self) -> u64 {
        self.value
    }

    /// Bytes that it takes in a packet.
    pub fn length(self) -> u8 {
        self.len
    }

    pub(super) fn len_of(mki: Option<Mki>) -> usize {
        mki.map_or(0, |mki| usize::from(mki.len))
    }

    pub(super) fn write(mki: Option<Mki>, to: &mut [u8]) {
        let Some(mki) = mki else { return };
        mki.bytes().zip(to.iter_mut().rev()).for_each(|(byte, to)| *to = byte);
    }

    pub(super) fn check(mki: Option<Mki>, found: &[u8]) -> Result<(), SrtpError> {
        let is_it = mki.is_none_or(|mki| mki.bytes().eq(found.iter().rev().copied()));
        if is_it { Ok(()) } else { Err(SrtpError::AuthFailed) }
    }

    /// Its bytes, the last first.
    fn bytes(self) -> impl Iterator<Item = u8> {
        (0..u32::from(self.len)).map(move |at| self.value.checked_shr(8 * at).unwrap_or(0) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_as_long_as_it_was_said_to_be() {
        let written = |value, len: u8| {
            let mut bytes = vec![0xee; usize::from(len)];
            let mki = Mki::new(value, len);
            Mki::write(mki, &mut bytes);
            assert_eq!(Mki::check(mki, &bytes), Ok(()));
            bytes[0] ^= 1;
            assert_eq!(Mki::check(mki, &bytes), Err(SrtpError::AuthFailed));
            bytes[0] ^= 1;
            bytes
        };
        assert_eq!(written(1, 1), [1]);
        assert_eq!(written(0x0102, 4), [0, 0, 1, 2]);
        assert_eq!(written(u64::MAX, 10), [0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(written(7, 128)[126..], [0, 7]);
        assert_eq!(Mki::new(256, 1), None);
        assert_eq!((Mki::new(0, 0), Mki::new(0, 129)), (None, None));
        assert_eq!(Mki::check(None, &[]), Ok(()));
    }
}
