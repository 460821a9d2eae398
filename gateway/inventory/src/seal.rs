//! Secrets as they are kept: encrypted under a key that is not in the store.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Bytes of the key.
pub const SEAL_KEY: usize = 32;

/// Bytes of a nonce.
const NONCE: usize = 12;

/// A secret under the seal: a nonce, then what ChaCha20-Poly1305 made of it (RFC 8439).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sealed(Vec<u8>);

impl Sealed {
    /// Of what stays where it is: nothing opens it.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(***)")
    }
}

/// A secret was sealed under another key, for another object, or is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed secret can't be opened: the key is another one, or the store was changed by another hand")]
pub struct Broken;

/// The key of the seal, and one made of it by which a page's cursor is known for ours.
pub(crate) struct Seal {
    key: LessSafeKey,
    cursors: hmac::Key,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(***)")
    }
}

impl Seal {
    pub(crate) fn new(key: &[u8; SEAL_KEY]) -> Result<Self, Broken> {
        let unbound = UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| Broken)?;
        let of_cursors = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"cursor");
        Ok(Self {
            key: LessSafeKey::new(unbound),
            cursors: hmac::Key::new(hmac::HMAC_SHA256, of_cursors.as_ref()),
        })
    }

    /// - `of`: what the secret belongs to; it opens for that alone.
    /// - `nonce`: never the same twice.
    pub(crate) fn seal(&self, of: &str, nonce: [u8; NONCE], secret: &[u8]) -> Result<Sealed, Broken> {
        let mut bytes = secret.to_vec();
        let aad = Aad::from(of.as_bytes());
        let nonce_of_it = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(nonce_of_it, aad, &mut bytes).map_err(|_| Broken)?;
        Ok(Sealed(nonce.iter().copied().chain(bytes).collect()))
    }

    pub(crate) fn open(&self, of: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, Broken> {
        let (nonce, rest) = sealed.0.split_first_chunk::<NONCE>().ok_or(Broken)?;
        let mut bytes = Zeroizing::new(rest.to_vec());
        let aad = Aad::from(of.as_bytes());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.key.open_in_place(nonce, aad, &mut bytes).map_err(|_| Broken)?.len();
        bytes.truncate(length);
        Ok(bytes)
    }

    /// The mark of a cursor; short, for it stands in a URL.
    pub(crate) fn mark(&self, list: &str, key: &str) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.cursors);
        context.update(list.as_bytes());
        context.update(&[0]);
        context.update(key.as_bytes());
        let mut mark = [0; 16];
        mark.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        mark
    }
}
