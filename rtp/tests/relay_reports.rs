//! What is reported of a call, to its peers and to us: extended reports, the last goodbye, bursts, scores by codec.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::disallowed_methods)] // a test's time starts somewhere

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtp::codec::Codec;
use rtp::ntp::{NtpClock, NtpShort, NtpTime};
use rtp::packet::Ssrc;
use rtp::quality::{EquipmentImpairment, Path, mos, rating, wideband_mos, wideband_rating};
use rtp::relay::{
    CallStatistics, Component, ExtendedReports, Output, Refusal, Relay, RelaySettings, Remote, Side,
    StreamKind,
};
use rtp::rtcp::{Compound, Packet, VoipMetrics, Writer, XrBlock};
use rtp::srtp::{MasterKey, Protect, SrtcpTag, SrtpKeys, Suite, Unprotect};

const PACKET: Duration = Duration::from_millis(20);
const CLOCK: Duration = Duration::from_secs(1_800_000_000);
const FOREIGN: VoipMetrics = VoipMetrics {
    ssrc: Ssrc(1),
    loss_rate: 13,
    discard_rate: 0,
    burst_density: 64,
    gap_density: 2,
    burst_duration: 250,
    gap_duration: 4_000,
    round_trip: 0,
    end_system_delay: 60,
    r_factor: 127,
    mos_lq: 38,
    mos_cq: 127,
};

fn address(side: Side, component: Component) -> SocketAddr {
    let host = if side == Side::A { "203.0.113.1" } else { "198.51.100.2" };
    let port = if component == Component::Rtp { 4000 } else { 4001 };
    SocketAddr::new(host.parse().unwrap(), port)
}

fn remote(side: Side) -> Remote {
    Remote {
        rtp: Some(address(side, Component::Rtp)),
        rtcp: Some(address(side, Component::Rtcp)),
        ..Remote::default()
    }
}

