//! A relayed call in virtual time: two peers, our relay between them, losses where the test wants them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::disallowed_methods)] // a test's time starts somewhere

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtp::ntp::{NtpClock, NtpShort};
use rtp::packet::{RtpPacket, Ssrc};
use rtp::quality::{PayloadFormat, PayloadUse, Receiver};
use rtp::relay::{Component, Forward, Output, Refusal, Relay, RelaySettings, Remote, Side, StreamKind};
use rtp::rtcp::{Compound, Packet, ReportBlock, Writer};

const A: &str = "203.0.113.1:4000";
const B: &str = "198.51.100.2:6000";
const PACKET: Duration = Duration::from_millis(20);
const PCMU: PayloadFormat = PayloadFormat { clock_rate: 8000, used_for: PayloadUse::Media };

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn rtp(ssrc: u32, seq: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(seq.to_be_bytes());
    packet.extend((u32::from(seq) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xd5; 160]);
    packet
}

struct Call {
    relay: Relay,
    now: Instant,
    buffer: [u8; 2048],
}

/// A report of ours: whence, whereto, bytes.
type Report = (Side, Component, SocketAddr, Vec<u8>);

impl Call {
    fn new() -> Call {
        let now = Instant::now();
        let settings = RelaySettings {
            inactivity_timeout: Duration::from_secs(60),
            hold_timeout: Duration::from_secs(1800),
            clock: NtpClock::new(now, Duration::from_secs(1_800_000_000)),
        };
        Call { relay: Relay::new(now, settings, 1), now, buffer: [0; 2048] }
    }

    /// Both peers have spoken.
    fn connected() -> Call {
        let mut call = Call::new();
        call.remote(Side::A, remote(A));
        call.remote(Side::B, remote(B));
        call
    }

    fn remote(&mut self, side: Side, remote: Remote) {
        self.relay.handle_remote(self.now, side, &remote);
    }

    fn datagram(
        &mut self,
        side: Side,
        component: Component,
        from: &str,
        bytes: &[u8],
    ) -> Result<Option<Forward>, Refusal> {
        self.buffer[..bytes.len()].copy_from_slice(bytes);
        let from = address(from);
        self.relay.handle_datagram(self.now, side, component, from, &mut self.buffer, bytes.len())
    }

    fn rtp(&mut self, side: Side, from: &str, ssrc: u32, seq: u16) -> Result<SocketAddr, Refusal> {
        let forward = self.datagram(side, Component::Rtp, from, &rtp(ssrc, seq))?;
        Ok(forward.expect("forwarded").to)
    }

    /// Lets time pass up to `until`, waking the relay when it wants to be; returns its reports and whether it fell silent.
    fn wait(&mut self, until: Instant) -> (Vec<Report>, bool) {
        let (mut reports, mut silent) = (Vec::new(), false);
        while let Some(timeout) = self.relay.poll_timeout()
            && timeout <= until
        {
            assert!(timeout >= self.now || timeout + PACKET >= self.now, "a timeout long past");
            self.relay.handle_timeout(timeout.max(self.now));
            while let Some(output) = self.relay.poll_output(&mut self.buffer) {
                match output {
                    Output::Transmit { side, component, to, len } => {
                        reports.push((side, component, to, self.buffer[..len].to_vec()));
                    }
                    Output::Silent => silent = true,
                    Output::KeyUsedUp(_) | Output::Offload(_) | Output::Reclaim(_) | Output::Play { .. } => {} // never asked for here
                }
            }
        }
        self.now = until;
        (reports, silent)
    }

    fn pass(&mut self, time: Duration) -> (Vec<Report>, bool) {
        self.wait(self.now + time)
    }

    /// Our own wall-clock time, as the reports have it.
    fn ntp(&self, start: Instant) -> rtp::ntp::NtpTime {
        NtpClock::new(start, Duration::from_secs(1_800_000_000)).at(self.now)
    }
}

fn remote(rtp: &str) -> Remote {
    let rtp = address(rtp);
    Remote { rtp: Some(rtp), rtcp: Some(SocketAddr::new(rtp.ip(), rtp.port() + 1)), ..Remote::default() }
}

fn receiver_report(sender: u32, block: ReportBlock) -> Vec<u8> {
    let mut buffer = [0; 64];
    let mut writer = Writer::new(&mut buffer);
    writer.receiver_report(Ssrc(sender), &[block]);
    let len = writer.len();
    buffer[..len].to_vec()
}

#[test]
fn packets_pass_unchanged_both_ways() {
    let mut call = Call::connected();
    for seq in [65_534, 65_535, 0, 1] {
        for (side, from, to, ssrc) in [(Side::A, A, B, 1), (Side::B, B, A, 2)] {
            let packet = rtp(ssrc, seq);
            let forward = call.datagram(side, Component::Rtp, from, &packet);
            assert_eq!(forward, Ok(Some(Forward { to: address(to), len: packet.len() })));
            assert_eq!(call.buffer[..packet.len()], packet);
        }
    }
}

