use std::net::IpAddr;
use std::time::Duration;

use crate::PortRange;

/// `[media]`: where RTP and RTCP are relayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Local addresses, at least one. Default: those of the listeners.
    pub address: Vec<IpAddr>,
    /// What SDP says instead of `address`: at most one a family, each of a family that `address` has.
    /// Default: where `address` is the listeners', what they advertise; else `address` itself.
    pub advertise: Vec<IpAddr>,
    /// Default: `[5000, 65000]`; ports of listeners and those that the host reserves are skipped.
    pub ports: PortRange,
    /// A call ends when both sides were silent for so long and neither is on hold. Default: 60 s.
    pub inactivity_timeout: Duration,
    /// The same for a call on hold. Default: 30 min.
    pub hold_timeout: Duration,
    /// RTP/RTCP pairs set aside for emergency calls. Default: 20, or a quarter of a small range.
    pub emergency_ports: u16,
}

impl Media {
    /// What SDP says for the local address `address`: the advertised address of its family, else itself.
    pub fn advertised(&self, address: IpAddr) -> IpAddr {
        let same_family = |other: &&IpAddr| other.is_ipv4() == address.is_ipv4();
        self.advertise.iter().find(same_family).copied().unwrap_or(address)
    }
}
