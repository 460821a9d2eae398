//! Directions that somebody else forwards: the figures are those of a relay that saw each packet itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::disallowed_methods)] // a test's time starts somewhere

mod kernel;
mod pcap;
mod shared;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kernel::Kernel;
use rtp::ntp::NtpClock;
use rtp::packet::RtpPacket;
use rtp::relay::{
    CallStatistics, Component, FlowStatistics, LossPattern, Output, Relay, RelaySettings, Remote, Side,
    StreamKind, Tap,
};

const A: &str = "192.0.2.1:4000";
const B: &str = "198.51.100.2:6000";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A call between [`A`] and [`B`], with or without somebody who forwards.
struct Call {
    relay: Relay,
    kernel: Option<Kernel>,
    start: Instant,
    /// What reached the other side, and how often the kernel forwarded.
    forwarded: Vec<(Side, Vec<u8>)>,
    by_kernel: usize,
    offers: usize,
    reports: Vec<Vec<u8>>,
    silent: usize,
}

impl Call {
    fn new(start: Instant, offloads: bool) -> Call {
        let settings = RelaySettings {
            inactivity_timeout: Duration::from_secs(60),
            hold_timeout: Duration::from_secs(1800),
            clock: NtpClock::new(start, Duration::from_secs(1_800_000_000)),
        };
        let mut call = Call {
            relay: Relay::new(start, settings, 42),
            kernel: offloads.then(Kernel::default),
            start,
            forwarded: Vec::new(),
            by_kernel: 0,
            offers: 0,
            reports: Vec::new(),
            silent: 0,
        };
        call.remote(Duration::ZERO, Side::A, &Remote { rtp: Some(address(A)), ..remote() });
        call.remote(Duration::ZERO, Side::B, &Remote { rtp: Some(address(B)), ..remote() });
        call
    }

    fn sync(&mut self) {
        if let Some(kernel) = &mut self.kernel {
            kernel.tell(&mut self.relay);
        }
    }

    fn remote(&mut self, at: Duration, side: Side, remote: &Remote) {
        self.run_to(at);
        self.relay.handle_remote(self.start + at, side, remote);
        self.drain();
    }

    /// Lets time pass.
    fn run_to(&mut self, at: Duration) {
        self.sync();
        while let Some(timeout) = self.relay.poll_timeout().filter(|timeout| *timeout <= self.start + at) {
            self.relay.handle_timeout(timeout);
            self.drain();
        }
    }

    fn drain(&mut self) {
        let mut buffer = [0; 2048];
        while let Some(output) = self.relay.poll_output(&mut buffer) {
            match (output, &mut self.kernel) {
                (Output::Transmit { len, .. }, _) => self.reports.push(buffer[..len].to_vec()),
                (Output::Silent, _) => self.silent += 1,
                (Output::KeyUsedUp(_), _) => panic!("no key is used here"),
                (Output::Play { .. }, _) => panic!("nothing is played here"),
                (Output::Offload(flow), Some(kernel)) => {
                    self.offers += 1;
                    kernel.take(flow);
                }
                (Output::Offload(flow), None) => {
                    let counts = rtp::relay::Counts { ended: true, ..flow.counts };
                    self.relay.handle_counts(flow.side, &counts);
                }
                (Output::Reclaim(side), Some(kernel)) => kernel.give_back(side, &mut self.relay),
                (Output::Reclaim(_), None) => panic!("nothing is out"),
            }
        }
    }

    fn datagram(&mut self, at: Duration, side: Side, component: Component, from: SocketAddr, bytes: &[u8]) {
        let now = self.start + at;
        if self.relay.poll_timeout().is_some_and(|timeout| timeout <= now) {
            self.run_to(at);
        }
        if let Some(kernel) = &mut self.kernel
            && component == Component::Rtp
            && kernel.forward(now, side, from, bytes)
        {
            self.by_kernel += 1;
            return self.forwarded.push((side, bytes.to_vec()));
        }
        self.sync();
        let mut buffer = [0; 2048];
        buffer[..bytes.len()].copy_from_slice(bytes);
        let result = self.relay.handle_datagram(now, side, component, from, &mut buffer, bytes.len());
        if let Ok(Some(forward)) = result {
            self.forwarded.push((side, buffer[..forward.len].to_vec()));
        }
        self.drain();
    }

    /// The packets that went to a leg's party.
    fn sent_to(&self, side: Side) -> Vec<&Vec<u8>> {
        self.forwarded.iter().filter(|(from, _)| *from == side.other()).map(|(_, bytes)| bytes).collect()
    }

    fn statistics(&mut self, at: Duration) -> CallStatistics {
        self.sync();
        self.relay.call_statistics(self.start + at)
    }
}