/// Sound that waited too long in our own queue goes no further, a digit does; the peer lost neither.
#[test]
fn what_waited_too_long_is_refused_and_is_nobodys_loss() {
    let mut call = Call::connected();
    call.remote(Side::B, Remote { events: vec![101], ..remote(B) });
    let late = |call: &mut Call, seq: u16, payload_type: u8| {
        let mut packet = rtp(1, seq);
        packet[1] = payload_type;
        call.buffer[..packet.len()].copy_from_slice(&packet);
        let (now, from, len) = (call.now, address(A), packet.len());
        let taken =
            call.relay.handle_late_datagram(now, Side::A, Component::Rtp, from, &mut call.buffer, len);
        taken.map(|forward| forward.unwrap().to)
    };
    assert_eq!(call.rtp(Side::A, A, 1, 1), Ok(address(B)));
    assert_eq!(late(&mut call, 2, 0), Err(Refusal::Late));
    assert_eq!(late(&mut call, 3, 101), Ok(address(B)));
    assert_eq!(call.rtp(Side::A, A, 1, 4), Ok(address(B)));
    let statistics = call.relay.call_statistics(call.now);
    assert_eq!((statistics.a.received.rtp_packets, statistics.a.received.packets_lost), (4, Some(0)));
    assert_eq!((statistics.a.refused.of(Refusal::Late), statistics.b.sent.rtp_packets), (1, 3));
}

/// A gap is the peer's loss less what our own socket may have dropped since its last packet.
#[test]
fn what_our_own_socket_dropped_is_nobodys_loss() {
    let mut call = Call::connected();
    assert_eq!(call.rtp(Side::A, A, 1, 10), Ok(address(B)));
    call.relay.handle_unread(Side::A, 3);
    assert_eq!(call.rtp(Side::A, A, 1, 15), Ok(address(B))); // four are missing
    call.relay.handle_unread(Side::A, 9); // of others: nothing is missing here
    assert_eq!(call.rtp(Side::A, A, 1, 16), Ok(address(B)));
    assert_eq!(call.rtp(Side::A, A, 1, 18), Ok(address(B))); // lost on the way
    let statistics = call.relay.call_statistics(call.now);
    assert_eq!(statistics.a.received.packets_lost, Some(2));
    assert_eq!(statistics.a.refused.of(Refusal::Unread), 3);
}

#[test]
fn refusals_are_counted_by_cause() {
    let mut call = Call::new();
    call.remote(Side::A, remote(A));
    assert_eq!(call.rtp(Side::A, A, 1, 1), Err(Refusal::Unroutable));
    call.remote(Side::B, remote(B));
    assert_eq!(call.rtp(Side::A, A, 1, 2), Ok(address(B)));
    assert_eq!(call.rtp(Side::A, "192.0.2.9:9", 1, 3), Err(Refusal::Source));
    call.pass(Duration::from_secs(2));
    assert_eq!(call.rtp(Side::A, "192.0.2.9:9", 7, 3), Err(Refusal::Discontinuous));
    assert_eq!(call.datagram(Side::A, Component::Rtp, A, b"\r\n\r\n"), Err(Refusal::Malformed));
    assert_eq!(
        call.datagram(Side::A, Component::Rtcp, "203.0.113.1:4001", &[0x80, 201]),
        Err(Refusal::Malformed)
    );
    let oversized = call.relay.handle_datagram(
        call.now,
        Side::A,
        Component::Rtp,
        address(A),
        &mut call.buffer,
        usize::MAX,
    );
    assert_eq!(oversized, Err(Refusal::Oversized));
    let refused = call.relay.call_statistics(call.now).a.refused;
    let counts: Vec<_> = refused.iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(
        counts,
        [
            (Refusal::Source, 1),
            (Refusal::Discontinuous, 1),
            (Refusal::Malformed, 2),
            (Refusal::Oversized, 1),
            (Refusal::Unroutable, 1)
        ]
    );
}

