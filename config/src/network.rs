use std::net::IpAddr;

use ipnet::IpNet;

use crate::NetworkName;

/// `[[network]]`: one side of a gateway with an inside and an outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Unique.
    pub name: NetworkName,
    /// Peers reached without the advertised address. Default: none.
    pub local: Vec<IpNet>,
    /// Where media of this side is relayed. Default: none, `media.address`.
    pub media_address: Option<IpAddr>,
}
