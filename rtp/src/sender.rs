//! What we send of one stream.

use std::time::{Duration, Instant};

use crate::codec::Codec;
use crate::ntp::{NtpShort, NtpTime};
use crate::packet::{RtpPacket, Ssrc};
use crate::quality::{MAX_DROPOUT, MAX_MISORDER, PayloadFormat, PayloadUse, round_trip};
use crate::relay::Counts;
use crate::rtcp::{ReportBlock, SenderInfo};

/// Numbers that are remembered, most recent first: 20 s at 50 packets a second, while a report is rarely older than a
/// round trip.
const REMEMBERED: u64 = 1024;
/// A jitter beyond this is none.
const MOST_JITTER: f64 = 10.0;

/// Counts a stream as we forward it, under the SSRC and the sequence numbers that it came with.
///
/// Our sender report carries these counts. Gaps pass through, so what the peer reports as lost holds the gaps that we
/// forwarded; loss on the way out is its figure less those, by the highest number that its report speaks of.
///
/// A jump of the numbers (hold, transfer) begins a run anew, as it does at a receiver that follows RFC 3550 A.1. Some receivers
/// count from nothing then, others go on, and others again count the jump itself: what the first report on the run says, compared
/// with the last one before, tells them apart.
#[derive(Debug, Clone)]
pub struct Sender {
    ssrc: Ssrc,
    packets: u64,
    bytes: u64,
    /// Highest number forwarded, extended, and the first one.
    highest: u64,
    base: u64,
    /// Different numbers forwarded.
    distinct: u64,
    /// What must come next to prove that the numbers have jumped.
    restart_at: Option<u16>,
    /// Of earlier runs, and how much the peer had counted as lost when the last of them ended; `None`: there was none.
    earlier: Option<Run>,
    /// Bit `n % REMEMBERED`: number `n` was forwarded, for the numbers that are remembered.
    forwarded: [u64; (REMEMBERED / 64) as usize],
    /// Timestamp of the last packet of sound, when it was sent, and its clock.
    clock: (u32, Instant, u32),
    /// How that was coded.
    codec: Codec,
    /// NTP times of our last reports; a block that answers none of them gives no round trip.
    reported: [NtpShort; 4],
    last_sent: Instant,
    peer: Option<PeerReport>,
    /// What the peer's figure holds beside the loss of this run: what it had counted before, less the gaps that we forwarded before
    /// it began to count. `None`: it has not reported on the run.
    bias: Option<i64>,
    /// The peer's last figure.
    cumulative: i64,
}

/// Runs of numbers that are over.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    lost: u64,
    forwarded: u64,
    cumulative: i64,
}

/// What a peer's report block says of a stream that we forward to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerReport {
    /// Packets lost between us and the peer since the stream began.
    pub lost: u64,
    /// Packets forwarded up to the number that the report speaks of.
    pub forwarded: u64,
    /// Jitter that the peer sees: end to end. `None`: its figure cannot be.
    pub jitter: Option<Duration>,
    /// Round trip between us and the peer.
    pub round_trip: Option<Duration>,
}

impl Sender {
    /// Begins with the first packet of a stream, forwarded at `now`.
    pub fn new(now: Instant, packet: &RtpPacket<'_>, format: PayloadFormat) -> Sender {
        let first = (1 << 16) + u64::from(packet.seq());
        let mut sender = Sender {
            ssrc: packet.ssrc(),
            packets: 0,
            bytes: 0,
            highest: first,
            base: first,
            distinct: 0,
            restart_at: None,
            earlier: None,
            forwarded: [0; (REMEMBERED / 64) as usize],
            clock: (packet.timestamp(), now, format.clock_rate),
            codec: Codec::Other,
            reported: [NtpShort(0); 4],
            last_sent: now,
            peer: None,
            bias: None,
            cumulative: 0,
        };
        sender.handle_packet(now, packet, format);
        sender
    }