#[test]
fn one_packet_in_50_lost_before_us() {
    let mut call = Call::connected();
    let start = call.now;
    // What B measures of that which we forward.
    let mut far: Option<Receiver> = None;
    let mut seen = Vec::new();
    for seq in 0..1500_u16 {
        let (reports, _) = call.wait(start + PACKET * u32::from(seq));
        for (side, component, to, bytes) in reports {
            let expected = if side == Side::A { (A, 4001) } else { (B, 6001) };
            assert_eq!(to, SocketAddr::new(address(expected.0).ip(), expected.1));
            assert_eq!(component, Component::Rtcp);
            match Compound::parse(&bytes).unwrap().next() {
                Some(Packet::ReceiverReport { mut reports, .. }) if side == Side::A => {
                    let block = reports.next().unwrap();
                    // As many as were due by the last packet that came.
                    let highest = block.highest_seq;
                    assert_eq!(block.cumulative_lost, (highest as i32 + 43) / 50, "by {highest}");
                    assert!((4..=6).contains(&block.fraction_lost), "{}", block.fraction_lost);
                    seen.push(highest);
                }
                Some(Packet::SenderReport { ssrc, info, mut reports }) if side == Side::B => {
                    assert_eq!((ssrc, reports.next()), (Ssrc(1), None));
                    assert_eq!(info.packets * 160, info.bytes);
                    let far = far.as_mut().unwrap();
                    far.handle_sender_report(call.now, info.ntp);
                    call.now += Duration::from_millis(40); // the path there and back
                    let block = far.report(call.now - Duration::from_millis(20));
                    let report = receiver_report(2, block);
                    let taken = call.datagram(Side::B, Component::Rtcp, "198.51.100.2:6001", &report);
                    assert_eq!(taken, Ok(None));
                    call.now -= Duration::from_millis(40);
                }
                other => panic!("{side:?} {other:?}"),
            }
        }
        if seq % 50 == 7 {
            continue; // lost before us
        }
        call.rtp(Side::A, A, 1, seq).unwrap();
        if seq % 100 == 11 {
            continue; // lost behind us
        }
        let bytes = rtp(1, seq);
        let packet = RtpPacket::parse(&bytes).unwrap();
        match &mut far {
            Some(far) => {
                far.handle_packet(call.now, &packet, PCMU);
            }
            None => far = Some(Receiver::new(call.now, &packet, PCMU)),
        }
    }
    assert!(seen.len() >= 5, "{seen:?}");
    let statistics = call.relay.call_statistics(call.now);
    let (received, sent) = (statistics.a.received, statistics.b.sent);
    assert_eq!((received.rtp_packets, received.packets_lost, received.duplicates), (1470, Some(30), 0));
    assert_eq!(received.jitter, Some(Duration::ZERO));
    assert_eq!(sent.rtp_packets, 1470);
    // 15 were lost behind us; the last report is some seconds old.
    assert!((10..=15).contains(&sent.packets_lost.unwrap()), "{sent:?}");
    let round_trip = statistics.b.round_trip.unwrap().as_millis();
    // 20 ms of path, and up to one packet time until the test looks at a report.
    assert!((20..=40).contains(&round_trip), "{round_trip} ms");
    assert_eq!(statistics.a.round_trip, None);
    // One in 50 costs more than one in 100; neither is an alarm.
    let (mos_in, mos_out) = (received.mos.unwrap(), sent.mos.unwrap());
    assert!(4.2 < mos_in && mos_in < mos_out && mos_out < 4.4, "{mos_in} {mos_out}");
    assert_eq!(statistics.b.mos, sent.mos);
}

/// One bad block spoils no figure of the call.
#[test]
fn a_report_that_cannot_be_is_not_believed() {
    let mut call = Call::connected();
    let mut taken = 0;
    for seq in 0..1_000_u16 {
        call.rtp(Side::A, A, 1, seq).unwrap();
        for (_, _, _, bytes) in call.pass(PACKET).0 {
            let Some(Packet::SenderReport { info, .. }) = Compound::parse(&bytes).unwrap().next() else {
                continue;
            };
            let block = ReportBlock {
                ssrc: Ssrc(1),
                fraction_lost: 0,
                cumulative_lost: 0,
                highest_seq: u32::from(seq),
                jitter: if taken == 0 { u32::MAX } else { 80 },
                last_sr: info.ntp.short(),
                delay_since_last_sr: NtpShort(if taken == 0 { 0x9000_0000 } else { 0 }),
            };
            call.datagram(Side::B, Component::Rtcp, "198.51.100.2:6001", &receiver_report(2, block)).unwrap();
            taken += 1;
        }
    }
    assert!(taken >= 2);
    let b = call.relay.call_statistics(call.now).b;
    assert!(b.round_trip.unwrap() <= PACKET, "{:?}", b.round_trip);
    assert_eq!(b.sent.max_jitter, Some(Duration::from_millis(10)));
    assert!(b.sent.mos.unwrap() > 4.3, "{:?}", b.sent.mos);
}

#[test]
fn the_gateways_own_figures_at_5_second_steps() {
    let start = Instant::now();
    let first = rtp(1, 0);
    let mut receiver = Receiver::new(start, &RtpPacket::parse(&first).unwrap(), PCMU);
    let mut blocks = Vec::new();
    for seq in 1..=1250_u16 {
        let now = start + PACKET * u32::from(seq);
        if seq % 250 == 0 {
            let block = receiver.report(now);
            blocks.push((block.fraction_lost, block.cumulative_lost));
        }
        if seq % 50 != 7 {
            receiver.handle_packet(now, &RtpPacket::parse(&rtp(1, seq)).unwrap(), PCMU);
        }
    }
    assert_eq!(blocks, [(5, 5), (5, 10), (5, 15), (5, 20), (5, 25)]);
}

