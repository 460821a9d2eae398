//! What is played to a party: one stream that a strict receiver follows, paced, true to its counts, and free of allocations.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::disallowed_methods)] // a test's time starts somewhere

#[path = "shared/counting.rs"]
mod counting;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use counting::allocations;
use rtp::codec::Codec;
use rtp::ntp::NtpClock;
use rtp::packet::{RtpPacket, Ssrc};
use rtp::relay::{Component, Output, Player, Refusal, Relay, RelaySettings, Remote, Side, Wanted};
use rtp::srtp::{MasterKey, Session, SrtpKeys, Suite};

const A: &str = "203.0.113.1:4000";
const B: &str = "198.51.100.2:6000";
const CODECS: &[Codec] = &[Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];
const FRAME: Duration = Duration::from_millis(20);
/// What is played has it in every byte, what the parties say has another one.
const PLAYED: u8 = 0x77;
const SAID: u8 = 0x55;

/// A call under virtual time, and what its a-leg's party got.
struct Call {
    relay: Relay,
    now: Instant,
    got: Vec<Got>,
    reports: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Got {
    at: Instant,
    bytes: Vec<u8>,
}

impl Got {
    fn packet(&self) -> RtpPacket<'_> {
        RtpPacket::parse(&self.bytes).unwrap()
    }

    fn is_played(&self) -> bool {
        self.packet().payload().first() == Some(&PLAYED)
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn said(payload_type: u8, seq: u16, timestamp: u32) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(seq.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(7_u32.to_be_bytes());
    packet.extend([SAID; 160]);
    packet
}

fn described(formats: &[u8]) -> Remote {
    let clock_rates = formats.iter().map(|payload_type| (*payload_type, 8000)).collect();
    Remote { clock_rates, events: vec![101], ..Remote::default() }
}

impl Call {
    fn new(a: Remote, b: Remote) -> Call {
        let now = Instant::now();
        let settings = RelaySettings {
            inactivity_timeout: Duration::from_secs(60),
            hold_timeout: Duration::from_secs(1800),
            clock: NtpClock::new(now, Duration::from_secs(1_800_000_000)),
        };
        let mut call = Call { relay: Relay::new(now, settings, 1), now, got: Vec::new(), reports: 0 };
        call.describe(Side::A, a);
        call.describe(Side::B, b);
        call
    }

    fn describe(&mut self, side: Side, remote: Remote) {
        let rtp = address(if side == Side::A { A } else { B });
        let rtcp = SocketAddr::new(rtp.ip(), rtp.port() + 1);
        let remote = Remote { rtp: Some(rtp), rtcp: Some(rtcp), ..remote };
        self.relay.handle_remote(self.now, side, &remote);
    }

    fn play(&mut self) -> Player {
        let (player, source) = Player::new(16 << 10, CODECS);
        self.relay.play(self.now, Side::A, source);
        player
    }

    /// The other party says something.
    fn say(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let mut buffer = [0; 2048];
        buffer[..bytes.len()].copy_from_slice(bytes);
        let from = address(B);
        let taken =
            self.relay.handle_datagram(self.now, Side::B, Component::Rtp, from, &mut buffer, bytes.len());
        if let Some(forward) = taken? {
            assert_eq!(forward.to, address(A));
            self.got.push(Got { at: self.now, bytes: buffer[..forward.len].to_vec() });
        }
        Ok(())
    }

    /// Time passes; the relay is looked at when it wants to be.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.relay.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.look();
        }
        self.now = end;
    }

    fn look(&mut self) {
        let mut buffer = [0; 2048];
        self.relay.handle_timeout(self.now);
        while let Some(output) = self.relay.poll_output(&mut buffer) {
            match output {
                Output::Play { side, to, len } => {
                    assert_eq!((side, to), (Side::A, address(A)));
                    self.got.push(Got { at: self.now, bytes: buffer[..len].to_vec() });
                }
                Output::Transmit { .. } => self.reports += 1,
                _ => {}
            }
        }
    }

    /// So many frames of the other party's, numbered from `seq` on, while a frame for each is written to `player`.
    fn talk(&mut self, seqs: std::ops::Range<u16>, mut player: Option<&mut Player>) {
        for seq in seqs {
            let _ = self.say(&said(0, seq, u32::from(seq) * 160));
            if let Some(player) = &mut player {
                let wanted = player.wanted().unwrap();
                assert!(player.write(wanted, 160, &[PLAYED; 160]));
            }
            self.pass(FRAME);
        }
    }

    fn played(&self) -> usize {
        self.got.iter().filter(|got| got.is_played()).count()
    }

