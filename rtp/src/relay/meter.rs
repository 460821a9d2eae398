//! The figures of one leg, summed over its streams.

use std::time::Duration;

use super::{FlowStatistics, LegStatistics, Refusals};
use crate::quality::{Codec, Path, Receiver, Spread, mos, rating};
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

/// What is counted of one direction; only grows, but for `lost` when a late packet comes.
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
    /// Of those, lost in interruptions.
    interrupted: u64,
    duplicates: u64,
}

impl Loss {
    fn add(&mut self, other: Loss) {
        self.expected += other.expected;
        self.lost += other.lost;
        self.interrupted += other.interrupted;
        self.duplicates += other.duplicates;
    }

    fn since(self, earlier: Loss) -> Loss {
        Loss {
            expected: self.expected.saturating_sub(earlier.expected),
            lost: self.lost.saturating_sub(earlier.lost),
            interrupted: self.interrupted.saturating_sub(earlier.interrupted),
            duplicates: self.duplicates.saturating_sub(earlier.duplicates),
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

    /// The leg is silent while the other is heard.
    pub(super) fn handle_one_way_silence(&mut self) {
        self.minute.one_way_silence = true;
        self.call.one_way_silence = true;
    }

    /// The figures since the call began.
    pub(super) fn call(&mut self, streams: Streams<'_>) -> LegStatistics {
        let (received, sent) = self.now(streams);
        statistics(received, sent, self.refused, self.call)
    }

    /// The figures since the minute began; a new one begins.
    pub(super) fn minute(&mut self, streams: Streams<'_>) -> LegStatistics {
        let (received, sent) = self.now(streams);
        let before = std::mem::replace(&mut self.before, (received, sent, self.refused));
        let averages = std::mem::take(&mut self.minute);
        statistics(since(received, before.0), since(sent, before.1), self.refused.since(&before.2), averages)
    }

    /// The counts with those of the streams that are not over yet.
    fn now(&mut self, streams: Streams<'_>) -> (Direction, Direction) {
        let (mut received, mut sent) = (self.received, self.sent);
        for receiver in streams.received.into_iter().flatten() {
            self.collect(receiver);
            received.loss.add(loss(receiver));
        }
        for sender in streams.sent.into_iter().flatten() {
            sent.loss.add(reported(sender));
        }
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
    Loss { expected: report.forwarded, lost: report.lost, ..Loss::default() }
}

fn loss(receiver: &Receiver) -> Loss {
    let sequence = receiver.sequence();
    let (_, interrupted) = receiver.interruptions();
    Loss {
        expected: sequence.expected(),
        lost: sequence.lost(),
        interrupted,
        duplicates: sequence.duplicates(),
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

fn statistics(received: Direction, sent: Direction, refused: Refusals, averages: Averages) -> LegStatistics {
    let round_trip = averages.round_trip.mean();
    let received = flow(received, averages.received, round_trip);
    let sent = flow(sent, averages.sent, round_trip);
    let mos = match (received.mos, sent.mos) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    LegStatistics { received, sent, round_trip, mos, refused, one_way_silence: averages.one_way_silence }
}

fn flow(direction: Direction, jitter: Spread, round_trip: Option<Duration>) -> FlowStatistics {
    FlowStatistics {
        rtp_packets: direction.rtp.packets,
        rtp_bytes: direction.rtp.bytes,
        rtcp_packets: direction.rtcp.packets,
        rtcp_bytes: direction.rtcp.bytes,
        udptl_packets: direction.udptl.packets,
        udptl_bytes: direction.udptl.bytes,
        packets_lost: direction.loss.lost,
        duplicates: direction.loss.duplicates,
        jitter: jitter.mean(),
        max_jitter: jitter.max(),
        mos: score(direction.loss, jitter, round_trip),
    }
}

/// Rates a direction: half the round trip and a play-out buffer of twice the jitter as delay; loss without what fell into
/// interruptions, for silence of seconds is not what the E-model's loss term describes.
fn score(loss: Loss, jitter: Spread, round_trip: Option<Duration>) -> Option<f64> {
    let expected = loss.expected.saturating_sub(loss.interrupted);
    let lost = loss.lost.saturating_sub(loss.interrupted);
    if expected < ENOUGH {
        return None;
    }
    let one_way = round_trip.unwrap_or_default() / 2 + jitter.mean().unwrap_or_default() * 2;
    let path = Path { one_way, loss: lost as f64 / expected as f64 };
    Some(mos(rating(&path, Codec::G711)))
}
