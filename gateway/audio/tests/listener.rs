//! A call that is listened to, over a network that loses, delays, swaps and repeats.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::single_range_in_vec_init)] // Runs of one sound: one range is a list of one run.

use std::time::Duration;

use audio::{Happening, Listener, Party, Settings};
use audio_codec::pcmu::PcmuEncoder;
use audio_codec::{Decoder as _, Encoder as _};
use proptest::prelude::*;
use rtp::codec::Codec;
use rtp::packet::Ssrc;
use rtp::quality::{PayloadFormat, PayloadUse};
use rtp::relay::{Said, Tapped, TappedPacket};

const PACKET: Duration = Duration::from_millis(20);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A packet on its way.
#[derive(Debug, Clone)]
struct Sent {
    arrives: Duration,
    packet: TappedPacket,
    payload: Vec<u8>,
}

fn head(seq: u16, timestamp: u32, used_for: PayloadUse) -> TappedPacket {
    let format = PayloadFormat { clock_rate: 8000, used_for };
    let codec = (used_for == PayloadUse::Media).then_some(Codec::Pcmu);
    TappedPacket { ssrc: Ssrc(1), seq, timestamp, marker: false, format, codec }
}

/// Mu-law of a sound that is `sample(n)` at its `n`th sample, in packets that arrive as they are sent.
fn packets(first: Duration, count: u16, sample: impl Fn(usize) -> i16) -> Vec<Sent> {
    let mut encoder = PcmuEncoder::new();
    (0..count)
        .map(|n| {
            let sound: Vec<i16> = (0..160).map(|m| sample(usize::from(n) * 160 + m)).collect();
            let payload = encoder.encode(&sound);
            let packet = head(n.wrapping_add(65_500), u32::from(n) * 160, PayloadUse::Media);
            Sent { arrives: first + PACKET * u32::from(n), packet, payload }
        })
        .collect()
}

fn level(value: i16) -> impl Fn(usize) -> i16 {
    move |_| value
}

/// All that is told of a call of this length.
fn hear(end: Duration, caller: &[Sent], callee: &[Sent]) -> Vec<Happening> {
    let mut listener = Listener::new(Settings::default());
    let mut sent: Vec<_> = caller.iter().map(|sent| (Party::Caller, sent)).collect();
    sent.extend(callee.iter().map(|sent| (Party::Callee, sent)));
    sent.sort_by_key(|(_, sent)| sent.arrives);
    let mut sent = sent.into_iter().peekable();
    let (mut now, mut told) = (Duration::ZERO, Vec::new());
    while now <= end {
        while let Some((party, sent)) = sent.next_if(|(_, sent)| sent.arrives <= now) {
            let tapped = Tapped { at: sent.arrives, dropped: 0, said: Said::Packet(sent.packet) };
            listener.handle(party, &tapped, &sent.payload);
        }
        listener.handle_timeout(now);
        told.extend(std::iter::from_fn(|| listener.poll()));
        now += millis(10);
    }
    listener.finish(end);
    told.extend(std::iter::from_fn(|| listener.poll()));
    told
}

/// The party's samples one after another; its frames are without a hole and of one rate.
fn sound(told: &[Happening], whose: Party) -> Vec<i16> {
    let mut next = Duration::ZERO;
    let mut sound = Vec::new();
    for happening in told {
        if let Happening::Frame { party, start, rate: 8000, samples, .. } = happening
            && *party == whose
        {
            assert_eq!((*start, samples.len()), (next, 160));
            next += PACKET;
            sound.extend_from_slice(samples);
        }
    }
    sound
}

/// From where to where the sound is this value as mu-law has it, in samples.
fn runs(sound: &[i16], value: i16) -> Vec<std::ops::Range<usize>> {
    let value = audio_codec::pcmu::PcmuDecoder::new().decode(&PcmuEncoder::new().encode(&[value]))[0];
    let mut runs = Vec::<std::ops::Range<usize>>::new();
    for at in (0..sound.len()).filter(|at| sound[*at] == value) {
        match runs.last_mut().filter(|run| run.end == at) {
            Some(run) => run.end += 1,
            None => runs.push(at..at + 1),
        }
    }
    runs
}

#[test]
fn sound_is_where_it_was_said_and_silence_around_it() {
    let told =
        hear(millis(2000), &packets(millis(500), 50, level(5000)), &packets(millis(100), 10, level(-5000)));
    let (caller, callee) = (sound(&told, Party::Caller), sound(&told, Party::Callee));
    assert_eq!((caller.len(), callee.len()), (16_000, 16_000));
    assert_eq!((runs(&caller, 5000), runs(&callee, -5000)), (vec![4000..12_000], vec![800..2400]));
    let concealed = |told: &Happening| matches!(told, Happening::Frame { concealed: true, .. });
    assert_eq!(told.iter().filter(|told| concealed(told)).count(), 6, "60 ms after each party's last packet");
}

