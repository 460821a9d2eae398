//! Logins of a connector.

use crate::peer::distinct;
use crate::read::{Item, Table};

/// `termination.challenge`: how a login is asked for. Source: RFC 3261 §22.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeStatus {
    /// 401: as a user agent or a registrar does, by `WWW-Authenticate` and `Authorization`.
    Unauthorized,
    /// 407: as a proxy does, by `Proxy-Authenticate` and `Proxy-Authorization`.
    ProxyAuthenticationRequired,
}

impl ChallengeStatus {
    pub(crate) fn read(item: &Item<'_>) -> Option<Self> {
        match item.integer(401, 407)? {
            401 => Some(Self::Unauthorized),
            407 => Some(Self::ProxyAuthenticationRequired),
            other => {
                item.wrong(format!("`challenge` is {other}"), "401 or 407");
                None
            }
        }
    }
}

/// A hash of `termination.digest_algorithms`. Source: RFC 8760.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// `SHA-512-256`.
    Sha512_256,
    /// `SHA-256`.
    Sha256,
    /// `MD5`.
    Md5,
}

impl DigestAlgorithm {
    /// All of them, strongest first: the order of RFC 8760 §2.4.
    pub const DEFAULT: [Self; 3] = [Self::Sha512_256, Self::Sha256, Self::Md5];

    const CHOICES: &[(&'static str, Self)] =
        &[("SHA-512-256", Self::Sha512_256), ("SHA-256", Self::Sha256), ("MD5", Self::Md5)];

    /// The hash that an `ha1` in hex is of. RFC 8760: 64 digits are of SHA-256, though SHA-512-256 has as many.
    pub fn of_ha1(hex: &str) -> Option<Self> {
        match hex.len() {
            32 => Some(Self::Md5),
            64 => Some(Self::Sha256),
            _ => None,
        }
    }

    /// The name in the IANA registry "Hash Algorithms for HTTP Digest Authentication".
    pub fn name(self) -> &'static str {
        Self::CHOICES.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    /// Whether a literal `ha1` can ever be asked for.
    pub(crate) fn check_ha1(login: &Table<'_>, offered: &[Self]) {
        let Some(ha1) = login.get("ha1") else { return };
        let Some(needed) = ha1.quiet_string().and_then(Self::of_ha1) else { return };
        if !offered.contains(&needed) {
            ha1.error(
                format!("`ha1` is of {}, which `digest_algorithms` leaves out", needed.name()),
                format!("write \"{}\" there too, or an `ha1` of what is there", needed.name()),
            );
        }
    }

    pub(crate) fn list(item: &Item<'_>) -> Option<Vec<Self>> {
        distinct(item, |item| item.choice(Self::CHOICES))
    }
}
