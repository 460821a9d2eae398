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
    let unread = |error| TlsError::Read { path: path.to_owned(), error };
    let certificates = CertificateDer::pem_file_iter(path).map_err(unread)?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(unread)?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

/// The authorities of a file.
pub(super) fn anchors(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut anchors = RootCertStore::empty();
    for certificate in certificates(path)? {
        anchors.add(certificate).map_err(|error| TlsError::Unusable { path: path.to_owned(), error })?;
    }
    Ok(anchors)
}

/// A certificate chain with its key, which is seen to belong to it.
pub(super) fn certified_key(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey { path: key.to_owned() },
        error => TlsError::Read { path: key.to_owned(), error },
    })?;
    // Apart, so that an error names the file that it is about.
    let signer = provider.key_provider.load_private_key(private);
    let signer = signer.map_err(|error| TlsError::Unusable { path: key.to_owned(), error })?;
    let certified = CertifiedKey::new(chain, signer);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(certified)),
        Err(Error::InconsistentKeys(_)) => {
            Err(TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() })
        }
        Err(error) => Err(TlsError::Unusable { path: certificate.to_owned(), error }),
    }
}
