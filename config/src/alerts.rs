//! The table `[alerts]`.

use std::path::PathBuf;
use std::time::Duration;

use crate::read::Table;
use crate::{HttpUrl, Secret};

/// `[alerts]`: whom to tell at once of what cannot wait.
#[derive(Debug, Clone)]
pub struct Alerts {
    /// Where alerts are posted to. Default: none, nobody is told.
    pub webhook: Option<HttpUrl>,
    /// Signs what is posted. Default: none, nothing is signed.
    pub secret: Option<Secret>,
    /// From one post to the next, at least. Default: 30 s.
    pub interval: Duration,
    /// Trust anchors for the webhook, PEM. Default: none, the system's.
    pub ca: Option<PathBuf>,
}

impl Alerts {
    pub(crate) fn read(table: Option<&Table<'_>>) -> Self {
        let get = |key| table.and_then(|table| table.get(key));
        Self {
            webhook: get("webhook").and_then(|item| item.parse()),
            secret: get("secret").and_then(|item| Secret::read(&item)),
            interval: get("interval")
                .and_then(|item| item.duration("5s", "1h"))
                .unwrap_or(Duration::from_secs(30)),
            ca: get("ca").and_then(|item| item.needed_file()),
        }
    }
}
