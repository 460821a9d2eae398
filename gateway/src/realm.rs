//! Who can reach an IP address: what a peer names may be of no use from here.

use std::net::IpAddr;

/// Who can reach an address.
#[derive(Debug, PartialEq, Eq)]
enum Realm {
    /// Nobody, or everybody at once.
    Nowhere,
    /// Whoever is in the same network: the private, shared, link-local and loopback blocks, by their first bits.
    Within(u16),
    Public,
}

/// Whether `at`, which a peer names, is of no use to us, who see it at `from`: it is private or unroutable, and `from`
/// is not of the same private block; or of the other address family.
pub fn leads_nowhere(at: IpAddr, from: IpAddr) -> bool {
    let (at, from) = (at.to_canonical(), from.to_canonical());
    match realm(at) {
        Realm::Nowhere => true,
        Realm::Public => at.is_ipv4() != from.is_ipv4(),
        within => within != realm(from),
    }
}

/// Whether `at` is nobody's: unspecified, multicast, reserved. RFC 6890.
pub fn is_nobodys(at: IpAddr) -> bool {
    realm(at) == Realm::Nowhere
}

/// RFC 6890, as far as signalling goes.
fn realm(ip: IpAddr) -> Realm {
    match ip {
        IpAddr::V4(ip) => match ip.octets() {
            [0 | 224..=255, ..] => Realm::Nowhere,
            [first @ (10 | 127), ..]
            | [first @ 100, 64..=127, ..]
            | [first @ 169, 254, ..]
            | [first @ 172, 16..=31, ..]
            | [first @ 192, 168, ..] => Realm::Within(first.into()),
            _ => Realm::Public,
        },
        IpAddr::V6(ip) => match ip.segments() {
            [0, 0, 0, 0, 0, 0, 0, 0] | [0xff00..=0xffff, ..] => Realm::Nowhere,
            [0, 0, 0, 0, 0, 0, 0, 1] => Realm::Within(1),
            [0xfe80..=0xfebf, ..] => Realm::Within(0xfe80),
            [0xfc00..=0xfdff, ..] => Realm::Within(0xfc00),
            _ => Realm::Public,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_addresses_lead_nowhere() {
        for (at, from, expect) in [
            ("198.51.100.9", "198.51.100.1", false), // A load balancer, and the node that has the call.
            ("10.0.0.9", "198.51.100.1", true),
            ("100.64.0.9", "198.51.100.1", true),
            ("172.31.0.9", "198.51.100.1", true),
            ("172.32.0.9", "198.51.100.1", false),
            ("10.0.0.9", "10.200.0.1", false),
            ("192.168.0.9", "10.0.0.1", true),
            ("198.51.100.9", "10.0.0.1", false),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.1", "10.0.0.1", true),
            ("0.0.0.0", "0.0.0.0", true),
            ("239.1.1.1", "239.1.1.1", true),
            ("169.254.1.1", "192.168.0.1", true),
            ("2001:db8::1", "2001:db8::2", false),
            ("2001:db8::1", "198.51.100.1", true),
            ("::ffff:198.51.100.9", "198.51.100.1", false),
            ("fd00::1", "fd12::1", false),
            ("fd00::1", "2001:db8::2", true),
            ("fe80::1", "fd12::1", true),
            ("::1", "::1", false),
            ("::", "::1", true),
        ] {
            assert_eq!(leads_nowhere(at.parse().unwrap(), from.parse().unwrap()), expect, "{at} from {from}");
        }
    }
}
