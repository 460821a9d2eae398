//! What does a packet cost between `recvmsg` and `sendto`? No system call is in these figures.
//!
//! `cargo bench --package benches --bench relay`

#![expect(clippy::panic, reason = "a bench that does not measure what it says must stop")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use divan::{Bencher, black_box};
use rtp::ntp::NtpClock;
use rtp::packet::RtpPacket;
use rtp::quality::{PayloadFormat, PayloadUse, Receiver};
use rtp::relay::{Component, Relay, RelaySettings, Remote, Side, Tap};

const FRAME: Duration = Duration::from_millis(20);
const LEN: usize = 172;

fn main() {
    divan::main();
}

/// Packet number `index` of a stream of G.711.
fn packet(buffer: &mut [u8; 2048], index: u32) {
    let mut header = [0x80, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    header[2..4].copy_from_slice(&(index as u16).to_be_bytes());
    header[4..8].copy_from_slice(&index.wrapping_mul(160).to_be_bytes());
    buffer[..12].copy_from_slice(&header);
}

/// One packet through a plain relay: source lock, quality, counters.
#[divan::bench]
fn plain(bencher: Bencher<'_, '_>) {
    relayed(bencher, false);
}

/// The same where somebody listens, with the reading of the ring.
#[divan::bench]
fn tapped(bencher: Bencher<'_, '_>) {
    relayed(bencher, true);
}

fn relayed(bencher: Bencher<'_, '_>, tapped: bool) {
    let mut now = Instant::now();
    let settings = RelaySettings {
        inactivity_timeout: Duration::from_secs(60),
        hold_timeout: Duration::from_secs(1800),
        clock: NtpClock::new(now, Duration::from_secs(1_800_000_000)),
    };
    let mut relay = Relay::new(now, settings, 42);
    let [a, b] = [4000, 6000].map(|port| SocketAddr::from(([192, 0, 2, 1], port)));
    for (side, address) in [(Side::A, a), (Side::B, b)] {
        relay.handle_remote(now, side, &Remote { rtp: Some(address), ..Remote::default() });
    }
    let (tap, [mut reader, _]) = Tap::new(now, 16 << 10);
    if tapped {
        relay.listen(now, tap);
    }
    let mut payload = Vec::new();
    let (mut buffer, mut index) = ([0; 2048], 0);
    bencher.bench_local(|| {
        index += 1;
        now += FRAME;
        packet(&mut buffer, index);
        black_box(reader.read(&mut payload));
        match relay.handle_datagram(now, Side::A, Component::Rtp, a, black_box(&mut buffer), LEN) {
            Ok(Some(forward)) => forward,
            other => panic!("{other:?}"),
        }
    });
}

/// The quality of a stream alone: loss, reordering, jitter.
#[divan::bench]
fn quality(bencher: Bencher<'_, '_>) {
    let (mut now, mut buffer, mut index) = (Instant::now(), [0; 2048], 0);
    let format = PayloadFormat { clock_rate: 8000, used_for: PayloadUse::Media };
    packet(&mut buffer, index);
    let Ok(first) = RtpPacket::parse(&buffer[..LEN]) else { panic!("RTP") };
    let mut receiver = Receiver::new(now, &first, format);
    bencher.bench_local(|| {
        index += 1;
        now += FRAME;
        packet(&mut buffer, index);
        let Ok(packet) = RtpPacket::parse(black_box(&buffer[..LEN])) else { panic!("RTP") };
        receiver.handle_packet(now, &packet, format)
    });
}
