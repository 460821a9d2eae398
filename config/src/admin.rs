use std::net::SocketAddr;
use std::path::PathBuf;

use crate::Secret;

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
