//! The program, run by the kernel over packets that no interface has seen. Linux lets only privileged processes load it, so
//! elsewhere these tests say so and are left out.

#![allow(clippy::disallowed_methods)] // a test's time starts somewhere

#[path = "../../../../rtp/tests/kernel/mod.rs"]
mod kernel;

use std::time::{Duration, Instant};

use rtp::packet::{PayloadType, Ssrc};
use rtp::quality::Spread;
use rtp::relay::{Counts, Side};

use super::*;
use crate::packet::{HEADROOM, write_headers};
use kernel::Kernel;

const START: u64 = 1_000_000_000_000;
const MILLIS: u64 = 1_000_000;
const UP: i32 = -1;
const REDIRECT: i32 = 7;

fn loaded() -> Option<Forwarding> {
    match Forwarding::load(Clock::Stamp, 16) {
        Ok(forwarding) => Some(forwarding),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

fn flow(six: bool, interface: u32) -> Flow {
    let [remote, local, source, to] = match six {
        false => ["192.0.2.1:4000", "198.51.100.7:20000", "203.0.113.7:30000", "203.0.113.200:6001"],
        true => {
            ["[2001:db8::1]:4000", "[2001:db8::7]:20000", "[2001:db8:1::7]:30000", "[2001:db8:1::2]:6001"]
        }
    }
    .map(|address| address.parse().unwrap());
    let standing =
        Standing { highest: (1 << 16) + 500, seen: u128::MAX, heard: START, ..Standing::default() };
    Flow {
        remote,
        local,
        source,
        to,
        interface,
        ssrc: 0xdead_beef,
        payload_type: 8,
        clock_rate: 8000,
        standing,
    }
}

fn rtp(seq: u16) -> Vec<u8> {
    let mut bytes = vec![0x80, 8];
    bytes.extend(seq.to_be_bytes());
    bytes.extend((u32::from(seq) * 160).to_be_bytes());
    bytes.extend(0xdead_beef_u32.to_be_bytes());
    bytes.resize(172, 0xd5);
    bytes
}

/// An Ethernet frame with a datagram.
fn frame(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; HEADROOM + payload.len()];
    packet[HEADROOM..].copy_from_slice(payload);
    let start = write_headers(&mut packet, from, to).unwrap();
    let protocol = if from.is_ipv4() { [0x08, 0x00] } else { [0x86, 0xdd] };
    let mut frame = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &protocol, &packet[start..]].concat();
    if from.is_ipv4() {
        frame[24..26].fill(0); // the kernel's to fill in
        let sum = !sum(&frame[14..34]);
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
    }
    frame
}

/// The sum of 16-bit words, folded; that of a header with a sound checksum is 0xffff.
fn sum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0)));
    let mut sum = words.sum::<u32>();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

fn assert_checksums(frame: &[u8]) {
    let ip = &frame[14..];
    let (addresses, udp) = if ip[0] == 0x45 { (&ip[12..20], &ip[20..]) } else { (&ip[8..40], &ip[40..]) };
    if ip[0] == 0x45 {
        assert_eq!(sum(&ip[..20]), 0xffff);
    }
    let pseudo = [addresses, &[0, 17], &udp[4..6]].concat();
    assert_eq!(sum(&[&pseudo, udp].concat()), 0xffff);
}

fn run(forwarding: &Forwarding, now: u64, frame: &[u8]) -> (i32, Vec<u8>) {
    let mut context = [0; 192];
    context[152..160].copy_from_slice(&now.to_ne_bytes());
    let (word, packet, _) = bpf::test_run::test_run(forwarding.program.as_fd(), frame, &context, 1).unwrap();
    (word, packet)
}

#[test]
fn by_kernel_a_packet_gets_its_new_addresses() {
    let Some(forwarding) = loaded() else { return };
    for (six, interface, word) in [(false, 0, UP), (false, 1, REDIRECT), (true, 0, UP), (true, 1, REDIRECT)] {
        let flow = flow(six, interface);
        let place = forwarding.begin(&flow).unwrap();
        assert!(forwarding.begin(&flow).is_err());
        let wanted = |seq| {
            let mut wanted = frame(flow.source, flow.to, &rtp(seq));
            wanted[if six { 21 } else { 22 }] -= 1; // hops
            if !six {
                wanted[24..26].fill(0);
                let sum = !sum(&wanted[14..34]);
                wanted[24..26].copy_from_slice(&sum.to_be_bytes());
            }
            wanted
        };
        let came = frame(flow.remote, flow.local, &rtp(501));
        assert_checksums(&came);
        let (result, left) = run(&forwarding, START + 20 * MILLIS, &came);
        assert_eq!((result, &left), (word, &wanted(501)), "IPv6: {six}");
        assert_checksums(&left);
        if !six {
            let mut bare = frame(flow.remote, flow.local, &rtp(502));
            bare[40..42].fill(0); // UDP without a checksum
            let mut wanted = wanted(502);
            wanted[40..42].fill(0);
            assert_eq!(run(&forwarding, START + 40 * MILLIS, &bare).1, wanted);
        }
        let standing = forwarding.end(place);
        let packets = if six { 1 } else { 2 };
        assert_eq!((standing.packets, standing.bytes), (packets, packets * 172));
        assert_eq!((standing.highest, standing.ended), ((1 << 16) + 500 + packets, true));
        let (result, left) = run(&forwarding, START, &came);
        assert_eq!((result, left), (UP, came)); // nobody's any more
    }
}

