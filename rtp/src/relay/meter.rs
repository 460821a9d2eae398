//! The figures of one leg, summed over its streams.

use std::time::{Duration, Instant};

use super::{FlowStatistics, LegStatistics, LossPattern, Refusals};
use crate::codec::Codec;
use crate::quality::{BurstCounts, Path, Receiver, Spread, mos, rating, wideband_mos, wideband_rating};
use crate::rtcp::VoipMetrics;
use crate::sender::{PeerReport, Sender};

/// A direction is rated from so many packets on.
const ENOUGH: u64 = 50;

/// Packets and bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    packets: u64,
    bytes: u64,
}

impl Count {
    pub(super) fn add(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }

    pub(super) fn add_many(&mut self, packets: u64, bytes: u64) {
        self.packets += packets;
        self.bytes += bytes;
    }

    fn since(self, earlier: Count) -> Count {
        Count {
            packets: self.packets.saturating_sub(earlier.packets),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}

/// What is counted of one direction; only grows, but for what is `lost` when a late packet comes, and what is `silent` when it
/// turns out that nothing was to come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Direction {
    pub(super) rtp: Count,
    pub(super) rtcp: Count,
    pub(super) udptl: Count,
    loss: Loss,
}

#[derive(Debug, Clone, Copy, Default)]
struct Loss {
    /// Packets that the figures below speak of: received, what should have come; sent, what went out.
    expected: u64,
    lost: u64,
    /// Interruptions, and of both of the above those that fell into them.
    interruptions: u64,
    interrupted: u64,
    /// Packets of the time without sound: those, and what would have come since the stream fell silent.
    silent: u64,
    duplicates: u64,
    bursts: BurstCounts,
    /// Of a stream nobody knows how its losses lie.
    is_unplaced: bool,
    /// How long bursts and gaps were together.
    burst_time: Duration,
    gap_time: Duration,
    codec: Option<Codec>,
    /// The figures are known: of what goes out, the peer has reported.
    is_known: bool,
}

impl Loss {
    fn add(&mut self, other: Loss) {
        self.expected += other.expected;
        self.lost += other.lost;
        self.interruptions += other.interruptions;
        self.interrupted += other.interrupted;
        self.silent += other.silent;
        self.duplicates += other.duplicates;
        self.bursts.add(&other.bursts);
        self.is_unplaced |= other.is_unplaced;
        self.burst_time += other.burst_time;
        self.gap_time += other.gap_time;
        self.codec = self.codec.or(other.codec);
        self.is_known |= other.is_known;
    }

    fn since(self, earlier: Loss) -> Loss {
        Loss {
            expected: self.expected.saturating_sub(earlier.expected),
            lost: self.lost.saturating_sub(earlier.lost),
            interruptions: self.interruptions.saturating_sub(earlier.interruptions),
            interrupted: self.interrupted.saturating_sub(earlier.interrupted),
            silent: self.silent.saturating_sub(earlier.silent),
            duplicates: self.duplicates.saturating_sub(earlier.duplicates),
            bursts: self.bursts.since(&earlier.bursts),
            is_unplaced: self.is_unplaced,
            burst_time: self.burst_time.saturating_sub(earlier.burst_time),
            gap_time: self.gap_time.saturating_sub(earlier.gap_time),
            codec: self.codec,
            is_known: self.is_known,
        }
    }
}

/// What is averaged, once for the minute and once for the call.
#[derive(Debug, Clone, Copy, Default)]
struct Averages {
    received: Spread,
    sent: Spread,
    round_trip: Spread,
    one_way_silence: bool,
}

/// Counts and averages of one leg.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) received: Direction,
    pub(super) sent: Direction,
    pub(super) refused: Refusals,
    minute: Averages,
    call: Averages,
    /// Counts when the minute began.
    before: (Direction, Direction, Refusals),
}

impl Meter {
    /// A stream that comes in is over.
    pub(super) fn retire_received(&mut self, receiver: Option<Receiver>) {
        if let Some(mut receiver) = receiver {
            self.collect(&mut receiver);
            self.received.loss.add(loss(&receiver));
        }
    }

    /// A stream that we sent is over.
    pub(super) fn retire_sent(&mut self, sender: Option<Sender>) {
        self.sent.loss.add(sender.map(|sender| reported(&sender)).unwrap_or_default());
    }

    /// The peer reported on the stream that we send.
    pub(super) fn handle_report(&mut self, report: &PeerReport) {
        for averages in [&mut self.minute, &mut self.call] {
            if let Some(jitter) = report.jitter {
                averages.sent.add(jitter.as_secs_f64());
            }
            if let Some(round_trip) = report.round_trip {
                averages.round_trip.add(round_trip.as_secs_f64());
            }
        }
    }

