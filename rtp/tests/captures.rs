//! Real streams: our figures against those of two independent judges.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::disallowed_methods)] // a test's time starts somewhere

mod pcap;
mod shared;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use rtp::packet::{RtpPacket, Ssrc};
use rtp::quality::{Jitter, PayloadFormat, PayloadUse, Receiver, Spread};

/// A stream of a capture, packet by packet.
struct Stream {
    packets: Vec<(Duration, Vec<u8>)>,
}

impl Stream {
    fn read(file: &str, ssrc: u32, from: Option<Ipv4Addr>) -> Option<Stream> {
        let path = shared::path("testdata/pcap")?.join(file);
        let packets = pcap::read(&path)
            .into_iter()
            .filter(|datagram| from.is_none_or(|from| *datagram.from.ip() == from))
            .filter(|datagram| datagram.to.port() != 0)
            .filter(|datagram| {
                RtpPacket::parse(&datagram.payload).is_ok_and(|packet| packet.ssrc() == Ssrc(ssrc))
            })
            .map(|datagram| (datagram.at, datagram.payload))
            .collect();
        Some(Stream { packets })
    }

    /// A.8 by the letter: every packet counts. Final, mean and largest jitter in ms.
    fn naive_jitter(&self, clock_rate: u32) -> (f64, f64, f64) {
        let start = Instant::now();
        let mut jitter = Jitter::default();
        for (at, bytes) in &self.packets {
            let packet = RtpPacket::parse(bytes).unwrap();
            jitter.handle_packet(start + *at, packet.timestamp(), clock_rate, false);
        }
        let final_ms = jitter.value().as_secs_f64() * 1e3;
        let spread = jitter.take_period();
        (final_ms, millis(spread.mean()), millis(spread.max()))
    }

    /// As the product measures. `events`: payload types of telephone-event; `paused`: when signalling moved the stream.
    fn measure(&self, clock_rate: u32, events: &[u8], paused: &[f64]) -> (Receiver, Spread) {
        let start = Instant::now();
        let first = self.packets[0].0;
        let mut paused = paused.iter().map(|at| start + first + Duration::from_secs_f64(*at)).peekable();
        let mut receiver: Option<Receiver> = None;
        for (at, bytes) in &self.packets {
            let packet = RtpPacket::parse(bytes).unwrap();
            let used_for = match packet.payload_type().0 {
                13 => PayloadUse::ComfortNoise,
                other if events.contains(&other) => PayloadUse::Event,
                _ => PayloadUse::Media,
            };
            let format = PayloadFormat { clock_rate, used_for };
            match &mut receiver {
                Some(receiver) => {
                    while let Some(paused) = paused.next_if(|paused| *paused < start + *at) {
                        receiver.pause(paused);
                    }
                    receiver.handle_packet(start + *at, &packet, format);
                }
                None => receiver = Some(Receiver::new(start + *at, &packet, format)),
            }
        }
        let mut receiver = receiver.unwrap();
        let jitter = receiver.take_jitter();
        (receiver, jitter)
    }
}

fn millis(duration: Option<Duration>) -> f64 {
    duration.unwrap().as_secs_f64() * 1e3
}

fn close(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() <= tolerance, "{value} instead of {expected}");
}

#[test]
fn opus_with_29_of_3000_lost() {
    let Some(stream) = Stream::read("opus-48k-29-of-3000-lost.pcapng", 0x3760_bfaa, None) else { return };
    let (mut receiver, jitter) = stream.measure(48_000, &[], &[]);
    let sequence = receiver.sequence();
    assert_eq!((sequence.received(), sequence.expected(), sequence.lost()), (2971, 3000, 29));
    assert_eq!((sequence.duplicates(), sequence.cumulative_lost()), (0, 29));
    close(millis(jitter.mean()), 0.036, 0.001);
    close(millis(jitter.max()), 0.109, 0.001);
    close(receiver.jitter().value().as_secs_f64() * 1e3, 0.033, 0.001);
    let block = receiver.report(Instant::now());
    assert_eq!((block.jitter, block.cumulative_lost, block.fraction_lost), (1, 29, 2));
}

#[test]
fn telephone_events_do_not_inflate_the_jitter() {
    let Some(stream) = Stream::read("pcmu-rfc4733-dtmf.pcap", 0x34d0_1d16, None) else { return };
    let (last, mean, max) = stream.naive_jitter(8000);
    close(last, 3.765, 0.01);
    close(mean, 7.841, 0.02);
    close(max, 27.776, 0.02);
    let (receiver, jitter) = stream.measure(8000, &[101], &[]);
    let sequence = receiver.sequence();
    assert_eq!((sequence.received(), sequence.expected(), sequence.lost()), (974, 974, 0));
    assert!(millis(jitter.mean()) < mean / 2.0 && millis(jitter.max()) < max, "{jitter:?}");
}

#[test]
fn comfort_noise_and_a_new_tone_generator_are_no_jitter() {
    let from = Some(Ipv4Addr::new(10, 23, 1, 52));
    let Some(stream) = Stream::read("sip-rtp-t38-fax-call.pcap", 0x17d9_0134, from) else { return };
    let (receiver, jitter) = stream.measure(8000, &[100], &[]);
    let sequence = receiver.sequence();
    assert_eq!((sequence.received(), sequence.expected(), sequence.lost()), (1171, 1171, 0));
    // By the letter of A.8: 544 ms at the end, 2731 ms at its worst.
    close(millis(jitter.mean()), 0.268, 0.001); // what tshark says, too
    assert!(millis(jitter.max()) < 1.5, "{jitter:?}");
}

#[test]
fn numbers_that_ran_on_while_the_call_was_a_fax_are_no_loss() {
    let from = Some(Ipv4Addr::new(10, 35, 60, 100));
    let Some(mut stream) = Stream::read("sip-rtp-t38-fax-call.pcap", 0x0eaf_0eaf, from) else { return };
    // The judges took the 27 packets after the last answer for UDPTL; RTP they are all the same.
    assert_eq!(stream.packets.len(), 132 + 27);
    stream.packets.truncate(132);
    let (last, mean, max) = stream.naive_jitter(8000);
    close(last, 4.026, 0.001);
    close(mean, 2.521, 0.001);
    close(max, 13.939, 0.001);
    // Without the signalling: lost by the letter of A.3, but an interruption, of which no score is made.
    let (receiver, jitter) = stream.measure(8000, &[102], &[]);
    let sequence = receiver.sequence();
    assert_eq!((sequence.received(), sequence.expected(), sequence.lost()), (132, 1844, 1712));
    assert_eq!(receiver.interruptions(), (1, 1712));
    assert!(millis(jitter.max()) < 14.0, "{jitter:?}");
    // With it: re-INVITEs 2.1 s and 36.7 s after the first packet.
    let (receiver, _) = stream.measure(8000, &[102], &[2.1, 36.7]);
    let sequence = receiver.sequence();
    assert_eq!((sequence.received(), sequence.expected(), sequence.lost()), (132, 132, 0));
    assert_eq!(receiver.interruptions(), (0, 0));
}

#[test]
fn every_capture_is_read() {
    let Some(folder) = shared::path("testdata/pcap") else { return };
    let captures = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for path in captures.filter(|path| path.extension().is_some_and(|extension| extension != "md")) {
        assert!(!pcap::read(&path).is_empty(), "{}", path.display());
    }
}
