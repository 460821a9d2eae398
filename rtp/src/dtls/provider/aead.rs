//! Cipher suites of DTLS 1.2: RFC 5289, RFC 7905.

use std::fmt;

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit};
use dimpl::crypto::{
    Aad, Buf, Cipher, Dtls12CipherSuite, Dtls13CipherSuite, HashAlgorithm, Nonce, SupportedDtls12CipherSuite,
    SupportedDtls13CipherSuite, TmpBuf,
};
use dimpl::{CryptoError, CryptoOperation};
use ring::aead::{self, AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305, LessSafeKey, UnboundKey};

pub(super) const SUITES: &[&dyn SupportedDtls12CipherSuite] =
    &[&Suite::Aes128Gcm, &Suite::Aes256Gcm, &Suite::ChaCha20Poly1305];

#[derive(Debug, Clone, Copy)]
enum Suite {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
}

impl Suite {
    fn algorithm(self) -> &'static aead::Algorithm {
        match self {
            Suite::Aes128Gcm => &AES_128_GCM,
            Suite::Aes256Gcm => &AES_256_GCM,
            Suite::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        }
    }
}

impl SupportedDtls12CipherSuite for Suite {
    fn suite(&self) -> Dtls12CipherSuite {
        match self {
            Suite::Aes128Gcm => Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256,
            Suite::Aes256Gcm => Dtls12CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384,
            Suite::ChaCha20Poly1305 => Dtls12CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256,
        }
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        match self {
            Suite::Aes256Gcm => HashAlgorithm::SHA384,
            Suite::Aes128Gcm | Suite::ChaCha20Poly1305 => HashAlgorithm::SHA256,
        }
    }

    /// No key of a MAC, the key, and the part of the nonce that is fixed.
    fn key_lengths(&self) -> (usize, usize, usize) {
        match self {
            Suite::Aes128Gcm => (0, 16, 4),
            Suite::Aes256Gcm => (0, 32, 4),
            Suite::ChaCha20Poly1305 => (0, 32, 12),
        }
    }

    fn explicit_nonce_len(&self) -> usize {
        match self {
            Suite::Aes128Gcm | Suite::Aes256Gcm => 8,
            Suite::ChaCha20Poly1305 => 0,
        }
    }

    fn tag_len(&self) -> usize {
        16
    }

    fn create_cipher(&self, key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
        sealing(self.algorithm(), key)
    }
}

fn sealing(algorithm: &'static aead::Algorithm, key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
    let key = UnboundKey::new(algorithm, key);
    let key = key.map_err(|_| CryptoError::OperationFailed(CryptoOperation::CreateCipher))?;
    Ok(Box::new(Sealing(LessSafeKey::new(key))))
}

/// DTLS 1.3 is not spoken, and dimpl takes no provider without it: the suite that RFC 8446 §9.1 demands of all.
#[derive(Debug)]
pub(super) struct Mandatory;

impl SupportedDtls13CipherSuite for Mandatory {
    fn suite(&self) -> Dtls13CipherSuite {
        Dtls13CipherSuite::AES_128_GCM_SHA256
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn key_len(&self) -> usize {
        16
    }

    fn iv_len(&self) -> usize {
        12
    }

    fn tag_len(&self) -> usize {
        16
    }

    fn create_cipher(&self, key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
        sealing(&AES_128_GCM, key)
    }

    fn encrypt_sn(&self, key: &[u8], sample: &[u8; 16]) -> [u8; 16] {
        let mut block = (*sample).into();
        if let Ok(cipher) = Aes128::new_from_slice(key) {
            cipher.encrypt_block(&mut block);
        }
        block.into()
    }
}

struct Sealing(LessSafeKey);

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealing(***)")
    }
}

impl Cipher for Sealing {
    fn encrypt(&mut self, data: &mut Buf, aad: Aad, nonce: Nonce) -> Result<(), CryptoError> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce.0);
        let sealed = self.0.seal_in_place_append_tag(nonce, aead::Aad::from(&*aad), data);
        sealed.map_err(|_| CryptoError::OperationFailed(CryptoOperation::Encrypt))
    }

    fn decrypt(&mut self, data: &mut TmpBuf, aad: Aad, nonce: Nonce) -> Result<(), CryptoError> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce.0);
        let opened = self.0.open_in_place(nonce, aead::Aad::from(&*aad), data.as_mut());
        let len = opened.map_err(|_| CryptoError::OperationFailed(CryptoOperation::Decrypt))?.len();
        data.truncate(len);
        Ok(())
    }
}
