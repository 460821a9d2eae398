//! Why a configuration is not taken.

use config::{ConfigErrors, SecretError};

use crate::core::LiveError;
use crate::listen::stream::Overloaded;
use crate::listen::{BindError, TlsError};

/// Why everything stays as it was. Displays as one line for each mistake.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// There is no file.
    #[error("the configuration is the embedded example, which does not change; start with --config FILE")]
    Embedded,
    /// The files have mistakes.
    #[error(transparent)]
    Mistakes(#[from] ConfigErrors),
    /// The files don't go with what the store beside them has.
    #[error(transparent)]
    Clash(#[from] config::Clash),
    /// Files or variables that are named are not there.
    #[error("{}", .0.join("\n"))]
    Missing(Vec<String>),
    /// No configuration is kept of so long ago.
    #[error("no configuration is kept that held {0} before this one")]
    NotKept(usize),
    /// What was kept can't be read.
    #[error("what was kept can't be read: {0}")]
    History(std::io::Error),
    /// Something is different that is settled at the start.
    #[error("{0}")]
    Fixed(String),
    /// A secret can't be read.
    #[error(transparent)]
    Secret(#[from] LiveError),
    /// `admin.token` can't be read.
    #[error("admin.token: {0}")]
    Token(SecretError),
    /// A certificate, key or trust anchor can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The numbers that may be ordered can't be read.
    #[error(transparent)]
    Pool(#[from] crate::api::StoreError),
    /// A listener can't be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The transport thread has too much to do.
    #[error("{0}; reload once more")]
    Overloaded(#[from] Overloaded),
}
