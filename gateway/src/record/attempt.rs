//! Who ended a call, and the hosts that were tried for it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Who ended a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// Who called: BYE or CANCEL.
    Caller,
    /// Who was called: BYE, or the refusal that the caller heard.
    Callee,
    /// We did: a refusal of ours, a time-out.
    #[default]
    Gateway,
    /// The operator did, by `voice-connector hangup`.
    Operator,
}

impl EndedBy {
    /// The word that stands in the record and in the log.
    #[must_use]
    pub fn as_label(self) -> &'static str {
        match self {
            EndedBy::Caller => "caller",
            EndedBy::Callee => "callee",
            EndedBy::Gateway => "gateway",
            EndedBy::Operator => "operator",
        }
    }
}

/// One host that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptDetail {
    /// Whose it is: a carrier's name ...
    pub carrier: Option<SmolStr>,
    /// ... or a connector's id.
    pub voice_connector: Option<SmolStr>,
    /// The host as it is configured.
    pub host: SmolStr,
    /// Where the INVITE went; null where none was sent.
    pub address: Option<SocketAddr>,
    /// `udp`, `tcp` or `tls`.
    pub transport: SmolStr,
    /// Milliseconds since the Unix epoch.
    pub started: u64,
    /// The same; null while it goes on.
    pub ended: Option<u64>,
    /// Its final answer; null where none came.
    pub status: Option<u16>,
    /// How it ended, in words.
    pub cause: SmolStr,
    /// The `Reason` of that answer (RFC 3326).
    #[serde(default)]
    pub reason: Option<SmolStr>,
    /// Why it was left for the next, or had the last word; null where it was answered or given up.
    pub because: Option<SmolStr>,
}
