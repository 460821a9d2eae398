//! CSeq. RFC 3261 §20.16.

use std::fmt;

use super::HeaderFault;
use crate::grammar::{Digits, is_space, number, trim};
use crate::method::Method;

/// Sequence number and method.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// Below 2^31. RFC 3261 §8.1.1.5.
    pub number: u32,
    /// The method of the request that it numbers.
    pub method: Method,
}

impl CSeq {
    /// Reads `number method`.
    ///
    /// # Errors
    /// The number or the method is missing or wrong.
    pub fn parse(text: &str) -> Result<CSeq, HeaderFault> {
        let text = trim(text);
        if text.is_empty() {
            return Err(HeaderFault::Empty);
        }
        let at = text.bytes().position(is_space).unwrap_or(text.len());
        let (digits, method) = (text.get(..at).unwrap_or_default(), trim(text.get(at..).unwrap_or_default()));
        let number = number(digits)
            .filter(|&number| number < 1 << 31)
            .ok_or_else(|| HeaderFault::Number(digits.to_owned()))?;
        let method = Method::parse(method).ok_or_else(|| HeaderFault::Method(method.to_owned()))?;
        Ok(CSeq { number, method })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Digits::new(self.number).as_str())?;
        f.write_str(" ")?;
        f.write_str(self.method.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, written) in [
            ("1 INVITE", Some("1 INVITE")),
            ("0009 INVITE", Some("9 INVITE")),
            (" 0\t  X ", Some("0 X")),
            ("2147483647 ACK", Some("2147483647 ACK")),
            ("2147483648 ACK", None),
            ("36893488147419103232 REGISTER", None),
            ("-1 ACK", None),
            ("ACK", None),
            ("1", None),
            ("1 ACK x", None),
            ("", None),
        ] {
            assert_eq!(CSeq::parse(text).ok().map(|cseq| cseq.to_string()).as_deref(), written, "{text:?}");
        }
    }
}
