//! Recording sessions of a connector. RFC 7866.

use super::OnFailure;
use crate::Route;
use crate::read::Table;

/// `[voice_connector.siprec]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Siprec {
    /// The customer's systems may send us what the parties of their own calls say, as recording clients (`Require: siprec`) or by
    /// network-based recording (`X-Voice-Connector-Record-Only: true`). Default: false.
    pub accept: bool,
    /// The recording servers that are sent what the parties of this connector's calls say, from the answer on: one of them, by
    /// priority. Default: none.
    pub server: Vec<Route>,
    /// What becomes of a call that none of them records. Default: it goes on.
    pub on_failure: OnFailure,
}

impl Siprec {
    /// - `encryption`: whether the connector takes TLS and SRTP only, as its recorders must then.
    pub(crate) fn read(table: &Table<'_>, encryption: bool) -> Self {
        let servers = table.get("server").map(|item| item.tables("route")).unwrap_or_default();
        let mut server: Vec<Route> =
            servers.iter().filter_map(|table| Route::read_dialled(table, encryption)).collect();
        server.sort_by_key(|server| server.priority);
        Self {
            accept: table.get("accept").and_then(|item| item.boolean()).unwrap_or_default(),
            server,
            on_failure: OnFailure::read(table),
        }
    }
}
