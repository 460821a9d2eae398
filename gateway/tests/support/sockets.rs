//! Which addresses are taken, as the kernel tells.

use std::fs;
use std::net::{IpAddr, SocketAddr};

/// What a program takes calls by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Socket {
    /// A socket of datagrams.
    Udp,
    /// One that takes connections, TLS or not.
    Tcp,
}

/// A TCP socket that listens (`TCP_LISTEN` of Linux).
const LISTENS: &str = "0A";

impl Socket {
    /// Whether one is at this very address, of whatever process.
    pub fn is_at(self, at: SocketAddr) -> bool {
        let (table, state) = match (self, at) {
            (Socket::Udp, SocketAddr::V4(_)) => ("udp", None),
            (Socket::Udp, SocketAddr::V6(_)) => ("udp6", None),
            (Socket::Tcp, SocketAddr::V4(_)) => ("tcp", Some(LISTENS)),
            (Socket::Tcp, SocketAddr::V6(_)) => ("tcp6", Some(LISTENS)),
        };
        let wanted = written(at);
        // `sl local_address rem_address st ...`, one socket a line. This thread's, for that is in the namespace of the test.
        let table = fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap();
        table.lines().skip(1).any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            fields.next() == Some(&wanted) && state.is_none_or(|state| fields.nth(1) == Some(state))
        })
    }
}

/// As Linux writes an address there: words of 32 bits as the machine has them, and the port.
fn written(at: SocketAddr) -> String {
    let bytes = match at.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = bytes.chunks_exact(4).map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
    let words: String = words.map(|word| format!("{word:08X}")).collect();
    format!("{words}:{:04X}", at.port())
}
