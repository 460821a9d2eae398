//! The relay between RTP and SRTP: every combination of the two legs, changes of keys, and attackers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::disallowed_methods)] // a test's time starts somewhere

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtp::ntp::NtpClock;
use rtp::packet::{RtpPacket, Ssrc};
use rtp::relay::{Component, Output, Refusal, Relay, RelaySettings, Remote, Side};
use rtp::rtcp::{Compound, Packet, Writer};
use rtp::srtp::{MasterKey, Session, SrtpKeys, Suite};

const ELSEWHERE: &str = "203.0.113.1:5555";
const SUITE: Suite = Suite::AesCm128HmacSha1_80;

fn address(side: Side, component: Component) -> SocketAddr {
    let text = match (side, component) {
        (Side::A, Component::Rtp) => "203.0.113.1:4000",
        (Side::A, Component::Rtcp) => "203.0.113.1:4001",
        (Side::B, Component::Rtp) => "198.51.100.2:6000",
        (Side::B, Component::Rtcp) => "198.51.100.2:6001",
    };
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

fn keys(suite: Suite, send: u8, receive: u8) -> SrtpKeys {
    let key = |byte| MasterKey::new(suite, &vec![byte; suite.inline_len()]).unwrap();
    SrtpKeys::new(suite, key(send), key(receive))
}

/// The far end of a leg; its keys are ours the other way round.
struct Peer {
    side: Side,
    keys: Option<SrtpKeys>,
    session: Option<Session>,
}

impl Peer {
    fn new(side: Side, suite: Option<Suite>) -> Peer {
        let (ours, theirs) = if side == Side::A { (0x10, 0x11) } else { (0x20, 0x21) };
        let keys = suite.map(|suite| keys(suite, ours, theirs));
        let mut peer = Peer { side, keys, session: None };
        peer.start();
        peer
    }

    fn reversed(&self) -> Option<SrtpKeys> {
        let SrtpKeys { suite, send, receive, .. } = self.keys.clone()?;
        Some(SrtpKeys::new(suite, receive, send))
    }

    fn start(&mut self) {
        self.session = self.reversed().map(|keys| Session::new(&keys).unwrap());
    }

    fn remote(&self) -> Remote {
        Remote {
            rtp: Some(address(self.side, Component::Rtp)),
            rtcp: Some(address(self.side, Component::Rtcp)),
            srtp: self.keys.clone().map(Box::new),
            ..Remote::default()
        }
    }

    fn protect(&mut self, packet: &[u8], rtcp: bool) -> Vec<u8> {
        let mut buffer = packet.to_vec();
        buffer.extend([0; 32]);
        let len = match &mut self.session {
            None => packet.len(),
            Some(session) if rtcp => session.protect_rtcp(&mut buffer, packet.len()).unwrap(),
            Some(session) => session.protect_rtp(&mut buffer, packet.len()).unwrap(),
        };
        buffer.truncate(len);
        buffer
    }

    fn unprotect(&mut self, packet: &[u8], rtcp: bool) -> Vec<u8> {
        let mut buffer = packet.to_vec();
        let len = match &mut self.session {
            None => packet.len(),
            Some(session) if rtcp => session.unprotect_rtcp(&mut buffer, packet.len()).unwrap().len,
            Some(session) => session.unprotect_rtp(&mut buffer, packet.len()).unwrap().len,
        };
        buffer.truncate(len);
        buffer
    }
}

struct Call {
    relay: Relay,
    now: Instant,
    buffer: [u8; 2048],
}

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

    fn connected(a: Option<Suite>, b: Option<Suite>) -> (Call, Peer, Peer) {
        let (mut call, a, b) = (Call::new(), Peer::new(Side::A, a), Peer::new(Side::B, b));
        call.speak(&a);
        call.speak(&b);
        (call, a, b)
    }

    fn speak(&mut self, peer: &Peer) {
        self.relay.handle_remote(self.now, peer.side, &peer.remote());
    }

    /// What goes out on the other side.
    fn datagram(
        &mut self,
        side: Side,
        component: Component,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Result<Option<Vec<u8>>, Refusal> {
        self.buffer[..bytes.len()].copy_from_slice(bytes);
        let forward =
            self.relay.handle_datagram(self.now, side, component, from, &mut self.buffer, bytes.len())?;
        Ok(forward.map(|forward| {
            assert_eq!(forward.to, address(side.other(), Component::Rtp));
            self.buffer[..forward.len].to_vec()
        }))
    }

    fn rtp(&mut self, side: Side, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
        let from = address(side, Component::Rtp);
        Ok(self.datagram(side, Component::Rtp, from, bytes)?.expect("forwarded"))
    }

    /// Sends a packet from one peer to the other.
    fn pass(&mut self, from: &mut Peer, to: &mut Peer, packet: &[u8]) -> Result<Vec<u8>, Refusal> {
        let protected = from.protect(packet, false);
        let sent = self.rtp(from.side, &protected)?;
        Ok(to.unprotect(&sent, false))
    }

    fn refused(&mut self, side: Side) -> Vec<(Refusal, u64)> {
        let statistics = self.relay.call_statistics(self.now);
        let leg = if side == Side::A { statistics.a } else { statistics.b };
        leg.refused.iter().filter(|(_, count)| *count > 0).collect()
    }
}

#[test]
fn every_combination_of_the_two_legs() {
    let securities: Vec<_> = Suite::ALL.into_iter().map(Some).chain([None]).collect();
    for (a, b) in securities.iter().flat_map(|a| securities.iter().map(move |b| (*a, *b))) {
        let (mut call, mut a, mut b) = Call::connected(a, b);
        for seq in [65_534, 65_535, 0, 1] {
            let packet = rtp(1, seq);
            assert_eq!(call.pass(&mut a, &mut b, &packet), Ok(packet));
            let packet = rtp(2, seq);
            assert_eq!(call.pass(&mut b, &mut a, &packet), Ok(packet));
        }
        let statistics = call.relay.call_statistics(call.now);
        for (received, sent, peer) in
            [(statistics.a.received, statistics.b.sent, &a), (statistics.b.received, statistics.a.sent, &b)]
        {
            let growth = peer.keys.as_ref().map_or(0, |keys| keys.suite.rtp_growth());
            assert_eq!((received.rtp_packets, received.rtp_bytes), (4, 4 * (172 + growth) as u64));
            assert_eq!(sent.rtp_packets, 4);
        }
    }
}

/// A report of ours as a peer reads it: the sequence number that it has got to.
fn highest_reported(bytes: &[u8]) -> u32 {
    let mut reports = Compound::parse(bytes).unwrap().filter_map(|packet| match packet {
        Packet::SenderReport { mut reports, .. } | Packet::ReceiverReport { mut reports, .. } => {
            reports.next()
        }
        _ => None,
    });
    reports.next().expect("a block").highest_seq
}

#[test]
fn reports_are_protected_both_ways() {
    for suite in Suite::ALL {
        let (mut call, mut a, mut b) = Call::connected(Some(suite), None);
        call.pass(&mut a, &mut b, &rtp(1, 7)).unwrap();
        while let Some(timeout) =
            call.relay.poll_timeout().filter(|at| *at < call.now + Duration::from_secs(9))
        {
            call.relay.handle_timeout(timeout);
            while let Some(Output::Transmit { side, component, len, .. }) =
                call.relay.poll_output(&mut call.buffer)
            {
                assert_eq!(component, Component::Rtcp);
                if side == Side::A && call.relay.call_statistics(call.now).a.sent.rtcp_packets == 1 {
                    assert_eq!(highest_reported(&a.unprotect(&call.buffer[..len], true)) & 0xffff, 7);
                }
            }
        }

        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer);
        writer.receiver_report(Ssrc(1), &[]);
        let len = writer.len();
        let report = a.protect(&buffer[..len], true);
        let from = address(Side::A, Component::Rtcp);
        assert_eq!(call.datagram(Side::A, Component::Rtcp, from, &report), Ok(None));
        let again = call.datagram(Side::A, Component::Rtcp, from, &report);
        assert_eq!(again, Err(Refusal::Replayed));
        let clear = call.datagram(Side::A, Component::Rtcp, from, &[&buffer[..8], &[9; 40]].concat());
        assert_eq!(clear, Err(Refusal::Unauthenticated));
        assert_eq!(call.relay.call_statistics(call.now).a.received.rtcp_packets, 1);
    }
}

