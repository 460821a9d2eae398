//! Whoever listens to a call: what it is told of each party, and what that costs the relay.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::disallowed_methods)] // a test's time starts somewhere

#[path = "shared/counting.rs"]
mod counting;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use counting::allocations;
use rtp::codec::Codec;
use rtp::ntp::NtpClock;
use rtp::quality::PayloadUse;
use rtp::relay::{Component, Refusal, Relay, RelaySettings, Remote, Said, Side, Tap, TapReader};
use rtp::srtp::{MasterKey, Session, SrtpKeys, Suite};

const A: &str = "203.0.113.1:4000";
const B: &str = "198.51.100.2:6000";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn packet(payload_type: u8, seq: u16, byte: u8) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(seq.to_be_bytes());
    packet.extend((u32::from(seq) * 160).to_be_bytes());
    packet.extend(7_u32.to_be_bytes());
    packet.extend([byte; 160]);
    packet
}

fn relay(now: Instant, a: Remote, b: Remote) -> Relay {
    let settings = RelaySettings {
        inactivity_timeout: Duration::from_secs(60),
        hold_timeout: Duration::from_secs(1800),
        clock: NtpClock::new(now, Duration::from_secs(1_800_000_000)),
    };
    let mut relay = Relay::new(now, settings, 1);
    relay.handle_remote(now, Side::A, &Remote { rtp: Some(address(A)), ..a });
    relay.handle_remote(now, Side::B, &Remote { rtp: Some(address(B)), ..b });
    relay
}

fn send(relay: &mut Relay, at: Instant, side: Side, bytes: &[u8]) -> Result<(), Refusal> {
    let mut buffer = [0; 2048];
    buffer[..bytes.len()].copy_from_slice(bytes);
    let from = address(if side == Side::A { A } else { B });
    relay.handle_datagram(at, side, Component::Rtp, from, &mut buffer, bytes.len()).map(drop)
}

fn all(reader: &mut TapReader) -> Vec<(Duration, u16, Said, Vec<u8>)> {
    let mut payload = Vec::new();
    std::iter::from_fn(|| {
        let tapped = reader.read(&mut payload)?;
        Some((tapped.at, tapped.dropped, tapped.said, payload.clone()))
    })
    .collect()
}

#[test]
fn each_party_is_heard_at_its_own_end_without_its_encryption() {
    let now = Instant::now();
    let key = |byte| MasterKey::new(Suite::AesCm128HmacSha1_80, &[byte; 30]).unwrap();
    let keys = |send, receive| SrtpKeys::new(Suite::AesCm128HmacSha1_80, send, receive);
    let mut phone = Session::new(&keys(key(1), key(2))).unwrap();
    let a = Remote { srtp: Some(Box::new(keys(key(2), key(1)))), events: vec![101], ..Remote::default() };
    let b =
        Remote { codecs: vec![(107, Codec::Opus)], clock_rates: vec![(107, 48_000)], ..Remote::default() };
    let mut relay = relay(now, a, b);
    let (tap, [mut caller, mut callee]) = Tap::new(now, 4096);
    relay.listen(now, tap);

    let at = now + Duration::from_millis(500);
    for (seq, payload_type) in [(1, 0), (2, 107), (3, 101), (4, 13), (5, 18)] {
        let mut buffer = packet(payload_type, seq, 0x55);
        buffer.resize(256, 0);
        let len = phone.protect_rtp(&mut buffer, 172).unwrap();
        send(&mut relay, at, Side::A, &buffer[..len]).unwrap();
    }
    send(&mut relay, at, Side::B, &packet(8, 9, 0x66)).unwrap();

    let heard = all(&mut caller);
    let told: Vec<_> = heard
        .iter()
        .map(|(at, dropped, said, payload)| {
            let Said::Packet(packet) = said else { panic!("{said:?}") };
            assert_eq!(
                (*at, *dropped, payload.as_slice()),
                (Duration::from_millis(500), 0, &[0x55; 160][..])
            );
            (packet.seq, packet.timestamp, packet.codec, packet.format.used_for, packet.format.clock_rate)
        })
        .collect();
    let (sound, event, noise) = (PayloadUse::Media, PayloadUse::Event, PayloadUse::ComfortNoise);
    let expected = [
        (1, 160, Some(Codec::Pcmu), sound, 8000),
        (2, 320, Some(Codec::Opus), sound, 48_000),
        (3, 480, None, event, 8000),
        (4, 640, None, noise, 8000),
        (5, 800, Some(Codec::G729), sound, 8000),
    ];
    assert_eq!(told, expected);
    let heard = all(&mut callee);
    assert!(matches!(&heard[..], [(_, 0, Said::Packet(packet), payload)]
        if packet.codec == Some(Codec::Pcma) && payload == &[0x66; 160]));

    assert!(!caller.is_over());
    relay.stop_listening();
    assert!(caller.is_over() && callee.is_over());
}

