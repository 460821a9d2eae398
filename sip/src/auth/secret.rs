//! What proves a user: the password, or its hash with user and realm.

use std::fmt;
use std::slice;

use zeroize::Zeroizing;

use super::Algorithm;
use super::digest::hash;

/// A password, or HA1 = H(user:realm:password) so that the password need not be stored. Wiped when dropped.
///
/// `Debug` is `***`. Compare responses, not secrets: there is no `PartialEq`.
#[derive(Clone)]
pub enum Secret {
    /// In clear: good for every algorithm.
    Password(Zeroizing<String>),
    /// Hexadecimal: 32 digits are of MD5, 64 of SHA-256. Good for that algorithm and one realm only. Made by
    /// [`Secret::ha1`], which checks it; text of another length answers nothing.
    Ha1(Zeroizing<String>),
}

/// An `ha1` that cannot be one. It does not carry the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Neither 32 (MD5) nor 64 (SHA-256) hexadecimal digits.
    #[error("ha1 must be 32 (MD5) or 64 (SHA-256) hexadecimal digits of H(user:realm:password)")]
    NotHex,
}

impl Secret {
    /// A password in clear.
    pub fn password(password: &str) -> Self {
        Self::Password(Zeroizing::new(password.to_owned()))
    }

    /// HA1 in hexadecimal of either case: 32 digits for MD5, 64 for SHA-256.
    ///
    /// # Errors
    /// The text is no HA1.
    pub fn ha1(hex: &str) -> Result<Self, SecretError> {
        let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        match hex.len() {
            32 | 64 if is_hex => Ok(Self::Ha1(Zeroizing::new(hex.to_ascii_lowercase()))),
            _ => Err(SecretError::NotHex),
        }
    }

    /// Whether a response of this algorithm can be made or verified with it.
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Password(_) => true,
            Self::Ha1(hex) => match algorithm {
                // 64 digits could be of either SHA; RFC 8760 users store SHA-256.
                Algorithm::Sha512_256 => false,
                _ => hex.len() == algorithm.hex_len(),
            },
        }
    }

    /// HA1 for this algorithm, if it allows it. Hashes also where the hash is at hand, so that the time taken does not
    /// tell which kind of secret a user has.
    pub(super) fn to_ha1(&self, algorithm: Algorithm, user: &str, realm: &str) -> Option<Zeroizing<String>> {
        let password = match self {
            Self::Password(password) | Self::Ha1(password) => password,
        };
        let hashed = hash(algorithm, &[user, realm, password]);
        match self {
            Self::Password(_) => Some(hashed),
            Self::Ha1(hex) => self.allows(algorithm).then(|| hex.clone()),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl AsRef<[Secret]> for Secret {
    /// One secret is a list of one: see [`super::Nonces::verify`].
    fn as_ref(&self) -> &[Secret] {
        slice::from_ref(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ha1_is_checked_and_bound_to_its_algorithm() {
        let md5 = Secret::ha1(&"aB".repeat(16)).unwrap();
        let sha256 = Secret::ha1(&"0".repeat(64)).unwrap();
        let allowed = |secret: &Secret| Algorithm::STRONGEST_FIRST.map(|algorithm| secret.allows(algorithm));
        assert_eq!(allowed(&md5), [false, false, true]);
        assert_eq!(allowed(&sha256), [false, true, false]);
        assert_eq!(allowed(&Secret::password("p")), [true, true, true]);
        assert_eq!(md5.to_ha1(Algorithm::Md5, "u", "r").unwrap().as_str(), "ab".repeat(16));
        assert!(md5.to_ha1(Algorithm::Sha256, "u", "r").is_none());
        for wrong in ["", "xyz", &"g".repeat(32), &"0".repeat(33), &"é".repeat(16)] {
            assert_eq!(Secret::ha1(wrong).err(), Some(SecretError::NotHex), "{wrong}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::password("zanzibar")), "***");
        assert_eq!(format!("{:?}", Secret::ha1(&"ab".repeat(16)).unwrap()), "***");
    }
}
