//! SRTP keys in the description: `a=crypto`. RFC 4568; AES-192/256 RFC 6188, GCM RFC 7714 §14.2.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Some phones leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One `a=crypto` line: the value after `a=crypto:`. `Debug` shows no key; `Display` is the value to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crypto {
    /// Names the line within its stream; the answer repeats it. Up to nine digits.
    pub tag: u32,
    /// The suite as written: `AES_CM_128_HMAC_SHA1_80`.
    pub suite: String,
    /// At least one; more than one only with MKIs.
    pub keys: Vec<InlineKey>,
    /// `KDR=1`, `UNENCRYPTED_SRTP`, `WSH=64` ...
    pub session_params: Vec<String>,
}

/// `inline:<base64 of key and salt>["|" lifetime]["|" MKI ":" length]`, RFC 4568 §6.1. `Debug` shows no key.
#[derive(Clone, PartialEq, Eq)]
pub struct InlineKey {
    /// Master key, then master salt, as bytes; wiped when dropped.
    pub key_and_salt: Zeroizing<Vec<u8>>,
    /// Packets that the key may protect.
    pub lifetime: Option<u64>,
    /// Sent in each packet if present.
    pub mki: Option<Mki>,
}

/// The key's name in SRTP packets. RFC 4568 §6.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mki {
    /// The number itself.
    pub value: u64,
    /// Bytes that it takes in a packet, 1..=128.
    pub length: u8,
}

/// An `a=crypto` line that cannot be used. It never carries the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// Tag, suite or key parameter is missing.
    #[error("not <tag> <suite> <key parameters>")]
    Shape,
    /// The tag is no number of one to nine digits.
    #[error("the tag is no number of at most nine digits")]
    Tag,
    /// A key method other than `inline`.
    #[error("the key method is not inline")]
    Method,
    /// The key is not base64.
    #[error("the key is not base64")]
    Base64,
    /// The lifetime is no number and no power of two, or 0.
    #[error("the lifetime is no number of packets")]
    Lifetime,
    /// The MKI is not `value:length`, or too large.
    #[error("the MKI is not value:length")]
    Mki,
}

impl Crypto {
    /// A line with one key that lives as long as the suite allows and has no MKI: what we send.
    pub fn new(tag: u32, suite: &str, key_and_salt: &[u8]) -> Self {
        let key =
            InlineKey { key_and_salt: Zeroizing::new(key_and_salt.to_vec()), lifetime: None, mki: None };
        Self { tag, suite: suite.to_owned(), keys: vec![key], session_params: Vec::new() }
    }

    /// Reads the value of `a=crypto`.
    ///
    /// A line with an unknown suite parses, so that the caller can pass over it; how long a key must be its suite says.
    ///
    /// # Errors
    /// What is wrong with the line; never its key.
    pub fn parse(value: &str) -> Result<Self, CryptoError> {
        let mut fields = value.split_ascii_whitespace();
        let (Some(tag), Some(suite), Some(keys)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(CryptoError::Shape);
        };
        let digits = tag.len() <= 9 && tag.bytes().all(|byte| byte.is_ascii_digit());
        let tag = tag.parse().ok().filter(|_| digits).ok_or(CryptoError::Tag)?;
        let keys = keys
            .split(';')
            .filter(|key| !key.is_empty())
            .map(InlineKey::parse)
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(CryptoError::Shape);
        }
        Ok(Self { tag, suite: suite.to_owned(), keys, session_params: fields.map(str::to_owned).collect() })
    }

    /// Whether the session parameters ask for nothing beyond plain SRTP: only `WSH` (a hint) and extensions that may
    /// be ignored, which begin with `-`. A line that asks for more must not be chosen. RFC 4568 §6.3.
    pub fn is_plain(&self) -> bool {
        let harmless = |param: &String| {
            param.starts_with('-') || param.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("WSH="))
        };
        self.session_params.iter().all(harmless)
    }
}

