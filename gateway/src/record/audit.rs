//! The audit: a record for each call of the API, whoever made it and whatever came of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A call of the API on its way to the directory and the sinks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Its `eventID`, a UUID.
    pub event_id: SmolStr,
    /// When the call was answered, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Whether the call changes something, or tried to; what only reads is given up first.
    pub changes: bool,
    /// JSON, without secrets. Source: reference §12.
    pub body: String,
}

impl AuditRecord {
    /// When the call was answered, since the Unix epoch.
    pub(super) fn at(&self) -> Duration {
        Duration::from_millis(self.at_ms)
    }
}
