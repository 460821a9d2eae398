//! RSeq. RFC 3262 §7.1.

use std::fmt;
use std::num::NonZeroU32;

use super::HeaderFault;
use crate::grammar::{number, trim};

/// The number of a reliable provisional response: 1 to 2^32 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RSeq(NonZeroU32);

impl RSeq {
    /// The first number of a transaction, 1 to 2^31 - 1, out of any `random` number. RFC 3262 §3.
    pub fn first(random: u32) -> RSeq {
        RSeq(NonZeroU32::MIN.saturating_add(random % ((1 << 31) - 1)))
    }

    /// Reads 1*DIGIT.
    ///
    /// # Errors
    /// The text is no number from 1 to 2^32 - 1.
    pub fn parse(text: &str) -> Result<RSeq, HeaderFault> {
        let text = trim(text);
        if text.is_empty() {
            return Err(HeaderFault::Empty);
        }
        let number = number(text).and_then(NonZeroU32::new);
        number.map(RSeq).ok_or_else(|| HeaderFault::Number(text.to_owned()))
    }

    /// The number after this one; `None` after the last, since numbers must not wrap. RFC 3262 §3.
    pub fn next(self) -> Option<RSeq> {
        self.0.checked_add(1).map(RSeq)
    }

    /// The number itself, never 0.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for RSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, written) in [
            ("1", Some("1")),
            (" 00988789 ", Some("988789")),
            ("4294967295", Some("4294967295")),
            ("4294967296", None),
            ("0", None),
            ("-1", None),
            ("1 2", None),
            ("1;a", None),
            ("", None),
        ] {
            assert_eq!(RSeq::parse(text).ok().map(|rseq| rseq.to_string()).as_deref(), written, "{text:?}");
        }
    }

    #[test]
    fn begins_in_the_lower_half_and_never_wraps() {
        for (random, first) in
            [(0, 1), (1, 2), ((1 << 31) - 2, (1 << 31) - 1), ((1 << 31) - 1, 1), (u32::MAX, 2)]
        {
            assert_eq!(RSeq::first(random).get(), first, "{random}");
        }
        assert_eq!(RSeq::first(0).next(), RSeq::parse("2").ok());
        assert_eq!(RSeq::parse("4294967295").unwrap().next(), None);
    }
}
