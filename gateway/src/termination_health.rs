//! Which customers' systems were last heard of, by OPTIONS: a sign that their way to us is open, before anybody calls.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use config::Config;
use smol_str::SmolStr;

use crate::metrics::Page;

/// The last OPTIONS of each voice connector's customer, of all shards; of connectors that are configured, so no more than those.
///
/// A lock that is held for a look-up, at messages that come every few seconds.
#[derive(Debug, Default)]
pub struct TerminationHealth(Mutex<HashMap<SmolStr, Heard>>);

/// A sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When, since the Unix epoch.
    pub at: Duration,
    /// Whence.
    pub source: IpAddr,
}

impl TerminationHealth {
    /// The customer of a connector was heard.
    pub fn note(&self, connector: &str, heard: Heard) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(connector.into(), heard);
    }

    /// When it was heard last; `None`: not since the gateway began.
    #[must_use]
    pub fn of(&self, connector: &str) -> Option<Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(connector).copied()
    }

    /// Shows it of each connector on the page of the metrics.
    pub fn show(&self, page: &mut Page, config: &Config) {
        let mut series = page.family("voice_connector_options_received_timestamp_seconds");
        for connector in &config.voice_connector {
            if let Some(heard) = self.of(connector.id.as_str()) {
                let labels = [
                    ("voice_connector_id", connector.id.as_str()),
                    ("region", config.gateway.region.as_str()),
                ];
                series.show(&labels, heard.at.as_secs_f64());
            }
        }
    }
}