fn rtp(payload_type: u8, ssrc: u32, seq: u16) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(seq.to_be_bytes());
    packet.extend((u32::from(seq) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend((0..160).map(|n| (u32::from(seq) * 7 + n) as u8));
    packet
}

/// A receiver report without a block, and these extended ones.
fn extended(sender: u32, blocks: &[XrBlock]) -> Vec<u8> {
    let mut buffer = [0; 256];
    let mut writer = Writer::new(&mut buffer);
    writer.receiver_report(Ssrc(sender), &[]);
    writer.extended_report(Ssrc(sender), blocks.iter().copied());
    let len = writer.len();
    buffer[..len].to_vec()
}

/// The extended blocks of a report of ours, and the SSRCs that say goodbye in it.
fn read(report: &[u8]) -> (Vec<XrBlock>, Vec<Ssrc>) {
    let (mut blocks, mut gone) = (Vec::new(), Vec::new());
    for packet in Compound::parse(report).unwrap() {
        match packet {
            Packet::ExtendedReport { blocks: read, .. } => blocks.extend(read),
            Packet::Bye { ssrcs, .. } => gone.extend(ssrcs),
            _ => {}
        }
    }
    (blocks, gone)
}

struct Call {
    relay: Relay,
    start: Instant,
    now: Instant,
    used_up: Vec<Side>,
}

impl Call {
    fn new() -> Call {
        let now = Instant::now();
        let settings = RelaySettings {
            inactivity_timeout: Duration::from_secs(60),
            hold_timeout: Duration::from_secs(1800),
            clock: NtpClock::new(now, CLOCK),
        };
        Call { relay: Relay::new(now, settings, 1), start: now, now, used_up: Vec::new() }
    }

    fn connected(a: Remote, b: Remote) -> Call {
        let mut call = Call::new();
        call.relay.handle_remote(call.now, Side::A, &a);
        call.relay.handle_remote(call.now, Side::B, &b);
        call
    }

    fn datagram(
        &mut self,
        side: Side,
        component: Component,
        bytes: &[u8],
    ) -> Result<Option<Vec<u8>>, Refusal> {
        self.datagram_from(side, component, address(side, component), bytes)
    }

    fn datagram_from(
        &mut self,
        side: Side,
        component: Component,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let mut buffer = [0; 2048];
        buffer[..bytes.len()].copy_from_slice(bytes);
        let forward =
            self.relay.handle_datagram(self.now, side, component, from, &mut buffer, bytes.len())?;
        Ok(forward.map(|forward| buffer[..forward.len].to_vec()))
    }

    fn outputs(&mut self) -> Vec<(Side, Component, Vec<u8>)> {
        let (mut reports, mut buffer) = (Vec::new(), [0; 2048]);
        while let Some(output) = self.relay.poll_output(&mut buffer) {
            match output {
                Output::Transmit { side, component, len, .. } => {
                    reports.push((side, component, buffer[..len].to_vec()));
                }
                Output::KeyUsedUp(side) => self.used_up.push(side),
                Output::Silent | Output::Play { .. } | Output::Offload(_) | Output::Reclaim(_) => {}
            }
        }
        reports
    }

    fn pass(&mut self, time: Duration) -> Vec<(Side, Component, Vec<u8>)> {
        let until = self.now + time;
        let mut reports = Vec::new();
        while let Some(timeout) = self.relay.poll_timeout().filter(|timeout| *timeout <= until) {
            self.relay.handle_timeout(timeout.max(self.now));
            reports.extend(self.outputs());
        }
        self.now = until;
        reports
    }

    /// Both send so much, as fast as it is spoken.
    fn talk(&mut self, seqs: std::ops::Range<u16>) -> Vec<(Side, Component, Vec<u8>)> {
        let mut reports = Vec::new();
        for seq in seqs {
            for (side, ssrc) in [(Side::A, 1), (Side::B, 2)] {
                self.datagram(side, Component::Rtp, &rtp(0, ssrc, seq)).unwrap();
            }
            reports.extend(self.pass(PACKET));
        }
        reports
    }

    fn ntp(&self) -> NtpTime {
        NtpClock::new(self.start, CLOCK).at(self.now)
    }

    fn statistics(&mut self) -> CallStatistics {
        self.relay.call_statistics(self.now)
    }
}

fn of(side: Side, reports: &[(Side, Component, Vec<u8>)]) -> Vec<XrBlock> {
    reports.iter().filter(|(from, ..)| *from == side).flat_map(|(.., bytes)| read(bytes).0).collect()
}

#[test]
fn who_asks_for_nothing_is_told_nothing_more() {
    let mut call = Call::connected(remote(Side::A), remote(Side::B));
    let reports = call.talk(0..1_000);
    assert!(reports.len() > 4);
    assert!(reports.iter().all(|(.., bytes)| read(bytes).0.is_empty()));
}

/// Asked for or not: who sends a reference time knows the answer.
#[test]
fn a_reference_time_is_answered_once() {
    let mut call = Call::connected(remote(Side::A), remote(Side::B));
    call.talk(0..10);
    let theirs = NtpTime(0x1122_3344_5566_7788);
    let report = extended(1, &[XrBlock::ReceiverReferenceTime(theirs)]);
    call.datagram(Side::A, Component::Rtcp, &report).unwrap();
    let came = call.now;
    let reports = call.talk(10..600);
    assert_eq!(of(Side::B, &reports), []);
    let [XrBlock::Delay { ssrc, last_rr, delay_since_last_rr }] = of(Side::A, &reports)[..] else {
        panic!("{reports:?}");
    };
    assert_eq!((ssrc, last_rr), (Ssrc(1), NtpShort(0x3344_5566)));
    let delay = delay_since_last_rr.to_duration();
    assert!(delay > Duration::from_millis(500) && delay <= call.now - came, "{delay:?}");
}

/// A party that sends no media sends no sender report's answer either: its round trip is known by its answer to our reference time.
#[test]
fn the_round_trip_of_who_only_listens_is_known() {
    let wanted = ExtendedReports { receiver_reference_time: true, voip_metrics: false };
    let mut call = Call::connected(Remote { extended: wanted, ..remote(Side::A) }, remote(Side::B));
    call.datagram(Side::A, Component::Rtp, &rtp(0, 1, 0)).unwrap();
    let mut answered = 0;
    for _ in 0..1_000 {
        for block in of(Side::A, &call.pass(PACKET)) {
            let XrBlock::ReceiverReferenceTime(ntp) = block else { panic!("{block:?}") };
            assert!(ntp.0 <= call.ntp().0);
            // Half a second with it, and 40 ms on the way.
            call.pass(Duration::from_millis(540));
            let delay = |ntp: NtpTime| XrBlock::Delay {
                ssrc: Ssrc(9),
                last_rr: ntp.short(),
                delay_since_last_rr: NtpShort::from_duration(Duration::from_millis(500)),
            };
            let made_up = NtpTime(ntp.0 - (3 << 32));
            call.datagram(Side::A, Component::Rtcp, &extended(1, &[delay(made_up), delay(ntp)])).unwrap();
            answered += 1;
        }
    }
    assert!(answered > 1);
    let round_trip = call.statistics().a.round_trip.unwrap();
    assert!(round_trip.abs_diff(Duration::from_millis(40)) <= PACKET, "{round_trip:?}");
    assert_eq!(call.statistics().b.round_trip, None);
}

/// Of 1,000 packets, two bursts and a few lost by themselves; the figures are those of who looks at the packets.
#[test]
fn bursts_and_gaps_are_given_where_asked_and_told() {
    let lost = |seq: u16| {
        (300..310).contains(&seq) && seq.is_multiple_of(2)
            || (600..603).contains(&seq)
            || [100, 450, 800].contains(&seq)
    };
    let wanted = ExtendedReports { receiver_reference_time: false, voip_metrics: true };
    let mut call = Call::connected(Remote { extended: wanted, ..remote(Side::A) }, remote(Side::B));
    let mut reports = Vec::new();
    for seq in 0..1_000 {
        if !lost(seq) {
            call.datagram(Side::A, Component::Rtp, &rtp(0, 1, seq)).unwrap();
        }
        reports.extend(call.pass(PACKET));
    }
    let pattern = call.statistics().a.received.pattern.unwrap();
    // Bursts: 300 to 308 with five lost, and 600 to 602. Gaps: what is before, between and behind.
    assert_eq!(pattern.bursts, Some(2));
    assert_eq!(pattern.burst_density, 8.0 / 12.0);
    assert_eq!(pattern.burst_duration, Duration::from_millis(120));
    assert_eq!(pattern.gap_density, 3.0 / 988.0);
    assert_eq!(pattern.gap_duration.as_millis(), 988 * 20 / 3);
    let ratio = 11.0 / 9.0 * (1.0 - 11.0 / 1_000.0); // nine times something was lost in a row
    assert!((pattern.burst_ratio.unwrap() - ratio).abs() < 1e-9, "{pattern:?}");
    assert_eq!(call.statistics().b.received.pattern, None, "nothing came from there");

    assert_eq!(of(Side::B, &reports), []);
    assert!(!of(Side::A, &reports).is_empty());
    let (mut packets, mut given) = (1_000, Vec::new());
    while given.is_empty() {
        call.datagram(Side::A, Component::Rtp, &rtp(0, 1, packets)).unwrap();
        packets += 1;
        given = of(Side::A, &call.pass(PACKET));
    }
    let [XrBlock::VoipMetrics(last)] = given[..] else { panic!("{given:?}") };
    let expect = VoipMetrics {
        ssrc: Ssrc(1),
        loss_rate: (11 * 256 / packets) as u8,
        discard_rate: 0,
        burst_density: (8 * 256 / 12) as u8,
        gap_density: 0,
        burst_duration: 120,
        gap_duration: (packets - 12) * 20 / 3,
        round_trip: 0,
        end_system_delay: 0,
        r_factor: 127,
        mos_lq: 127,
        mos_cq: 43,
    };
    assert_eq!(last, expect);
}

#[test]
fn what_the_peer_thinks_of_our_stream_is_told() {
    let mut call = Call::connected(remote(Side::A), remote(Side::B));
    call.talk(0..100);
    assert_eq!(call.statistics().b.sent.pattern, None);
    let stranger = VoipMetrics { ssrc: Ssrc(77), mos_lq: 10, ..FOREIGN };
    let report = extended(2, &[XrBlock::VoipMetrics(stranger), XrBlock::VoipMetrics(FOREIGN)]);
    call.datagram(Side::B, Component::Rtcp, &report).unwrap();
    let report = extended(2, &[XrBlock::VoipMetrics(stranger)]);
    call.datagram(Side::B, Component::Rtcp, &report).unwrap();
    let sent = call.statistics().b.sent;
    let pattern = sent.pattern.unwrap();
    assert_eq!((pattern.burst_density, pattern.burst_duration), (0.25, Duration::from_millis(250)));
    assert_eq!((pattern.bursts, pattern.burst_ratio), (None, None));
    assert_eq!(sent.reported_mos, Some(3.8));
    assert_eq!(call.statistics().a.sent.reported_mos, None);
}

/// RFC 5506: a report need not be a compound.
#[test]
fn an_extended_report_by_itself_is_taken() {
    let mut call = Call::connected(remote(Side::A), remote(Side::B));
    call.talk(0..100);
    let whole = extended(2, &[XrBlock::VoipMetrics(FOREIGN)]);
    call.datagram(Side::B, Component::Rtcp, &whole[8..]).unwrap();
    assert_eq!(call.statistics().b.sent.reported_mos, Some(3.8));
}

#[test]
fn the_last_report_says_goodbye() {
    for mux in [false, true] {
        let mut call = Call::connected(Remote { mux, ..remote(Side::A) }, remote(Side::B));
        let before = call.talk(0..500);
        assert!(before.iter().all(|(.., bytes)| read(bytes).1.is_empty()));
        call.relay.handle_close(call.now);
        let last = call.outputs();
        let gone: Vec<_> =
            last.iter().map(|(side, component, bytes)| (*side, *component, read(bytes).1)).collect();
        let component = if mux { Component::Rtp } else { Component::Rtcp };
        assert_eq!(
            gone,
            [(Side::A, component, vec![Ssrc(2)]), (Side::B, Component::Rtcp, vec![Ssrc(1)])],
            "each by the name of the stream that goes there"
        );
        assert!(last.iter().all(|(.., bytes)| {
            let kinds: Vec<_> = Compound::parse(bytes).unwrap().collect();
            matches!(
                kinds[..],
                [Packet::SenderReport { .. }, Packet::SourceDescription { .. }, Packet::Bye { .. }]
            )
        }));
        assert_eq!(call.pass(Duration::from_secs(60)), [], "nothing after it");
    }
}

/// RFC 3550 §6.3.7: who was never heard says nothing. Fax has no RTCP.
#[test]
fn who_was_never_heard_says_no_goodbye() {
    let mut call = Call::connected(remote(Side::A), remote(Side::B));
    call.relay.handle_close(call.now);
    assert_eq!(call.outputs(), []);
    let fax = |side| Remote { kind: StreamKind::Udptl, ..remote(side) };
    let mut call = Call::connected(fax(Side::A), fax(Side::B));
    call.datagram(Side::A, Component::Rtp, &[0, 1, 2, 3]).unwrap();
    call.relay.handle_close(call.now);
    assert_eq!(call.outputs(), []);
}

/// Two percent lost, under each codec: by its number, and by its name.
#[test]
fn the_score_is_that_of_the_codec() {
    let score = |payload_type: u8, named: Option<Codec>| {
        let codecs = named.map(|codec| vec![(payload_type, codec)]).unwrap_or_default();
        let clock_rates = named.map(|_| vec![(payload_type, 8_000)]).unwrap_or_default();
        let mut call = Call::connected(remote(Side::A), Remote { codecs, clock_rates, ..remote(Side::B) });
        for seq in 0..1_001 {
            if seq % 50 != 25 {
                call.datagram(Side::A, Component::Rtp, &rtp(payload_type, 1, seq)).unwrap();
            }
            call.pass(PACKET);
        }
        let received = call.statistics().a.received;
        (received.codec.unwrap(), received.mos.unwrap(), received.wideband_mos)
    };
    let path = Path { one_way: Duration::ZERO, loss: 20.0 / 1_001.0, burst_ratio: 1.0 };
    let close = |(codec, mos, wide): (Codec, f64, Option<f64>), expect: (Codec, f64, Option<f64>)| {
        assert_eq!((codec, wide.is_some()), (expect.0, expect.2.is_some()));
        assert!((mos - expect.1).abs() < 0.001, "{codec:?}: {mos}, not {}", expect.1);
        assert!((wide.unwrap_or(0.0) - expect.2.unwrap_or(0.0)).abs() < 0.001, "{codec:?}: {wide:?}");
    };
    let narrow = |codec| mos(rating(&path, codec));
    let wide = |ie| Some(wideband_mos(wideband_rating(&path, EquipmentImpairment { ie, bpl: 25.1 })));
    close(score(0, None), (Codec::Pcmu, narrow(EquipmentImpairment::G711), None));
    close(score(18, None), (Codec::G729, narrow(EquipmentImpairment::G729A), None));
    close(score(9, None), (Codec::G722, narrow(EquipmentImpairment::G711), wide(13.0)));
    close(score(107, Some(Codec::Opus)), (Codec::Opus, narrow(EquipmentImpairment::G711), wide(0.0)));
    close(
        score(96, Some(Codec::GsmEfr)),
        (Codec::GsmEfr, narrow(EquipmentImpairment { ie: 5.0, bpl: 10.0 }), None),
    );
    close(score(97, None), (Codec::Other, narrow(EquipmentImpairment::G711), None));
}

/// As much lost, in fours: worse.
#[test]
fn loss_in_bursts_scores_less() {
    let score = |lost: fn(u16) -> bool| {
        let mut call = Call::connected(remote(Side::A), remote(Side::B));
        for seq in (0..2_000).filter(|seq| !lost(*seq)) {
            call.datagram(Side::A, Component::Rtp, &rtp(0, 1, seq)).unwrap();
        }
        let received = call.statistics().a.received;
        (received.packets_lost.unwrap(), received.mos.unwrap())
    };
    let (scattered, by_themselves) = score(|seq| seq % 20 == 10);
    let (bursty, in_fours) = score(|seq| (40..44).contains(&(seq % 80)));
    assert_eq!((scattered, bursty), (100, 100));
    assert!(by_themselves - in_fours > 0.05, "{by_themselves} {in_fours}");
}

fn keys(suite: Suite) -> (SrtpKeys, MasterKey, MasterKey) {
    let key = |byte| MasterKey::new(suite, &vec![byte; suite.inline_len()]).unwrap();
    (SrtpKeys::new(suite, key(1), key(2)), key(1), key(2))
}

/// baresip and FFmpeg: 32 bits. Its reports count, ours are such as it can read, and the figures say so.
#[test]
fn a_peer_with_short_tags_is_heard_and_answered() {
    for (suite, short) in [(Suite::AesCm128HmacSha1_32, true), (Suite::AesCm128HmacSha1_32, false)] {
        let (keys, ours, theirs) = keys(suite);
        let mut call =
            Call::connected(Remote { srtp: Some(Box::new(keys)), ..remote(Side::A) }, remote(Side::B));
        let mut peer = Protect::new(suite, &theirs).unwrap();
        let mut reader = Unprotect::new(suite, &ours).unwrap();
        let expect = if short { SrtcpTag::Bits32 } else { SrtcpTag::Bits80 };
        peer.set_srtcp_tag(expect);
        assert_eq!(call.statistics().a.srtcp_tag, None);
        let mut reports = Vec::new();
        for seq in 0..700 {
            let mut buffer = [0; 512];
            let packet = rtp(0, 1, seq);
            buffer[..packet.len()].copy_from_slice(&packet);
            let len = peer.protect_rtp(&mut buffer, packet.len()).unwrap();
            call.datagram(Side::A, Component::Rtp, &buffer[..len]).unwrap();
            call.datagram(Side::B, Component::Rtp, &rtp(0, 2, seq)).unwrap();
            if seq % 100 == 5 {
                let report = extended(1, &[XrBlock::VoipMetrics(VoipMetrics { ssrc: Ssrc(2), ..FOREIGN })]);
                buffer[..report.len()].copy_from_slice(&report);
                let len = peer.protect_rtcp(&mut buffer, report.len()).unwrap();
                assert_eq!(call.datagram(Side::A, Component::Rtcp, &buffer[..len]), Ok(None), "{short}");
            }
            reports.extend(call.pass(PACKET).into_iter().filter(|(side, ..)| *side == Side::A));
        }
        let a = call.statistics().a;
        assert_eq!((a.srtcp_tag, a.received.rtcp_packets), (Some(expect), 7));
        assert_eq!(a.sent.reported_mos, Some(3.8));
        assert_eq!(call.statistics().b.srtcp_tag, None, "in the clear");
        assert!(reports.len() > 1);
        for (.., report) in reports {
            let mut buffer = report.clone();
            assert!(reader.unprotect_rtcp(&mut buffer, report.len()).is_ok());
        }
        assert_eq!(reader.srtcp_tag(), Some(expect), "answered alike");
    }
}

#[test]
fn a_key_that_is_used_up_is_told_once_and_silences_nobody() {
    let suite = Suite::AesCm128HmacSha1_80;
    let (keys, _, theirs) = keys(suite);
    let keys = SrtpKeys { lifetime: Some(200), ..keys };
    let leg = |keys: &SrtpKeys| Remote { srtp: Some(Box::new(keys.clone())), ..remote(Side::A) };
    let mut call = Call::connected(leg(&keys), remote(Side::B));
    let mut peer = Protect::new(suite, &theirs).unwrap();
    let mut taken = 0;
    let send = |call: &mut Call, peer: &mut Protect, seq: u16| {
        let (packet, mut buffer) = (rtp(0, 1, seq), [0; 512]);
        buffer[..packet.len()].copy_from_slice(&packet);
        let len = peer.protect_rtp(&mut buffer, packet.len()).unwrap();
        let came = call.datagram(Side::A, Component::Rtp, &buffer[..len]);
        call.pass(PACKET);
        came.is_ok()
    };
    for seq in 0..1_000 {
        taken += u32::from(send(&mut call, &mut peer, seq));
    }
    assert_eq!((taken, &call.used_up[..]), (1_000, &[Side::A][..]));
    // The next key has a life of its own.
    let next = MasterKey::new(suite, &[9; 30]).unwrap();
    let keys = SrtpKeys { receive: next.clone(), ..keys };
    call.relay.handle_remote(call.now, Side::A, &leg(&keys));
    let mut peer = Protect::new(suite, &next).unwrap();
    for seq in 1_000..1_500 {
        taken += u32::from(send(&mut call, &mut peer, seq));
    }
    assert_eq!((taken, call.used_up.len()), (1_500, 2));
}

/// A third host knows the SSRC, the payload type and about which number comes next, and sends ten packets for each genuine one,
/// from before the first of these. From that on the peer across hears the same bytes as without it, and the figures name the attack.
/// Before, nobody else is there: a stranger is heard while the party is silent, since its media may leave by another NAT.
#[test]
fn a_flood_with_the_right_names_changes_no_byte() {
    let stranger: SocketAddr = "192.0.2.66:5555".parse().unwrap();
    let heard = |flood: bool| {
        let mut call = Call::connected(remote(Side::A), remote(Side::B));
        let mut heard = Vec::new();
        for seq in 0..1_000_u16 {
            let forge = |call: &mut Call, heard: &mut Vec<Vec<u8>>| {
                for ahead in (0..10).filter(|_| flood) {
                    let mut forged = rtp(0, 1, seq.wrapping_add(ahead));
                    forged[12..].fill(0xff);
                    let came = call.datagram_from(Side::A, Component::Rtp, stranger, &forged);
                    heard.extend(came.ok().flatten());
                }
            };
            forge(&mut call, &mut heard);
            let came = call.datagram(Side::A, Component::Rtp, &rtp(0, 1, seq));
            heard.extend(came.ok().flatten());
            call.pass(PACKET);
        }
        (heard, call.statistics().a)
    };
    let (quiet, _) = heard(false);
    let (loud, a) = heard(true);
    let forged = loud.iter().filter(|packet| packet[12..].iter().all(|byte| *byte == 0xff)).count();
    assert_eq!((loud[10..] == quiet, forged), (true, 10), "{} of {}", loud.len(), quiet.len());
    assert_eq!(a.refused.of(Refusal::Source) + a.refused.of(Refusal::Discontinuous), 9_990);
    assert_eq!((a.received.rtp_packets, a.received.packets_lost), (1_010, Some(0)));
}