    /// Counts a packet that was forwarded at `now`, as it came in.
    pub fn handle_packet(&mut self, now: Instant, packet: &RtpPacket<'_>, format: PayloadFormat) {
        self.packets += 1;
        self.bytes += packet.payload().len() as u64;
        self.last_sent = now;
        if format.used_for == PayloadUse::Media {
            self.clock = (packet.timestamp(), now, format.clock_rate);
        }
        self.remember(packet.seq());
    }

    /// Somebody else has forwarded packets of this stream and counted them: from `before` to `now`. Their headers were of
    /// twelve bytes, without padding.
    ///
    /// Of numbers before the last 128 it is known how many were forwarded, and not which: the latest are taken to be.
    pub(crate) fn handle_counts(&mut self, before: &Counts, now: &Counts) {
        let packets = now.packets - before.packets;
        self.packets += packets;
        self.bytes += (now.bytes - before.bytes).saturating_sub(12 * packets);
        self.last_sent = now.heard;
        self.clock = (now.timestamp, now.heard, self.clock.2);
        let distinct = packets.saturating_sub(now.duplicates - before.duplicates);
        let step = now.highest.saturating_sub(before.highest);
        let known = u64::from(u128::BITS);
        let total = self.distinct + distinct;
        for _ in 0..step.min(REMEMBERED) {
            self.highest += 1;
            self.forget(self.highest);
        }
        self.highest += step.saturating_sub(REMEMBERED);
        for behind in (0..known).filter(|behind| now.seen >> behind & 1 == 1) {
            self.mark(self.highest - behind);
        }
        for behind in known..step.min(REMEMBERED) {
            if self.distinct >= total {
                break;
            }
            self.mark(self.highest - behind);
        }
        self.distinct = total;
    }

    /// The sender information of a report sent at `now`, which is `ntp`.
    pub fn report(&mut self, now: Instant, ntp: NtpTime) -> SenderInfo {
        self.reported.rotate_right(1);
        let [latest, ..] = &mut self.reported;
        *latest = ntp.short();
        let (timestamp, sent, clock_rate) = self.clock;
        let since = now.saturating_duration_since(sent).as_nanos() * u128::from(clock_rate) / 1_000_000_000;
        SenderInfo {
            ntp,
            rtp_timestamp: timestamp.wrapping_add(since as u32),
            packets: self.packets as u32,
            bytes: self.bytes as u32,
        }
    }

    /// Takes a peer's report block on this stream that came at `arrival`; `None`: it is of another stream.
    pub fn handle_report(&mut self, arrival: NtpTime, block: &ReportBlock) -> Option<PeerReport> {
        if block.ssrc != self.ssrc {
            return None;
        }
        let (lost, forwarded) = self.lost(block);
        let ours = self.reported.contains(&block.last_sr);
        let jitter = f64::from(block.jitter) / f64::from(self.clock.2.max(1));
        self.peer = Some(PeerReport {
            lost,
            forwarded,
            jitter: (jitter <= MOST_JITTER).then(|| Duration::from_secs_f64(jitter)),
            round_trip: round_trip(arrival, block.last_sr, block.delay_since_last_sr).filter(|_| ours),
        });
        self.peer
    }

    /// What the peer reported last.
    pub fn peer(&self) -> Option<&PeerReport> {
        self.peer.as_ref()
    }

    /// How the packet that went last is coded, if it is of sound.
    pub(crate) fn set_codec(&mut self, codec: Codec) {
        self.codec = codec;
    }

    /// How its speech is coded: of the last packet of sound.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The stream's name.
    pub fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// Its highest number.
    pub(crate) fn highest(&self) -> u16 {
        self.highest as u16
    }

    /// Timestamp of the last packet of sound, when it was sent, and its clock.
    pub(crate) fn clock(&self) -> (u32, Instant, u32) {
        self.clock
    }

    /// When its last packet was forwarded.
    pub fn last_sent(&self) -> Instant {
        self.last_sent
    }

