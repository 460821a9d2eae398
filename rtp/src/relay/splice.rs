//! One stream out of two: what the other party says, and what is played in its place.
//!
//! A party to whom something is played hears no other stream for it. SSRC, numbers and timestamps of the one that it has go on, in
//! what is played and in what the other party says from then on: no number is left out for what was replaced, so that neither the
//! party's count of losses nor the index of SRTP (RFC 3711 §3.3.1) sees a gap that is none.

use std::time::Instant;

use crate::packet::{RtpPacket, Ssrc};
use crate::quality::{MAX_DROPOUT, MAX_MISORDER, PayloadFormat, PayloadUse};

/// The longest digit, in seconds.
const LONGEST: u32 = 60;

/// The stream that a leg is sent, from the first moment on that something was played to it.
#[derive(Debug)]
pub(super) struct Splice {
    pub(super) ssrc: Ssrc,
    /// Highest number that was sent.
    seq: u16,
    /// Of the sound that was sent last: its timestamp, when it went, and its clock.
    clock: (u32, Instant, u32),
    /// The other party's stream, as far as it is known.
    run: Option<Run>,
    /// Something was played since the other party's last packet.
    is_broken: bool,
}

/// A stream that comes in, and where it lies in ours.
#[derive(Debug, Clone, Copy)]
struct Run {
    ssrc: Ssrc,
    /// Its first number since something was played, and its highest.
    first: u16,
    highest: u16,
    /// What its numbers and timestamps are behind ours.
    seq: u16,
    timestamp: u32,
}

/// Where a packet has its place in our stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) ssrc: Ssrc,
    pub(super) seq: u16,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
}

impl Splice {
    /// - `seq`, `clock`: of what was sent last.
    /// - `from`: the other party's stream, if it has passed as it is until now.
    pub(super) fn new(ssrc: Ssrc, seq: u16, clock: (u32, Instant, u32), from: Option<Ssrc>) -> Splice {
        let first = seq.wrapping_sub(MAX_MISORDER);
        let run = from.map(|ssrc| Run { ssrc, first, highest: seq, seq: 0, timestamp: 0 });
        Splice { ssrc, seq, clock, run, is_broken: run.is_none() }
    }

    /// Somebody else has forwarded packets of the stream up to this one, before anything was played.
    pub(super) fn follow(&mut self, seq: u16, clock: (u32, Instant, u32)) {
        if seq.wrapping_sub(self.seq) >= 0x8000 {
            return;
        }
        (self.seq, self.clock) = (seq, clock);
        if let Some(run) = &mut self.run {
            run.highest = seq.wrapping_sub(run.seq);
        }
    }

    /// The place of a packet that is played at `now`.
    ///
    /// - `rate`: of its clock.
    /// - `follows`: the one before, of so many ticks, was played, too; `None`: it is the first.
    pub(super) fn play(&mut self, now: Instant, rate: u32, follows: Option<u32>) -> Place {
        let timestamp = match follows {
            Some(ticks) if rate == self.clock.2 => self.clock.0.wrapping_add(ticks),
            _ => self.time(now, rate),
        };
        self.seq = self.seq.wrapping_add(1);
        self.clock = (timestamp, now, rate);
        self.is_broken = true;
        Place { ssrc: self.ssrc, seq: self.seq, timestamp, marker: follows.is_none() }
    }

    /// The place of a packet of the other party's; `None`: there is none, what was played lies there.
    pub(super) fn pass(
        &mut self,
        now: Instant,
        packet: &RtpPacket<'_>,
        format: PayloadFormat,
    ) -> Option<Place> {
        let is_sound = format.used_for == PayloadUse::Media;
        let mut run = match self.run.filter(|run| run.ssrc == packet.ssrc()) {
            Some(run) if !self.is_broken => run,
            known => {
                if known.is_some_and(|run| is_late(packet.seq(), run.highest)) {
                    return None;
                }
                self.begin(now, packet, format, known.map(|run| run.timestamp))
            }
        };
        let step = packet.seq().wrapping_sub(run.highest);
        if (MAX_DROPOUT..=u16::MAX - MAX_MISORDER).contains(&step) {
            run = self.begin(now, packet, format, None);
        } else if step < MAX_DROPOUT {
            run.highest = packet.seq();
        } else if is_late(packet.seq(), run.first.wrapping_sub(1)) {
            return None;
        }
        let seq = packet.seq().wrapping_add(run.seq);
        let timestamp = packet.timestamp().wrapping_add(run.timestamp);
        let marker = packet.marker() || (is_sound && std::mem::take(&mut self.is_broken));
        self.is_broken &= !is_sound;
        if seq.wrapping_sub(self.seq) < 0x8000 {
            self.seq = seq;
            if is_sound {
                self.clock = (timestamp, now, format.clock_rate);
            }
        }
        self.run = Some(run);
        Some(Place { ssrc: self.ssrc, seq, timestamp, marker })
    }

    /// A run that begins with this packet, right behind what was sent.
    ///
    /// - `timestamp`: what its timestamps were behind ours, where they go on. Its clock has run on while something was played: who
    ///   hears the rest of a digit must find the same time in it.
    fn begin(
        &self,
        now: Instant,
        packet: &RtpPacket<'_>,
        format: PayloadFormat,
        timestamp: Option<u32>,
    ) -> Run {
        let seq = packet.seq();
        let next = self.time(now, format.clock_rate);
        let goes_on = timestamp.filter(|behind| {
            let at = packet.timestamp().wrapping_add(*behind);
            let ahead = at.wrapping_sub(self.clock.0).cast_signed();
            let is_near = |seconds| {
                at.wrapping_sub(next).cast_signed().unsigned_abs() / format.clock_rate.max(1) < seconds
            };
            match format.used_for {
                PayloadUse::Event => is_near(LONGEST),
                _ => is_near(1) && ahead > 0,
            }
        });
        Run {
            ssrc: packet.ssrc(),
            first: seq,
            highest: seq,
            seq: self.seq.wrapping_add(1).wrapping_sub(seq),
            timestamp: goes_on.unwrap_or_else(|| next.wrapping_sub(packet.timestamp())),
        }
    }

    /// The timestamp of `now`: later than the last one.
    fn time(&self, now: Instant, rate: u32) -> u32 {
        let (timestamp, at, _) = self.clock;
        let since = now.saturating_duration_since(at).as_nanos() * u128::from(rate) / 1_000_000_000;
        timestamp.wrapping_add((since as u32).max(1))
    }
}

/// Whether a number is at `highest` or a little behind it.
fn is_late(seq: u16, highest: u16) -> bool {
    highest.wrapping_sub(seq) < MAX_MISORDER
}
