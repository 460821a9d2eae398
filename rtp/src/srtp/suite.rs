//! Crypto suites, by the names that SDP gives them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A cipher, a tag and their lengths.
///
/// The tag of SRTCP is 80 bits long with the `_32` suites too (RFC 4568 §6.2.2, RFC 6188 §4); some peers have 32: [`SrtcpTag`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80`: what every SRTP peer speaks. RFC 4568 §6.2.1.
    #[serde(rename = "AES_CM_128_HMAC_SHA1_80")]
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`. RFC 4568 §6.2.2.
    #[serde(rename = "AES_CM_128_HMAC_SHA1_32")]
    AesCm128HmacSha1_32,
    /// `AES_192_CM_HMAC_SHA1_80`. RFC 6188.
    #[serde(rename = "AES_192_CM_HMAC_SHA1_80")]
    AesCm192HmacSha1_80,
    /// `AES_192_CM_HMAC_SHA1_32`. RFC 6188.
    #[serde(rename = "AES_192_CM_HMAC_SHA1_32")]
    AesCm192HmacSha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`. RFC 6188.
    #[serde(rename = "AES_256_CM_HMAC_SHA1_80")]
    AesCm256HmacSha1_80,
    /// `AES_256_CM_HMAC_SHA1_32`. RFC 6188.
    #[serde(rename = "AES_256_CM_HMAC_SHA1_32")]
    AesCm256HmacSha1_32,
    /// `AEAD_AES_128_GCM`. RFC 7714.
    #[serde(rename = "AEAD_AES_128_GCM")]
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`. RFC 7714.
    #[serde(rename = "AEAD_AES_256_GCM")]
    AeadAes256Gcm,
}

impl Suite {
    /// Every suite, the strongest first: an order to offer them in.
    pub const ALL: [Suite; 8] = [
        Suite::AeadAes256Gcm,
        Suite::AeadAes128Gcm,
        Suite::AesCm256HmacSha1_80,
        Suite::AesCm256HmacSha1_32,
        Suite::AesCm192HmacSha1_80,
        Suite::AesCm192HmacSha1_32,
        Suite::AesCm128HmacSha1_80,
        Suite::AesCm128HmacSha1_32,
    ];

    /// The name in `a=crypto`.
    pub fn name(self) -> &'static str {
        match self {
            Suite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Suite::AesCm192HmacSha1_80 => "AES_192_CM_HMAC_SHA1_80",
            Suite::AesCm192HmacSha1_32 => "AES_192_CM_HMAC_SHA1_32",
            Suite::AesCm256HmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Suite::AesCm256HmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
            Suite::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Suite::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// The name of the profile that DTLS-SRTP has for it; `None`: it has none. RFC 5764 §4.1.2, RFC 7714 §14.2.
    pub fn profile(self) -> Option<&'static str> {
        match self {
            Suite::AesCm128HmacSha1_80 => Some("SRTP_AES128_CM_HMAC_SHA1_80"),
            Suite::AesCm128HmacSha1_32 => Some("SRTP_AES128_CM_HMAC_SHA1_32"),
            Suite::AeadAes128Gcm => Some("SRTP_AEAD_AES_128_GCM"),
            Suite::AeadAes256Gcm => Some("SRTP_AEAD_AES_256_GCM"),
            _ => None,
        }
    }

    /// Bytes of the master key, and of the session keys for encryption.
    pub fn key_len(self) -> usize {
        match self {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 | Suite::AeadAes128Gcm => 16,
            Suite::AesCm192HmacSha1_80 | Suite::AesCm192HmacSha1_32 => 24,
            Suite::AesCm256HmacSha1_80 | Suite::AesCm256HmacSha1_32 | Suite::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of the master salt, and of the session salts.
    pub fn salt_len(self) -> usize {
        match self {
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => 12,
            _ => 14,
        }
    }

    /// Bytes of key and salt together: what `inline:` holds in base64.
    pub fn inline_len(self) -> usize {
        self.key_len() + self.salt_len()
    }

    /// Bytes that protection adds to an RTP packet.
    pub fn rtp_growth(self) -> usize {
        match self {
            Suite::AesCm128HmacSha1_32 | Suite::AesCm192HmacSha1_32 | Suite::AesCm256HmacSha1_32 => 4,
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => 16,
            _ => 10,
        }
    }

    /// Bytes that protection adds to an RTCP packet, by the standard and without an MKI: the tag and the word of the index.
    pub fn rtcp_growth(self) -> usize {
        4 + self.srtcp_tag().len()
    }

    /// The tag of SRTCP by the standard.
    pub fn srtcp_tag(self) -> SrtcpTag {
        match self {
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => SrtcpTag::Bits128,
            _ => SrtcpTag::Bits80,
        }
    }

    /// The other tag of SRTCP that peers have under this suite.
    pub(super) fn other_srtcp_tag(self) -> Option<SrtcpTag> {
        (self.rtp_growth() == SrtcpTag::Bits32.len()).then_some(SrtcpTag::Bits32)
    }
}

/// How long the tags of a peer's SRTCP are.
///
/// Under the `_32` suites the standard has 80 bits (RFC 4568 §6.2.2, RFC 6188 §4), and baresip and FFmpeg have the 32 of SRTP.
/// SDP cannot tell: a packet does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SrtcpTag {
    /// 32 bits.
    Bits32,
    /// 80 bits.
    Bits80,
    /// 128 bits: GCM.
    Bits128,
}

impl SrtcpTag {
    /// In bytes.
    pub(super) fn len(self) -> usize {
        usize::from(self.bits() / 8)
    }

    /// In bits.
    pub fn bits(self) -> u8 {
        match self {
            SrtcpTag::Bits32 => 32,
            SrtcpTag::Bits80 => 80,
            SrtcpTag::Bits128 => 128,
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is none of [`Suite::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown crypto suite")]
pub struct UnknownSuite;

