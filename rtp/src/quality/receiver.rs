//! What we receive of one stream.

use std::time::{Duration, Instant};

use super::sequence::fraction_lost;
use super::{Arrived, Jitter, Sequence, Spread};
use crate::codec::Codec;
use crate::ntp::{NtpShort, NtpTime};
use crate::packet::{PayloadType, RtpPacket, Ssrc};
use crate::relay::Counts;
use crate::rtcp::ReportBlock;

/// Nothing for this long, and the gap counts as an interruption: its packets are lost, too, but a score is made of the time
/// without sound, and not of them as if they were scattered.
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
/// are left out; the first packet after a change of payload type (another clock) or after a jump of timestamps by a second or
/// more, a fifth of it with a marker (a talkspurt, whose timestamp may not have followed the silence), begins the measurement anew
/// without a value. A fax call that reports 544 ms by the letter of A.8 has 0.3 ms this way. Every packet counts for loss.
///
/// A silence of seconds passes over more numbers than A.1 takes for a gap. Where the timestamps have gone on for as long as the
/// silence lasted, and the numbers with them, it is a gap, however long.
#[derive(Debug, Clone)]
pub struct Receiver {
    ssrc: Ssrc,
    sequence: Sequence,
    jitter: Jitter,
    /// Payload type of the last packet, and its clock.
    payload_type: PayloadType,
    clock_rate: u32,
    /// How the last packet of sound was coded.
    codec: Codec,
    /// Timestamp of the last packet of sound.
    timestamp: u32,
    /// Ticks of sound in a packet: the fewest from one of `sound_type` to the next, since a sender that is silent at times passes over
    /// more; 0: not known yet.
    ticks: u32,
    /// Payload type of the last packet of sound.
    sound_type: PayloadType,
    /// When the last packet came.
    heard: Instant,
    /// Its sender sends nothing while nobody speaks.
    suppresses_silence: bool,
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
            codec: Codec::Other,
            timestamp: packet.timestamp(),
            ticks: 0,
            sound_type: packet.payload_type(),
            heard: arrival,
            suppresses_silence: false,
            paused: None,
            interruptions: 0,
            interrupted: 0,
            reported: (0, 0),
            last_sr: None,
        };
        receiver.measure(arrival, packet, format, Arrived::Restart);
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
        let is_agreed = silence >= PAUSE && self.is_paused();
        if silence >= PAUSE {
            self.paused = None;
        }
        if is_agreed {
            self.sequence.pause();
            self.jitter.rebase();
        }
        let arrived = match self.passed_over(silence, packet, format).filter(|_| !is_agreed) {
            Some(gap) => self.sequence.pass_over(gap),
            None => self.sequence.handle_seq(packet.seq()),
        };
        match arrived {
            Arrived::Ahead { gap } if gap > 0 && silence >= INTERRUPTION => {
                self.interruptions += 1;
                self.interrupted += gap;
                self.suppresses_silence = false;
                self.jitter.rebase();
            }
            Arrived::Ahead { gap: 0 } if silence >= PAUSE && !is_agreed => self.suppresses_silence = true,
            Arrived::Restart => self.jitter.rebase(),
            _ => {}
        }
        if !matches!(arrived, Arrived::Duplicate | Arrived::Jump) {
            self.measure(arrival, packet, format, arrived);
        }
        self.heard = arrival;
        arrived
    }

    fn is_paused(&self) -> bool {
        self.paused.is_some_and(|paused| paused + PAUSE_LAG >= self.heard)
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
        if self.is_paused() {
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
        self.timestamp = now.timestamp;
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

    /// Packets that would have come meanwhile, where the stream has been silent for five seconds and more up to `now`, nobody has
    /// announced it, and its sender does not keep silent of its own accord (RFC 3551 §4.1).
    pub fn missing(&self, now: Instant) -> u64 {
        let silence = now.saturating_duration_since(self.heard);
        if silence < INTERRUPTION || self.suppresses_silence || self.is_paused() {
            return 0;
        }
        let lasted = silence.as_nanos() * u128::from(self.clock_rate) / 1_000_000_000;
        u64::try_from(lasted / u128::from(self.step().max(1))).unwrap_or(u64::MAX)
    }

    /// Sound in a packet, in ticks: 20 ms until it is known.
    fn step(&self) -> u32 {
        if self.ticks == 0 { self.clock_rate / 50 } else { self.ticks }
    }

    /// Sound in a packet; 20 ms until it is known.
    pub fn packet_time(&self) -> Duration {
        match self.clock_rate {
            0 => Duration::from_millis(20),
            rate => Duration::from_secs(u64::from(self.step())) / rate,
        }
    }

    /// How the packet that came last is coded, if it is of sound.
    pub(crate) fn set_codec(&mut self, codec: Codec) {
        self.codec = codec;
    }

    /// How its speech is coded: of the last packet of sound.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Gaps of five seconds and more that nobody announced, and the packets lost in them.
    pub fn interruptions(&self) -> (u32, u64) {
        (self.interruptions, self.interrupted)
    }

    /// Packets that an interruption passed over, by the timestamps: as many more as a whole cycle of numbers, or several, may have
    /// gone by. `None`: they do not tell.
    fn passed_over(&self, silence: Duration, packet: &RtpPacket<'_>, format: PayloadFormat) -> Option<u64> {
        let is_same = packet.payload_type() == self.payload_type && format.used_for == PayloadUse::Media;
        if silence < INTERRUPTION || self.ticks == 0 || !is_same {
            return None;
        }
        let rate = u64::from(format.clock_rate);
        let went_on = u64::from(packet.timestamp().wrapping_sub(self.timestamp));
        let lasted = u64::try_from(silence.as_nanos() * u128::from(rate) / 1_000_000_000).ok()?;
        if went_on.abs_diff(lasted) > rate {
            return None;
        }
        let steps = went_on / u64::from(self.ticks);
        let step = packet.seq().wrapping_sub(self.sequence.highest() as u16);
        let off = step.wrapping_sub(steps as u16) as i16; // the nearest that ends in the packet's number
        let is_near = u64::from(off.unsigned_abs()) <= (steps / 8).max(50);
        let step = steps.checked_add_signed(i64::from(off)).filter(|step| *step > 0 && is_near)?;
        Some(step - 1)
    }

    fn measure(&mut self, arrival: Instant, packet: &RtpPacket<'_>, format: PayloadFormat, arrived: Arrived) {
        let is_other = packet.payload_type() != self.payload_type;
        if is_other {
            self.jitter.rebase();
        }
        self.payload_type = packet.payload_type();
        self.suppresses_silence |= format.used_for == PayloadUse::ComfortNoise;
        if format.used_for == PayloadUse::Media {
            if packet.payload_type() != self.sound_type {
                (self.sound_type, self.ticks) = (packet.payload_type(), 0);
            }
            let ticks = packet.timestamp().wrapping_sub(self.timestamp);
            let follows = arrived == (Arrived::Ahead { gap: 0 }) && !is_other && !packet.marker();
            if follows && (1..format.clock_rate).contains(&ticks) {
                self.ticks = if self.ticks == 0 { ticks } else { self.ticks.min(ticks) };
            }
            if arrived != Arrived::Late {
                self.timestamp = packet.timestamp();
            }
            self.clock_rate = format.clock_rate;
            self.jitter.handle_packet(arrival, packet.timestamp(), format.clock_rate, packet.marker());
        }
    }
}