    /// The peer has answered a receiver reference time of ours.
    pub(super) fn handle_round_trip(&mut self, round_trip: Duration) {
        for averages in [&mut self.minute, &mut self.call] {
            averages.round_trip.add(round_trip.as_secs_f64());
        }
    }

    /// The leg is silent while the other is heard.
    pub(super) fn handle_one_way_silence(&mut self) {
        self.minute.one_way_silence = true;
        self.call.one_way_silence = true;
    }

    /// The figures since the call began.
    pub(super) fn call(&mut self, now: Instant, streams: Streams<'_>) -> Period {
        let (received, sent) = self.now(now, streams);
        Period { received, sent, refused: self.refused, averages: self.call }
    }

    /// The figures since the minute began; a new one begins.
    pub(super) fn minute(&mut self, now: Instant, streams: Streams<'_>) -> Period {
        let (received, sent) = self.now(now, streams);
        let before = std::mem::replace(&mut self.before, (received, sent, self.refused));
        let averages = std::mem::take(&mut self.minute);
        Period {
            received: since(received, before.0),
            sent: since(sent, before.1),
            refused: self.refused.since(&before.2),
            averages,
        }
    }

    /// The counts with those of the streams that are not over yet. What a minute has booked as lost stays lost, though it may come
    /// late: so the minutes add up to the call.
    fn now(&mut self, now: Instant, streams: Streams<'_>) -> (Direction, Direction) {
        let (mut received, mut sent) = (self.received, self.sent);
        // That of the stream that goes on, of which the figures are added first.
        (received.loss.codec, sent.loss.codec) = (None, None);
        let [current, before] = streams.received;
        if let Some(current) = &current {
            received.loss.silent += current.missing(now);
        }
        for receiver in [current, before].into_iter().flatten() {
            self.collect(receiver);
            received.loss.add(loss(receiver));
        }
        for sender in streams.sent.into_iter().flatten() {
            sent.loss.add(reported(sender));
        }
        received.loss.codec = received.loss.codec.or(self.received.loss.codec);
        sent.loss.codec = sent.loss.codec.or(self.sent.loss.codec);
        received.loss.lost = received.loss.lost.max(self.before.0.loss.lost);
        sent.loss.lost = sent.loss.lost.max(self.before.1.loss.lost);
        (received, sent)
    }

    fn collect(&mut self, receiver: &mut Receiver) {
        let jitter = receiver.take_jitter();
        self.minute.received.merge(jitter);
        self.call.received.merge(jitter);
    }
}

