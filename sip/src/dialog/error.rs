//! Why a message belongs to no dialog.

use crate::{HeaderError, StatusCode, UriError};

/// Why a message and a dialog do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialogError {
    /// A header that the dialog needs is missing or broken.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A request is older than one that came before. RFC 3261 §12.2.2.
    #[error("CSeq {received} came after {highest}")]
    OutOfOrder {
        /// The number that came.
        received: u32,
        /// The highest number so far.
        highest: u32,
    },
    /// A message of the other kind, or a response that begins no dialog: 100, or 300 and above. RFC 3261 §12.1.
    #[error("this message begins no dialog")]
    NoDialog,
    /// A provisional response without a To tag.
    #[error("no To tag")]
    NoTag,
    /// More forks answered one INVITE than the caller wants to remember.
    #[error("more than {0} early dialogs")]
    TooManyForks(usize),
    /// The next hop is not a URI.
    #[error("next hop: {0}")]
    NextHop(#[from] UriError),
}

impl DialogError {
    /// What to answer a request that caused this: 500 if it was out of order, else 400.
    pub fn status(&self) -> StatusCode {
        match self {
            DialogError::OutOfOrder { .. } => StatusCode::SERVER_INTERNAL_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
