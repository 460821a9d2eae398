//! PEM files.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};

use super::TlsError;

/// The certificates of a file, in its order; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    match all(path)? {
        none if none.is_empty() => Err(TlsError::NoCertificate { path: path.to_owned() }),
        some => Ok(some),
    }
}

/// The authorities of a file; at least one.
pub(super) fn anchors(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut anchors = RootCertStore::empty();
    for certificate in all(path)? {
        anchors.add(certificate).map_err(|error| TlsError::Unusable { path: path.to_owned(), error })?;
    }
    if anchors.is_empty() {
        return Err(TlsError::NoAuthority { path: path.to_owned() });
    }
    Ok(anchors)
}

fn all(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unread = |error| TlsError::Read { path: path.to_owned(), error };
    CertificateDer::pem_file_iter(path).map_err(unread)?.collect::<Result<_, _>>().map_err(unread)
}

/// A certificate chain with its key, which is seen to belong to it.
pub(super) fn certified_key(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificates(certificate)?;
    let signer = provider.key_provider.load_private_key(private_key(key)?);
    // The library's only complaint is that it knows no such key.
    let signer = signer.map_err(|_| TlsError::UnknownKey { path: key.to_owned() })?;
    let fits = |chain| match CertifiedKey::new(chain, signer.clone()).keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(true),
        Err(Error::InconsistentKeys(_)) => Ok(false),
        Err(error) => Err(TlsError::Unusable { path: certificate.to_owned(), error }),
    };
    if fits(chain.clone())? {
        return Ok(Arc::new(CertifiedKey::new(chain, signer)));
    }
    let (certificate, key) = (certificate.to_owned(), key.to_owned());
    match chain.into_iter().skip(1).any(|other| fits(vec![other]).unwrap_or(false)) {
        true => Err(TlsError::LeafNotFirst { certificate, key }),
        false => Err(TlsError::Mismatch { certificate, key }),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let failed = |error| TlsError::Read { path: path.to_owned(), error };
    let pem = std::fs::read(path).map_err(|error| failed(pem::Error::Io(error)))?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        let path = path.to_owned();
        // `BEGIN ENCRYPTED PRIVATE KEY`, and `Proc-Type: 4,ENCRYPTED` of RFC 1421 inside the others.
        match error {
            _ if pem.windows(9).any(|word| word == b"ENCRYPTED") => TlsError::Encrypted { path },
            pem::Error::NoItemsFound => TlsError::NoKey { path },
            error => TlsError::Read { path, error },
        }
    })
}
