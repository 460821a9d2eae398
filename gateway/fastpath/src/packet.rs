//! Headers of our own: IPv4 or IPv6, and UDP. RFC 791, RFC 8200, RFC 768.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

/// Room that [`write_headers`] needs before the payload.
pub const HEADROOM: usize = IPV6 + UDP;

const IPV4: usize = 20;
const IPV6: usize = 40;
const UDP: usize = 8;
const PROTOCOL: u8 = 17;
const TTL: u8 = 64;
/// Packets of up to so many bytes say "don't fragment", for they fit everywhere; a longer one may be cut up on its way.
const FITS: usize = 1280;

/// Writes the headers of a datagram from `from` to `to`, so that they end at [`HEADROOM`], where the payload of `packet`
/// begins. Returns where they begin; `None`: the families differ, or the packet is too long or too short.
pub fn write_headers(packet: &mut [u8], from: SocketAddr, to: SocketAddr) -> Option<usize> {
    match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => write_ipv4(packet, from, to),
        (SocketAddr::V6(from), SocketAddr::V6(to)) => write_ipv6(packet, from, to),
        _ => None,
    }
}

/// The kernel adds the header's checksum, and a number where it may be fragmented.
fn write_ipv4(packet: &mut [u8], from: SocketAddrV4, to: SocketAddrV4) -> Option<usize> {
    let start = HEADROOM - UDP - IPV4;
    let whole = packet.get_mut(start..)?;
    let [high, low] = u16::try_from(whole.len()).ok()?.to_be_bytes();
    let fragment = if whole.len() <= FITS { 0x40 } else { 0 };
    let (head, datagram) = whole.split_first_chunk_mut::<IPV4>()?;
    let ([a, b, c, d], [e, f, g, h]) = (from.ip().octets(), to.ip().octets());
    *head = [0x45, 0, high, low, 0, 0, fragment, 0, TTL, PROTOCOL, 0, 0, a, b, c, d, e, f, g, h];
    write_udp(datagram, [from.port(), to.port()], sum(&[a, b, c, d, e, f, g, h]))?;
    Some(start)
}

fn write_ipv6(packet: &mut [u8], from: SocketAddrV6, to: SocketAddrV6) -> Option<usize> {
    let whole = packet.get_mut(HEADROOM - UDP - IPV6..)?;
    let (head, datagram) = whole.split_first_chunk_mut::<IPV6>()?;
    let [high, low] = u16::try_from(datagram.len()).ok()?.to_be_bytes();
    let (start, addresses) = head.split_first_chunk_mut::<8>()?;
    *start = [0x60, 0, 0, 0, high, low, PROTOCOL, TTL];
    let (source, destination) = addresses.split_first_chunk_mut::<16>()?;
    *source = from.ip().octets();
    *destination.first_chunk_mut::<16>()? = to.ip().octets();
    let addresses = sum(addresses);
    write_udp(datagram, [from.port(), to.port()], addresses)?;
    Some(0)
}

/// - `addresses`: their sum, for the checksum covers them.
fn write_udp(datagram: &mut [u8], [from, to]: [u16; 2], addresses: u64) -> Option<()> {
    let len = u16::try_from(datagram.len()).ok()?;
    let head = datagram.first_chunk_mut::<UDP>()?;
    let ([a, b], [c, d], [e, f]) = (from.to_be_bytes(), to.to_be_bytes(), len.to_be_bytes());
    *head = [a, b, c, d, e, f, 0, 0];
    let pseudo = addresses + sum(&[0, PROTOCOL, e, f]);
    let checksum = match !fold(pseudo + sum(datagram)) {
        0 => u16::MAX, // 0 says that there is none
        checksum => checksum,
    };
    datagram.get_mut(6..8)?.copy_from_slice(&checksum.to_ne_bytes());
    Some(())
}

/// The sum of 32-bit words in the host's byte order; what is missing of the last is 0. RFC 1071 §2.
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let words = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word)));
    words.sum::<u64>() + u64::from(u32::from_ne_bytes(last))
}

fn fold(mut sum: u64) -> u16 {
    while sum > u64::from(u16::MAX) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(from: &str, to: &str, payload: &[u8]) -> Vec<u8> {
        let mut packet = [&[0xee; HEADROOM], payload].concat();
        let start = write_headers(&mut packet, from.parse().unwrap(), to.parse().unwrap()).unwrap();
        packet.split_off(start)
    }

    /// The datagram of Wikipedia's and everybody's first exercise: checked with tcpdump.
    #[test]
    fn ipv4() {
        let packet = packet("192.0.2.1:4000", "198.51.100.2:5004", b"hello");
        assert_eq!(packet.len(), 33);
        assert_eq!(packet[..10], [0x45, 0, 0, 33, 0, 0, 0x40, 0, 64, 17]);
        assert_eq!(
            packet[12..28],
            [192, 0, 2, 1, 198, 51, 100, 2, 0x0f, 0xa0, 0x13, 0x8c, 0, 13, packet[26], packet[27]]
        );
        let pseudo = sum(&packet[12..20]) + sum(&[0, 17, 0, 13]);
        assert_eq!(fold(pseudo + sum(&packet[20..])), 0xffff);
    }

    #[test]
    fn ipv6() {
        let packet = packet("[2001:db8::1]:4000", "[2001:db8::2]:5004", &[7; 160]);
        assert_eq!((packet.len(), &packet[..8]), (208, [0x60, 0, 0, 0, 0, 168, 17, 64].as_slice()));
        assert_eq!(fold(sum(&packet[8..40]) + sum(&[0, 17, 0, 168]) + sum(&packet[40..])), 0xffff);
    }

    #[test]
    fn a_long_one_may_be_cut_up_on_its_way() {
        assert_eq!(packet("192.0.2.1:1", "192.0.2.2:2", &[0; 1253])[6], 0);
    }

    #[test]
    fn families_do_not_mix() {
        let mut packet = [0; 100];
        assert_eq!(
            write_headers(&mut packet, "192.0.2.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()),
            None
        );
        assert_eq!(
            write_headers(&mut [0; 30], "192.0.2.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()),
            None
        );
    }
}
