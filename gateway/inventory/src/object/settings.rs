//! Settings of the account.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What holds for all connectors and numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `VoiceConnectorSettings.CdrBucket`; kept and told: where records go, the files say.
    pub cdr_bucket: Option<String>,
    /// `CallingName` of numbers that have none of their own.
    pub calling_name: Option<String>,
    /// `CallingNameUpdatedTimestamp`.
    pub calling_name_updated: Option<Timestamp>,
}