fn remote() -> Remote {
    Remote { clock_rates: vec![(0, 8000), (8, 8000), (101, 8000)], events: vec![101], ..Remote::default() }
}

fn rtp(payload_type: u8, seq: u16, timestamp: u32, ssrc: u32, payload: usize) -> Vec<u8> {
    let mut bytes = vec![0x80, payload_type];
    bytes.extend(seq.to_be_bytes());
    bytes.extend(timestamp.to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    bytes.resize(12 + payload, 0xd5);
    bytes
}

/// The same to a microsecond: who forwards counts time in integers.
fn assert_same(one: &CallStatistics, other: &CallStatistics, whose: &str) {
    for (leg, one, other) in [("a", &one.a, &other.a), ("b", &one.b, &other.b)] {
        let flows = [("received", one.received, other.received), ("sent", one.sent, other.sent)];
        for (flow, one, other) in flows {
            let exact = |flow: FlowStatistics| FlowStatistics {
                jitter: None,
                max_jitter: None,
                mos: None,
                pattern: None,
                ..flow
            };
            assert_eq!(exact(one), exact(other), "{whose}: {leg} {flow}");
            let near = |one: Option<Duration>, other: Option<Duration>| match (one, other) {
                (Some(one), Some(other)) => one.abs_diff(other) < Duration::from_micros(1),
                (one, other) => one == other,
            };
            assert!(near(one.jitter, other.jitter), "{whose}: {leg} {flow} {one:?} {other:?}");
            assert!(near(one.max_jitter, other.max_jitter), "{whose}: {leg} {flow} {one:?} {other:?}");
            // Where losses lie that were not seen here is not known, and then they are rated as scattered.
            // How long a packet is need not be the same throughout.
            let placed = |pattern: LossPattern| LossPattern {
                burst_duration: Duration::ZERO,
                gap_duration: Duration::ZERO,
                ..pattern
            };
            let known = one.pattern.map(placed).zip(other.pattern.map(placed));
            assert!(known.is_none_or(|(one, other)| one == other), "{whose}: {leg} {flow} {known:?}");
            let is_known = known.is_some() || one.pattern == other.pattern;
            let scores = one.mos.zip(other.mos).filter(|_| is_known);
            let mos = scores.is_none_or(|(one, other)| (one - other).abs() < 1e-3);
            assert!(
                mos && one.mos.is_some() == other.mos.is_some(),
                "{whose}: {leg} {flow} {one:?} {other:?}"
            );
        }
        assert_eq!(one.round_trip, other.round_trip, "{whose}: {leg}");
        assert_eq!(one.refused, other.refused, "{whose}: {leg}");
        assert_eq!(one.one_way_silence, other.one_way_silence, "{whose}: {leg}");
    }
}

/// A receiver's report on the last stream that was sent to it, of which it has lost some; as of so many packets ago.
fn report_on(sent: &[&Vec<u8>], ago: u16) -> Option<Vec<u8>> {
    let last = sent.last()?;
    let seq = u16::from_be_bytes([last[2], last[3]]).wrapping_sub(ago);
    let lost = u32::try_from(sent.len() / 10).unwrap();
    let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 99];
    report.extend(&last[8..12]);
    report.extend(lost.to_be_bytes());
    report.extend(u32::from(seq).to_be_bytes());
    report.extend([0, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0]);
    Some(report)
}

/// Numbers by chance, the same each time.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

type Datagram = (Duration, Side, Component, SocketAddr, Vec<u8>);