#[test]
fn a_lost_packet_is_made_up_and_a_late_one_does_not_come_after_it() {
    let mut sent = packets(millis(0), 100, level(5000));
    sent[50].arrives += millis(150);
    sent.remove(40);
    sent.swap(60, 61);
    let told = hear(millis(1990), &sent, &[]);
    let caller = sound(&told, Party::Caller);
    let quiet = caller[160..].iter().filter(|sample| **sample < 3000).count();
    assert_eq!(quiet, 0, "it fades to two thirds at most");
    let concealed: Vec<_> = told
        .iter()
        .filter_map(|told| match told {
            Happening::Frame { start, concealed: true, .. } => Some(start.as_millis()),
            _ => None,
        })
        .collect();
    assert_eq!(concealed, [800, 1000]);
}

#[test]
fn silence_that_is_not_sent_takes_its_time() {
    for noise in [false, true] {
        let mut sent = packets(millis(0), 200, level(5000));
        sent.drain(50..150);
        for (n, sent) in sent.iter_mut().enumerate() {
            sent.packet.seq = n as u16 + u16::from(noise && n >= 50);
        }
        if noise {
            let packet = head(50, 50 * 160, PayloadUse::ComfortNoise);
            sent.insert(50, Sent { arrives: millis(1000), packet, payload: vec![40] });
        }
        let told = hear(millis(4000), &sent, &[]);
        let caller = sound(&told, Party::Caller);
        assert_eq!(runs(&caller, 5000), [0..8000, 24_000..32_000], "{noise}");
        assert!(caller[9000..24_000].iter().all(|sample| *sample == 0));
        if noise {
            assert!(caller[8000..24_000].iter().all(|sample| *sample == 0), "nothing is made up");
        }
    }
}

#[test]
fn another_stream_or_another_clock_goes_on_in_time() {
    let mut sent = packets(millis(0), 150, level(5000));
    for (n, sent) in sent.iter_mut().enumerate() {
        if n >= 50 {
            sent.packet.ssrc = Ssrc(2);
            sent.packet.timestamp = sent.packet.timestamp.wrapping_add(0xdead_beef);
            sent.packet.seq = sent.packet.seq.wrapping_add(20_000);
        }
        if n >= 100 {
            sent.packet.timestamp = sent.packet.timestamp.wrapping_add(0x4321_0000);
        }
    }
    let caller = sound(&hear(millis(3000), &sent, &[]), Party::Caller);
    assert_eq!(runs(&caller, 5000), [0..24_000]);
}

#[test]
fn a_digit_is_told_once_and_is_silence() {
    let mut sent = packets(millis(0), 100, level(5000));
    for (n, sent) in sent.iter_mut().enumerate().take(46).skip(40) {
        let mut packet = head(sent.packet.seq, 40 * 160, PayloadUse::Event);
        packet.ssrc = Ssrc(1);
        let lasts = 160 * (n as u16 - 39).min(4);
        let [high, low] = lasts.to_be_bytes();
        (sent.packet, sent.payload) = (packet, vec![7, u8::from(n >= 43) << 7, high, low]);
    }
    let told = hear(millis(2000), &sent, &[]);
    let digits: Vec<_> = told.iter().filter(|told| matches!(told, Happening::Digit { .. })).collect();
    let expected =
        Happening::Digit { party: Party::Caller, start: millis(800), digit: '7', duration: millis(80) };
    assert_eq!(digits, [&expected]);
    let caller = sound(&told, Party::Caller);
    assert!(caller[6400..7360].iter().all(|sample| *sample == 0));
    let starts = told.iter().filter(|told| told.party() == Party::Caller).map(Happening::start);
    assert!(starts.is_sorted(), "also a digit's");
}

#[test]
fn each_codec_is_heard_at_its_own_rate() {
    let mut sent = packets(millis(0), 100, level(5000));
    let mut encoder = audio_codec::g722::G722Encoder::new();
    for sent in &mut sent[50..] {
        let tone: Vec<i16> = (0..320).map(|n| if n % 40 < 20 { 8000 } else { -8000 }).collect();
        sent.packet.codec = Some(Codec::G722);
        sent.payload = encoder.encode(&tone);
    }
    for sent in &mut sent[80..] {
        sent.packet.codec = None; // Nobody knows it: silence.
    }
    let told = hear(millis(2000), &sent, &[]);
    let rates: Vec<_> = told
        .iter()
        .filter_map(|told| match told {
            Happening::Frame { party: Party::Caller, rate, samples, .. } => {
                assert_eq!(samples.len(), *rate as usize / 50);
                Some((*rate, samples.iter().any(|sample| *sample != 0)))
            }
            _ => None,
        })
        .collect();
    assert_eq!(rates.len(), 100);
    assert!(rates[..50].iter().all(|rate| *rate == (8000, true)));
    assert!(rates[50..80].iter().all(|rate| *rate == (16_000, true)), "{rates:?}");
    assert!(rates[83..].iter().all(|rate| !rate.1));
}

