use std::net::SocketAddr;
use std::path::PathBuf;

use crate::{NetworkName, Protocol};

/// `[[listen]]`: where SIP is taken, and from where it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Default: `udp`.
    pub protocol: Protocol,
    /// Default port: 5060, with TLS 5061. Port 0 lets the system pick one.
    pub address: SocketAddr,
    /// What peers are told in Via and Contact, where it differs; the family is that of `address`.
    /// Default: none, `address` itself. Required where `address` is unspecified (`0.0.0.0`, `[::]`).
    pub advertise: Option<SocketAddr>,
    /// The `[[network]]` that this listener belongs to. Default: none.
    pub network: Option<NetworkName>,
    /// TLS only, and then at least one: `certificate` and `key` come first, `certificates` follow and are
    /// chosen by server name.
    pub certificates: Vec<Certificate>,
    /// TLS only: ask peers for a certificate that these anchors signed. Default: none, do not ask.
    pub client_ca: Option<PathBuf>,
}

impl Listen {
    /// What peers are told: `advertise`, else `address`.
    pub fn advertised(&self) -> SocketAddr {
        self.advertise.unwrap_or(self.address)
    }
}

/// A certificate chain and its private key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The private key of the leaf.
    pub key: PathBuf,
}
