//! A capture file of frames that were never on a wire in this form: pcapng (draft-ietf-opsawg-pcapng) of raw IP packets.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use super::{Carried, Frame};

/// Link type of packets that begin with their IP header: LINKTYPE_RAW.
const RAW: u16 = 101;
/// The most that an IP packet of ours carries.
const MOST: usize = 65_000;
/// Streams whose positions are remembered.
const STREAMS: usize = 4_096;
/// Where a stream begins: what came before was not seen.
const FIRST_POSITION: u32 = 1;

const UDP: u8 = 17;
const TCP: u8 = 6;

/// Writes frames as blocks of a capture file. Each frame becomes one IP packet or, in a stream, as many as it needs.
#[derive(Debug, Default)]
pub struct Pcapng {
    /// How far each direction of a stream has come.
    positions: HashMap<(SocketAddr, SocketAddr), u32>,
    identification: u16,
}

impl Pcapng {
    /// What a file begins with.
    pub fn header() -> Vec<u8> {
        let mut section = Vec::new();
        section.extend(0x1A2B_3C4D_u32.to_le_bytes());
        section.extend([1, 0, 0, 0]); // Version 1.0.
        section.extend(u64::MAX.to_le_bytes()); // Its length is not known.
        let mut out = block(0x0A0D_0D0A, &section);
        let mut interface = Vec::new();
        interface.extend(RAW.to_le_bytes());
        interface.extend([0, 0]);
        interface.extend(0_u32.to_le_bytes()); // No limit on a packet.
        option(&mut interface, 9, &[9]); // Times are nanoseconds.
        option(&mut interface, 0, &[]);
        out.extend(block(1, &interface));
        out
    }

    /// The blocks of a frame.
    pub fn frame(&mut self, frame: &Frame) -> Vec<u8> {
        let mut out = Vec::new();
        for part in parts(frame) {
            let packet = self.packet(frame, part);
            out.extend(packet_block(frame, &packet));
        }
        out
    }

    fn packet(&mut self, frame: &Frame, part: &[u8]) -> Vec<u8> {
        let (from, to) = (canonical(frame.from), canonical(frame.to));
        let (protocol, mut segment) = match frame.carried {
            Carried::Udp => (UDP, datagram(from, to, part)),
            Carried::Tcp => (TCP, self.segment(from, to, part)),
        };
        let (source, target) = match (from.ip(), to.ip()) {
            (IpAddr::V4(source), IpAddr::V4(target)) => (source.octets().to_vec(), target.octets().to_vec()),
            (source, target) => (octets(source), octets(target)),
        };
        let length = u32::try_from(segment.len()).unwrap_or(u32::MAX);
        let pseudo: Vec<u8> = [&source[..], &target, &length.to_be_bytes(), &[0, 0, 0, protocol]].concat();
        let at = if protocol == UDP { 6 } else { 16 };
        let sum = match checksum(&[&pseudo, &segment]) {
            0 if protocol == UDP => 0xFFFF, // 0 says that there is none. RFC 768.
            sum => sum,
        };
        if let Some(place) = segment.get_mut(at..at + 2) {
            place.copy_from_slice(&sum.to_be_bytes());
        }
        self.identification = self.identification.wrapping_add(1);
        let mut packet = ip_header(protocol, segment.len(), self.identification, &source, &target);
        packet.append(&mut segment);
        packet
    }

    fn segment(&mut self, from: SocketAddr, to: SocketAddr, part: &[u8]) -> Vec<u8> {
        if self.positions.len() >= STREAMS && !self.positions.contains_key(&(from, to)) {
            self.positions.clear();
        }
        let heard = self.positions.get(&(to, from)).copied().unwrap_or(FIRST_POSITION);
        let position = self.positions.entry((from, to)).or_insert(FIRST_POSITION);
        let mut segment = ports(from, to);
        segment.extend(position.to_be_bytes());
        segment.extend(heard.to_be_bytes());
        segment.extend([5 << 4, 0x18]); // Five words; PSH and ACK.
        segment.extend(u16::MAX.to_be_bytes());
        segment.extend([0; 4]);
        segment.extend(part);
        *position = position.wrapping_add(u32::try_from(part.len()).unwrap_or(0));
        segment
    }
}

/// A datagram is cut to what a packet carries, a stream goes on in the next one.
fn parts(frame: &Frame) -> Vec<&[u8]> {
    match frame.carried {
        Carried::Udp => vec![frame.bytes.get(..MOST).unwrap_or(&frame.bytes)],
        Carried::Tcp => frame.bytes.chunks(MOST).collect(),
    }
}