#[test]
fn holds_and_drops_are_told_in_their_place() {
    let mut listener = Listener::new(Settings::default());
    let said = Said::Held(true);
    listener.handle(Party::Callee, &Tapped { at: millis(310), dropped: 0, said }, &[]);
    let packet = head(9, 9, PayloadUse::Media);
    let tapped = Tapped { at: millis(610), dropped: 5, said: Said::Packet(packet) };
    listener.handle(Party::Callee, &tapped, &[0xff; 160]);
    listener.finish(millis(1000));
    let told: Vec<_> = std::iter::from_fn(|| listener.poll())
        .filter(|told| !matches!(told, Happening::Frame { .. }))
        .collect();
    let party = Party::Callee;
    let expected = [
        Happening::Hold { party, start: millis(310), held: true },
        Happening::Dropped { party, start: millis(510), duration: millis(100) },
    ];
    assert_eq!(told, expected);
}

/// What the network does with a packet: its delay in milliseconds, whether it comes at all, and how often.
fn way() -> impl Strategy<Value = (u64, bool, bool)> {
    (0..60_u64, prop::bool::weighted(0.05), prop::bool::weighted(0.02))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// A minute with 5 % loss, jitter that swaps packets, and repeats: each party's sound is as long as the call, and what both
    /// said at its end is where it was said.
    #[test]
    fn both_parties_are_in_step_after_a_minute(ways in prop::collection::vec((way(), way()), 3000), skews in (-200_i64..200, -200_i64..200)) {
        let burst = 2900 * 160..2950 * 160;
        let speak = |n: usize| if burst.contains(&n) { 20_000 } else { 1000 };
        let over = |ways: Vec<(u64, bool, bool)>, skew: i64| -> Vec<Sent> {
            let mut sent = Vec::new();
            for (n, (packet, (delay, lost, twice))) in packets(millis(40), 2998, speak).into_iter().zip(ways).enumerate() {
                let drift = n as i64 * 20_000 * skew / 1_000_000;
                let drift = Duration::from_micros(drift.unsigned_abs());
                let arrives = packet.arrives + millis(delay);
                let arrives = if skew < 0 { arrives.saturating_sub(drift) } else { arrives + drift };
                let packet = Sent { arrives, ..packet };
                if !lost {
                    sent.push(packet.clone());
                }
                if twice {
                    sent.push(packet);
                }
            }
            sent
        };
        let (a, b): (Vec<_>, Vec<_>) = ways.into_iter().unzip();
        let told = hear(millis(60_050), &over(a, skews.0), &over(b, skews.1));
        let mut begins = Vec::new();
        for (party, skew) in [(Party::Caller, skews.0), (Party::Callee, skews.1)] {
            let sound = sound(&told, party);
            prop_assert_eq!(sound.len() / 160, 60_050 / 20, "to a frame");
            let loud: Vec<_> = sound.iter().enumerate().filter(|(_, sample)| **sample > 10_000).map(|(at, _)| at).collect();
            let first = *loud.first().unwrap() as i64;
            begins.push(first - 58_000 * skew * 8 / 1_000_000);
            let expected = 8 * (40 + 58_000) + 58_000 * skew * 8 / 1_000_000;
            prop_assert!((first - expected).abs() <= 40 * 8, "{} instead of {}", first, expected);
            prop_assert!((6500..9000).contains(&loud.len()), "{} samples of a second", loud.len());
        }
        prop_assert!(begins[0].abs_diff(begins[1]) <= 40 * 8, "in step: {:?}", begins);
    }

    /// Whatever comes, there is a frame for each 20 ms, and nothing grows.
    #[test]
    fn anything_may_come(ways in prop::collection::vec((any::<u16>(), any::<u32>(), 0..3_u32, 0..4_u8, 0..50_u64), 0..400)) {
        let mut at = Duration::ZERO;
        let sent: Vec<_> = ways
            .into_iter()
            .map(|(seq, timestamp, ssrc, kind, pause)| {
                at += millis(pause);
                let used_for = [PayloadUse::Media, PayloadUse::Media, PayloadUse::Event, PayloadUse::ComfortNoise][usize::from(kind)];
                let mut packet = head(seq, timestamp, used_for);
                packet.ssrc = Ssrc(ssrc);
                if kind == 1 {
                    packet.codec = Some(Codec::G722);
                }
                let payload = timestamp.to_be_bytes().repeat(usize::from(seq % 100));
                Sent { arrives: at, packet, payload }
            })
            .collect();
        let end = at + millis(200);
        let told = hear(end, &sent, &[]);
        let frames = told.iter().filter(|told| matches!(told, Happening::Frame { party: Party::Caller, .. }));
        prop_assert_eq!(frames.count() as u128, end.as_millis() / 20);
    }
}