impl FromStr for Suite {
    type Err = UnknownSuite;

    /// Reads the name in `a=crypto`, in any case; devices older than RFC 6188 write `AES_CM_256` for its `AES_256_CM`.
    fn from_str(name: &str) -> Result<Suite, UnknownSuite> {
        let name =
            name.to_ascii_uppercase().replace("AES_CM_256", "AES_256_CM").replace("AES_CM_192", "AES_192_CM");
        Suite::ALL.into_iter().find(|suite| suite.name() == name).ok_or(UnknownSuite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_lengths() {
        for suite in Suite::ALL {
            assert_eq!(suite.name().parse(), Ok(suite));
            assert_eq!(serde_json::to_value(suite).unwrap(), suite.name());
        }
        assert_eq!("aes_cm_128_hmac_sha1_80".parse(), Ok(Suite::AesCm128HmacSha1_80));
        assert_eq!("AES_CM_256_HMAC_SHA1_32".parse(), Ok(Suite::AesCm256HmacSha1_32));
        assert_eq!("F8_128_HMAC_SHA1_80".parse::<Suite>(), Err(UnknownSuite));
        let lengths = |suite: Suite| (suite.inline_len(), suite.rtp_growth(), suite.rtcp_growth());
        assert_eq!(lengths(Suite::AesCm128HmacSha1_80), (30, 10, 14));
        assert_eq!(lengths(Suite::AesCm128HmacSha1_32), (30, 4, 14));
        assert_eq!(lengths(Suite::AesCm192HmacSha1_80), (38, 10, 14));
        assert_eq!(lengths(Suite::AesCm256HmacSha1_32), (46, 4, 14));
        assert_eq!(lengths(Suite::AeadAes128Gcm), (28, 16, 20));
        assert_eq!(lengths(Suite::AeadAes256Gcm), (44, 16, 20));
    }
}
