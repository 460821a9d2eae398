//! Why a journal can't be opened.

use std::io;
use std::path::PathBuf;

use super::version;

/// Why a journal could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process keeps its journal there.
    #[error("{0}: another gateway keeps its records here")]
    Locked(PathBuf),
    /// Written by a newer program.
    #[error("{path}: the journal has version {version}, this program knows {known}", known = version::VERSION)]
    Version {
        /// The journal.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// Something else is there, which must not be written over.
    #[error("{0}: this is no journal of a gateway's; move it away")]
    Foreign(PathBuf),
    /// The disk refused.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
