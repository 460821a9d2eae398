//! Fingerprints of certificates, as `a=fingerprint` writes them. RFC 8122 §5.

use std::fmt;
use std::str::FromStr;

use ring::digest;
use serde::{Deserialize, Serialize};

/// The hashes that are taken; those of RFC 8122 §5 that are weaker are not. The strongest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Hash {
    /// `sha-256`: what everybody speaks.
    Sha256,
    /// `sha-384`
    Sha384,
    /// `sha-512`
    Sha512,
}

impl Hash {
    const ALL: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];

    fn name(self) -> &'static str {
        match self {
            Hash::Sha256 => "sha-256",
            Hash::Sha384 => "sha-384",
            Hash::Sha512 => "sha-512",
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
            Hash::Sha512 => &digest::SHA512,
        }
    }
}

/// The hash of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint {
    hash: Hash,
    bytes: Vec<u8>,
}

/// Why the value of an `a=fingerprint` is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// Another hash than sha-256, sha-384, sha-512.
    #[error("a fingerprint of a hash that is not taken")]
    Hash,
    /// Not as many pairs of hexadecimal digits as the hash has bytes, with colons between.
    #[error("a fingerprint that cannot be read")]
    Shape,
}

impl Fingerprint {
    /// Of a certificate in DER.
    pub fn of(hash: Hash, certificate: &[u8]) -> Self {
        Fingerprint { hash, bytes: digest::digest(hash.algorithm(), certificate).as_ref().to_vec() }
    }

    /// Whether a certificate in DER is one of those that were signalled: by the strongest hash among them, since whoever
    /// reads several must not be content with the weakest. RFC 8122 §5.
    pub fn verify(signalled: &[Fingerprint], certificate: &[u8]) -> bool {
        let Some(hash) = signalled.iter().map(|one| one.hash).max() else { return false };
        let shown = Fingerprint::of(hash, certificate);
        signalled.contains(&shown)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.hash.name())?;
        for (index, byte) in self.bytes.iter().enumerate() {
            let colon = if index > 0 { ":" } else { "" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Reads the value of `a=fingerprint`, digits in either case.
    fn from_str(value: &str) -> Result<Self, FingerprintError> {
        let (name, digits) = value.trim().split_once(' ').ok_or(FingerprintError::Shape)?;
        let hash = Hash::ALL.into_iter().find(|hash| hash.name().eq_ignore_ascii_case(name));
        let hash = hash.ok_or(FingerprintError::Hash)?;
        let byte = |pair: &str| match pair.len() {
            2 if pair.bytes().all(|digit| digit.is_ascii_hexdigit()) => u8::from_str_radix(pair, 16).ok(),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = digits.trim().split(':').map(byte).collect();
        match bytes {
            Some(bytes) if bytes.len() == hash.algorithm().output_len() => Ok(Fingerprint { hash, bytes }),
            _ => Err(FingerprintError::Shape),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    #[test]
    fn is_written_as_it_is_read() {
        for hash in Hash::ALL {
            let fingerprint = Fingerprint::of(hash, b"certificate");
            let text = fingerprint.to_string();
            assert_eq!(text.parse(), Ok(fingerprint.clone()), "{text}");
            assert_eq!(text.to_lowercase().parse(), Ok(fingerprint));
        }
        let empty = "sha-256 E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";
        assert_eq!(Fingerprint::of(Hash::Sha256, b"").to_string(), empty);
        let check = |text: &str, error| assert_eq!(text.parse::<Fingerprint>(), Err(error), "{text}");
        check("", FingerprintError::Shape);
        check("sha-256", FingerprintError::Shape);
        check("sha-256 E3:B0", FingerprintError::Shape);
        check(&empty.replace("E3", "+3"), FingerprintError::Shape);
        check(&empty.replace(':', ""), FingerprintError::Shape);
        check(&empty.replace("sha-256", "sha-1"), FingerprintError::Hash);
        check(&empty.replace("sha-256", "md5"), FingerprintError::Hash);
    }

    #[test]
    fn the_strongest_hash_decides() {
        let (weak, strong) = (Fingerprint::of(Hash::Sha256, b"a"), Fingerprint::of(Hash::Sha512, b"a"));
        let foreign = Fingerprint::of(Hash::Sha512, b"b");
        let check =
            |signalled: &[Fingerprint], expect| assert_eq!(Fingerprint::verify(signalled, b"a"), expect);
        check(&[], false);
        check(slice::from_ref(&weak), true);
        check(slice::from_ref(&foreign), false);
        check(&[weak.clone(), foreign.clone()], false);
        check(&[weak, foreign, strong], true);
    }
}