#[test]
fn forgeries_and_repeats_are_counted_and_go_nowhere() {
    let (mut call, mut a, mut b) = Call::connected(Some(SUITE), None);
    let packet = a.protect(&rtp(1, 1), false);
    assert_eq!(call.rtp(Side::A, &packet), Ok(rtp(1, 1)));
    assert_eq!(call.rtp(Side::A, &packet), Err(Refusal::Replayed));
    assert_eq!(call.rtp(Side::A, &rtp(1, 2)), Err(Refusal::Unauthenticated)); // in the clear
    assert_eq!(call.rtp(Side::A, &rtp(9, 2)), Err(Refusal::Unauthenticated));
    assert_eq!(call.rtp(Side::A, &packet[..20]), Err(Refusal::Malformed));
    assert_eq!(
        call.refused(Side::A),
        [(Refusal::Malformed, 1), (Refusal::Unauthenticated, 2), (Refusal::Replayed, 1)]
    );
    // What B repeats is not sent a second time under the same number.
    assert_eq!(call.pass(&mut b, &mut a, &rtp(2, 1)), Ok(rtp(2, 1)));
    assert_eq!(call.rtp(Side::B, &rtp(2, 1)), Err(Refusal::Replayed));
    let statistics = call.relay.call_statistics(call.now);
    assert_eq!((statistics.a.sent.rtp_packets, statistics.b.sent.rtp_packets), (1, 1));
    assert_eq!(call.refused(Side::B), [(Refusal::Replayed, 1)]);
}