#[test]
fn by_kernel_all_else_goes_up_untouched() {
    let Some(forwarding) = loaded() else { return };
    let came = |six: bool| {
        let flow = flow(six, 1);
        frame(flow.remote, flow.local, &rtp(501))
    };
    let with = |six: bool, at: usize, value: u8| {
        let mut frame = came(six);
        frame[at] = value;
        frame
    };
    let payload = |bytes: &[u8]| {
        let flow = flow(false, 1);
        frame(flow.remote, flow.local, bytes)
    };
    let elsewhere = |port: u16, local: u16| {
        let flow = flow(false, 1);
        let at = |address: SocketAddr, port| SocketAddr::new(address.ip(), port);
        frame(at(flow.remote, port), at(flow.local, local), &rtp(501))
    };
    // What it is, the frame, and whether the flow lives on.
    let cases = [
        ("another source", elsewhere(4001, 20_000), true),
        ("another port of ours", elsewhere(4000, 20_002), true),
        ("RTCP", payload(&[&[0x80, 200][..], &rtp(501)[2..]].concat()), true),
        ("STUN", payload(&[&[0, 1][..], &rtp(501)[2..]].concat()), true),
        ("too short for RTP", payload(&rtp(501)[..11]), true),
        ("no IP", with(false, 13, 6), true),
        ("TCP", with(false, 23, 6), true),
        ("IP options", with(false, 14, 0x46), true),
        ("a fragment", with(false, 20, 0x20), true),
        ("a later fragment", with(false, 21, 1), true),
        ("the last hop", with(false, 22, 1), true),
        ("IP longer than the packet", with(false, 17, 0xff), true),
        ("UDP longer than IP", with(false, 39, 0xff), true),
        ("longer than every way takes", payload(&[rtp(501), vec![0; 1100]].concat()), true),
        ("an extension of IPv6", with(true, 20, 0), true),
        ("the last hop of IPv6", with(true, 21, 1), true),
        ("another payload type", with(false, 43, 101), false),
        ("another SSRC", with(false, 53, 1), false),
        ("padding", with(false, 42, 0xa0), false),
        ("an extension", with(false, 42, 0x90), false),
        ("a CSRC", with(false, 42, 0x81), false),
        ("a jump ahead", payload(&rtp(500 + 3000)), false),
        ("a jump back", payload(&rtp(500 - 101)), false),
    ];
    for (what, frame, lives) in cases {
        let place = [flow(false, 1), flow(true, 1)].map(|flow| forwarding.begin(&flow).unwrap());
        assert_eq!(run(&forwarding, START + MILLIS, &frame), (UP, frame), "{what}");
        for place in &place {
            assert_eq!(forwarding.standing(place).packets, 0, "{what}");
        }
        let next = came(false);
        let (word, _) = run(&forwarding, START + MILLIS, &next);
        assert_eq!(word, if lives { REDIRECT } else { UP }, "{what}");
        let [four, six] = place.map(|place| forwarding.end(place));
        assert_eq!((four.packets, six.packets), (u64::from(lives), 0), "{what}");
    }
    // After a pause others might take over: it is the relay that judges.
    let place = forwarding.begin(&flow(false, 1)).unwrap();
    assert_eq!(run(&forwarding, START + 1001 * MILLIS, &came(false)).0, UP);
    assert!(forwarding.standing(&place).ended);
    forwarding.end(place);
}

/// Numbers by chance, the same each time.
fn chance(state: &mut u64, below: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % below
}