/// A sender that is silent at times lets its timestamps pass over the silence: the sound in a packet stays what it is.
#[test]
fn the_time_of_a_packet_is_that_of_its_sound_and_not_of_a_silence() {
    let start = Instant::now();
    let packet = |seq: u16, timestamp: u32, marker: bool| {
        let mut bytes = rtp(1, seq);
        bytes[1] |= u8::from(marker) << 7;
        bytes[4..8].copy_from_slice(&timestamp.to_be_bytes());
        bytes
    };
    let mut receiver = Receiver::new(start, &RtpPacket::parse(&packet(0, 0, true)).unwrap(), PCMU);
    let mut timestamp = 0;
    for seq in 1..=100_u16 {
        // Every tenth comes after 400 ms, half of those with a marker, which may have a step of its own.
        let step = match seq % 20 {
            10 => 3200,
            0 => 80,
            _ => 160,
        };
        timestamp += step;
        let now = start + Duration::from_micros(125) * timestamp;
        let bytes = packet(seq, timestamp, step == 80);
        receiver.handle_packet(now, &RtpPacket::parse(&bytes).unwrap(), PCMU);
        if seq > 1 {
            assert_eq!(receiver.packet_time(), PACKET, "{seq}");
        }
    }
}

#[test]
fn a_report_block_answers_the_peers_sender_report() {
    let mut call = Call::connected();
    let start = call.now;
    call.rtp(Side::A, A, 1, 1).unwrap();
    let mut buffer = [0; 64];
    let mut writer = Writer::new(&mut buffer);
    let info = rtp::rtcp::SenderInfo { ntp: call.ntp(start), rtp_timestamp: 0, packets: 1, bytes: 160 };
    writer.sender_report(Ssrc(1), &info, &[]);
    let len = writer.len();
    call.datagram(Side::A, Component::Rtcp, "203.0.113.1:4001", &buffer[..len]).unwrap();
    let came = call.now;
    let (reports, _) = call.pass(Duration::from_secs(4));
    let (_, _, _, bytes) = reports.iter().find(|(side, ..)| *side == Side::A).unwrap();
    let packets: Vec<_> = Compound::parse(bytes).unwrap().collect();
    let [Packet::ReceiverReport { mut reports, .. }, Packet::SourceDescription { cname: Some(cname), .. }] =
        packets[..]
    else {
        panic!("{packets:?}");
    };
    let block = reports.next().unwrap();
    assert_eq!((block.ssrc, block.last_sr), (Ssrc(1), info.ntp.short()));
    assert!(block.delay_since_last_sr.0 > 0);
    assert!(block.delay_since_last_sr.to_duration() <= call.now - came);
    assert_eq!(cname.len(), 16);
}

#[test]
fn muxed_reports_share_the_port_and_the_lock() {
    let mut call = Call::connected();
    call.remote(Side::A, Remote { mux: true, ..remote(A) });
    call.rtp(Side::A, A, 1, 1).unwrap();
    let block = ReportBlock {
        ssrc: Ssrc(9),
        fraction_lost: 0,
        cumulative_lost: 0,
        highest_seq: 0,
        jitter: 0,
        last_sr: NtpShort(0),
        delay_since_last_sr: NtpShort(0),
    };
    let report = receiver_report(1, block);
    assert_eq!(call.datagram(Side::A, Component::Rtp, A, &report), Ok(None));
    assert_eq!(call.datagram(Side::A, Component::Rtp, "192.0.2.9:9", &report), Err(Refusal::Source));
    let (reports, _) = call.pass(Duration::from_secs(4));
    let (_, component, to, _) = reports.iter().find(|(side, ..)| *side == Side::A).unwrap();
    assert_eq!((*component, *to), (Component::Rtp, address(A)));
    assert_eq!(call.relay.call_statistics(call.now).a.received.rtcp_packets, 1);
}

/// Our reports name the stream and how far it has got: all that a stranger needs to take its place.
#[test]
fn reports_go_to_nobody_but_the_peer() {
    let (nat, nat_rtcp, stranger) = ("192.0.2.50:40000", "192.0.2.50:40001", "192.0.2.66:6");
    let block = ReportBlock {
        ssrc: Ssrc(9),
        fraction_lost: 0,
        cumulative_lost: 0,
        highest_seq: 0,
        jitter: 0,
        last_sr: NtpShort(0),
        delay_since_last_sr: NtpShort(0),
    };
    for early in [false, true] {
        let mut call = Call::connected();
        call.remote(Side::A, remote("10.0.0.5:4000")); // behind NAT: we send where it sends from
        let report = |call: &mut Call, from: &str, sender| {
            call.datagram(Side::A, Component::Rtcp, from, &receiver_report(sender, block))
        };
        if early {
            assert_eq!(report(&mut call, stranger, 9), Ok(None), "nobody else was heard yet");
        }
        let mut to = Vec::new();
        for seq in 0..1_000 {
            call.rtp(Side::A, nat, 1, seq).unwrap();
            let ours = call.pass(PACKET).0;
            to.extend(ours.into_iter().filter(|(side, ..)| *side == Side::A).map(|(_, _, to, _)| to));
            match seq {
                100..600 if seq % 50 == 0 => assert_eq!(report(&mut call, stranger, 9), Err(Refusal::Source)),
                600 => assert_eq!(report(&mut call, nat_rtcp, 1), Ok(None)),
                _ => {}
            }
        }
        assert!(to.contains(&address(nat_rtcp)) && !to.contains(&address(stranger)), "{early} {to:?}");
        assert_eq!(report(&mut call, "10.0.0.5:4001", 1), Ok(None), "the address that it named");
    }
}

