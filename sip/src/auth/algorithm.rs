//! The hash functions of digest authentication.

use std::fmt;

/// A hash function by its name in the IANA registry "Hash Algorithms for HTTP Digest Authentication".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `MD5`: all that most PBXs speak.
    Md5,
    /// `SHA-256`. RFC 8760.
    Sha256,
    /// `SHA-512-256`: SHA-512/256 with its own initial value (FIPS 180-4 §5.3.6), not a cut SHA-512. RFC 8760.
    Sha512_256,
}

impl Algorithm {
    /// The order in which RFC 8760 §2.4 wants the challenges.
    pub const STRONGEST_FIRST: [Self; 3] = [Self::Sha512_256, Self::Sha256, Self::Md5];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
        }
    }

    /// Reads the parameter `algorithm`, without case. The flag is true for the `-sess` variant.
    pub(super) fn parse(text: &str) -> Option<(Self, bool)> {
        let base = text.len().checked_sub("-sess".len()).and_then(|at| text.split_at_checked(at));
        let (name, session) = match base {
            Some((name, suffix)) if suffix.eq_ignore_ascii_case("-sess") => (name, true),
            _ => (text, false),
        };
        let algorithm =
            Self::STRONGEST_FIRST.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(name))?;
        Some((algorithm, session))
    }

    /// Characters of a digest in hexadecimal.
    pub(super) fn hex_len(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 | Self::Sha512_256 => 64,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_without_case() {
        let check = |text: &str, expect| assert_eq!(Algorithm::parse(text), expect, "{text}");
        check("MD5", Some((Algorithm::Md5, false)));
        check("md5-SESS", Some((Algorithm::Md5, true)));
        check("sha-256", Some((Algorithm::Sha256, false)));
        check("SHA-512-256-sess", Some((Algorithm::Sha512_256, true)));
        check("SHA-512", None);
        check("AKAv1-MD5", None);
        check("-sess", None);
        check("é-sess", None);
    }
}
