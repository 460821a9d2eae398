//! Min-SE. RFC 4028 §5.

use std::fmt;

use super::HeaderFault;
use crate::grammar::{number, split_around, trim};

/// The shortest session interval that somebody on the way bears, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinSe(pub u32);

impl MinSe {
    /// What holds where nobody says anything, and the least that anybody may say: 90 s. RFC 4028 §4 and §5.
    pub const LEAST: MinSe = MinSe(90);

    /// Reads the seconds, and over parameters.
    ///
    /// # Errors
    /// The seconds are missing or no number.
    pub fn parse(text: &str) -> Result<MinSe, HeaderFault> {
        let at = text.bytes().position(|byte| byte == b';').unwrap_or(text.len());
        let seconds = trim(split_around(text, at).0);
        if seconds.is_empty() {
            return Err(HeaderFault::Empty);
        }
        number(seconds).map(MinSe).ok_or_else(|| HeaderFault::Number(seconds.to_owned()))
    }
}

impl fmt::Display for MinSe {
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
            ("90", Some("90")),
            (" 0120 ;x=\"y;z\"", Some("120")),
            ("4294967296", None),
            ("1.5", None),
            (";x", None),
            ("", None),
        ] {
            assert_eq!(
                MinSe::parse(text).ok().map(|value| value.to_string()).as_deref(),
                written,
                "{text:?}"
            );
        }
    }
}
