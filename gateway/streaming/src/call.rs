//! What is known of a call whose audio is streamed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use smol_str::SmolStr;
use uuid::Uuid;

/// Who called whom, as records and events name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Direction {
    /// To the customer.
    Inbound,
    /// From the customer.
    Outbound,
}

/// A call whose audio is streamed. Shared by all its sinks.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Call {
    /// Our id of the call, in every record and event.
    pub transaction_id: Uuid,
    /// The voice connector.
    pub connector: SmolStr,
    /// The Call-ID header of the customer's leg.
    pub call_id: SmolStr,
    /// Who called whom.
    pub direction: Direction,
    /// The calling number.
    pub from: SmolStr,
    /// The called number.
    pub to: SmolStr,
    /// When the call was answered: the time that every `start` of a [`audio::Happening`] counts from.
    pub answered: SystemTime,
}

impl Call {
    /// Milliseconds since the Unix epoch at `start` of the audio.
    #[must_use]
    pub fn epoch_ms(&self, start: Duration) -> u64 {
        let since = self.answered.duration_since(UNIX_EPOCH).unwrap_or_default() + start;
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