fn datagram(from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut datagram = ports(from, to);
    datagram.extend(u16::try_from(bytes.len() + 8).unwrap_or(u16::MAX).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(bytes);
    datagram
}

fn ports(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    [from.port().to_be_bytes(), to.port().to_be_bytes()].concat()
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// As IPv6, which the other side is.
fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// RFC 791 §3.1, RFC 8200 §3.
fn ip_header(protocol: u8, length: usize, identification: u16, source: &[u8], target: &[u8]) -> Vec<u8> {
    let length16 = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    if source.len() == 16 {
        let mut header = vec![0x60, 0, 0, 0];
        header.extend(length16(length));
        header.extend([protocol, 64]);
        header.extend(source);
        header.extend(target);
        return header;
    }
    let mut header = vec![0x45, 0];
    header.extend(length16(length + 20));
    header.extend(identification.to_be_bytes());
    header.extend([0x40, 0, 64, protocol, 0, 0]); // Not to be fragmented.
    header.extend(source);
    header.extend(target);
    let sum = checksum(&[&header]).to_be_bytes();
    if let Some(place) = header.get_mut(10..12) {
        place.copy_from_slice(&sum);
    }
    header
}

/// RFC 1071. Only the last part may have an odd length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let word = |pair: &[u8]| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(*high) << 8,
        _ => 0,
    };
    let mut sum: u32 = parts.iter().flat_map(|part| part.chunks(2)).map(word).sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

fn packet_block(frame: &Frame, packet: &[u8]) -> Vec<u8> {
    let at = u64::try_from(frame.at.as_nanos()).unwrap_or(u64::MAX);
    let high_and_low = [at >> 32, at & 0xFFFF_FFFF];
    let length = u32::try_from(packet.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut body = 0_u32.to_le_bytes().to_vec();
    body.extend(high_and_low.iter().flat_map(|half| u32::try_from(*half).unwrap_or(u32::MAX).to_le_bytes()));
    body.extend([length, length].concat());
    body.extend(packet);
    pad(&mut body);
    if let Some(note) = &frame.note {
        option(&mut body, 1, note.as_bytes());
        option(&mut body, 0, &[]);
    }
    block(6, &body)
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = value.get(..200).unwrap_or(value);
    out.extend(code.to_le_bytes());
    out.extend(u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
    out.extend(value);
    pad(out);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap_or(u32::MAX).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, body, &length].concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn frame(from: &str, to: &str, carried: Carried, bytes: &[u8]) -> Frame {
        let at = Duration::from_nanos(1_700_000_000_000_000_001);
        let note = Some("TLS".to_owned());
        Frame {
            at,
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            carried,
            note,
            bytes: bytes.to_vec(),
        }
    }

    #[test]
    fn blocks_are_whole_words_and_say_their_length_twice() {
        let mut capture = Pcapng::default();
        let mut file = Pcapng::header();
        for length in 0..9 {
            let bytes = vec![7; length];
            file.extend(capture.frame(&frame("192.0.2.1:5060", "10.0.0.1:5060", Carried::Udp, &bytes)));
            file.extend(capture.frame(&frame("[2001:db8::1]:5060", "[2001:db8::2]:9", Carried::Udp, &bytes)));
        }
        let (mut rest, mut blocks) = (&file[..], 0);
        while !rest.is_empty() {
            let length = u32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
            assert_eq!(length % 4, 0);
            assert_eq!(rest[length - 4..length], rest[4..8]);
            rest = &rest[length..];
            blocks += 1;
        }
        assert_eq!(blocks, 2 + 18);
    }

    #[test]
    fn a_checksum_over_what_has_one_is_nothing() {
        let mut capture = Pcapng::default();
        for (from, to, header) in
            [("192.0.2.1:5060", "10.0.0.1:5061", 20), ("[2001:db8::1]:5060", "[2001:db8::2]:9", 40)]
        {
            for (carried, protocol) in [(Carried::Udp, UDP), (Carried::Tcp, TCP)] {
                let frame = frame(from, to, carried, b"OPTIONS sip:a");
                let packet = capture.packet(&frame, &frame.bytes);
                if header == 20 {
                    assert_eq!(checksum(&[&packet[..20]]), 0);
                }
                let addresses = if header == 20 { &packet[12..20] } else { &packet[8..40] };
                let length = ((packet.len() - header) as u32).to_be_bytes();
                assert_eq!(checksum(&[addresses, &length, &[0, 0, 0, protocol], &packet[header..]]), 0);
            }
        }
    }

    #[test]
    fn a_stream_goes_on_where_it_was() {
        let mut capture = Pcapng::default();
        let there = frame("192.0.2.1:5060", "10.0.0.1:40000", Carried::Tcp, &[1; 100_000]);
        let back = frame("10.0.0.1:40000", "192.0.2.1:5060", Carried::Tcp, b"ok");
        capture.frame(&there);
        let packet = capture.packet(&back, &back.bytes);
        assert_eq!(packet[24..32], [0, 0, 0, 1, 0, 1, 0x86, 0xA1], "position and what was heard");
        assert_eq!(capture.packet(&there, &[1])[24..28], [0, 1, 0x86, 0xA1]);
    }
}
