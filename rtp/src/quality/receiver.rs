//! What we receive of one stream.

use std::time::{Duration, Instant};

use super::sequence::fraction_lost;
use super::{Arrived, Jitter, Sequence, Spread};
use crate::ntp::{NtpShort, NtpTime};
use crate::packet::{PayloadType, RtpPacket, Ssrc};
use crate::relay::Counts;
use crate::rtcp::ReportBlock;

/// Nothing for this long, and the gap counts as an interruption: lost packets still, but not the random loss of which
/// an opinion score can be made.
const INTERRUPTION: Duration = Duration::from_secs(5);

/// A silence shorter than this is not taken for an agreed pause.
const PAUSE: Duration = Duration::from_millis(500);
/// Packets may trickle in for this long after signalling suspended them.
const PAUSE_LAG: Duration = Duration::from_secs(2);

/// How to read packets of one payload type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadFormat {
    /// Ticks per second of its timestamps.
    pub clock_rate: u32,
    /// What it carries.
    pub used_for: PayloadUse,
}

/// What a payload type carries, as far as its timestamps are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadUse {
    /// Sound: timestamps follow the time of sending.
    Media,
    /// Telephone events repeat one timestamp. RFC 4733 §2.5.1.2.
    Event,
    /// Comfort noise comes when it likes. RFC 3389.
    ComfortNoise,
}

/// Measures one received stream: RFC 3550 A.1, A.3 and A.8.
///
/// Which packets count for jitter: those whose timestamp follows the time of sending. Telephone events and comfort noise
/// are left out; the first packet after a change of payload type (another clock), after a marker (a talkspurt, whose
/// timestamp may jump over silence) or after a jump of timestamps by a second or more begins the measurement anew without
/// a value. A fax call that reports 544 ms by the letter of A.8 has 0.3 ms this way. Every packet counts for loss.
#[derive(Debug, Clone)]
pub struct Receiver {
    ssrc: Ssrc,
    sequence: Sequence,
    jitter: Jitter,
    /// Payload type of the last packet, and its clock.
    payload_type: PayloadType,
    clock_rate: u32,
    /// When the last packet came.
    heard: Instant,
    /// When the stream was last suspended or resumed by signalling.
    paused: Option<Instant>,
    interruptions: u32,
    /// Lost in interruptions.
    interrupted: u64,
    /// Expected and received by the last report.
    reported: (u64, u64),
    /// The peer's last sender report: its NTP time and when it came.
    last_sr: Option<(NtpShort, Instant)>,
}

impl Receiver {
    /// Begins with the first packet of a stream, which came at `arrival`.
    pub fn new(arrival: Instant, packet: &RtpPacket<'_>, format: PayloadFormat) -> Receiver {
        let mut receiver = Receiver {
            ssrc: packet.ssrc(),
            sequence: Sequence::new(packet.seq()),
            jitter: Jitter::default(),
            payload_type: packet.payload_type(),
            clock_rate: format.clock_rate,
            heard: arrival,
            paused: None,
            interruptions: 0,
            interrupted: 0,
            reported: (0, 0),
            last_sr: None,
        };
        receiver.measure(arrival, packet, format);
        receiver
    }

    /// Takes the next packet of the stream.
    pub fn handle_packet(
        &mut self,
        arrival: Instant,
        packet: &RtpPacket<'_>,
        format: PayloadFormat,
    ) -> Arrived {
        let silence = arrival.saturating_duration_since(self.heard);
        if silence >= PAUSE && self.paused.take().is_some_and(|paused| paused + PAUSE_LAG >= self.heard) {
            self.sequence.pause();
            self.jitter.rebase();
        }
        let arrived = self.sequence.handle_seq(packet.seq());
        match arrived {
            Arrived::Ahead { gap } if gap > 0 && silence >= INTERRUPTION => {
                self.interruptions += 1;
                self.interrupted += u64::from(gap);
                self.jitter.rebase();
            }
            Arrived::Restart => self.jitter.rebase(),
            _ => {}
        }
        if !matches!(arrived, Arrived::Duplicate | Arrived::Jump) {
            self.measure(arrival, packet, format);
        }
        self.heard = arrival;
        arrived
    }

