//! The table `[admin]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::Secret;

use crate::read::Table;
use crate::value::socket_address;

/// `[admin]`: metrics, health and control over HTTP.
#[derive(Debug, Clone)]
pub struct Admin {
    /// `/metrics`, `/healthz`, `/readyz`. Default: `127.0.0.1:9090`. Port 0 lets the system pick one.
    pub address: SocketAddr,
    /// Asked of whoever changes anything. Default: none, nothing can be changed; required off loopback.
    pub token: Option<Secret>,
    /// A Unix socket for the command line. Default: none.
    pub socket: Option<PathBuf>,
}

impl Admin {
    pub(crate) fn read(table: Option<&Table<'_>>) -> Self {
        let get = |key| table.and_then(|table| table.get(key));
        let address = get("address").and_then(|item| {
            let address = item.text(|text| socket_address(text, 9090))?;
            item.reader().fact(|facts| facts.admin = Some((address, item.at())));
            if !address.ip().is_loopback() && get("token").is_none() {
                let remedy = "token = { env = \"ADMIN_TOKEN\" } beside it, or an address of loopback";
                item.wrong(format!("{address} is off loopback and there is no `token`"), remedy);
            }
            Some(address)
        });
        Self {
            address: address.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 9090))),
            token: get("token").and_then(|item| Secret::read(&item)),
            socket: get("socket").and_then(|item| item.path()),
        }
    }
}
