//! RAck. RFC 3262 §7.2.

use std::fmt;

use super::{CSeq, HeaderFault, RSeq};
use crate::grammar::{is_space, trim};

/// Which reliable provisional response a PRACK acknowledges.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RAck {
    /// RSeq of the response.
    pub rseq: RSeq,
    /// CSeq of the response.
    pub cseq: CSeq,
}

impl RAck {
    /// Reads `response-number CSeq-number method`.
    ///
    /// # Errors
    /// One of the three is missing or wrong.
    pub fn parse(text: &str) -> Result<RAck, HeaderFault> {
        let text = trim(text);
        let at = text.bytes().position(is_space).unwrap_or(text.len());
        let (rseq, cseq) = text.split_at_checked(at).unwrap_or((text, ""));
        Ok(RAck { rseq: RSeq::parse(rseq)?, cseq: CSeq::parse(cseq)? })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, written) in [
            ("776656 1 INVITE", Some("776656 1 INVITE")),
            (" 1\t02   X ", Some("1 2 X")),
            ("4294967295 2147483647 INVITE", Some("4294967295 2147483647 INVITE")),
            ("0 1 INVITE", None),
            ("1 2147483648 INVITE", None),
            ("1 INVITE", None),
            ("1 2", None),
            ("1", None),
            ("1 2 INVITE x", None),
            ("é 2 INVITE", None),
            ("", None),
        ] {
            assert_eq!(RAck::parse(text).ok().map(|rack| rack.to_string()).as_deref(), written, "{text:?}");
        }
    }
}