    /// Packets lost and forwarded, over all runs, as a report has it.
    fn lost(&mut self, block: &ReportBlock) -> (u64, u64) {
        let seq = block.highest_seq as u16;
        let behind = u64::from((self.highest as u16).wrapping_sub(seq));
        if self.earlier.is_some() && behind > self.highest - self.base {
            // It is still about the run before.
            return self.peer.map_or((0, 0), |peer| (peer.lost, peer.forwarded));
        }
        let (forwarded, gaps) = self.up_to(seq);
        let earlier = self.earlier.unwrap_or_default();
        let cumulative = i64::from(block.cumulative_lost);
        let raw = cumulative - i64::try_from(gaps).unwrap_or(i64::MAX);
        let bias = self.bias.unwrap_or_else(|| {
            let counted = if cumulative >= earlier.cumulative { earlier.cumulative } else { 0 };
            let most = i64::try_from(forwarded).unwrap_or(i64::MAX);
            let is_sound = self.earlier.is_none() || raw - counted <= most;
            if is_sound { counted.min(raw) } else { raw }
        });
        (self.bias, self.cumulative) = (Some(bias), cumulative);
        let lost = u64::try_from(raw - bias).unwrap_or(0).min(forwarded);
        (earlier.lost + lost, earlier.forwarded + forwarded)
    }

    /// The numbers have jumped: a run begins with `seq`.
    fn restart(&mut self, seq: u16) {
        let (lost, forwarded) = self.peer.map_or((0, 0), |peer| (peer.lost, peer.forwarded));
        self.earlier = Some(Run { lost, forwarded, cumulative: self.cumulative });
        self.bias = None;
        self.highest = (1 << 16) + u64::from(seq);
        self.base = self.highest;
        self.distinct = 0;
        self.forwarded = [0; (REMEMBERED / 64) as usize];
        self.mark(self.highest);
    }

    fn remember(&mut self, seq: u16) {
        let step = seq.wrapping_sub(self.highest as u16);
        if (MAX_DROPOUT..=u16::MAX - MAX_MISORDER).contains(&step) {
            if self.restart_at.replace(seq.wrapping_add(1)) != Some(seq) {
                return;
            }
            self.restart(seq.wrapping_sub(1));
            return self.remember(seq);
        }
        self.restart_at = None;
        if step < 0x8000 {
            let next = self.highest + u64::from(step);
            let passed_over = (self.highest + 1..next).rev().take(self.forwarded.len() * 64);
            passed_over.for_each(|number| self.forget(number));
            if step > 0 {
                self.forget(next);
            }
            self.highest = next;
            self.mark(next);
        } else {
            let number = self.highest.saturating_sub(u64::from(step.wrapping_neg()));
            self.base = self.base.min(number); // Late at the very start.
            self.mark(number);
        }
    }

    fn forget(&mut self, number: u64) {
        let (word, bit) = place(number);
        if let Some(word) = self.forwarded.get_mut(word) {
            *word &= !bit;
        }
    }

    fn mark(&mut self, number: u64) {
        let (word, bit) = place(number);
        match self.forwarded.get_mut(word) {
            Some(word) if self.highest - number < REMEMBERED => {
                self.distinct += u64::from(*word & bit == 0); // else forwarded twice
                *word |= bit;
            }
            _ => self.distinct += 1,
        }
    }