#[test]
fn silence_is_told_once_and_again_after_signalling() {
    let mut call = Call::new();
    call.remote(Side::A, remote(A));
    assert!(!call.pass(Duration::from_secs(3600)).1, "ringing is no silence");
    call.remote(Side::B, remote(B));
    assert!(!call.pass(Duration::from_secs(30)).1);
    call.rtp(Side::B, B, 1, 1).unwrap();
    assert!(!call.pass(Duration::from_millis(59_999)).1, "B was heard");
    assert!(call.pass(Duration::from_millis(1)).1);
    assert!(!call.pass(Duration::from_secs(3600)).1, "once");
    call.remote(Side::A, Remote { on_hold: true, ..remote(A) });
    assert!(!call.pass(Duration::from_secs(1799)).1, "held");
    assert!(call.pass(Duration::from_secs(1)).1);
}

#[test]
fn one_way_silence_is_marked_on_the_silent_leg() {
    let mut call = Call::connected();
    for seq in 0..3500 {
        call.rtp(Side::A, A, 1, seq).unwrap();
        assert!(!call.pass(PACKET).1);
    }
    let statistics = call.relay.call_statistics(call.now);
    assert!(statistics.b.one_way_silence && !statistics.a.one_way_silence);
}

#[test]
fn a_fax_in_mid_call_costs_no_loss() {
    let mut call = Call::connected();
    for seq in 0..100 {
        call.rtp(Side::A, A, 1, seq).unwrap();
        call.pass(PACKET);
    }
    for (side, from) in [(Side::A, A), (Side::B, B)] {
        call.remote(side, Remote { kind: StreamKind::Udptl, ..remote(from) });
    }
    call.rtp_trails(2, 100);
    for seq in 0..500_u16 {
        let mut packet = seq.to_be_bytes().to_vec();
        packet.extend([1, 7]);
        let forward = call.datagram(Side::A, Component::Rtp, A, &packet).unwrap();
        assert_eq!(forward, Some(Forward { to: address(B), len: 4 }));
        assert!(call.pass(PACKET).0.is_empty(), "no RTCP beside T.38");
    }
    for (side, from) in [(Side::A, A), (Side::B, B)] {
        call.remote(side, remote(from));
    }
    for seq in 600..700 {
        call.rtp(Side::A, A, 1, seq).unwrap();
        call.pass(PACKET);
    }
    let statistics = call.relay.call_statistics(call.now);
    assert_eq!(statistics.a.received.packets_lost, Some(0));
    assert_eq!(statistics.a.received.udptl_packets, 502);
    assert_eq!(statistics.b.sent.udptl_packets, 502);
}

impl Call {
    /// Sound that was on its way when the call became a fax.
    fn rtp_trails(&mut self, count: u16, seq: u16) {
        for n in 0..count {
            self.datagram(Side::A, Component::Rtp, A, &rtp(1, seq + n)).unwrap();
            self.pass(PACKET);
        }
    }
}

/// A fax machine listens for long, and its numbers are easily guessed: a stranger's must not take its place.
#[test]
fn a_silent_fax_is_not_followed_to_a_strangers_host() {
    let mut call = Call::connected();
    for (side, from) in [(Side::A, A), (Side::B, B)] {
        call.remote(side, Remote { kind: StreamKind::Udptl, ..remote(from) });
    }
    let fax = |call: &mut Call, from: &str, seq: u16| {
        let [high, low] = seq.to_be_bytes();
        call.datagram(Side::A, Component::Rtp, from, &[high, low, 1, 7]).map(|forward| forward.unwrap().to)
    };
    assert_eq!(fax(&mut call, A, 40_000), Ok(address(B)));
    call.pass(Duration::from_secs(2));
    for n in 0..22 {
        assert_eq!(fax(&mut call, "192.0.2.66:6", n * 2_979), Err(Refusal::Discontinuous));
    }
    assert_eq!(fax(&mut call, "203.0.113.1:4400", 39_999), Err(Refusal::Discontinuous));
    assert_eq!(fax(&mut call, "203.0.113.1:4400", 40_001), Ok(address(B)), "a rebind of its NAT");
}

#[test]
fn minutes_add_up_to_the_call() {
    let mut call = Call::connected();
    let mut minutes = Vec::new();
    for seq in 0..6000_u16 {
        if seq % 100 != 50 {
            call.rtp(Side::A, A, 1 + u32::from(seq / 2500), seq).unwrap(); // two changes of SSRC
        }
        call.pass(PACKET);
        if seq % 3000 == 2999 {
            minutes.push(call.relay.minute_statistics(call.now));
        }
    }
    let statistics = call.relay.call_statistics(call.now);
    assert_eq!(minutes.len(), 2);
    for minute in &minutes {
        assert_eq!(minute.period, Duration::from_secs(60));
        assert_eq!((minute.a.received.rtp_packets, minute.a.received.packets_lost), (2970, Some(30)));
        assert_eq!(minute.b.sent.rtp_packets, 2970);
    }
    assert_eq!(statistics.period, Duration::from_secs(120));
    assert_eq!((statistics.a.received.rtp_packets, statistics.a.received.packets_lost), (5940, Some(60)));
}

