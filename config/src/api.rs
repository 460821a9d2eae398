//! The table `[api]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::Certificate;
use crate::read::Table;
use crate::value::{ValueError, socket_address};

/// `[api]`: connectors, groups and numbers managed over HTTP by the clients of `chime-sdk-voice`. Without the table there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Where it listens. Port 0 lets the system pick one.
    pub address: SocketAddr,
    /// Speaks TLS with it. Default: none, plain HTTP; required off loopback.
    pub certificate: Option<Certificate>,
    /// What stands before every path of the API. Default: empty.
    pub base_path: String,
    /// What is managed, and the key that its secrets are sealed with, are kept here.
    pub directory: PathBuf,
    /// Requests a second of one access key; twice as many may come at once. Default: 100.
    pub rate: u32,
    /// Whether requests that only read are audited, too. Default: false.
    pub audit_reads: bool,
    /// The numbers that may be ordered: comma-separated values. Default: none, no number can be ordered.
    pub number_pool: Option<PathBuf>,
    /// Whether the console is served beside the API, at `/` and below `/console`. Default: false.
    pub console: bool,
}

impl Api {
    pub(crate) fn read(table: &Table<'_>) -> Option<Self> {
        let item = table.required("address", "address = \"127.0.0.1:8443\"");
        let address = item.as_ref().and_then(|item| item.text(|text| socket_address(text, 8443)));
        let secured = ["certificate", "key"].iter().any(|key| table.get(key).is_some());
        let certificate = if secured { Certificate::read(table) } else { None };
        if let (Some(item), Some(address)) = (&item, address)
            && !address.ip().is_loopback()
            && !secured
        {
            let remedy =
                "certificate = \"api.pem\" and key = \"api.key\" beside it, or an address of loopback";
            item.wrong(format!("{address} is off loopback and there is no `certificate`"), remedy);
        }
        let directory = table.required("directory", "directory = \"/var/lib/voice-connector/api\"");
        let directory = directory.and_then(|item| item.path());
        let base_path = table.get("base_path").and_then(|item| item.text(base_path)).unwrap_or_default();
        let rate = table.get("rate").and_then(|item| item.integer(1, 10_000)).unwrap_or(100);
        let audit_reads = table.get("audit_reads").and_then(|item| item.boolean()).unwrap_or(false);
        let number_pool = table.get("number_pool").and_then(|item| item.path());
        let console = table.get("console").and_then(|item| item.boolean()).unwrap_or(false);
        if let Some(item) = table.get("base_path")
            && console
            && (base_path == "/console" || base_path.starts_with("/console/"))
        {
            item.wrong("the console is below /console".to_owned(), "\"/api\"");
        }
        let (address, directory) = (address?, directory?);
        Some(Self { address, certificate, base_path, directory, rate, audit_reads, number_pool, console })
    }
}

/// `/` and segments of letters, digits, `-`, `_`, `.` and `~`, without a slash behind.
fn base_path(text: &str) -> Result<String, ValueError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let segment = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(plain);
    match text.strip_prefix('/') {
        Some(rest) if rest.split('/').all(segment) => Ok(text.to_owned()),
        _ => Err(ValueError::new(
            format!("{text:?} is no base path"),
            "\"/api\": a slash, then letters and digits, and no slash behind",
        )),
    }
}