    fn is_forwarded(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.forwarded.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Packets forwarded and numbers passed over, from the first up to the one that ends in `seq`.
    fn up_to(&self, seq: u16) -> (u64, u64) {
        let behind = u64::from((self.highest as u16).wrapping_sub(seq));
        // A report on what we have not sent yet (or long ago) can only be taken to be about now.
        let behind = if behind < REMEMBERED { behind } else { 0 };
        let since =
            (self.highest - behind + 1..=self.highest).filter(|number| self.is_forwarded(*number)).count();
        let forwarded = self.distinct.saturating_sub(since as u64);
        let expected = (self.highest - self.base + 1).saturating_sub(behind);
        (forwarded, expected.saturating_sub(forwarded))
    }
}

/// Word and bit of a number.
fn place(number: u64) -> (usize, u64) {
    let bit = number % REMEMBERED;
    ((bit / 64) as usize, 1 << (bit % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::ReportBlock;

    const FORMAT: PayloadFormat = PayloadFormat { clock_rate: 8000, used_for: PayloadUse::Media };

    fn packet(seq: u16) -> [u8; 14] {
        let [high, low] = seq.to_be_bytes();
        [0x80, 0, high, low, 0, 0, 0, 0, 0, 0, 0, 7, 1, 2]
    }

    fn forward(now: Instant, seqs: impl IntoIterator<Item = u16>) -> Sender {
        let mut seqs = seqs.into_iter();
        let bytes = packet(seqs.next().unwrap());
        let mut sender = Sender::new(now, &RtpPacket::parse(&bytes).unwrap(), FORMAT);
        for seq in seqs {
            let bytes = packet(seq);
            sender.handle_packet(now, &RtpPacket::parse(&bytes).unwrap(), FORMAT);
        }
        sender
    }

    fn block(highest: u16, lost: i32) -> ReportBlock {
        ReportBlock {
            ssrc: Ssrc(7),
            fraction_lost: 0,
            cumulative_lost: lost,
            highest_seq: u32::from(highest),
            jitter: 80,
            last_sr: NtpShort(0),
            delay_since_last_sr: NtpShort(0),
        }
    }

    #[test]
    fn loss_on_the_way_out_excludes_the_gaps_that_we_forwarded() {
        // 3, 4 and 8 never reached us.
        let mut sender = forward(crate::test_start(), [1, 2, 5, 6, 7, 9, 10]);
        let mut lost = |highest, lost| {
            let report = sender.handle_report(NtpTime(0), &block(highest, lost)).unwrap();
            (report.forwarded, report.lost)
        };
        assert_eq!(lost(10, 3), (7, 0));
        assert_eq!(lost(10, 5), (7, 2));
        assert_eq!(lost(7, 2), (5, 0)); // 8 is a gap, but the report ends before it
        assert_eq!(lost(7, 3), (5, 1));
        assert_eq!(lost(10, -4), (7, 0));
    }

    #[test]
    fn a_jump_clears_what_it_passes_over() {
        let sender = forward(crate::test_start(), (0..1500).chain([4000, 4001]));
        assert_eq!(sender.up_to(4001), (1502, 2500));
        assert_eq!(sender.up_to(3999), (1500, 2500));
    }

    #[test]
    fn a_peer_that_began_to_count_later_hides_no_loss() {
        // The receiver never saw 1, so 2 and 3 are no gap to it.
        let mut sender = forward(crate::test_start(), [1, 4, 5, 6, 7, 8]);
        let mut lost = |highest, lost| sender.handle_report(NtpTime(0), &block(highest, lost)).unwrap().lost;
        assert_eq!(lost(6, 0), 0);
        assert_eq!(lost(8, 1), 1);
    }

    #[test]
    fn a_leap_back_hides_no_later_loss() {
        let start = crate::test_start();
        let mut sender = forward(start, 30_000..30_500);
        assert_eq!(sender.handle_report(NtpTime(0), &block(30_499, 0)).unwrap().lost, 0);
        for seq in [25_000].into_iter().chain(30_500..30_600) {
            let bytes = packet(seq);
            sender.handle_packet(start, &RtpPacket::parse(&bytes).unwrap(), FORMAT);
        }
        assert_eq!(sender.handle_report(NtpTime(0), &block(30_599, 10)).unwrap().lost, 10);
        // What is late at the very start was before it.
        let sender = forward(start, [65_534, 65_530, 65_535, 0]);
        assert_eq!(sender.up_to(0), (4, 3));
    }

    /// After a hold the numbers go on elsewhere: whatever a receiver makes of it, loss is what was lost.
    #[test]
    fn after_a_jump_loss_is_counted_on_whatever_the_peer_does() {
        let start = crate::test_start();
        let mut sent = forward(start, 100..200);
        assert_eq!(sent.handle_report(NtpTime(0), &block(199, 4)).unwrap().lost, 4);
        for seq in 40_000..40_100 {
            let bytes = packet(seq);
            sent.handle_packet(start, &RtpPacket::parse(&bytes).unwrap(), FORMAT);
        }
        assert_eq!(sent.handle_report(NtpTime(0), &block(199, 5)).unwrap().lost, 4, "on the run before");
        // It begins at nothing, goes on, or counts the jump; then it loses two more.
        for (first, second) in [(0, 2), (3, 5), (4, 6), (39_805, 39_807)] {
            let mut sender = sent.clone();
            let report = sender.handle_report(NtpTime(0), &block(40_050, first)).unwrap();
            assert!((4..=7).contains(&report.lost), "{first}: {}", report.lost);
            let before = report.lost;
            let report = sender.handle_report(NtpTime(0), &block(40_099, second)).unwrap();
            assert_eq!((report.lost - before, report.forwarded), (2, 200), "{first}");
        }
        // Back to lower numbers, and nothing is blamed on the way out.
        for seq in 10..60 {
            let bytes = packet(seq);
            sent.handle_packet(start, &RtpPacket::parse(&bytes).unwrap(), FORMAT);
        }
        assert_eq!(sent.handle_report(NtpTime(0), &block(59, 0)).unwrap().lost, 4);
    }

    #[test]
    fn a_late_packet_closes_its_gap() {
        let sender = forward(crate::test_start(), [65534, 0, 1, 65535, 2]);
        assert_eq!(sender.up_to(2), (5, 0));
        assert_eq!(sender.up_to(65534), (1, 0));
    }

    #[test]
    fn gaps_are_known_far_back() {
        let sender = forward(crate::test_start(), (0..2000).filter(|seq| seq % 50 != 7));
        assert_eq!(sender.up_to(1999), (1960, 40));
        assert_eq!(sender.up_to(1000), (981, 20));
    }

    #[test]
    fn the_report_carries_our_counts_and_the_time_of_now() {
        let start = crate::test_start();
        let mut sender = forward(start, [1, 2, 3]);
        let info = sender.report(start + Duration::from_millis(10), NtpTime(5));
        assert_eq!((info.packets, info.bytes, info.rtp_timestamp), (3, 6, 80));
    }

    #[test]
    fn a_round_trip_needs_a_report_of_ours() {
        let mut sender = forward(crate::test_start(), [1]);
        sender.report(crate::test_start(), NtpTime(0xb705_2000 << 16));
        let mut block = block(1, 0);
        let mut check = |last_sr, round_trip| {
            block.last_sr = NtpShort(last_sr);
            block.delay_since_last_sr = NtpShort(0x0005_4000);
            let report = sender.handle_report(NtpTime(0xb710_8000 << 16), &block).unwrap();
            assert_eq!(report.round_trip, round_trip);
        };
        check(0xb705_2000, Some(Duration::from_millis(6_125)));
        check(0xb705_2001, None);
        check(0, None);
    }

    #[test]
    fn a_jitter_that_cannot_be_is_no_figure() {
        let mut sender = forward(crate::test_start(), [1]);
        let mut jitter = |ticks| {
            let block = ReportBlock { jitter: ticks, ..block(1, 0) };
            sender.handle_report(NtpTime(0), &block).unwrap().jitter
        };
        assert_eq!(jitter(80), Some(Duration::from_millis(10)));
        assert_eq!(jitter(80_000), Some(Duration::from_secs(10)));
        assert_eq!(jitter(80_001), None);
        assert_eq!(jitter(u32::MAX), None);
    }
}