impl fmt::Display for Crypto {
    /// The value to send, keys included.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.tag, self.suite)?;
        for (index, key) in self.keys.iter().enumerate() {
            let separator = if index == 0 { "" } else { ";" };
            let base64 = Zeroizing::new(BASE64.encode(&*key.key_and_salt));
            write!(f, "{separator}inline:{}", *base64)?;
            match key.lifetime {
                Some(lifetime) if lifetime.is_power_of_two() => {
                    write!(f, "|2^{}", lifetime.trailing_zeros())?
                }
                Some(lifetime) => write!(f, "|{lifetime}")?,
                None => {}
            }
            if let Some(Mki { value, length }) = key.mki {
                write!(f, "|{value}:{length}")?;
            }
        }
        self.session_params.iter().try_for_each(|param| write!(f, " {param}"))
    }
}

impl InlineKey {
    fn parse(text: &str) -> Result<Self, CryptoError> {
        let (method, info) = text.split_once(':').ok_or(CryptoError::Method)?;
        if !method.eq_ignore_ascii_case("inline") {
            return Err(CryptoError::Method);
        }
        let mut parts = info.split('|');
        let base64 = parts.next().unwrap_or_default();
        let key_and_salt = Zeroizing::new(BASE64.decode(base64).map_err(|_| CryptoError::Base64)?);
        if key_and_salt.is_empty() {
            return Err(CryptoError::Base64);
        }
        let mut key = Self { key_and_salt, lifetime: None, mki: None };
        for part in parts {
            // Both are optional; only the MKI has a colon.
            match part.split_once(':') {
                Some((value, length)) => key.mki = Some(Mki::parse(value, length).ok_or(CryptoError::Mki)?),
                None => key.lifetime = Some(lifetime(part).ok_or(CryptoError::Lifetime)?),
            }
        }
        Ok(key)
    }
}

impl fmt::Debug for InlineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InlineKey(***, lifetime: {:?}, mki: {:?})", self.lifetime, self.mki)
    }
}

impl Mki {
    fn parse(value: &str, length: &str) -> Option<Self> {
        let length = length.parse().ok().filter(|length| (1..=128).contains(length))?;
        Some(Self { value: value.parse().ok()?, length })
    }
}

/// `text` with everything after `inline:` and `ice-pwd:` replaced by `***`, up to the end of the word. For logs.
///
/// Works on any bytes: a whole SIP message, a body, one line.
pub fn masked(text: &[u8]) -> Cow<'_, [u8]> {
    const SECRETS: [&[u8]; 2] = [b"inline:", b"ice-pwd:"];
    let begins = |rest: &[u8], secret: &[u8]| {
        let at = rest.windows(secret.len()).position(|word| word.eq_ignore_ascii_case(secret))?;
        Some(at + secret.len())
    };
    let found = |rest: &[u8]| SECRETS.iter().filter_map(|secret| begins(rest, secret)).min();
    let mut rest = text;
    let mut masked = Vec::new();
    while let Some((before, after)) = found(rest).and_then(|at| rest.split_at_checked(at)) {
        masked.extend_from_slice(before);
        masked.extend_from_slice(b"***");
        let end = after.iter().position(|byte| b" \t\r\n;|".contains(byte)).unwrap_or(after.len());
        rest = after.get(end..).unwrap_or_default();
    }
    if masked.is_empty() {
        return Cow::Borrowed(text);
    }
    masked.extend_from_slice(rest);
    Cow::Owned(masked)
}

