//! Why certificates, keys and trust anchors can't be used.

use std::path::{Path, PathBuf};

use config::{Config, Position};
use rustls::pki_types::pem;

/// A certificate, key or trust anchor that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read or is no PEM.
    #[error("{}: {error}; name a PEM file that can be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: pem::Error,
    },
    /// PEM, but no certificate in it.
    #[error("{}: holds no certificate; write PEM, the leaf first", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// PEM, but no certificate of an authority in it.
    #[error("{}: holds no certificate; write those of the authorities, PEM", path.display())]
    NoAuthority {
        /// The file.
        path: PathBuf,
    },
    /// PEM, but no private key in it.
    #[error("{}: holds no private key; write PEM", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A private key that a password protects.
    #[error("{0}: a password protects this key; write it without: openssl pkey -in {0} -out NEW", path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// A private key of a kind that is not known.
    #[error("{}: no such key is taken; write RSA of 2048 to 8192 bits, P-256, P-384 or Ed25519", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
    },
    /// A certificate that is damaged, or of a kind that is not known.
    #[error("{}: {}; name another one", path.display(), super::reason::cause(error))]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: rustls::Error,
    },
    /// The key is another certificate's.
    #[error("{} does not belong to the certificate {}; name the key that it was made with", key.display(), certificate.display())]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The key is that of a certificate further down in the file.
    #[error("{}: the first certificate is not that of {}; write the leaf first, then who signed it", certificate.display(), key.display())]
    LeafNotFirst {
        /// The file of the certificates.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// Any of these, where the configuration names the file.
    #[error("{position}: {key}: {error}")]
    Placed {
        /// Where the configuration names it.
        position: Position,
        /// Under which key.
        key: String,
        /// What is wrong with it.
        error: Box<TlsError>,
    },
    /// The TLS library refuses its own settings.
    #[error("TLS: {0}")]
    Library(rustls::Error),
}

impl TlsError {
    /// The error with the place where `config` names the file.
    pub(super) fn placed(self, config: &Config) -> TlsError {
        match self.path().and_then(|path| config.place_of(path)) {
            Some((position, key)) => {
                TlsError::Placed { position: position.clone(), key: key.to_owned(), error: Box::new(self) }
            }
            None => self,
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            TlsError::Read { path, .. }
            | TlsError::NoCertificate { path }
            | TlsError::NoAuthority { path }
            | TlsError::NoKey { path }
            | TlsError::Encrypted { path }
            | TlsError::UnknownKey { path }
            | TlsError::Unusable { path, .. }
            | TlsError::Mismatch { key: path, .. }
            | TlsError::LeafNotFirst { certificate: path, .. } => Some(path),
            TlsError::Placed { .. } | TlsError::Library(_) => None,
        }
    }
}