    /// What a receiver without mercy asks of a stream: one name, each number once, time that goes on.
    fn check(&self) {
        for pair in self.got.windows(2) {
            let [before, after] = [pair[0].packet(), pair[1].packet()];
            assert_eq!(after.ssrc(), before.ssrc());
            assert_eq!(after.seq(), before.seq().wrapping_add(1));
            let ticks = after.timestamp().wrapping_sub(before.timestamp());
            let time = pair[1].at - pair[0].at;
            let off = (f64::from(ticks) / 8000.0 - time.as_secs_f64()).abs();
            assert!(ticks > 0 && off < 0.05, "{ticks} ticks in {time:?}");
            let is_change = pair[0].is_played() != pair[1].is_played();
            assert_eq!(after.marker(), is_change, "the marker begins what is another sound");
        }
    }
}

#[test]
fn what_is_played_and_what_is_said_are_one_stream() {
    let mut call = Call::new(described(&[0, 8, 101]), described(&[0, 101]));
    call.talk(60_000..60_030, None);
    let mut player = call.play();
    let pcmu = player.wanted().unwrap();
    assert_eq!((pcmu.codec, pcmu.payload_type.0, pcmu.ticks()), (Codec::Pcmu, 0, 160));
    let replaced = |call: &mut Call| call.relay.call_statistics(call.now).b.refused.of(Refusal::Replaced);
    let mut next = 60_030;
    for _ in 0..3 {
        call.talk(next..next + 50, Some(&mut player));
        drop(player);
        call.pass(FRAME * 3);
        call.talk(next + 53..next + 83, None);
        next += 83;
        player = call.play();
    }
    call.check();
    assert_eq!(call.played(), 150);
    let between: Vec<_> =
        call.got.windows(2).filter(|pair| pair[0].is_played() && pair[1].is_played()).collect();
    let paced = between.iter().filter(|pair| pair[1].at - pair[0].at == FRAME).count();
    assert!(paced >= 147, "{paced} of {}", between.len());
    assert!((100..150).contains(&replaced(&mut call)), "{}", replaced(&mut call));
}

#[test]
fn the_counts_are_those_of_what_was_sent_and_the_other_partys_loss_is_its_own() {
    let mut call = Call::new(described(&[0]), described(&[0]));
    call.talk(100..130, None);
    let mut player = call.play();
    call.talk(130..180, Some(&mut player));
    drop(player);
    call.pass(FRAME * 4);
    call.talk(184..200, None);
    let figures = call.relay.call_statistics(call.now);
    assert_eq!(figures.a.sent.rtp_packets, call.got.len() as u64);
    assert_eq!(figures.b.received.rtp_packets, 30 + 50 + 16);
    assert_eq!(
        figures.b.received.packets_lost,
        Some(4),
        "what it did not send, and nothing of what was replaced"
    );
    // The party has all of it, and says so.
    let last = call.got.last().unwrap().packet();
    let mut report = vec![0x81, 201, 0, 7];
    report.extend(99_u32.to_be_bytes());
    report.extend(last.ssrc().0.to_be_bytes());
    report.extend([0; 4]);
    report.extend(u32::from(last.seq()).to_be_bytes());
    report.extend([0; 12]);
    let mut buffer = [0; 2048];
    buffer[..report.len()].copy_from_slice(&report);
    let from = SocketAddr::new(address(A).ip(), address(A).port() + 1);
    let (side, port) = (Side::A, Component::Rtcp);
    let taken = call.relay.handle_datagram(call.now, side, port, from, &mut buffer, report.len());
    assert_eq!(taken, Ok(None));
    assert_eq!(call.relay.call_statistics(call.now).a.sent.packets_lost, Some(0));
}

/// Replaced for longer than a receiver of SRTP can guess over, which is 2^15 packets.
#[test]
fn a_receiver_of_srtp_follows_whatever_was_replaced() {
    let key = |byte| MasterKey::new(Suite::AesCm128HmacSha1_80, &[byte; 30]).unwrap();
    let keys = |send, receive| SrtpKeys::new(Suite::AesCm128HmacSha1_80, send, receive);
    let mut phone = Session::new(&keys(key(1), key(2))).unwrap();
    let a = Remote { srtp: Some(Box::new(keys(key(2), key(1)))), ..described(&[0]) };
    let mut call = Call::new(a, described(&[0]));
    let mut taken = 0;
    let mut take = |call: &mut Call| {
        for got in call.got.drain(..) {
            let mut bytes = got.bytes;
            let len = bytes.len();
            phone.unprotect_rtp(&mut bytes, len).unwrap();
            taken += 1;
        }
    };
    call.talk(0..30, None);
    let mut player = call.play();
    for round in 0..2_u16 {
        for seq in 0..18_000_u16 {
            let seq = round.wrapping_mul(18_000).wrapping_add(seq).wrapping_add(30);
            call.talk(seq..seq.saturating_add(1), Some(&mut player));
            take(&mut call);
        }
    }
    drop(player);
    call.pass(FRAME * 4);
    // A copy of what was sent before is none to SRTP.
    call.talk(40_000..40_030, None);
    assert_eq!(call.say(&said(0, 40_029, 40_029 * 160)), Err(Refusal::Replayed));
    take(&mut call);
    assert!(taken > 36_000, "{taken}");
}