/// `2^20` or `1048576`; not 0, and within 64 bits.
fn lifetime(text: &str) -> Option<u64> {
    match text.strip_prefix("2^") {
        Some(power) => power.parse().ok().and_then(|power| 1_u64.checked_shl(power)),
        None => text.parse().ok().filter(|packets| *packets != 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"; // RFC 4568 §6.1's own, 30 bytes.

    #[test]
    fn lines_come_back_as_they_were() {
        let check = |line: String| assert_eq!(Crypto::parse(&line).unwrap().to_string(), line);
        check(format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"));
        check(format!("1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^20|1:4"));
        check(format!("2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:4"));
        check(format!("3 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1000 KDR=1 UNENCRYPTED_SRTCP"));
        check(format!(
            "4 F8_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4;inline:{KEY}|2^20|2:4 FEC_ORDER=FEC_SRTP"
        ));
        check("5 NEW_SUITE inline:AAAA".to_owned());
    }

    #[test]
    fn fields_are_read() {
        let crypto =
            Crypto::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4 WSH=64")).unwrap();
        assert_eq!((crypto.tag, crypto.suite.as_str()), (1, "AES_CM_128_HMAC_SHA1_80"));
        assert_eq!(crypto.keys[0].key_and_salt.len(), 30);
        assert_eq!(crypto.keys[0].lifetime, Some(1 << 20));
        assert_eq!(crypto.keys[0].mki, Some(Mki { value: 1, length: 4 }));
        assert!(crypto.is_plain());
    }

    #[test]
    fn unpadded_base64_is_read() {
        let unpadded = "A".repeat(62); // 46 bytes; padded it ends in `==`.
        let crypto = Crypto::parse(&format!("1 AES_256_CM_HMAC_SHA1_80 inline:{unpadded}")).unwrap();
        assert_eq!(crypto.to_string(), format!("1 AES_256_CM_HMAC_SHA1_80 inline:{unpadded}=="));
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let check = |line: &str, expect| assert_eq!(Crypto::parse(line).unwrap_err(), expect, "{line}");
        check("", CryptoError::Shape);
        check("1 AES_CM_128_HMAC_SHA1_80", CryptoError::Shape);
        check("1 AES_CM_128_HMAC_SHA1_80 ;", CryptoError::Shape);
        check(&format!("x AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), CryptoError::Tag);
        check(&format!("+1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), CryptoError::Tag);
        check(&format!("1234567890 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), CryptoError::Tag);
        check(&format!("1 AES_CM_128_HMAC_SHA1_80 uri:{KEY}"), CryptoError::Method);
        check("1 AES_CM_128_HMAC_SHA1_80 inline:***", CryptoError::Base64);
        check("1 NEW_SUITE inline:", CryptoError::Base64);
        check(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|0"), CryptoError::Lifetime);
        check(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^64"), CryptoError::Lifetime);
        check(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:0"), CryptoError::Mki);
        check(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:129"), CryptoError::Mki);
    }

    #[test]
    fn parameters_that_weaken_srtp_are_not_plain() {
        let check = |params: &str, expect| {
            let line = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{params}");
            assert_eq!(Crypto::parse(&line).unwrap().is_plain(), expect, "{params}");
        };
        check("", true);
        check(" wsh=128 -x-hint", true);
        check(" UNENCRYPTED_SRTP", false);
        check(" UNAUTHENTICATED_SRTP", false);
        check(" KDR=4", false);
    }

    #[test]
    fn masking_hides_every_key_and_nothing_else() {
        let text =
            format!("a=x\r\na=crypto:1 S inline:{KEY}|2^20;INLINE:{KEY} W\r\na=crypto:2 S inline:{KEY}");
        let expect = "a=x\r\na=crypto:1 S inline:***|2^20;INLINE:*** W\r\na=crypto:2 S inline:***";
        assert_eq!(String::from_utf8_lossy(&masked(text.as_bytes())), expect);
        assert!(matches!(masked(b"a=x"), Cow::Borrowed(b"a=x")));
    }

    #[test]
    fn debug_shows_no_key() {
        let crypto = Crypto::new(1, "AES_CM_128_HMAC_SHA1_80", &[0x41; 30]);
        let shown = format!("{crypto:?}");
        assert!(shown.contains("***") && !shown.contains("65") && !shown.contains("QUFB"), "{shown}");
    }
}