#[test]
fn a_party_that_is_held_is_told_of_at_its_own_end() {
    let now = Instant::now();
    let mut relay = relay(now, Remote { on_hold: true, ..Remote::default() }, Remote::default());
    let (tap, [mut caller, mut callee]) = Tap::new(now, 4096);
    relay.listen(now, tap);
    send(&mut relay, now, Side::B, &packet(0, 1, 1)).unwrap_err(); // Nobody hears it, and yet it speaks.
    let at = now + Duration::from_secs(1);
    let taken = Remote { rtp: Some(address(A)), ..Remote::default() };
    relay.handle_remote(at, Side::A, &taken);
    relay.handle_remote(at, Side::A, &taken);
    let heard = all(&mut callee);
    assert!(
        matches!(heard[..], [(_, _, Said::Held(true), _), (_, _, Said::Packet(_), _), (after, _, Said::Held(false), _)]
        if after == Duration::from_secs(1)),
        "{heard:?}"
    );
    assert_eq!(all(&mut caller), []);
}

/// Both legs of a recording session are streams of one peer: whose pauses is held, and what comes is heard though it goes nowhere.
#[test]
fn a_stream_that_is_only_listened_to_pauses_at_its_own_end() {
    let now = Instant::now();
    let listened =
        |at: &str, on_hold| Remote { rtp: Some(address(at)), ends_here: true, on_hold, ..Remote::default() };
    let mut relay = relay(now, listened(A, false), listened(B, false));
    let (tap, [mut a, mut b]) = Tap::new(now, 4_096);
    relay.listen(now, tap);
    send(&mut relay, now, Side::A, &packet(0, 1, 1)).unwrap();
    relay.handle_remote(now, Side::A, &listened(A, true));
    let heard = all(&mut a);
    assert!(matches!(heard[..], [(_, _, Said::Packet(_), _), (_, _, Said::Held(true), _)]), "{heard:?}");
    assert!(all(&mut b).is_empty());
}

#[test]
fn what_finds_no_room_is_counted_where_it_is_missing_and_the_other_party_has_room_of_its_own() {
    let now = Instant::now();
    let mut relay = relay(now, Remote::default(), Remote::default());
    let (tap, [mut caller, mut callee]) = Tap::new(now, 3 * (32 + 160));
    relay.listen(now, tap);
    for seq in 1..=10 {
        send(&mut relay, now, Side::A, &packet(0, seq, 1)).unwrap();
    }
    send(&mut relay, now, Side::B, &packet(0, 1, 2)).unwrap();
    let numbers = |reader: &mut TapReader| {
        let seq = |said| if let Said::Packet(packet) = said { packet.seq } else { 0 };
        all(reader).into_iter().map(|(_, dropped, said, _)| (seq(said), dropped)).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&mut caller), [(1, 0), (2, 0), (3, 0)]);
    send(&mut relay, now, Side::A, &packet(0, 11, 1)).unwrap();
    assert_eq!(numbers(&mut caller), [(11, 7)]);
    assert_eq!(numbers(&mut callee), [(1, 0)]);
}

#[test]
fn a_packet_allocates_nothing_however_full_the_rings_are() {
    let now = Instant::now();
    let mut relay = relay(now, Remote::default(), Remote::default());
    let (tap, [mut caller, _callee]) = Tap::new(now, 1000);
    relay.listen(now, tap);
    let mut payload = Vec::with_capacity(256);
    let mut bytes = packet(0, 0, 1);
    let mut before = 0;
    for seq in 0..1000_u16 {
        bytes[2..4].copy_from_slice(&seq.to_be_bytes());
        send(&mut relay, now, Side::A, &bytes).unwrap();
        send(&mut relay, now, Side::B, &bytes).unwrap();
        caller.read(&mut payload).unwrap();
        if seq == 0 {
            before = allocations();
        }
    }
    assert_eq!(allocations(), before);
}
