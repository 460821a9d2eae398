//! Directions that somebody else forwards: the kernel, say, which need not wake us for each packet.
//!
//! The relay decides, and whoever forwards obeys. A direction is offered once it is steady; from then on packets that could
//! only be counted are counted elsewhere, and all others come here, as ever. The figures are the same either way.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Output, Relay, Side, StreamKind, format};
use crate::lock::Position;
use crate::packet::{PayloadType, Ssrc};
use crate::quality::{PayloadUse, Spread};

/// A packet that comes later than this after the one before ends a [`Flow`]: by then another source may take over.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A stream that was not heard for this long is not offered.
const FRESH: Duration = Duration::from_millis(500);

/// One direction of a call, and where counting stands.
///
/// Whoever takes it forwards the payload of a datagram unchanged, and counts it, if it comes `from` there to the leg's RTP
/// port, its first byte is `0x80` (no padding, extension or CSRC), type and SSRC are these, its number is ahead of the
/// highest by less than [`MAX_DROPOUT`](crate::quality::MAX_DROPOUT) or behind by at most
/// [`MAX_MISORDER`](crate::quality::MAX_MISORDER), and it comes within [`LONGEST_PAUSE`] of the one before. What is not RTP
/// of version 2 is the relay's, and so is RTCP. Any other datagram from there ends the flow: the counts are told first, as
/// [`Counts::ended`], and the datagram is handled next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// The leg that it comes in at.
    pub side: Side,
    /// Whence.
    pub from: SocketAddr,
    /// Where to, from the RTP port of the other leg.
    pub to: SocketAddr,
    /// Its SSRC, which stays.
    pub ssrc: Ssrc,
    /// Its payload type, which stays.
    pub payload_type: PayloadType,
    /// Ticks of its timestamps in a second, not 0.
    pub clock_rate: u32,
    /// Where to go on from.
    pub counts: Counts,
}

/// What is known of a flow: totals since it was offered, and where its stream stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counts {
    /// Packets forwarded.
    pub packets: u64,
    /// Bytes of their UDP payloads.
    pub bytes: u64,
    /// Packets whose number had come before.
    pub duplicates: u64,
    /// Highest sequence number, extended.
    pub highest: u64,
    /// Bit `n`: number `highest - n` has come.
    pub seen: u128,
    /// When the last packet came.
    pub heard: Instant,
    /// The last packet's number. Of no meaning before the first packet.
    pub seq: u16,
    /// The last packet's timestamp, likewise.
    pub timestamp: u32,
    /// Arrival and timestamp of the last packet that was no duplicate; `None`: the next one only begins a measurement.
    pub previous: Option<(Instant, u32)>,
    /// RFC 3550's estimate, in seconds.
    pub jitter: f64,
    /// The estimate after each packet since this was last told.
    pub period: Spread,
    /// Nothing is forwarded any more.
    pub ended: bool,
}

impl Counts {
    pub(crate) fn new(heard: Instant) -> Counts {
        Counts {
            packets: 0,
            bytes: 0,
            duplicates: 0,
            highest: 0,
            seen: 0,
            heard,
            seq: 0,
            timestamp: 0,
            previous: None,
            jitter: 0.0,
            period: Spread::default(),
            ended: false,
        }
    }
}

/// A direction that is out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offloaded {
    flow: Flow,
    /// It was asked back.
    reclaimed: bool,
}

/// Keeps a packet as it is without its encryption, where somebody wants to see it.
pub(super) fn show(shown: &mut Option<Vec<u8>>, buffer: &[u8], len: usize) {
    if let Some(shown) = shown {
        shown.clear();
        shown.extend_from_slice(buffer.get(..len).unwrap_or_default());
    }
}

impl Relay {
    /// Somebody wants to see each packet of the call, or not any more: meanwhile nothing is offloaded.
    pub fn set_tapped(&mut self, tapped: bool) {
        self.tapped = tapped;
    }

    /// Somebody wants to see packets as they are without their encryption, or not any more.
    pub fn set_shown(&mut self, shown: bool) {
        self.shown = shown.then(Vec::new);
    }

    /// Whether somebody does.
    pub fn is_shown(&self) -> bool {
        self.shown.is_some()
    }

    /// The packet that came last, without its encryption; once.
    pub fn take_shown(&mut self) -> Option<Vec<u8>> {
        self.shown.as_mut().map(std::mem::take).filter(|shown| !shown.is_empty())
    }

    /// Somebody wants to know the RTCP of the call. It ends here in any case: nothing else changes.
    pub fn tell_reports(&mut self) {
        self.reports.get_or_insert_default();
    }

    /// The RTCP that was taken or made last, without its encryption; once.
    pub fn take_report(&mut self) -> Option<Vec<u8>> {
        self.reports.as_mut().map(std::mem::take).filter(|report| !report.is_empty())
    }