/// Both streams of a recording session are one peer's.
#[test]
fn what_is_only_listened_to_is_measured_and_sent_nowhere() {
    let mut call = Call::new();
    for (side, at) in [(Side::A, A), (Side::B, B)] {
        call.remote(side, Remote { ends_here: true, ..remote(at) });
    }
    let mut reports = 0;
    for seq in 0..1000 {
        for (side, at, ssrc) in [(Side::A, A, 1), (Side::B, B, 2)] {
            if side == Side::A || seq % 10 != 5 {
                assert_eq!(call.datagram(side, Component::Rtp, at, &rtp(ssrc, seq)), Ok(None));
            }
        }
        reports += call.pass(PACKET).0.len();
    }
    let statistics = call.relay.call_statistics(call.now);
    let (a, b) = (statistics.a, statistics.b);
    assert_eq!((a.received.rtp_packets, a.received.packets_lost), (1000, Some(0)));
    assert_eq!((b.received.rtp_packets, b.received.packets_lost), (900, Some(100)));
    assert_eq!((a.sent.rtp_packets, b.sent.rtp_packets), (0, 0));
    assert_eq!((a.refused.total(), b.refused.total()), (0, 0));
    assert!(reports >= 4, "{reports}"); // It hears how its packets arrive.
    let (_, silent) = call.wait(call.now + Duration::from_secs(60));
    assert!(silent);
}

/// What is said is sent to a recorder by another relay, under keys of its own, whatever becomes of it in the call.
#[test]
fn what_the_parties_say_is_copied_without_its_encryption_to_who_records_it() {
    let mut call = Call::connected();
    let mut recorder = Call::new();
    recorder.remote(Side::B, remote("203.0.113.9:7000"));
    let mut copy = Vec::new();
    call.rtp(Side::B, B, 9, 1).unwrap();
    assert!(!call.relay.take_copy(&mut copy)); // Nobody asked for any yet.
    call.relay.set_copied(true);
    call.remote(Side::A, Remote { on_hold: true, ..remote(A) });
    for seq in 2..50 {
        assert_eq!(call.rtp(Side::B, B, 9, seq), Err(Refusal::Unroutable));
        assert!(call.relay.take_copy(&mut copy));
        assert_eq!(copy, rtp(9, seq));
        assert!(!call.relay.take_copy(&mut Vec::new()));
        let len = copy.len();
        copy.resize(len + 64, 0);
        let sent = recorder.relay.handle_copy(recorder.now, Side::B, &mut copy, len).unwrap();
        assert_eq!((sent.to, sent.len), (address("203.0.113.9:7000"), len));
        assert_eq!(copy[..len], rtp(9, seq));
        // The recorder has no stream for the other party.
        let other = recorder.relay.handle_copy(recorder.now, Side::A, &mut copy, len);
        assert_eq!(other, Err(Refusal::Unroutable));
    }
    assert_eq!(recorder.relay.call_statistics(recorder.now).b.sent.rtp_packets, 48);
    call.relay.set_copied(false);
    call.rtp(Side::A, A, 1, 1).unwrap();
    assert!(!call.relay.take_copy(&mut copy));
}

#[test]
fn a_server_that_alternates_between_two_streams_loses_nothing() {
    let mut call = Call::connected();
    for seq in 0..100 {
        call.rtp(Side::A, A, 1, 5000 + seq).unwrap();
        call.rtp(Side::A, A, 2, 60_000 + seq).unwrap();
        call.pass(PACKET);
    }
    let received = call.relay.call_statistics(call.now).a.received;
    assert_eq!((received.rtp_packets, received.packets_lost, received.duplicates), (200, Some(0), 0));
}

/// Somebody else's packet reaches the caller's port before the call is answered.
#[test]
fn a_stray_while_it_rings_does_not_mute_the_caller() {
    let stray = "192.0.2.66:6";
    for (sdp, phone, signalling) in [
        (A, A, None),
        ("10.0.0.5:4000", "192.0.2.50:40000", Some("192.0.2.50")), // behind NAT
        ("10.0.0.5:4000", "192.0.2.50:40000", Some("192.0.2.99")), // and its signalling behind a proxy
    ] {
        let mut call = Call::new();
        let signalling = signalling.map(|host| host.parse().unwrap());
        call.remote(Side::A, Remote { signalling, ..remote(sdp) });
        assert_eq!(call.rtp(Side::A, stray, 9, 1), Err(Refusal::Unroutable));
        call.pass(Duration::from_secs(20));
        call.remote(Side::B, remote(B));
        assert_eq!(call.rtp(Side::A, phone, 1, 1), Ok(address(B)), "{sdp}");
        assert_eq!(call.rtp(Side::A, stray, 9, 2), Err(Refusal::Source), "{sdp}");
        assert_eq!(call.rtp(Side::B, B, 2, 1), Ok(address(phone)), "{sdp}");
    }
}

