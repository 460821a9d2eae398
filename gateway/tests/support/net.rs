//! Addresses of one test.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::thread;

/// Which test of this binary has which number.
static TAKEN: Mutex<BTreeMap<u16, String>> = Mutex::new(BTreeMap::new());

/// 127.0.N.0/24, from 256 on 127.1.(N - 256).0/24 and so on: a test takes an N that no other test of its binary has. Where
/// another one has it, it fails, always and not only when both run at one time.
#[derive(Debug, Clone, Copy)]
pub struct Net(pub u16);

impl Net {
    /// 127.0.N.`host`.
    pub fn ip(self, host: u8) -> IpAddr {
        self.is_taken();
        let [high, low] = self.0.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(127, high, low, host))
    }

    /// A test has a thread of its name, but where all run one after another.
    fn is_taken(self) {
        let thread = thread::current();
        let Some(name) = thread.name().filter(|name| *name != "main" && !name.starts_with("tokio-")) else {
            return;
        };
        let mut taken = TAKEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let other = taken.entry(self.0).or_insert_with(|| name.to_owned()).clone();
        drop(taken);
        assert_eq!(other, name, "both are at {self:?}");
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
