use serde::{Deserialize, Serialize};

use crate::read::{Item, one_of};

use super::distinct;

/// Whether a party's media is SRTP: `peer.srtp`, or what follows from encryption and transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Srtp {
    /// RTP only.
    Off,
    /// SRTP where the party can: offered as `RTP/AVP` with keys, which a party that knows none ignores.
    Optional,
    /// SRTP only.
    Required,
}

/// `peer.srtp_suites`, by the names of the IANA registry "SDP Security Descriptions".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SrtpSuite {
    /// `AES_CM_128_HMAC_SHA1_80`, RFC 4568.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`, RFC 4568.
    AesCm128HmacSha1_32,
    /// `AES_192_CM_HMAC_SHA1_80`, RFC 6188.
    Aes192CmHmacSha1_80,
    /// `AES_192_CM_HMAC_SHA1_32`, RFC 6188.
    Aes192CmHmacSha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`, RFC 6188.
    Aes256CmHmacSha1_80,
    /// `AES_256_CM_HMAC_SHA1_32`, RFC 6188.
    Aes256CmHmacSha1_32,
    /// `AEAD_AES_128_GCM`, RFC 7714.
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`, RFC 7714.
    AeadAes256Gcm,
}

impl SrtpSuite {
    /// What we offer and take where the file says nothing.
    pub const DEFAULT: [SrtpSuite; 3] =
        [SrtpSuite::Aes256CmHmacSha1_80, SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AesCm128HmacSha1_32];

    /// The name in `a=crypto`.
    pub fn name(self) -> &'static str {
        match self {
            SrtpSuite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            SrtpSuite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            SrtpSuite::Aes192CmHmacSha1_80 => "AES_192_CM_HMAC_SHA1_80",
            SrtpSuite::Aes192CmHmacSha1_32 => "AES_192_CM_HMAC_SHA1_32",
            SrtpSuite::Aes256CmHmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            SrtpSuite::Aes256CmHmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
            SrtpSuite::AeadAes128Gcm => "AEAD_AES_128_GCM",
            SrtpSuite::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }
}

impl Srtp {
    pub(super) const CHOICES: &[(&'static str, Self)] =
        &[("off", Srtp::Off), ("optional", Srtp::Optional), ("required", Srtp::Required)];
}

impl SrtpSuite {
    const ALL: [SrtpSuite; 8] = [
        SrtpSuite::AesCm128HmacSha1_80,
        SrtpSuite::AesCm128HmacSha1_32,
        SrtpSuite::Aes192CmHmacSha1_80,
        SrtpSuite::Aes192CmHmacSha1_32,
        SrtpSuite::Aes256CmHmacSha1_80,
        SrtpSuite::Aes256CmHmacSha1_32,
        SrtpSuite::AeadAes128Gcm,
        SrtpSuite::AeadAes256Gcm,
    ];

    /// By the name of the registry, or as `AES_CM_192_...` and `AES_CM_256_...`, which are seen in the field.
    pub fn from_name(name: &str) -> Option<Self> {
        let iana = name.replace("AES_CM_192_", "AES_192_CM_").replace("AES_CM_256_", "AES_256_CM_");
        Self::ALL.into_iter().find(|suite| suite.name() == iana)
    }
}

pub(super) fn suites(item: &Item<'_>) -> Option<Vec<SrtpSuite>> {
    distinct(item, |item| {
        let name = item.string()?;
        let suite = SrtpSuite::from_name(name);
        if suite.is_none() {
            item.wrong(format!("{name:?} is no suite"), one_of(SrtpSuite::ALL.map(SrtpSuite::name)));
        }
        suite
    })
}
