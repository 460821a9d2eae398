//! Who ended a call, and the hosts that were tried for it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Who ended a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// Who called: BYE or CANCEL.
    Caller,
    /// Who was called: BYE, or the refusal that the caller heard.
    Callee,
    /// We did: a refusal of ours, a time-out, an operator.
    #[default]
    Gateway,
}

impl EndedBy {
    /// The word that stands in the record and in the log.
    #[must_use]
    pub fn as_label(self) -> &'static str {
        match self {
            EndedBy::Caller => "caller",
            EndedBy::Callee => "callee",
            EndedBy::Gateway => "gateway",
        }
    }
}

/// One host that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptDetail {
    /// Whose it is: a carrier's name ...
    pub carrier: Option<String>,
    /// ... or a connector's id.
    pub voice_connector: Option<String>,
    /// The host as it is configured.
    pub host: String,
    /// Where the INVITE went; null where none was sent.
    pub address: Option<SocketAddr>,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// Milliseconds since the Unix epoch.
    pub started: u64,
    /// The same; null while it goes on.
    pub ended: Option<u64>,
    /// Its final answer; null where none came.
    pub status: Option<u16>,
    /// How it ended, in words.
    pub cause: String,
    /// Why it was left for the next, or had the last word; null where it was answered or given up.
    pub because: Option<String>,
}