#[test]
fn hold_and_resume_behind_nat() {
    let (nat, rebound) = ("192.0.2.50:40000", "192.0.2.50:41000");
    let mut call = Call::connected();
    call.remote(Side::A, remote("10.0.0.5:4000"));
    assert_eq!(call.rtp(Side::B, B, 2, 1), Ok(address("10.0.0.5:4000")));
    call.rtp(Side::A, nat, 1, 1).unwrap();
    assert_eq!(call.rtp(Side::B, B, 2, 2), Ok(address(nat)));
    call.remote(Side::A, Remote { on_hold: true, ..remote("10.0.0.5:4000") });
    call.pass(Duration::from_secs(100));
    call.remote(Side::A, remote("10.0.0.5:4000"));
    assert_eq!(call.rtp(Side::A, "192.0.2.66:6", 9, 1), Err(Refusal::Discontinuous));
    call.rtp(Side::A, rebound, 1, 5001).unwrap();
    assert_eq!(call.rtp(Side::B, B, 2, 3), Ok(address(rebound)));
    assert_eq!(call.relay.call_statistics(call.now).a.received.packets_lost, Some(0));
}

/// 64 to 95 are forbidden on shared ports alone. RFC 5761 §4.
#[test]
fn a_payload_type_that_looks_like_rtcp_passes_where_it_is_named() {
    let mut packet = rtp(1, 7);
    packet[1] = 0x80 | 72;
    let clock_rates = vec![(72, 8000)];
    let mut call = Call::connected();
    assert!(!matches!(call.datagram(Side::A, Component::Rtp, A, &packet), Ok(Some(_))), "nobody named it");
    call.remote(Side::B, Remote { clock_rates: clock_rates.clone(), ..remote(B) });
    let passed = call.datagram(Side::A, Component::Rtp, A, &packet);
    assert_eq!(passed, Ok(Some(Forward { to: address(B), len: packet.len() })));
    call.remote(Side::A, Remote { mux: true, clock_rates, ..remote(A) });
    assert!(!matches!(call.datagram(Side::A, Component::Rtp, A, &packet), Ok(Some(_))), "a shared port");
}

#[test]
fn who_takes_nothing_is_sent_nothing() {
    let mut call = Call::connected();
    call.remote(Side::B, Remote { on_hold: true, ..remote(B) });
    assert_eq!(call.rtp(Side::A, A, 1, 1), Err(Refusal::Unroutable));
    assert_eq!(call.rtp(Side::B, B, 2, 1), Ok(address(A)), "music on hold");
    call.remote(Side::B, remote(B));
    assert_eq!(call.rtp(Side::A, A, 1, 2), Ok(address(B)));
    // One side is a fax already.
    call.remote(Side::B, Remote { kind: StreamKind::Udptl, ..remote(B) });
    assert_eq!(call.rtp(Side::A, A, 1, 3), Err(Refusal::Unroutable));
    assert_eq!(call.datagram(Side::B, Component::Rtp, B, &[0, 1, 1, 7]), Err(Refusal::Unroutable));
    call.remote(Side::A, Remote { kind: StreamKind::Udptl, ..remote(A) });
    let fax = call.datagram(Side::B, Component::Rtp, B, &[0, 2, 1, 7]);
    assert_eq!(fax, Ok(Some(Forward { to: address(A), len: 4 })));
}

/// Sends sound from A for so many packets, from a number on, at its timestamps.
fn talks(call: &mut Call, seqs: std::ops::Range<u32>) {
    for number in seqs {
        let mut packet = rtp(1, number as u16);
        packet[4..8].copy_from_slice(&(number * 160).to_be_bytes());
        call.datagram(Side::A, Component::Rtp, A, &packet).unwrap();
        call.pass(PACKET);
    }
}

/// The numbers go on while nothing comes, as those of every phone do that is cut off.
#[test]
fn a_minute_is_rated_by_the_time_without_sound() {
    for (silence, share) in [(10, 10.0 / 60.0), (30, 0.5), (40, 40.0 / 60.0)] {
        let mut call = Call::connected();
        talks(&mut call, 0..500);
        call.pass(Duration::from_secs(silence));
        let back = 500 + 50 * silence as u32;
        talks(&mut call, back..3000);
        let received = call.relay.minute_statistics(call.now).a.received;
        assert_eq!(received.packets_lost, Some(50 * silence), "{silence} s");
        let expected = share + (1.0 - share) * 4.409;
        assert!((received.mos.unwrap() - expected).abs() < 0.02, "{silence} s: {received:?}, not {expected}");
    }
}