#[test]
fn digits_pass_meanwhile_and_keep_their_time() {
    let mut call = Call::new(described(&[0, 101]), described(&[0, 101]));
    call.talk(0..10, None);
    let mut player = call.play();
    call.talk(10..20, Some(&mut player));
    // One digit begins while something is played, and ends after it.
    let began = 20 * 160;
    for seq in 20..40 {
        if seq < 30 {
            let wanted = player.wanted().unwrap();
            player.write(wanted, 160, &[PLAYED; 160]);
        }
        let mut digit = said(101, seq, began);
        digit.truncate(16);
        call.say(&digit).unwrap();
        call.pass(FRAME);
    }
    drop(player);
    call.pass(FRAME * 4);
    call.talk(44..50, None);
    let digits: Vec<_> = call.got.iter().filter(|got| got.packet().payload_type().0 == 101).collect();
    assert_eq!(digits.len(), 20);
    let times: Vec<u32> = digits.iter().map(|got| got.packet().timestamp()).collect();
    assert_eq!(times, [times[0]; 20], "one digit is one digit");
    assert!(digits.iter().all(|got| !got.packet().marker()));
    let numbers: Vec<u16> = call.got.iter().map(|got| got.packet().seq()).collect();
    assert_eq!(numbers, (0..call.got.len() as u16).collect::<Vec<_>>());
}

#[test]
fn who_has_said_nothing_yet_goes_on_with_what_was_played() {
    let mut call = Call::new(described(&[0]), described(&[0]));
    let mut player = call.play();
    for _ in 0..10 {
        let wanted = player.wanted().unwrap();
        player.write(wanted, 160, &[PLAYED; 160]);
    }
    drop(player);
    call.pass(FRAME * 15);
    assert_eq!(call.played(), 10, "at once, for it was whole");
    call.talk(5_000..5_010, None);
    call.check();
    assert_ne!(call.got[0].packet().ssrc(), Ssrc(7));
    assert!(call.got[0].packet().marker());
    // Its numbers begin anew, and ours go on.
    call.talk(100..110, None);
    assert_eq!(call.got.len(), 30);
    assert_eq!(call.got[29].packet().seq(), call.got[0].packet().seq().wrapping_add(29));
}

#[test]
fn another_description_changes_what_is_wanted_and_what_was_coded_before_it_is_not_heard() {
    let mut call = Call::new(described(&[0]), described(&[0]));
    call.talk(0..5, None);
    let mut player = call.play();
    call.talk(5..20, Some(&mut player));
    let before = call.played();
    let pcmu = player.wanted().unwrap();
    call.describe(Side::A, Remote { packet_ms: Some(40), ..described(&[8]) });
    call.describe(Side::B, described(&[8]));
    let pcma = player.wanted().unwrap();
    assert_eq!((pcma.codec, pcma.payload_type.0, pcma.packet_ms, pcma.ticks()), (Codec::Pcma, 8, 40, 320));
    for _ in 0..5 {
        player.write(pcmu, 160, &[PLAYED; 160]);
        player.write(pcma, 320, &[PLAYED; 320]);
    }
    call.pass(Duration::from_secs(1));
    let after: Vec<_> = call.got.iter().filter(|got| got.is_played()).skip(before).collect();
    assert_eq!(after.len(), 5);
    assert!(
        after.iter().all(|got| got.packet().payload_type().0 == 8 && got.packet().payload().len() == 320)
    );
    assert!(after.windows(2).all(|pair| pair[1].at - pair[0].at == FRAME * 2), "by its own clock");
    call.got.retain(Got::is_played);
    let steps = call.got.windows(2).map(|pair| pair[1].packet().seq().wrapping_sub(pair[0].packet().seq()));
    assert!(steps.into_iter().all(|step| step == 1));
    // Nothing that can be written.
    call.describe(Side::A, described(&[18]));
    assert_eq!(player.wanted(), None::<Wanted>);
}

