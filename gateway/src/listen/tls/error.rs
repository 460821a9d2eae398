use std::path::PathBuf;

use rustls::pki_types::pem;

/// A certificate, key or trust anchor that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read or is no PEM.
    #[error("{}: {error}", path.display())]
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
    /// PEM, but no private key in it that could be used as it is.
    #[error("{}: holds no private key (one that a password protects is of no use here)", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A certificate or key that is damaged, or of a kind that is not known.
    #[error("{}: {}", path.display(), super::reason::cause(error))]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: rustls::Error,
    },
    /// The key is another certificate's.
    #[error("{} does not belong to the certificate {}", key.display(), certificate.display())]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The TLS library refuses its own settings.
    #[error("TLS: {0}")]
    Library(rustls::Error),
}
