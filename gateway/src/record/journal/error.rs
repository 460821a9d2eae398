//! Why a journal can't be opened.

use std::io;
use std::path::PathBuf;

use super::entry;

/// Why a journal could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process keeps its journal there.
    #[error("{0}: another gateway keeps its records here")]
    Locked(PathBuf),
    /// Written by a newer program.
    #[error("{path}: the journal has version {version}, this program knows {known}", known = entry::VERSION)]
    Version {
        /// The journal.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The disk refused.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
