//! What of a connector is logged.

use crate::read::Table;

/// `[voice_connector.logging]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    /// Each SIP message, secrets masked. Default: false.
    pub sip_messages: bool,
    /// Quality of each call. Default: true.
    pub media_metrics: bool,
}

impl Default for Logging {
    fn default() -> Self {
        Self { sip_messages: false, media_metrics: true }
    }
}

impl Logging {
    pub(crate) fn read(table: Table<'_>) -> Self {
        let default = Self::default();
        let flag = |key, default| table.get(key).and_then(|item| item.boolean()).unwrap_or(default);
        Self {
            sip_messages: flag("sip_messages", default.sip_messages),
            media_metrics: flag("media_metrics", default.media_metrics),
        }
    }
}
