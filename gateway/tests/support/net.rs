//! Addresses of one test.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// 127.0.N.0/24, from 256 on 127.1.(N - 256).0/24 and so on: a test takes an N that no other test of its binary has.
#[derive(Debug, Clone, Copy)]
pub struct Net(pub u16);

impl Net {
    /// 127.0.N.`host`.
    pub fn ip(self, host: u8) -> IpAddr {
        let [high, low] = self.0.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(127, high, low, host))
    }

    /// 127.0.N.`host`:`port`.
    pub fn at(self, host: u8, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip(host), port)
    }

    /// Where the daemon takes SIP: 127.0.N.1:5060.
    pub fn gateway(self) -> SocketAddr {
        self.at(1, 5060)
    }

    /// Where the daemon tells how it is: 127.0.N.1:9090.
    pub fn admin(self) -> SocketAddr {
        self.at(1, 9090)
    }

    /// The customer's phone system: 127.0.N.2.
    pub fn pbx(self) -> IpAddr {
        self.ip(2)
    }

    /// The first carrier: 127.0.N.3.
    pub fn carrier(self) -> IpAddr {
        self.ip(3)
    }
}