#[test]
fn only_an_authentic_packet_above_the_highest_moves_the_lock() {
    let (mut call, mut a, mut b) = Call::connected(Some(SUITE), None);
    let elsewhere: SocketAddr = ELSEWHERE.parse().unwrap();
    call.pass(&mut a, &mut b, &rtp(1, 10)).unwrap();
    let held_back = a.protect(&rtp(1, 11), false);
    call.pass(&mut a, &mut b, &rtp(1, 12)).unwrap();
    call.now += Duration::from_secs(2);
    // After silence a new address may take over: not by a forgery, nor by a packet that was caught on its way.
    let forged = call.datagram(Side::A, Component::Rtp, elsewhere, &rtp(1, 13));
    assert_eq!(forged, Err(Refusal::Unauthenticated));
    let late = call.datagram(Side::A, Component::Rtp, elsewhere, &held_back);
    assert_eq!(late, Err(Refusal::Discontinuous));
    let next = a.protect(&rtp(1, 5000), false); // no SSRC and sequence needed but an authentic packet
    assert!(call.datagram(Side::A, Component::Rtp, elsewhere, &next).is_ok());
    let before = a.protect(&rtp(1, 5001), false);
    assert_eq!(call.rtp(Side::A, &before), Err(Refusal::Source));
}

#[test]
fn nothing_passes_before_the_keys() {
    let (mut call, mut a, mut b) = (Call::new(), Peer::new(Side::A, None), Peer::new(Side::B, Some(SUITE)));
    call.speak(&a);
    call.relay.expect_srtp(Side::B, true);
    let early = b.protect(&rtp(2, 1), false);
    assert_eq!(call.rtp(Side::B, &early), Err(Refusal::Unauthenticated));
    assert_eq!(call.rtp(Side::B, &rtp(2, 1)), Err(Refusal::Unauthenticated));
    call.speak(&b);
    assert_eq!(call.pass(&mut b, &mut a, &rtp(2, 2)), Ok(rtp(2, 2)));
    // A second offer goes out while the keys are in use: they stay.
    for (seq, only) in [(1, true), (2, false)] {
        call.relay.expect_srtp(Side::B, only);
        assert_eq!(call.pass(&mut a, &mut b, &rtp(1, seq)), Ok(rtp(1, seq)));
    }

    // Keys that do not fit close the leg rather than open it.
    b.keys.as_mut().unwrap().suite = Suite::AeadAes256Gcm;
    call.speak(&b);
    assert_eq!(call.rtp(Side::B, &rtp(2, 3)), Err(Refusal::Unauthenticated));
    assert_eq!(call.rtp(Side::A, &rtp(1, 3)), Err(Refusal::Unroutable));
}

#[test]
fn a_peer_that_echoes_our_key_is_neither_heard_nor_sent_anything() {
    let (mut call, _, mut b) = Call::connected(None, Some(SUITE));
    let sent = call.rtp(Side::A, &rtp(1, 1)).unwrap();
    b.keys = Some(keys(SUITE, 0x20, 0x20));
    call.speak(&b);
    assert_eq!(call.rtp(Side::B, &sent), Err(Refusal::Unauthenticated));
    assert_eq!(call.rtp(Side::A, &rtp(1, 2)), Err(Refusal::Unroutable));
}

/// The host that was to have SRTP declined, and the next one is offered RTP.
#[test]
fn the_next_host_may_speak_in_the_clear_at_once() {
    let (mut call, a) = (Call::new(), Peer::new(Side::A, None));
    call.speak(&a);
    call.relay.expect_srtp(Side::B, true);
    assert_eq!(call.rtp(Side::B, &rtp(2, 1)), Err(Refusal::Unauthenticated));
    call.relay.expect_srtp(Side::B, false);
    assert!(call.rtp(Side::B, &rtp(2, 2)).is_ok());
}

