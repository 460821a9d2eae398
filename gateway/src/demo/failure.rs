//! What can go wrong in the demo, told so that a reader knows who waited for what.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Why a call of the demo did not go as told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Something that had to come did not.
    #[error("{who} waited {patience:?} for {what}, in vain")]
    Waited {
        /// The phone that waited.
        who: String,
        /// What for.
        what: String,
        /// How long.
        patience: Duration,
    },
    /// Something else came.
    #[error("{who} wanted {wanted} and got {got}")]
    Unexpected {
        /// The phone that wanted it.
        who: String,
        /// What it wanted.
        wanted: String,
        /// What came.
        got: String,
    },
    /// A message that `rsip` cannot read, or that lacks what a phone needs.
    #[error("{who} cannot read what {from} sent ({problem}): {text}")]
    Unreadable {
        /// The phone that received it.
        who: String,
        /// The sender.
        from: SocketAddr,
        /// What is wrong with it.
        problem: String,
        /// Its beginning.
        text: String,
    },
    /// `rsip` refuses a value.
    #[error("rsip: {0}")]
    Rsip(#[from] rsip::Error),
    /// A socket or file failed.
    #[error("{what}: {error}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// A certificate, key or protected packet could not be made.
    #[error("{what}: {problem}")]
    Tls {
        /// What was being done.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// A record on disk, or the metrics, do not read as they should.
    #[error("{what} cannot be read: {problem}")]
    Record {
        /// Which.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The gateway did not start.
    #[error("the gateway did not start: {0}")]
    Start(String),
}

impl Failure {
    /// For `map_err`: what was being done when the system refused.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Failure {
        move |error| Failure::Io { what: what.into(), error }
    }
}
