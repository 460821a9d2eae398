//! HEP3: a header, and chunks each of which is a vendor, a type, a length and a value.
//!
//! Source: the HEP3 network protocol specification, revision 36.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What stands in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Protocol {
    Sip = 1,
    /// As JSON: collectors keep text.
    Rtcp = 5,
}

/// What a packet says beside its payload.
#[derive(Debug, Clone)]
pub(super) struct Head<'a> {
    /// When it crossed, since the Unix epoch.
    pub at: Duration,
    pub from: SocketAddr,
    pub to: SocketAddr,
    /// A number of IP; 22 for TLS, as others say it who speak HEP3.
    pub carrier: u8,
    pub protocol: Protocol,
    /// Who tells it.
    pub agent: u32,
    pub password: Option<&'a str>,
    /// What belongs together has the same.
    pub correlation: Option<&'a str>,
}

const HEADER: usize = 6;

/// The packet; `None`: the payload is too long for one.
pub(super) fn packet(head: &Head<'_>, payload: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(payload.len() + 256);
    out.extend_from_slice(b"HEP3\0\0");
    let (from, to) = (head.from.ip().to_canonical(), head.to.ip().to_canonical());
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            chunk(&mut out, 1, &[2])?;
            chunk(&mut out, 3, &from.octets())?;
            chunk(&mut out, 4, &to.octets())?;
        }
        (from, to) => {
            let octets = |address| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            chunk(&mut out, 1, &[10])?;
            chunk(&mut out, 5, &octets(from))?;
            chunk(&mut out, 6, &octets(to))?;
        }
    }
    chunk(&mut out, 2, &[head.carrier])?;
    chunk(&mut out, 7, &head.from.port().to_be_bytes())?;
    chunk(&mut out, 8, &head.to.port().to_be_bytes())?;
    let seconds = u32::try_from(head.at.as_secs()).unwrap_or(u32::MAX);
    chunk(&mut out, 9, &seconds.to_be_bytes())?;
    chunk(&mut out, 10, &head.at.subsec_micros().to_be_bytes())?;
    chunk(&mut out, 11, &[head.protocol as u8])?;
    chunk(&mut out, 12, &head.agent.to_be_bytes())?;
    if let Some(password) = head.password {
        chunk(&mut out, 14, password.as_bytes())?;
    }
    if let Some(correlation) = head.correlation {
        chunk(&mut out, 17, correlation.as_bytes())?;
    }
    chunk(&mut out, 15, payload)?;
    let length = u16::try_from(out.len()).ok()?;
    out.get_mut(4..HEADER)?.copy_from_slice(&length.to_be_bytes());
    Some(out)
}

/// One chunk of the vendor 0, which is nobody's own.
fn chunk(out: &mut Vec<u8>, kind: u16, value: &[u8]) -> Option<()> {
    let length = u16::try_from(HEADER + value.len()).ok()?;
    for number in [0, kind, length] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(value);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head<'a>(from: &str, to: &str) -> Head<'a> {
        Head {
            at: Duration::from_micros(1_700_000_000_123_456),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            carrier: 17,
            protocol: Protocol::Sip,
            agent: 2_001,
            password: Some("hush"),
            correlation: Some("abc"),
        }
    }

    #[test]
    fn a_packet_byte_by_byte() {
        let head = head("192.0.2.1:5060", "198.51.100.2:5070");
        let expected: Vec<u8> = [
            b"HEP3\x00\x78".as_slice(),
            b"\0\0\0\x01\0\x07\x02",
            b"\0\0\0\x03\0\x0a\xc0\x00\x02\x01",
            b"\0\0\0\x04\0\x0a\xc6\x33\x64\x02",
            b"\0\0\0\x02\0\x07\x11",
            b"\0\0\0\x07\0\x08\x13\xc4",
            b"\0\0\0\x08\0\x08\x13\xce",
            b"\0\0\0\x09\0\x0a\x65\x53\xf1\x00",
            b"\0\0\0\x0a\0\x0a\x00\x01\xe2\x40",
            b"\0\0\0\x0b\0\x07\x01",
            b"\0\0\0\x0c\0\x0a\x00\x00\x07\xd1",
            b"\0\0\0\x0e\0\x0ahush",
            b"\0\0\0\x11\0\x09abc",
            b"\0\0\0\x0f\0\x08hi",
        ]
        .concat();
        assert_eq!(packet(&head, b"hi"), Some(expected));
    }

    #[test]
    fn addresses_of_both_families_and_what_is_too_long() {
        let six = packet(&head("[2001:db8::1]:1", "[::ffff:192.0.2.1]:2"), b"").unwrap();
        assert!(six.windows(7).any(|it| it == b"\0\0\0\x01\0\x07\x0a"));
        assert!(six.windows(10).any(|it| it == b"\0\0\0\x05\0\x16\x20\x01\x0d\xb8"));
        let mapped = packet(&head("[::ffff:192.0.2.9]:1", "192.0.2.1:2"), b"").unwrap();
        assert!(mapped.windows(7).any(|it| it == b"\0\0\0\x01\0\x07\x02"));
        assert_eq!(packet(&head("192.0.2.1:1", "192.0.2.1:2"), &[b'x'; 65_500]), None);
    }
}