#[test]
fn a_renegotiation_keeps_what_was_counted() {
    for suite in Suite::ALL {
        let (mut call, mut a, mut b) = Call::connected(Some(suite), Some(suite));
        for seq in [40_000, 60_000, 10_000] {
            call.pass(&mut a, &mut b, &rtp(1, seq)).unwrap();
            call.pass(&mut b, &mut a, &rtp(2, seq)).unwrap();
        }
        let recorded = a.protect(&rtp(1, 10_001), false);
        call.rtp(Side::A, &recorded).unwrap();
        // The same keys: nothing changes, and what was seen stays seen.
        call.speak(&a);
        assert_eq!(call.rtp(Side::A, &recorded), Err(Refusal::Replayed), "{suite}");
        call.pass(&mut a, &mut b, &rtp(1, 10_002)).unwrap();
        // New keys: the rollover counter goes on in both directions.
        a.keys = Some(keys(suite, 0x30, 0x31));
        let reversed = a.reversed().unwrap();
        a.session.as_mut().unwrap().rekey(&reversed, false).unwrap();
        call.speak(&a);
        assert_eq!(call.pass(&mut a, &mut b, &rtp(1, 10_003)), Ok(rtp(1, 10_003)), "{suite}");
        assert_eq!(call.pass(&mut b, &mut a, &rtp(2, 10_003)), Ok(rtp(2, 10_003)), "{suite}");
        // Or begins anew, where the peer built its session anew.
        a.keys = Some(keys(suite, 0x40, 0x41));
        a.start();
        call.speak(&a);
        assert_eq!(call.pass(&mut a, &mut b, &rtp(1, 10_004)), Ok(rtp(1, 10_004)), "{suite}");
        let snapshot = call.relay.srtp_snapshot(Side::A).unwrap();
        assert_eq!(snapshot.receive.streams[0].index, 10_004);
        assert_eq!(snapshot.send.streams[0].index >> 16, 1);
    }
}

/// Some devices reset their sequence numbers and keep their SSRC, after a hold say. SRTP may not send those numbers
/// again, and nobody waits until they are passed.
#[test]
fn a_stream_that_begins_anew_under_its_name_goes_on_under_another() {
    for suite in [None, Some(SUITE)] {
        let (mut call, mut a, mut b) = Call::connected(suite, Some(SUITE));
        for seq in 20_000..20_200 {
            call.pass(&mut a, &mut b, &rtp(1, seq)).unwrap();
        }
        a.keys = suite.map(|suite| keys(suite, 0x10, 0x31));
        a.start();
        call.speak(&a);
        let first = a.protect(&rtp(1, 5_000), false);
        assert_eq!(call.rtp(Side::A, &first), Err(Refusal::Replayed), "it might be a late one");
        let second = call.pass(&mut a, &mut b, &rtp(1, 5_001)).unwrap();
        let ssrc = RtpPacket::parse(&second).unwrap().ssrc();
        assert_ne!(ssrc, Ssrc(1));
        let as_sent = |seq| rtp(ssrc.0, seq);
        assert_eq!(second, as_sent(5_001));
        for seq in 5_002..5_300 {
            assert_eq!(call.pass(&mut a, &mut b, &rtp(1, seq)), Ok(as_sent(seq)));
        }
        // And once more, under a third name.
        a.keys = suite.map(|suite| keys(suite, 0x10, 0x32));
        a.start();
        call.speak(&a);
        let first = a.protect(&rtp(1, 5_000), false);
        assert_eq!(call.rtp(Side::A, &first), Err(Refusal::Replayed));
        let again = call.pass(&mut a, &mut b, &rtp(1, 5_001)).unwrap();
        assert_ne!(RtpPacket::parse(&again).unwrap().ssrc(), ssrc);
    }
}

