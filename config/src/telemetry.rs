//! The table `[telemetry]`.

use std::path::PathBuf;

use crate::read::Table;
use crate::{HttpUrl, Secret};

/// `[telemetry]`: where traces of calls go, by OTLP over HTTP.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// The collector; `/v1/traces` is added. Default: none, no traces are made.
    pub endpoint: Option<HttpUrl>,
    /// The value of `Authorization`. Default: none.
    pub authorization: Option<Secret>,
    /// Trust anchors for the collector, PEM. Default: none, the system's.
    pub ca: Option<PathBuf>,
}

impl Telemetry {
    pub(crate) fn read(table: Option<&Table<'_>>) -> Self {
        let get = |key| table.and_then(|table| table.get(key));
        Self {
            endpoint: get("endpoint").and_then(|item| item.parse()),
            authorization: get("authorization").and_then(|item| Secret::read(&item)),
            ca: get("ca").and_then(|item| item.needed_file()),
        }
    }
}
