//! Hashes of the handshake, and what keys are derived by.

use std::fmt;

use dimpl::crypto::{Buf, HashAlgorithm, HashContext, HashProvider, HmacProvider};
use dimpl::{CryptoError, CryptoOperation};
use ring::{digest, hmac};

#[derive(Debug)]
pub(super) struct Hashes;

impl HashProvider for Hashes {
    /// The suites know two hashes.
    fn create_hash(&self, hash: HashAlgorithm) -> Box<dyn HashContext> {
        let algorithm = if hash == HashAlgorithm::SHA384 { &digest::SHA384 } else { &digest::SHA256 };
        Box::new(Transcript(digest::Context::new(algorithm)))
    }
}

impl HmacProvider for Hashes {
    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        data: &[u8],
        out: &mut [u8],
    ) -> Result<usize, CryptoError> {
        let algorithm = match hash {
            HashAlgorithm::SHA256 => hmac::HMAC_SHA256,
            HashAlgorithm::SHA384 => hmac::HMAC_SHA384,
            other => return Err(CryptoError::UnsupportedHmacHash(other)),
        };
        let tag = hmac::sign(&hmac::Key::new(algorithm, key), data);
        let tag = tag.as_ref();
        let out =
            out.get_mut(..tag.len()).ok_or(CryptoError::OperationFailed(CryptoOperation::ComputeHmac))?;
        out.copy_from_slice(tag);
        Ok(tag.len())
    }
}

struct Transcript(digest::Context);

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transcript")
    }
}

impl HashContext for Transcript {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn clone_and_finalize(&self, out: &mut Buf) {
        out.clear();
        out.extend_from_slice(self.0.clone().finish().as_ref());
    }
}
