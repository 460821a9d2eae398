//! The gateway's own addresses: never where media is sent, and never whence it is taken. A call whose media comes back to
//! us would go round for ever.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use super::MediaSettings;

/// Which addresses are the gateway's own at this moment. Shared by signalling and media; read without a lock.
///
/// A phone system may run on the gateway's host, on the gateway's address, so an address is ours with its port: a
/// listener's, or a media port that a call holds now. Behind a NAT that forwards our ports nothing but us is at the
/// advertised address, and the whole range is ours there.
#[derive(Debug)]
pub struct OwnAddresses {
    /// Each local address of media with the ports of it that are open.
    media: Vec<(IpAddr, OpenPorts)>,
    listeners: ArcSwap<Vec<SocketAddr>>,
    /// Advertised, and no address of this host.
    forwarded: Vec<IpAddr>,
    range: RangeInclusive<u16>,
    /// Addresses of this host: where a socket that is bound to a wildcard is reached.
    host: Vec<IpAddr>,
}

impl OwnAddresses {
    /// What `settings` says is ours, on a host with these addresses.
    pub fn new(settings: &MediaSettings, host: Vec<IpAddr>) -> OwnAddresses {
        let is_bound = |address: &IpAddr| settings.addresses.contains(address) || host.contains(address);
        OwnAddresses {
            media: settings.addresses.iter().map(|address| (*address, OpenPorts::default())).collect(),
            listeners: ArcSwap::from_pointee(settings.listeners.clone()),
            forwarded: settings.advertised.iter().copied().filter(|address| !is_bound(address)).collect(),
            range: settings.ports.clone(),
            host,
        }
    }

    /// Whether what is sent to `address` would come to the gateway itself.
    pub fn holds(&self, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        self.media.iter().any(|(own, open)| open.has(port) && self.reaches(ip, *own))
            || self.listeners.load().iter().any(|own| own.port() == port && self.reaches(ip, own.ip()))
            || self.forwarded.contains(&ip) && self.range.contains(&port)
    }

    /// The listeners are at these addresses from now on.
    pub(crate) fn set_listeners(&self, listeners: Vec<SocketAddr>) {
        self.listeners.store(Arc::new(listeners));
    }

    /// How many local addresses media has; at least one.
    pub(super) fn media_addresses(&self) -> usize {
        self.media.len().max(1)
    }

    /// A call holds `port` of `address`, or has given it back.
    pub(crate) fn set_open(&self, address: IpAddr, port: u16, open: bool) {
        for (_, ports) in self.media.iter().filter(|(own, _)| *own == address) {
            ports.set(port, open);
        }
    }

    /// Whether a socket that is bound to `own` is reached at `ip`.
    fn reaches(&self, ip: IpAddr, own: IpAddr) -> bool {
        let is_host = || ip.is_loopback() || ip.is_unspecified() || self.host.contains(&ip);
        own == ip || own.is_unspecified() && own.is_ipv4() == ip.is_ipv4() && is_host()
    }
}

/// The addresses of this host's interfaces; none where the system does not say.
pub(super) fn host_addresses() -> Vec<IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    });
    addresses.collect()
}

/// One bit for each port.
#[derive(Debug)]
struct OpenPorts(Box<[AtomicU64]>);

impl Default for OpenPorts {
    fn default() -> OpenPorts {
        OpenPorts((0..1 << 10).map(|_| AtomicU64::new(0)).collect())
    }
}

impl OpenPorts {
    fn has(&self, port: u16) -> bool {
        let (word, bit) = self.place(port);
        word.is_some_and(|word| word.load(Ordering::Acquire) & bit != 0)
    }

    fn set(&self, port: u16, open: bool) {
        let (word, bit) = self.place(port);
        match (word, open) {
            (Some(word), true) => drop(word.fetch_or(bit, Ordering::Release)),
            (Some(word), false) => drop(word.fetch_and(!bit, Ordering::Release)),
            (None, _) => {}
        }
    }

    fn place(&self, port: u16) -> (Option<&AtomicU64>, u64) {
        (self.0.get(usize::from(port >> 6)), 1 << (port & 63))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(addresses: &[&str], advertised: &[&str]) -> OwnAddresses {
        let parse = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect::<Vec<IpAddr>>();
        let addresses = parse(addresses);
        let settings = MediaSettings {
            ports: 20_000..=29_999,
            listeners: addresses.iter().map(|address| SocketAddr::new(*address, 5060)).collect(),
            advertised: parse(advertised),
            addresses,
            ..MediaSettings::default()
        };
        let own = OwnAddresses::new(&settings, parse(&["127.0.0.1", "10.0.0.7", "::1", "2001:db8::7"]));
        for address in &settings.addresses {
            own.set_open(*address, 20_000, true);
            own.set_open(*address, 20_001, true);
            own.set_open(*address, 20_001, false);
        }
        own
    }

    fn check(own: &OwnAddresses, address: &str, expect: bool) {
        assert_eq!(own.holds(address.parse().unwrap()), expect, "{address}");
    }

    #[test]
    fn a_port_is_ours_while_it_is_open() {
        let own = own(&["10.0.0.7"], &[]);
        check(&own, "10.0.0.7:20000", true);
        check(&own, "[::ffff:10.0.0.7]:20000", true);
        check(&own, "10.0.0.7:5060", true);
        check(&own, "10.0.0.7:20001", false); // closed: whoever has it now
        check(&own, "10.0.0.7:20002", false); // a phone system on our host
        check(&own, "10.0.0.8:20000", false);
        check(&own, "127.0.0.1:20000", false); // not bound there
    }

    #[test]
    fn a_wildcard_is_reached_at_every_address_of_the_host() {
        let own = own(&["0.0.0.0"], &["203.0.113.9"]);
        for address in ["127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.7", "[::ffff:127.0.0.1]"] {
            check(&own, &format!("{address}:20000"), true);
            check(&own, &format!("{address}:5060"), true);
            check(&own, &format!("{address}:20002"), false);
        }
        check(&own, "10.0.0.8:20000", false);
        check(&own, "[::1]:20000", false); // the other family
    }

    #[test]
    fn behind_a_nat_the_whole_range_is_ours() {
        let own = own(&["10.0.0.7"], &["203.0.113.9"]);
        check(&own, "203.0.113.9:20002", true);
        check(&own, "203.0.113.9:30000", false); // somebody else behind the same NAT
        // An address that is advertised and bound is judged by what is open.
        check(&super::tests::own(&["10.0.0.7"], &["10.0.0.7"]), "10.0.0.7:20002", false);
    }

    #[test]
    fn every_port_has_a_place_of_its_own() {
        let ports = OpenPorts::default();
        for port in [0, 63, 64, 40_000, u16::MAX] {
            ports.set(port, true);
            assert!(ports.has(port));
            assert!(!ports.has(port ^ 1));
            ports.set(port, false);
            assert!(!ports.has(port));
        }
    }
}
