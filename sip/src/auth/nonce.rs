//! The server's nonce: a signed time stamp, so that nothing is stored for a challenge nobody answers.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// What a nonce of ours says once its signature was checked.
///
/// ```text
///   1 byte   2 bytes   6 bytes      8 bytes   16 bytes
/// +--------+---------+------------+---------+--------------------------+
/// | version| issuer  | issued, ms | random  | HMAC-SHA-256, first half |   base64url: 44 characters
/// +--------+---------+------------+---------+--------------------------+
/// ```
///
/// The address that was challenged is signed too, without being sent: whoever forges that address can't have heard a
/// nonce for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nonce {
    pub issuer: u16,
    /// Ordered by time first, so the oldest is the smallest.
    pub stamp: Stamp,
}

/// Milliseconds since 1970 and the random bytes: unique for each nonce of one issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    pub issued_ms: u64,
    pub random: [u8; 8],
}

const VERSION: u8 = 1;
const SIGNED: usize = 17;
const SIGNATURE: usize = 16;

impl Nonce {
    pub fn new(issuer: u16, unix: Duration, random: [u8; 8]) -> Self {
        let issued_ms = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX) & 0xffff_ffff_ffff;
        Self { issuer, stamp: Stamp { issued_ms, random } }
    }

    /// The text for the challenge of `source`.
    pub fn sign(&self, key: &[u8; 32], source: IpAddr) -> String {
        let mut bytes = Vec::with_capacity(SIGNED + SIGNATURE);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.issuer.to_be_bytes());
        bytes.extend(self.stamp.issued_ms.to_be_bytes().iter().skip(2));
        bytes.extend_from_slice(&self.stamp.random);
        let signature = mac(key, &bytes, source).finalize().into_bytes();
        bytes.extend(signature.iter().take(SIGNATURE));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None` unless a holder of `key` signed it for `source`.
    pub fn verify(key: &[u8; 32], text: &str, source: IpAddr) -> Option<Self> {
        let bytes: [u8; SIGNED + SIGNATURE] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (signed, signature) = bytes.split_at_checked(SIGNED)?;
        mac(key, signed, source).verify_truncated_left(signature).ok()?; // In constant time.
        let (version, rest) = signed.split_first()?;
        let (issuer, rest) = rest.split_first_chunk()?;
        let (issued, rest) = rest.split_first_chunk::<6>()?;
        let issued_ms = issued.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let stamp = Stamp { issued_ms, random: rest.try_into().ok()? };
        (*version == VERSION).then_some(Self { issuer: u16::from_be_bytes(*issuer), stamp })
    }

    /// Whether it is older than `lifetime`, or (the clock was set back) further ahead than that.
    pub fn is_stale(&self, unix: Duration, lifetime: Duration) -> bool {
        unix.abs_diff(Duration::from_millis(self.stamp.issued_ms)) > lifetime
    }
}

fn mac(key: &[u8; 32], bytes: &[u8], source: IpAddr) -> Hmac<Sha256> {
    // A key of the block size is padded with zeros: RFC 2104 §2.
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into());
    mac.update(bytes);
    // An IPv4 address is the same whether its socket speaks IPv6 or not.
    match source.to_canonical() {
        IpAddr::V4(address) => mac.update(&address.octets()),
        IpAddr::V6(address) => mac.update(&address.octets()),
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 20));

    #[test]
    fn only_the_key_holder_signs() {
        let nonce = Nonce::new(3, Duration::from_millis(1_800_000_000_123), *b"12345678");
        let text = nonce.sign(&[1; 32], SOURCE);
        assert_eq!(text.len(), 44);
        assert_eq!(Nonce::verify(&[1; 32], &text, SOURCE), Some(nonce));
        assert_eq!(Nonce::verify(&[2; 32], &text, SOURCE), None);
        for (elsewhere, found) in
            [("192.0.2.21", None), ("2001:db8::20", None), ("::ffff:192.0.2.20", Some(nonce))]
        {
            assert_eq!(Nonce::verify(&[1; 32], &text, elsewhere.parse().unwrap()), found, "{elsewhere}");
        }
        assert_eq!(Nonce::verify(&[1; 32], "", SOURCE), None);
        assert_eq!(Nonce::verify(&[1; 32], "dcd98b7102dd2f0e8b11d0f600bfb0c093", SOURCE), None);
        for at in 0..text.len() {
            let mut forged = text.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(Nonce::verify(&[1; 32], &forged, SOURCE), None, "{forged}");
        }
    }

    #[test]
    fn age_is_measured_both_ways() {
        let nonce = Nonce::new(0, Duration::from_secs(1_000), [0; 8]);
        let check = |at: u64, expect| {
            assert_eq!(nonce.is_stale(Duration::from_secs(at), Duration::from_secs(300)), expect, "{at}");
        };
        check(1_000, false);
        check(1_300, false);
        check(1_301, true);
        check(700, false);
        check(699, true);
    }
}
