//! Calls to a connector's customer.

use std::time::Duration;

use crate::number_format::Home;
use crate::read::Table;
use crate::route::{first_response_timeout, options_interval, progress_timeout};
use crate::{NumberFormat, Route};

/// `[voice_connector.origination]`: the carriers to this customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origination {
    /// Default: true where the table is there.
    pub enabled: bool,
    /// New calls a second, at least 1. Default: 100.
    pub cps_limit: u32,
    /// Calls at one time, at least 1. Default: 2000.
    pub max_calls: u32,
    /// How the customer is told the called number. Default: `e164`.
    pub number_format: NumberFormat,
    /// How it is told the calling number. Default: as `number_format`.
    pub caller_id_format: NumberFormat,
    /// Of the called number its last digits alone, so many: an extension. Default: none, the whole number.
    pub extension_digits: Option<u8>,
    /// Nothing heard for so long: next route. Default: 4 s.
    pub first_response_timeout: Duration,
    /// Heard, and not ringing after so long: next route, where there is one. Default: 20 s.
    pub progress_timeout: Duration,
    /// How often every host is probed by OPTIONS; zero: never. Default: 30 s.
    pub options_interval: Duration,
    /// Where the calls go, after the contacts that are registered; at least one where enabled, unless the customer
    /// registers. In the file's order.
    pub route: Vec<Route>,
}

impl Default for Origination {
    /// Off.
    fn default() -> Self {
        Self {
            enabled: false,
            cps_limit: 100,
            max_calls: 2000,
            number_format: NumberFormat::E164,
            caller_id_format: NumberFormat::E164,
            extension_digits: None,
            first_response_timeout: first_response_timeout(None),
            progress_timeout: progress_timeout(None),
            options_interval: options_interval(None),
            route: Vec::new(),
        }
    }
}

impl Origination {
    /// - `registers`: whether the customer's systems register, so that calls have somewhere to go.
    pub(crate) fn read(table: &Table<'_>, encryption: bool, registers: bool, home: &Home) -> Self {
        let get = |key| table.get(key);
        let default = Self::default();
        let number_format = home.format(table, "number_format").unwrap_or(NumberFormat::E164);
        let limit = |key, default| get(key).and_then(|item| item.integer(1, 1_000_000)).unwrap_or(default);
        let enabled = get("enabled").and_then(|item| item.boolean()).unwrap_or(true);
        let routes = get("route").map(|item| item.tables("route"));
        if enabled && !registers && routes.as_ref().is_none_or(Vec::is_empty) {
            let remedy = "write [[voice_connector.origination.route]] with its host, or enabled = false";
            table.reader().error(table.at(), "origination has no route", remedy);
        }
        Self {
            enabled,
            cps_limit: limit("cps_limit", default.cps_limit),
            max_calls: limit("max_calls", default.max_calls),
            number_format,
            caller_id_format: home.format(table, "caller_id_format").unwrap_or(number_format),
            extension_digits: get("extension_digits").and_then(|item| item.integer(1, 14)),
            first_response_timeout: first_response_timeout(get("first_response_timeout")),
            progress_timeout: progress_timeout(get("progress_timeout")),
            options_interval: options_interval(get("options_interval")),
            route: routes
                .iter()
                .flatten()
                .filter_map(|table| Route::read_dialled(table, encryption))
                .collect(),
        }
    }
}
