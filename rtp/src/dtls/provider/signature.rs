//! Our signature, and the peer's by the key in its certificate. Whose certificate it is, the fingerprint says.

use std::fmt;

use dimpl::crypto::{Buf, HashAlgorithm, KeyProvider, SignatureAlgorithm, SignatureVerifier, SigningKey};
use dimpl::{CryptoError, CryptoOperation};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use webpki::EndEntityCert;
use webpki::ring::{ECDSA_P256_SHA256, ECDSA_P256_SHA384, ECDSA_P384_SHA256, ECDSA_P384_SHA384};

#[derive(Debug)]
pub(super) struct Keys;

impl KeyProvider for Keys {
    /// A key of P-256 in PKCS #8.
    fn load_private_key(&self, der: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &SystemRandom::new());
        Ok(Box::new(Own(key.map_err(|_| CryptoError::InvalidPrivateKey)?)))
    }
}

struct Own(EcdsaKeyPair);

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own(***)")
    }
}

impl SigningKey for Own {
    fn sign(&mut self, data: &[u8], _: HashAlgorithm, out: &mut Buf) -> Result<(), CryptoError> {
        let signature = self.0.sign(&SystemRandom::new(), data);
        let signature = signature.map_err(|_| CryptoError::OperationFailed(CryptoOperation::Sign))?;
        out.clear();
        out.extend_from_slice(signature.as_ref());
        Ok(())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        &[HashAlgorithm::SHA256]
    }
}

#[derive(Debug)]
pub(super) struct Verifier;

impl SignatureVerifier for Verifier {
    fn verify_signature(
        &self,
        certificate: &[u8],
        data: &[u8],
        signature: &[u8],
        hash: HashAlgorithm,
        algorithm: SignatureAlgorithm,
    ) -> Result<(), CryptoError> {
        let certificate = CertificateDer::from(certificate);
        let certificate =
            EndEntityCert::try_from(&certificate).map_err(|_| CryptoError::CertificateParseFailed)?;
        // The key's curve is found by trying both: the hash does not tell it in TLS 1.2.
        let tried: [&dyn SignatureVerificationAlgorithm; 2] = match (algorithm, hash) {
            (SignatureAlgorithm::ECDSA, HashAlgorithm::SHA256) => [ECDSA_P256_SHA256, ECDSA_P384_SHA256],
            (SignatureAlgorithm::ECDSA, HashAlgorithm::SHA384) => [ECDSA_P256_SHA384, ECDSA_P384_SHA384],
            (SignatureAlgorithm::ECDSA, other) => return Err(CryptoError::UnsupportedHmacHash(other)),
            (other, _) => return Err(CryptoError::UnsupportedSignatureAlgorithm(other)),
        };
        let fits = |one: &dyn SignatureVerificationAlgorithm| {
            certificate.verify_signature(one, data, signature).is_ok()
        };
        match tried.into_iter().any(fits) {
            true => Ok(()),
            false => Err(CryptoError::OperationFailed(CryptoOperation::VerifySignature)),
        }
    }
}