    /// Signalling suspended or resumed the stream (hold, T.38) at `now`: a silence around that moment is agreed, and the
    /// numbers that it passes over are no loss.
    pub fn pause(&mut self, now: Instant) {
        self.paused = Some(now);
    }

    /// So many packets of the gap that the last packet left did reach us, and were not read: they are no loss.
    pub fn excuse(&mut self, count: u64) {
        self.sequence.excuse(count);
    }

    /// The peer's sender report came: our next report block answers it, unless it has no clock (some phones send zeros).
    pub fn handle_sender_report(&mut self, arrival: Instant, ntp: NtpTime) {
        self.last_sr = (ntp.short() != NtpShort(0)).then(|| (ntp.short(), arrival));
    }

    /// Where counting stands, if the stream is a steady one of sound; `None`: what comes next is not simply counted.
    pub(crate) fn counts(&self) -> Option<Counts> {
        if self.paused.is_some_and(|paused| paused + PAUSE_LAG >= self.heard) {
            return None;
        }
        let (highest, seen) = self.sequence.state()?;
        let (jitter, previous) = self.jitter.state();
        Some(Counts { highest, seen, jitter, previous, ..Counts::new(self.heard) })
    }

    /// The payload type of the last packet.
    pub(crate) fn payload_type(&self) -> PayloadType {
        self.payload_type
    }

    /// Somebody else has counted packets of this stream: from `before` to `now`.
    pub(crate) fn handle_counts(&mut self, before: &Counts, now: &Counts) {
        let (packets, duplicates) = (now.packets - before.packets, now.duplicates - before.duplicates);
        self.sequence.go_on((now.highest, now.seen), packets, duplicates);
        self.jitter.go_on(now.jitter, now.previous, now.period);
        self.heard = now.heard;
    }

    /// A report block on this stream, and the start of the next interval.
    pub fn report(&mut self, now: Instant) -> ReportBlock {
        let (expected, received) = (self.sequence.expected(), self.sequence.received());
        let (expected_before, received_before) = std::mem::replace(&mut self.reported, (expected, received));
        let (last_sr, delay_since_last_sr) = match self.last_sr {
            Some((ntp, came)) => (ntp, NtpShort::from_duration(now.saturating_duration_since(came))),
            None => (NtpShort(0), NtpShort(0)),
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: fraction_lost(
                expected.saturating_sub(expected_before),
                received.saturating_sub(received_before),
            ),
            cumulative_lost: self.sequence.cumulative_lost(),
            highest_seq: self.sequence.highest(),
            jitter: self.jitter.ticks(self.clock_rate),
            last_sr,
            delay_since_last_sr,
        }
    }

    /// The jitter after each packet since this was last asked.
    pub fn take_jitter(&mut self) -> Spread {
        self.jitter.take_period()
    }

    /// The stream's name.
    pub fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// Its sequence numbers: expected, received, lost, repeated.
    pub fn sequence(&self) -> &Sequence {
        &self.sequence
    }

    /// Its jitter.
    pub fn jitter(&self) -> &Jitter {
        &self.jitter
    }

    /// When its last packet came.
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// Gaps of five seconds and more that nobody announced, and the packets lost in them.
    pub fn interruptions(&self) -> (u32, u64) {
        (self.interruptions, self.interrupted)
    }

    fn measure(&mut self, arrival: Instant, packet: &RtpPacket<'_>, format: PayloadFormat) {
        if packet.payload_type() != self.payload_type || packet.marker() {
            self.jitter.rebase();
        }
        self.payload_type = packet.payload_type();
        if format.used_for == PayloadUse::Media {
            self.clock_rate = format.clock_rate;
            self.jitter.handle_packet(arrival, packet.timestamp(), format.clock_rate);
        }
    }
}