/// What the kernel counts of streams by chance is what the relay's rules say.
#[test]
fn by_kernel_streams_are_counted_like_the_model() {
    let Some(forwarding) = loaded() else { return };
    let (start, mut forwarded) = (Instant::now(), 0);
    for seed in 1..=40 {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed);
        let mut model = Kernel::default();
        let flow = flow(seed % 2 == 0, 0);
        let counts = Counts {
            packets: 0,
            bytes: 0,
            duplicates: 0,
            highest: flow.standing.highest,
            seen: flow.standing.seen,
            heard: start,
            seq: 0,
            timestamp: 0,
            previous: None,
            jitter: 0.0,
            period: Spread::default(),
            ended: false,
        };
        model.take(rtp::relay::Flow {
            side: Side::A,
            from: flow.remote,
            to: flow.to,
            ssrc: Ssrc(flow.ssrc),
            payload_type: PayloadType(flow.payload_type),
            clock_rate: flow.clock_rate,
            counts,
        });
        let place = forwarding.begin(&flow).unwrap();
        let (mut at, mut top, mut jitter) = (0, 500_u16, (0.0, 0, 0.0_f64));
        for _ in 0..1500 {
            at += chance(&mut state, 40 * MILLIS);
            let seq = match chance(&mut state, 4000) {
                0 => top.wrapping_add(chance(&mut state, 65_536) as u16),
                1..10 => top.wrapping_add(chance(&mut state, 2999) as u16),
                10..400 => top.wrapping_sub(chance(&mut state, 101) as u16),
                400..600 => top.wrapping_add(chance(&mut state, 140) as u16),
                _ => top.wrapping_add(1),
            };
            if seq.wrapping_sub(top) < 3000 {
                top = seq;
            }
            let mut bytes = rtp(seq);
            if chance(&mut state, 50) == 0 {
                bytes[1] |= 0x80;
            }
            if chance(&mut state, 50) == 0 {
                bytes[4..8].copy_from_slice(&(chance(&mut state, 1 << 32) as u32).to_be_bytes());
            }
            bytes.truncate(12 + chance(&mut state, 160) as usize);
            let came = frame(flow.remote, flow.local, &bytes);
            let (_, left) = run(&forwarding, START + at, &came);
            let taken = model.forward(start + Duration::from_nanos(at), Side::A, flow.remote, &bytes);
            assert_eq!(left != came, taken, "seed {seed}");
            forwarded += usize::from(taken);
            let (ours, theirs) = (model.counts(Side::A).unwrap(), forwarding.standing(&place));
            let figures = |counts: &Counts| {
                let since = |at: Instant| START + (at - start).as_nanos() as u64;
                let previous = counts.previous.map(|(at, timestamp)| (since(at), timestamp));
                (
                    counts.packets,
                    counts.bytes,
                    counts.duplicates,
                    counts.highest,
                    counts.seen,
                    since(counts.heard),
                ) == (
                    theirs.packets,
                    theirs.bytes,
                    theirs.duplicates,
                    theirs.highest,
                    theirs.seen,
                    theirs.heard,
                ) && (counts.seq, counts.timestamp, previous, counts.ended)
                    == (theirs.seq, theirs.timestamp, theirs.previous, theirs.ended)
            };
            assert!(figures(&ours), "seed {seed}: {ours:?} {theirs:?}");
            let value = theirs.jitter as f64 / f64::from(1 << 16) / 1e9;
            assert!((value - ours.jitter).abs() < 1e-9, "seed {seed}: {value} {}", ours.jitter);
            jitter.0 += theirs.jitter_sum as f64 / 256.0 / 1e9;
            jitter.1 += theirs.jitter_count;
            jitter.2 = jitter.2.max(theirs.jitter_max as f64 / f64::from(1 << 16) / 1e9);
            if !taken {
                break;
            }
        }
        let estimates = model.jitter(Side::A);
        let max = estimates.iter().copied().fold(0.0, f64::max);
        assert_eq!(jitter.1, estimates.len() as u64, "seed {seed}");
        assert!((jitter.0 - estimates.iter().sum::<f64>()).abs() < 1e-6, "seed {seed}");
        assert!((jitter.2 - max).abs() < 1e-9, "seed {seed}");
        forwarding.end(place);
    }
    assert!(forwarded > 20_000, "{forwarded}");
}

/// No figure to hold: the time depends on the machine.
#[test]
fn by_kernel_a_packet_takes_some_time() {
    let Some(forwarding) = loaded() else { return };
    let flow = flow(false, 1);
    let place = forwarding.begin(&flow).unwrap();
    let mut context = [0; 192];
    context[152..160].copy_from_slice(&START.to_ne_bytes());
    let run = |frame: &[u8], repeat| {
        let (_, _, nanos) =
            bpf::test_run::test_run(forwarding.program.as_fd(), frame, &context, repeat).unwrap();
        nanos
    };
    let other = frame("192.0.2.9:4000".parse().unwrap(), flow.local, &rtp(501));
    println!("a packet of nobody's: {} ns", run(&other, 1_000_000));
    // A packet that is sent on has other addresses then, so each is a new one.
    let of_its = |seq| frame(flow.remote, flow.local, &rtp(seq));
    let mut nanos: Vec<u32> = (501..5501).map(|seq| run(&of_its(seq), 1)).collect();
    nanos.sort_unstable();
    println!("a packet that is sent on: {} ns", nanos[nanos.len() / 2]);
    assert_eq!(forwarding.end(place).packets, 5000);
}