/// A minute of two streams with all that happens to streams.
fn generate(seed: u64) -> Vec<Datagram> {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut datagrams = Vec::new();
    let faults = chance.next(4);
    for (side, from) in [(Side::A, address(A)), (Side::B, address(B))] {
        let (mut seq, mut timestamp, mut ssrc) = (chance.next(65_536) as u16, chance.next(1 << 32) as u32, 7);
        let mut at = 1_000 + chance.next(20_000);
        let mut event = 0;
        while at < 60_000_000 {
            at += 20_000;
            (seq, timestamp) = (seq.wrapping_add(1), timestamp.wrapping_add(160));
            if let Some(odds) = 4000_u64.checked_div(faults) {
                match chance.next(odds) {
                    0 => event = 12,
                    1 => ssrc += 1,
                    2 => at += 300_000 + chance.next(8_000_000), // silence
                    3 => seq = seq.wrapping_add(chance.next(4000) as u16),
                    4 => seq = chance.next(65_536) as u16,
                    5 => timestamp = timestamp.wrapping_add(chance.next(1 << 32) as u32),
                    6 => datagrams.push((
                        at,
                        side,
                        Component::Rtp,
                        address("203.0.113.5:9"),
                        rtp(0, seq, 0, 1, 9),
                    )),
                    7 => datagrams.push((at, side, Component::Rtp, from, vec![0; 20])), // STUN
                    8 => datagrams.push((at, side, Component::Rtp, from, rtp(13, seq, timestamp, ssrc, 1))),
                    9 => datagrams.push((at, side, Component::Rtp, from, vec![0x90, 0, 1])),
                    10..16 => {
                        let beside = SocketAddr::new(from.ip(), from.port() + 1);
                        datagrams.push((at, side, Component::Rtcp, beside, vec![chance.next(90) as u8]));
                    }
                    _ => {}
                }
            }
            let kind = if event > 0 { 101 } else { 0 };
            event = i32::max(event - 1, 0);
            let marker = if chance.next(200) == 0 { 0x80 } else { 0 };
            let bytes = rtp(kind | marker, seq, timestamp, ssrc, 20 + chance.next(160) as usize);
            let late =
                chance.next(30_000) * u64::from(faults > 0) + chance.next(100) / 99 * chance.next(900_000);
            if chance.next(100) != 0 {
                datagrams.push((at + late, side, Component::Rtp, from, bytes.clone()));
            }
            if chance.next(100) == 0 {
                datagrams.push((at + late + chance.next(50_000), side, Component::Rtp, from, bytes));
            }
        }
    }
    datagrams.sort_by_key(|(at, ..)| *at);
    let micros =
        |(at, side, component, from, bytes)| (Duration::from_micros(at), side, component, from, bytes);
    datagrams.into_iter().map(micros).collect()
}

#[test]
fn figures_from_counts_are_those_from_packets() {
    let start = Instant::now();
    let (mut by_kernel, mut all) = (0, 0);
    for seed in 0..60 {
        let (mut one, mut other) = (Call::new(start, false), Call::new(start, true));
        for (at, side, component, from, mut bytes) in generate(seed) {
            if component == Component::Rtcp {
                let Some(report) = report_on(&one.sent_to(side), u16::from(bytes[0])) else { continue };
                bytes = report;
            }
            one.datagram(at, side, component, from, &bytes);
            other.datagram(at, side, component, from, &bytes);
        }
        let end = Duration::from_secs(62);
        one.run_to(end);
        other.run_to(end);
        assert_same(&one.statistics(end), &other.statistics(end), &format!("seed {seed}"));
        assert_eq!(one.forwarded, other.forwarded, "seed {seed}");
        assert_eq!(one.reports.len(), other.reports.len());
        for (one, other) in one.reports.iter().zip(&other.reports) {
            assert!(is_same_report(one, other), "seed {seed}: {one:?} {other:?}");
        }
        (by_kernel, all) = (by_kernel + other.by_kernel, all + other.forwarded.len());
    }
    assert!(by_kernel * 2 > all, "{by_kernel} of {all}");
}

/// Jitter in ticks may be rounded the other way.
fn is_same_report(one: &[u8], other: &[u8]) -> bool {
    let differs = one.iter().zip(other).filter(|(one, other)| one.abs_diff(**other) > 1).count();
    one.len() == other.len() && differs == 0
}

/// Each RTP stream of each capture, towards somebody who answers with a stream of its own.
#[test]
fn figures_of_captures_are_the_same() {
    let Some(folder) = shared::path("testdata/pcap") else { return };
    let (start, mut by_kernel) = (Instant::now(), 0);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for path in files.filter(|path| path.extension().is_some_and(|extension| extension != "md")) {
        let mut streams = std::collections::BTreeMap::<_, Vec<(Duration, Vec<u8>)>>::new();
        for datagram in pcap::read(&path).into_iter().filter(|datagram| datagram.to.port() != 0) {
            if let Ok(packet) = RtpPacket::parse(&datagram.payload) {
                let stream = streams.entry((datagram.from, datagram.to, packet.ssrc())).or_default();
                stream.push((datagram.at, datagram.payload));
            }
        }
        for (name, stream) in streams.into_iter().filter(|(_, stream)| stream.len() > 200) {
            let (mut one, mut other) = (Call::new(start, false), Call::new(start, true));
            let first = stream[0].0;
            let mut last = Duration::ZERO;
            for (number, (at, bytes)) in stream.into_iter().enumerate() {
                let at = at.saturating_sub(first) + Duration::from_millis(100);
                let answer = rtp(0, number as u16, 160 * number as u32, 9, 160);
                for call in [&mut one, &mut other] {
                    call.datagram(at, Side::A, Component::Rtp, address(A), &bytes);
                    call.datagram(at, Side::B, Component::Rtp, address(B), &answer);
                }
                last = last.max(at);
            }
            assert_same(&one.statistics(last), &other.statistics(last), &format!("{path:?} {name:?}"));
            assert_eq!(one.forwarded, other.forwarded);
            by_kernel += other.by_kernel;
        }
    }
    assert!(by_kernel > 1000, "{by_kernel}");
}