#[test]
fn a_silence_of_more_numbers_than_make_a_jump_is_a_gap_all_the_same() {
    for silence in [61, 700, 1_400, 4_000] {
        let mut call = Call::connected();
        talks(&mut call, 0..500);
        call.pass(Duration::from_secs(silence));
        let minute = call.relay.minute_statistics(call.now);
        assert!(minute.a.received.mos.unwrap() < 4.0, "{silence} s: nothing came");
        let back = 500 + 50 * silence as u32;
        talks(&mut call, back..back + 500);
        let received = call.relay.call_statistics(call.now).a.received;
        assert_eq!((received.rtp_packets, received.packets_lost), (1000, Some(50 * silence)), "{silence} s");
    }
}

/// Numbers that begin anew say nothing of what was lost, whatever the timestamps do.
#[test]
fn a_restart_after_a_silence_is_no_gap() {
    let mut call = Call::connected();
    talks(&mut call, 0..500);
    call.pass(Duration::from_secs(61));
    for number in 0..500_u32 {
        let mut packet = rtp(1, 30_000 + number as u16);
        packet[4..8].copy_from_slice(&((3_550 + number) * 160).to_be_bytes());
        call.datagram(Side::A, Component::Rtp, A, &packet).unwrap();
        call.pass(PACKET);
    }
    assert_eq!(call.relay.call_statistics(call.now).a.received.packets_lost, Some(0));
}

/// Who sends nothing while nobody speaks has no gap in its numbers.
#[test]
fn silence_that_is_suppressed_is_no_time_without_sound() {
    let mut call = Call::connected();
    let mut seq = 0;
    for turn in 0..3_u32 {
        for _ in 0..400 {
            let mut packet = rtp(1, seq);
            packet[4..8].copy_from_slice(&(u32::from(seq) * 160 + turn * 96_000).to_be_bytes());
            call.datagram(Side::A, Component::Rtp, A, &packet).unwrap();
            call.pass(PACKET);
            seq += 1;
        }
        call.pass(Duration::from_secs(12));
    }
    let received = call.relay.minute_statistics(call.now).a.received;
    assert_eq!((received.packets_lost, received.mos.map(|mos| mos > 4.4)), (Some(0), Some(true)));
}

#[test]
fn a_phone_that_marks_each_packet_is_measured() {
    let mut call = Call::connected();
    for seq in 0..200_u16 {
        let mut packet = rtp(1, seq);
        packet[1] |= 0x80;
        call.datagram(Side::A, Component::Rtp, A, &packet).unwrap();
        call.pass(if seq % 2 == 0 { PACKET * 3 / 2 } else { PACKET / 2 });
    }
    let jitter = call.relay.call_statistics(call.now).a.received.jitter.unwrap();
    assert!(jitter > Duration::from_millis(5), "{jitter:?}");
}

/// What one side adds in jitter is not the other's.
#[test]
fn the_jitter_of_one_side_costs_the_other_nothing() {
    let mut call = Call::connected();
    for seq in 0..1500_u16 {
        call.rtp(Side::A, A, 1, seq).unwrap();
        call.pass(if seq % 2 == 0 { PACKET * 39 / 20 } else { PACKET / 20 });
        call.rtp(Side::B, B, 2, seq).unwrap();
        if seq % 250 == 249 {
            let jitter = call.relay.call_statistics(call.now).a.received.jitter.unwrap();
            let block = ReportBlock {
                ssrc: Ssrc(1),
                fraction_lost: 0,
                cumulative_lost: 0,
                highest_seq: u32::from(seq),
                jitter: (jitter.as_secs_f64() * 8000.0) as u32,
                last_sr: NtpShort(0),
                delay_since_last_sr: NtpShort(0),
            };
            call.datagram(Side::B, Component::Rtcp, "198.51.100.2:6001", &receiver_report(2, block)).unwrap();
        }
    }
    let call = call.relay.call_statistics(call.now);
    assert!(call.a.received.mos < Some(4.395), "{call:?}");
    assert!(call.b.sent.mos > Some(4.405), "{call:?}");
}

/// A packet that comes after its minute was told stays lost, so that the minutes add up to the call.
#[test]
fn a_late_packet_changes_no_sum() {
    let mut call = Call::connected();
    talks(&mut call, 0..100);
    call.pass(PACKET);
    talks(&mut call, 101..110);
    let first = call.relay.minute_statistics(call.now).a.received.packets_lost;
    call.rtp(Side::A, A, 1, 100).unwrap();
    talks(&mut call, 110..200);
    let second = call.relay.minute_statistics(call.now).a.received.packets_lost;
    let total = call.relay.call_statistics(call.now).a.received.packets_lost;
    assert_eq!((first, second, total), (Some(1), Some(0), Some(1)));
}

#[test]
fn what_a_peer_without_rtcp_lost_is_not_known() {
    let mut call = Call::connected();
    talks(&mut call, 0..200);
    let sent = call.relay.call_statistics(call.now).b.sent;
    assert_eq!((sent.rtp_packets, sent.packets_lost, sent.jitter, sent.mos), (200, None, None, None));
}