    /// The flow that comes in at a leg and that somebody else forwards.
    pub fn flow(&self, side: Side) -> Option<&Flow> {
        let leg = match side {
            Side::A => &self.a,
            Side::B => &self.b,
        };
        leg.offloaded.as_ref().map(|offloaded| &offloaded.flow)
    }

    /// What was counted of the flow that comes in at a leg. Call it before anything else is done about a call that has
    /// flows, so that locks and silence are judged by what really came.
    pub fn handle_counts(&mut self, side: Side, counts: &Counts) {
        let (leg, other) = self.legs(side);
        let Some(offloaded) = &mut leg.offloaded else { return };
        let flow = offloaded.flow;
        let before = std::mem::replace(&mut offloaded.flow.counts, *counts);
        if counts.ended {
            leg.offloaded = None;
        }
        let packets = counts.packets.saturating_sub(before.packets);
        let is_sound = counts.bytes >= before.bytes && counts.duplicates >= before.duplicates;
        if packets == 0 || !is_sound {
            return;
        }
        let bytes = counts.bytes - before.bytes;
        leg.meter.received.rtp.add_many(packets, bytes);
        other.meter.sent.rtp.add_many(packets, bytes);
        leg.heard = Some(leg.heard.map_or(counts.heard, |heard| heard.max(counts.heard)));
        if leg.rtp.locked() == Some(flow.from) {
            let position = Position { ssrc: flow.ssrc, seq: Some(counts.seq) };
            let _ = leg.rtp.accept(counts.heard, flow.from, position);
        }
        if let Some(received) = leg.receivers().find(|received| received.ssrc() == flow.ssrc) {
            received.handle_counts(&before, counts);
        }
        let sent = other.senders().find(|sent| sent.ssrc() == flow.ssrc).map(|sent| {
            sent.handle_counts(&before, counts);
            (sent.highest(), sent.clock())
        });
        if let (Some((highest, clock)), Some(playback)) = (sent, &mut other.playback) {
            playback.splice.follow(highest, clock);
        }
    }

    /// Something is out that should not be.
    pub(super) fn wants_back(&self) -> bool {
        [Side::A, Side::B].into_iter().any(|side| self.is_to_reclaim(side))
    }

    pub(super) fn poll_offload(&mut self) -> Option<Output> {
        for side in [Side::A, Side::B] {
            if self.is_to_reclaim(side)
                && let Some(offloaded) = &mut self.leg(side).offloaded
            {
                offloaded.reclaimed = true;
                return Some(Output::Reclaim(side));
            }
            if let Some(now) = self.leg(side).offer_due.take()
                && let Some(flow) = self.steady(now, side)
            {
                self.leg(side).offloaded = Some(Offloaded { flow, reclaimed: false });
                return Some(Output::Offload(flow));
            }
        }
        None
    }

    fn is_to_reclaim(&self, side: Side) -> bool {
        let leg = match side {
            Side::A => &self.a,
            Side::B => &self.b,
        };
        let Some(Offloaded { flow, reclaimed: false }) = leg.offloaded else { return false };
        self.way(side) != Some((flow.from, flow.to))
    }

    /// Whence and where to packets that come in at a leg pass as they are; `None`: they are read, changed or refused.
    fn way(&self, side: Side) -> Option<(SocketAddr, SocketAddr)> {
        let (leg, other) = match side {
            Side::A => (&self.a, &self.b),
            Side::B => (&self.b, &self.a),
        };
        let passes = [leg, other].iter().all(|leg| {
            let is_rtp = leg.kind == StreamKind::Rtp && leg.security.is_clear();
            is_rtp && leg.spoken && !leg.on_hold && !leg.ends_here && leg.rtp.locked().is_some()
        });
        let is_heard = self.tapped || self.tap.is_some() || self.copy.is_some();
        leg.rtp
            .locked()
            .zip(other.rtp.destination())
            .filter(|_| passes && !is_heard && other.playback.is_none())
    }

    /// The flow that comes in at a leg, if there is one to offer.
    fn steady(&mut self, now: Instant, side: Side) -> Option<Flow> {
        let (from, to) = self.way(side)?;
        let (leg, other) = self.legs(side);
        let received = leg.received.as_ref()?;
        let (ssrc, payload_type) = (received.ssrc(), received.payload_type());
        let format = format(leg, other, payload_type);
        let is_fresh = now.saturating_duration_since(received.heard()) < FRESH;
        let is_sound = format.used_for == PayloadUse::Media && format.clock_rate > 0;
        let is_free = leg.offloaded.is_none() && leg.unread == 0;
        let counts = received.counts()?;
        if !(is_fresh && is_sound && is_free && other.sends(ssrc, counts.highest)) {
            return None;
        }
        Some(Flow { side, from, to, ssrc, payload_type, clock_rate: format.clock_rate, counts })
    }
}
