use crate::{Host, Priority, Protocol, Weight};

/// `[[voice_connector.origination.route]]` and `[[carrier.host]]`: one place where a call may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// An address or a name.
    pub host: Host,
    /// Default: none; for a name that means NAPTR and SRV (RFC 3263), for an address the protocol's port.
    pub port: Option<u16>,
    /// Default: `udp`; on an encrypted connector `tls`.
    pub protocol: Protocol,
    /// Default: 1.
    pub priority: Priority,
    /// Default: 1.
    pub weight: Weight,
}