#[test]
fn on_hold_nothing_goes_out_and_time_passes() {
    let mut call = Call::new(described(&[0]), described(&[0]));
    call.talk(0..5, None);
    let mut player = call.play();
    call.talk(5..15, Some(&mut player));
    call.describe(Side::A, Remote { on_hold: true, ..described(&[0]) });
    let before = call.got.len();
    call.talk(15..25, Some(&mut player));
    assert_eq!(call.got.len(), before);
    call.describe(Side::A, described(&[0]));
    call.talk(25..35, Some(&mut player));
    assert!((8..=12).contains(&(call.got.len() - before)), "{}", call.got.len() - before);
    let numbers: Vec<u16> = call.got.iter().map(|got| got.packet().seq()).collect();
    assert_eq!(numbers, (0..call.got.len() as u16).collect::<Vec<_>>());
}

#[test]
fn who_cuts_or_writes_nothing_lets_the_other_party_be_heard() {
    let mut call = Call::new(described(&[0]), described(&[0]));
    let mut player = call.play();
    call.talk(0..10, Some(&mut player));
    player.cut();
    call.pass(FRAME);
    call.got.clear();
    call.talk(10..15, None);
    assert_eq!((call.got.len(), call.played()), (5, 0), "cut");

    let mut player = call.play();
    call.talk(15..25, Some(&mut player));
    call.talk(25..40, None);
    call.got.clear();
    call.talk(40..45, None);
    assert_eq!((call.got.len(), call.played()), (5, 0), "starved");
    assert!(!player.is_over());
    call.talk(45..60, Some(&mut player));
    assert!(call.played() >= 12, "and it is heard again");
}

#[test]
fn what_comes_in_between_is_heard_and_what_it_interrupts_goes_on_behind_it() {
    let mut call = Call::new(described(&[0]), described(&[0]));
    let mut player = call.play();
    call.talk(0..10, Some(&mut player));
    let mut beep = call.play();
    for _ in 0..10 {
        assert!(beep.write(player.wanted().unwrap(), 160, &[0x33; 160]));
    }
    drop(beep);
    // A sentence that begins before the tone has ended waits for it.
    call.talk(10..12, Some(&mut player));
    drop(player);
    call.pass(FRAME * 40);
    let heard: Vec<u8> = call.got.iter().map(|got| got.packet().payload()[0]).collect();
    let first = heard.iter().filter(|byte| **byte == SAID).count();
    let mut runs = Vec::<(u8, usize)>::new();
    for byte in heard.into_iter().filter(|byte| *byte != SAID) {
        match runs.last_mut().filter(|(last, _)| *last == byte) {
            Some((_, count)) => *count += 1,
            None => runs.push((byte, 1)),
        }
    }
    assert!(first <= 4, "{first} packets of the other party's before the first was due");
    assert_eq!((runs.len(), runs[1]), (3, (0x33, 10)), "{runs:?}");
    assert_eq!(runs[0].1 + runs[2].1, 12, "{runs:?}");
    let numbers = call.got.windows(2).map(|two| two[1].packet().seq().wrapping_sub(two[0].packet().seq()));
    assert!(numbers.into_iter().all(|step| step == 1));
}

#[test]
fn the_end_of_the_call_ends_it() {
    let mut call = Call::new(described(&[0]), described(&[0]));
    let mut player = call.play();
    call.talk(0..10, Some(&mut player));
    call.got.clear();
    call.relay.handle_close(call.now);
    call.look();
    call.pass(Duration::from_secs(10));
    assert!(call.got.is_empty() && player.is_over() && call.reports > 0);
}

#[test]
fn playing_allocates_nothing() {
    let mut call = Call::new(described(&[0]), described(&[0]));
    let mut player = call.play();
    let mut buffer = [0; 2048];
    let mut turn = |call: &mut Call, seq: u16| {
        let wanted = player.wanted().unwrap();
        assert!(player.write(wanted, 160, &[PLAYED; 160]));
        let bytes = said(0, seq, u32::from(seq) * 160);
        buffer[..bytes.len()].copy_from_slice(&bytes);
        call.now += FRAME;
        let now = call.now;
        let before = allocations();
        let from = address(B);
        let _ = call.relay.handle_datagram(now, Side::B, Component::Rtp, from, &mut buffer, bytes.len());
        call.relay.handle_timeout(now);
        let outputs = std::iter::from_fn(|| call.relay.poll_output(&mut buffer)).count();
        (allocations() - before, outputs)
    };
    for seq in 0..10 {
        turn(&mut call, seq);
    }
    let mut sent = 0;
    for seq in 10..110 {
        let (count, outputs) = turn(&mut call, seq);
        assert_eq!(count, 0, "{seq}");
        sent += outputs;
    }
    assert!(sent >= 95, "{sent}");
}
