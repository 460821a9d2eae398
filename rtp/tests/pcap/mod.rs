//! Reads UDP over IPv4 from pcap and pcapng files: as much of the formats as the captures use.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::time::Duration;

/// One UDP datagram of a capture.
pub struct Datagram {
    pub at: Duration,
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub payload: Vec<u8>,
}

/// All UDP datagrams of a file, in its order.
pub fn read(path: &Path) -> Vec<Datagram> {
    let bytes = std::fs::read(path).unwrap();
    let frames = match &bytes[..4] {
        [0x0a, 0x0d, 0x0d, 0x0a] => pcapng(&bytes),
        [0xd4, 0xc3, 0xb2, 0xa1] => pcap(&bytes, 1_000),
        [0x4d, 0x3c, 0xb2, 0xa1] => pcap(&bytes, 1),
        other => panic!("{}: unknown magic {other:x?}", path.display()),
    };
    frames.into_iter().filter_map(|(at, link, frame)| udp(at, link, frame)).collect()
}

type Frame<'a> = (Duration, u32, &'a [u8]);

/// Little-endian pcap; `nanos` are in one unit of its fractions.
fn pcap(bytes: &[u8], nanos: u32) -> Vec<Frame<'_>> {
    let link = word(&bytes[20..]);
    let mut rest = &bytes[24..];
    let mut frames = Vec::new();
    while rest.len() >= 16 {
        let at = Duration::new(u64::from(word(rest)), word(&rest[4..]) * nanos);
        let len = word(&rest[8..]) as usize;
        frames.push((at, link, &rest[16..16 + len]));
        rest = &rest[16 + len..];
    }
    frames
}

/// Little-endian pcapng: interface and enhanced packet blocks.
fn pcapng(bytes: &[u8]) -> Vec<Frame<'_>> {
    let mut rest = bytes;
    let mut frames = Vec::new();
    let mut interfaces: Vec<(u32, f64)> = Vec::new();
    while rest.len() >= 12 {
        let (block, len) = (word(rest), word(&rest[4..]) as usize);
        let body = &rest[8..len - 4];
        match block {
            1 => interfaces.push((u32::from(u16::from_le_bytes([body[0], body[1]])), resolution(&body[8..]))),
            6 => {
                let (link, resolution) = interfaces[word(body) as usize];
                let ticks = u64::from(word(&body[4..])) << 32 | u64::from(word(&body[8..]));
                let captured = word(&body[12..]) as usize;
                let whole = ticks / resolution as u64;
                let fraction = (ticks % resolution as u64) as f64 / resolution;
                let at = Duration::from_secs(whole) + Duration::from_secs_f64(fraction);
                frames.push((at, link, &body[20..20 + captured]));
            }
            _ => {}
        }
        rest = &rest[len..];
    }
    frames
}

/// Ticks per second: option 9 (if_tsresol), else a million.
fn resolution(mut options: &[u8]) -> f64 {
    while options.len() >= 4 {
        let code = u16::from_le_bytes([options[0], options[1]]);
        let len = usize::from(u16::from_le_bytes([options[2], options[3]]));
        match (code, options[4]) {
            (0, _) => break,
            (9, exponent) if exponent & 0x80 != 0 => return 2_f64.powi(i32::from(exponent & 0x7f)),
            (9, exponent) => return 10_f64.powi(i32::from(exponent)),
            _ => options = &options[4 + len.next_multiple_of(4)..],
        }
    }
    1e6
}

fn udp(at: Duration, link: u32, frame: &[u8]) -> Option<Datagram> {
    let packet = match link {
        1 if frame.get(12..14)? == [8, 0] => &frame[14..],
        113 if frame.get(14..16)? == [8, 0] => &frame[16..],
        _ => return None,
    };
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let fragment = u16::from_be_bytes([packet[6], packet[7]]) & 0x3fff;
    if packet[9] != 17 || fragment != 0 {
        return None;
    }
    let port = |at: usize| u16::from_be_bytes([packet[header + at], packet[header + at + 1]]);
    let address = |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
    Some(Datagram {
        at,
        from: SocketAddrV4::new(address(12), port(0)),
        to: SocketAddrV4::new(address(16), port(2)),
        payload: packet.get(header + 8..header + usize::from(port(4)))?.to_vec(),
    })
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
