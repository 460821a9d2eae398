//! The arithmetic: H(...) and the response. RFC 7616 §3.4.

use md5::Md5;
use sha2::digest::Digest;
use sha2::{Sha256, Sha512_256};
use zeroize::Zeroizing;

use super::Algorithm;

/// What a response is computed from, besides HA1. All text as between the quotes on the wire.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub algorithm: Algorithm,
    /// The `-sess` variant.
    pub session: bool,
    pub nonce: &'a str,
    pub cnonce: &'a str,
    /// The nonce count with `qop=auth`, as written; `None` without qop (RFC 2069).
    pub nc: Option<&'a str>,
    pub method: &'a str,
    pub uri: &'a str,
}

impl Inputs<'_> {
    /// The response in lower-case hexadecimal.
    ///
    /// - `ha1`: H(user:realm:password) in hexadecimal, before the `-sess` step.
    ///
    /// Source: RFC 7616 §3.4.1-3.4.3; without qop RFC 2617 §3.2.2.1.
    pub fn response(&self, ha1: &str) -> String {
        let session = self.session.then(|| hash(self.algorithm, &[ha1, self.nonce, self.cnonce]));
        let ha1 = session.as_deref().map_or(ha1, |ha1| ha1);
        let ha2 = hash(self.algorithm, &[self.method, self.uri]);
        let response = match self.nc {
            Some(nc) => hash(self.algorithm, &[ha1, self.nonce, nc, self.cnonce, "auth", &ha2]),
            None => hash(self.algorithm, &[ha1, self.nonce, &ha2]),
        };
        response.to_string()
    }
}

/// H(part ":" part ...) in lower-case hexadecimal.
pub(super) fn hash(algorithm: Algorithm, parts: &[&str]) -> Zeroizing<String> {
    match algorithm {
        Algorithm::Md5 => joined::<Md5>(parts),
        Algorithm::Sha256 => joined::<Sha256>(parts),
        Algorithm::Sha512_256 => joined::<Sha512_256>(parts),
    }
}

fn joined<D: Digest>(parts: &[&str]) -> Zeroizing<String> {
    let mut digest = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            digest.update(b":");
        }
        digest.update(part.as_bytes());
    }
    hex(&digest.finalize())
}

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    Zeroizing::new(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_the_published_ones() {
        let check = |algorithm, expect: &str| assert_eq!(*hash(algorithm, &["abc"]), expect);
        // RFC 1321 A.5, FIPS 180-4 examples.
        check(Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72");
        check(Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        check(Algorithm::Sha512_256, "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23");
    }
}
