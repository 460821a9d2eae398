//! The cryptography of DTLS by ring, as dimpl asks for it: nothing of it is our own.

mod aead;
mod exchange;
mod hash;
mod signature;

use dimpl::crypto::{CryptoProvider, SecureRandom};
use dimpl::{CryptoError, CryptoOperation};
use ring::rand::SystemRandom;

/// ECDHE by X25519, P-256 and P-384; ECDSA; AES-GCM and ChaCha20-Poly1305. DTLS 1.2 alone.
pub(super) fn ring() -> CryptoProvider {
    CryptoProvider {
        kx_groups: exchange::GROUPS,
        signature_verification: &signature::Verifier,
        key_provider: &signature::Keys,
        secure_random: &System,
        hash_provider: &hash::Hashes,
        hmac_provider: &hash::Hashes,
        cipher_suites: aead::SUITES,
        dtls13_cipher_suites: &[&aead::Mandatory],
    }
}

#[derive(Debug)]
struct System;

impl SecureRandom for System {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        let filled = ring::rand::SecureRandom::fill(&SystemRandom::new(), bytes);
        filled.map_err(|_| CryptoError::OperationFailed(CryptoOperation::FillRandom))
    }
}