/// The streams of a leg that are not over.
pub(super) struct Streams<'a> {
    pub(super) received: [Option<&'a mut Receiver>; 2],
    pub(super) sent: [Option<&'a Sender>; 2],
}

fn reported(sender: &Sender) -> Loss {
    let Some(report) = sender.peer() else { return Loss::default() };
    let codec = Some(sender.codec());
    Loss { expected: report.forwarded, lost: report.lost, codec, is_known: true, ..Loss::default() }
}

fn loss(receiver: &Receiver) -> Loss {
    let sequence = receiver.sequence();
    let (interruptions, interrupted) = receiver.interruptions();
    let placed = sequence.bursts();
    let bursts = placed.unwrap_or_default();
    let time = |packets: u64| receiver.packet_time() * u32::try_from(packets).unwrap_or(u32::MAX);
    Loss {
        expected: sequence.expected(),
        lost: sequence.lost(),
        interruptions: u64::from(interruptions),
        interrupted,
        silent: interrupted,
        duplicates: sequence.duplicates(),
        burst_time: time(bursts.burst_packets),
        gap_time: time(bursts.gap_packets),
        bursts,
        is_unplaced: placed.is_none(),
        codec: Some(receiver.codec()),
        is_known: true,
    }
}

fn since(direction: Direction, earlier: Direction) -> Direction {
    Direction {
        rtp: direction.rtp.since(earlier.rtp),
        rtcp: direction.rtcp.since(earlier.rtcp),
        udptl: direction.udptl.since(earlier.udptl),
        loss: direction.loss.since(earlier.loss),
    }
}

/// What was counted and averaged of one leg in a period.
#[derive(Debug, Clone, Copy)]
pub(super) struct Period {
    received: Direction,
    sent: Direction,
    refused: Refusals,
    averages: Averages,
}

impl Period {
    /// The figures of the leg; `across`: what was counted of the other one; `reported`: what the peer thinks of what we send.
    pub(super) fn statistics(&self, across: &Period, reported: Option<&VoipMetrics>) -> LegStatistics {
        let Averages { received, sent, round_trip, one_way_silence } = self.averages;
        let round_trip = round_trip.mean();
        let own = beyond(sent.mean(), across.averages.received.mean());
        let mut came = flow(&self.received, received);
        let mut went = flow(&self.sent, sent);
        came.pattern = self.received.loss.pattern();
        went.pattern = reported.map(reported_pattern);
        went.reported_mos = reported.and_then(VoipMetrics::mos);
        (came.mos, came.wideband_mos) = score(self.received.loss, received.mean(), round_trip);
        (went.mos, went.wideband_mos) = score(self.sent.loss, own, round_trip);
        let mos = match (came.mos, went.mos) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        LegStatistics {
            received: came,
            sent: went,
            round_trip,
            mos,
            srtcp_tag: None,
            refused: self.refused,
            one_way_silence,
        }
    }
}

impl Loss {
    fn pattern(&self) -> Option<LossPattern> {
        if self.is_unplaced || !self.is_known {
            return None;
        }
        let mean = |time: Duration, count: u64| match u32::try_from(count).unwrap_or(u32::MAX) {
            0 => Duration::ZERO,
            count => time / count,
        };
        Some(LossPattern {
            bursts: Some(self.bursts.bursts),
            burst_density: self.bursts.burst_density(),
            burst_duration: mean(self.burst_time, self.bursts.bursts),
            gap_density: self.bursts.gap_density(),
            gap_duration: mean(self.gap_time, self.bursts.gaps),
            burst_ratio: Some(self.burst_ratio()),
        })
    }

    /// Without the interruptions, of which each is one run of losses; 1, of losses that are independent, where it is not known.
    fn burst_ratio(&self) -> f64 {
        if self.is_unplaced {
            return 1.0;
        }
        self.bursts.burst_ratio((self.interruptions, self.interrupted))
    }
}

/// What the peer reports of what we send.
fn reported_pattern(metrics: &VoipMetrics) -> LossPattern {
    LossPattern {
        bursts: None,
        burst_density: f64::from(metrics.burst_density) / 256.0,
        burst_duration: Duration::from_millis(u64::from(metrics.burst_duration)),
        gap_density: f64::from(metrics.gap_density) / 256.0,
        gap_duration: Duration::from_millis(u64::from(metrics.gap_duration)),
        burst_ratio: None,
    }
}

/// The part of a jitter that the peer sees end to end which is not the other leg's: the two are independent, so their squares
/// add up.
fn beyond(jitter: Option<Duration>, across: Option<Duration>) -> Option<Duration> {
    let (all, across) = (jitter?.as_secs_f64(), across.unwrap_or_default().as_secs_f64());
    Some(Duration::from_secs_f64((all * all - across * across).max(0.0).sqrt()))
}

fn flow(direction: &Direction, jitter: Spread) -> FlowStatistics {
    FlowStatistics {
        rtp_packets: direction.rtp.packets,
        rtp_bytes: direction.rtp.bytes,
        rtcp_packets: direction.rtcp.packets,
        rtcp_bytes: direction.rtcp.bytes,
        udptl_packets: direction.udptl.packets,
        udptl_bytes: direction.udptl.bytes,
        packets_lost: direction.loss.is_known.then_some(direction.loss.lost),
        duplicates: direction.loss.duplicates,
        interruptions: (direction.loss.interruptions, direction.loss.interrupted),
        jitter: jitter.mean(),
        max_jitter: jitter.max(),
        codec: direction.loss.codec,
        ..FlowStatistics::default()
    }
}

/// Rates a direction, on the scale of narrowband and, of a codec that has it, of wideband speech: half the round trip and a play-out
/// buffer of twice the jitter as delay, the loss of the time with sound and how it lies; the
/// time without any scores 1, and both are weighed by how long they were. The E-model's loss term is for packets that are
/// scattered: it would rate ten seconds of silence in a minute as if every sixth packet were missing throughout.
fn score(loss: Loss, jitter: Option<Duration>, round_trip: Option<Duration>) -> (Option<f64>, Option<f64>) {
    let expected = loss.expected.saturating_sub(loss.interrupted);
    let lost = loss.lost.saturating_sub(loss.interrupted).min(expected);
    if expected + loss.silent < ENOUGH {
        return (None, None);
    }
    let one_way = round_trip.unwrap_or_default() / 2 + jitter.unwrap_or_default() * 2;
    let burst_ratio = loss.burst_ratio();
    let path = Path { one_way, loss: lost as f64 / expected.max(1) as f64, burst_ratio };
    let silent = loss.silent as f64 / (expected + loss.silent) as f64;
    let whole = |with_sound: f64| silent + (1.0 - silent) * with_sound;
    let codec = loss.codec.unwrap_or_default();
    let narrow = whole(mos(rating(&path, codec.narrowband())));
    let wide = codec.wideband().map(|codec| whole(wideband_mos(wideband_rating(&path, codec))));
    (Some(narrow), wide)
}
