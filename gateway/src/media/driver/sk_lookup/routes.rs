//! From which address of ours the kernel would send, where media has no address of its own but all of the host.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Routes change, though rarely.
const LIFETIME: Duration = Duration::from_secs(5);
/// Addresses that are remembered, at most.
const MOST: usize = 4096;

/// What the kernel said lately, by destination.
#[derive(Debug, Default)]
pub(super) struct Routes {
    known: HashMap<IpAddr, (IpAddr, Instant)>,
}

impl Routes {
    /// The source of a datagram to `to`; `None`: there is no way there.
    ///
    /// - `any`: the unspecified address of the family.
    pub(super) fn source(&mut self, now: Instant, any: IpAddr, to: SocketAddr) -> Option<IpAddr> {
        let known = self.known.get(&to.ip());
        if let Some((source, _)) = known.filter(|(_, since)| now.saturating_duration_since(*since) < LIFETIME)
        {
            return Some(*source);
        }
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect(to).ok()?;
        let source = socket.local_addr().ok()?.ip();
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(to.ip(), (source, now));
        Some(source)
    }
}