/// Sends steadily both ways; returns when it ended.
fn talk(call: &mut Call, from: u64, packets: u64) -> Duration {
    for number in from..from + packets {
        let (seq, timestamp) = (number as u16, 160 * number as u32);
        let at = Duration::from_millis(20 * number);
        call.datagram(at, Side::A, Component::Rtp, address(A), &rtp(0, seq, timestamp, 1, 160));
        call.datagram(at, Side::B, Component::Rtp, address(B), &rtp(0, seq, timestamp, 2, 160));
    }
    Duration::from_millis(20 * (from + packets))
}

fn is_out(call: &Call) -> bool {
    call.relay.flow(Side::A).is_some() && call.relay.flow(Side::B).is_some()
}

#[test]
fn a_steady_call_is_offered_and_every_change_asks_it_back() {
    let named = |rtp, change: fn(&mut Remote)| {
        let mut remote = Remote { rtp: Some(address(rtp)), ..remote() };
        change(&mut remote);
        remote
    };
    let changes: [(&str, Remote); 4] = [
        ("re-INVITE", named(A, |_| {})),
        ("hold", named(A, |remote| remote.on_hold = true)),
        ("fax", named(A, |remote| remote.kind = StreamKind::Udptl)),
        ("move", named("192.0.2.9:4000", |_| {})),
    ];
    for (what, change) in changes {
        let mut call = Call::new(Instant::now(), true);
        let at = talk(&mut call, 0, 600);
        assert!(is_out(&call), "{what}");
        assert!(call.by_kernel > 400, "{what}: {}", call.by_kernel);
        call.remote(at, Side::A, &change);
        assert!(call.relay.flow(Side::A).is_none() && call.relay.flow(Side::B).is_none(), "{what}");
        if what == "re-INVITE" {
            talk(&mut call, 600, 600);
            assert!(is_out(&call), "{what}");
            assert_eq!((call.offers, call.forwarded.len()), (4, 2400));
        }
    }
    let mut call = Call::new(Instant::now(), true);
    call.relay.set_tapped(true);
    talk(&mut call, 0, 600);
    assert_eq!(call.offers, 0);
    call.relay.set_tapped(false);
    let at = talk(&mut call, 600, 600);
    assert!(is_out(&call));
    call.relay.set_tapped(true);
    call.run_to(at);
    assert!(call.relay.flow(Side::A).is_none() && call.relay.flow(Side::B).is_none());
}

#[test]
fn a_call_that_somebody_listens_to_comes_back_and_may_go_again() {
    let mut call = Call::new(Instant::now(), true);
    let at = talk(&mut call, 0, 600);
    assert!(is_out(&call));
    let (tap, [mut caller, _callee]) = Tap::new(call.start + at, 1 << 20);
    call.relay.listen(call.start + at, tap);
    call.run_to(at);
    assert!(call.relay.flow(Side::A).is_none() && call.relay.flow(Side::B).is_none());
    let (by_kernel, offers) = (call.by_kernel, call.offers);
    talk(&mut call, 600, 600);
    assert_eq!((call.by_kernel, call.offers), (by_kernel, offers));
    let mut payload = Vec::new();
    let heard = std::iter::from_fn(|| caller.read(&mut payload)).count();
    assert_eq!(heard, 600, "each packet");
    call.relay.stop_listening();
    talk(&mut call, 1200, 600);
    assert!(is_out(&call));
}

#[test]
fn a_source_that_changes_takes_both_directions_back() {
    let mut call = Call::new(Instant::now(), true);
    let at = talk(&mut call, 0, 600);
    assert!(is_out(&call));
    // While the source is heard nobody else is, though the relay sees none of its packets.
    let moved = address("192.0.2.1:4444");
    call.datagram(at, Side::A, Component::Rtp, moved, &rtp(0, 600, 96_000, 1, 160));
    assert_eq!(call.relay.call_statistics(call.start).a.refused.total(), 1);
    assert!(is_out(&call));
    let later = at + Duration::from_millis(1500);
    call.datagram(later, Side::A, Component::Rtp, moved, &rtp(0, 675, 108_000, 1, 160));
    assert_eq!(call.relay.call_statistics(call.start).a.refused.total(), 1);
    assert!(call.relay.flow(Side::A).is_none());
}

#[test]
fn silence_is_told_of_flows_too() {
    let mut call = Call::new(Instant::now(), true);
    let at = talk(&mut call, 0, 4000); // longer than the timeout
    assert!(is_out(&call));
    call.run_to(at);
    assert_eq!(call.silent, 0);
    call.run_to(at + Duration::from_secs(59));
    assert_eq!(call.silent, 0);
    call.run_to(at + Duration::from_secs(61));
    assert_eq!(call.silent, 1);
}