/// SRTP remembers every SSRC that it has sent under, up to a bound: nobody may use that up in the clear.
#[test]
fn made_up_streams_do_not_silence_the_leg_that_remembers_them() {
    let (mut call, mut a, mut b) = Call::connected(None, Some(SUITE));
    let (mut passed, mut surplus) = (0, 0);
    for n in 0..3_000 {
        // New names, and one that begins anew again and again.
        for (ssrc, seq) in [(100 + u32::from(n), n), (5, 30_000 + 500 * (n % 2)), (5, 30_001 + 500 * (n % 2))]
        {
            match call.pass(&mut a, &mut b, &rtp(ssrc, seq)) {
                Ok(_) => passed += 1,
                Err(Refusal::Surplus) => surplus += 1,
                Err(refusal) => assert_eq!(refusal, Refusal::Replayed),
            }
        }
        call.now += Duration::from_millis(1);
    }
    assert!(passed < 30 && surplus > 2_900, "{passed} {surplus}");
    assert_eq!(
        call.refused(Side::A).iter().find(|(cause, _)| *cause == Refusal::Surplus).unwrap().1,
        surplus
    );
    let remembered = call.relay.srtp_snapshot(Side::B).unwrap().send.streams.len();
    assert!(remembered <= 11, "{remembered}");
    call.now += Duration::from_secs(1);
    for seq in 1..100 {
        assert_eq!(call.pass(&mut a, &mut b, &rtp(1, seq)), Ok(rtp(1, seq)), "the caller himself");
    }
    // Who holds the keys may have as many as he likes; in the clear there is nothing to remember.
    for (suite_a, suite_b) in [(Some(SUITE), Some(SUITE)), (Some(SUITE), None), (None, None)] {
        let (mut call, mut a, mut b) = Call::connected(suite_a, suite_b);
        for ssrc in 0..60 {
            assert_eq!(call.pass(&mut a, &mut b, &rtp(ssrc, 1)), Ok(rtp(ssrc, 1)));
        }
    }
}

#[test]
fn srtp_is_sent_nothing_from_a_peer_that_has_not_spoken() {
    let (mut call, mut a, mut b) = (Call::new(), Peer::new(Side::A, Some(SUITE)), Peer::new(Side::B, None));
    call.speak(&a);
    for ssrc in 0..20 {
        assert_eq!(call.rtp(Side::B, &rtp(ssrc, 1)), Err(Refusal::Surplus));
    }
    assert!(call.relay.srtp_snapshot(Side::A).unwrap().send.streams.is_empty());
    call.speak(&b);
    assert_eq!(call.pass(&mut b, &mut a, &rtp(2, 1)), Ok(rtp(2, 1)));
}

#[test]
fn repeats_are_no_new_beginning() {
    let (mut call, mut a, mut b) = Call::connected(None, Some(SUITE));
    for seq in 20_000..20_200 {
        call.pass(&mut a, &mut b, &rtp(1, seq)).unwrap();
    }
    for (old, seq) in [(20_000, 20_200), (20_001, 20_201), (20_150, 20_202), (20_151, 20_203)] {
        assert_eq!(call.rtp(Side::A, &rtp(1, old)), Err(Refusal::Replayed), "{old}");
        assert_eq!(call.pass(&mut a, &mut b, &rtp(1, seq)), Ok(rtp(1, seq)));
    }
    // Nor are those in a row that might be late.
    for old in 20_180..20_200 {
        assert_eq!(call.rtp(Side::A, &rtp(1, old)), Err(Refusal::Replayed), "{old}");
    }
}

#[test]
fn off_and_on_again() {
    let (mut call, mut a, mut b) = Call::connected(Some(SUITE), None);
    call.pass(&mut a, &mut b, &rtp(1, 1)).unwrap();
    call.pass(&mut b, &mut a, &rtp(2, 1)).unwrap();
    let (keys, session) = (a.keys.take(), a.session.take());
    call.speak(&a);
    assert_eq!(call.pass(&mut a, &mut b, &rtp(1, 2)), Ok(rtp(1, 2)));
    assert_eq!(call.pass(&mut b, &mut a, &rtp(2, 2)), Ok(rtp(2, 2)));
    (a.keys, a.session) = (keys, session);
    call.speak(&a);
    // No number that was sent under the key before is sent under it again.
    assert_eq!(call.rtp(Side::B, &rtp(2, 1)), Err(Refusal::Replayed));
    assert_eq!(call.pass(&mut b, &mut a, &rtp(2, 3)), Ok(rtp(2, 3)));
    assert_eq!(call.rtp(Side::A, &rtp(1, 3)), Err(Refusal::Unauthenticated));
}

#[test]
fn a_packet_that_cannot_grow_is_oversized() {
    let (mut call, _, _) = Call::connected(None, Some(SUITE));
    let mut packet = rtp(1, 1);
    packet.resize(2040, 0);
    assert!(RtpPacket::parse(&packet).is_ok());
    assert_eq!(call.rtp(Side::A, &packet), Err(Refusal::Oversized));
    packet.resize(2038, 0);
    assert_eq!(call.rtp(Side::A, &packet).map(|sent| sent.len()), Ok(2048));
}
