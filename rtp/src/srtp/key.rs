//! Master keys.

use std::fmt;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{SrtpError, Suite};

/// A master key with its salt, as `inline:` of `a=crypto` carries them. RFC 4568 §6.1.
///
/// Wiped when dropped, compared in constant time, printed as `MasterKey(***)`. Serialised it stands in the clear, so that
/// another node can adopt a call: such a snapshot is as secret as the call.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MasterKey(Zeroizing<Vec<u8>>);

impl MasterKey {
    /// The key and the salt, one after the other.
    ///
    /// Fails with [`SrtpError::KeyLength`] unless `inline` has [`Suite::inline_len`] bytes.
    pub fn new(suite: Suite, inline: &[u8]) -> Result<MasterKey, SrtpError> {
        let key = MasterKey(Zeroizing::new(inline.to_vec()));
        key.parts(suite)?;
        Ok(key)
    }

    /// A new key of `suite`.
    ///
    /// - `fill`: writes the key and the salt; from a source that nobody can guess.
    pub fn made(suite: Suite, fill: impl FnOnce(&mut [u8])) -> MasterKey {
        let mut bytes = Zeroizing::new(vec![0; suite.inline_len()]);
        fill(&mut bytes);
        MasterKey(bytes)
    }

    /// The key and the salt, one after the other: what `inline:` holds. Goes into SDP and nowhere else.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The key, then the salt; a snapshot could hold anything, so the lengths are checked here.
    pub(super) fn parts(&self, suite: Suite) -> Result<(&[u8], &[u8]), SrtpError> {
        let error = SrtpError::KeyLength { expected: suite.inline_len(), found: self.0.len() };
        match self.0.split_at_checked(suite.key_len()) {
            Some((key, salt)) if salt.len() == suite.salt_len() => Ok((key, salt)),
            _ => Err(error),
        }
    }
}

impl PartialEq for MasterKey {
    fn eq(&self, other: &MasterKey) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for MasterKey {}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_secret_and_its_length() {
        let suite = Suite::AesCm128HmacSha1_80;
        let key = MasterKey::new(suite, &[1; 30]).unwrap();
        assert_eq!(format!("{key:?} {:?}", Some(&key)), "MasterKey(***) Some(MasterKey(***))");
        assert_eq!(key, MasterKey::new(suite, &[1; 30]).unwrap());
        assert_ne!(key, MasterKey::new(suite, &[2; 30]).unwrap());
        let wrong = MasterKey::new(suite, &[1; 46]);
        assert_eq!(wrong, Err(SrtpError::KeyLength { expected: 30, found: 46 }));
    }
}
