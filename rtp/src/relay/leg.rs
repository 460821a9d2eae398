//! One leg: its locks, its streams, its figures.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::allowance::Allowance;
use super::extended::{self, Extended};
use super::formats::Formats;
use super::meter::{Meter, Period, Streams};
use super::offload::Offloaded;
use super::playback::Playback;
use super::random::Random;
use super::restart::Names;
use super::schedule::Schedule;
use super::security::Security;
use super::{Refusal, Remote, Side, StreamKind};
use crate::codec::Codec;
use crate::lock::{Judgement, Position, SourceLock};
use crate::ntp::NtpTime;
use crate::packet::{RtpPacket, Ssrc};
use crate::quality::{Arrived, PayloadFormat, Receiver};
use crate::rtcp::{ReportBlock, VoipMetrics, XrBlock};
use crate::sender::Sender;

/// A port of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Component {
    /// The even port: RTP, UDPTL, and RTCP where it is muxed.
    Rtp,
    /// The odd port: RTCP.
    Rtcp,
}

pub(super) struct Leg {
    pub(super) kind: StreamKind,
    pub(super) mux: bool,
    pub(super) on_hold: bool,
    /// What comes in here goes no further.
    pub(super) ends_here: bool,
    /// The party has sent SDP.
    pub(super) spoken: bool,
    pub(super) formats: Formats,
    /// Milliseconds of sound in a packet, as the party wants it.
    pub(super) packet_ms: Option<u32>,
    pub(super) rtp: SourceLock,
    pub(super) rtcp: SourceLock,
    /// The stream that comes in, and the one before it: some servers alternate.
    pub(super) received: Option<Receiver>,
    received_before: Option<Receiver>,
    /// The stream that we send, likewise.
    pub(super) sent: Option<Sender>,
    sent_before: Option<Sender>,
    pub(super) schedule: Schedule,
    /// A report is to be sent, as of this moment.
    pub(super) due: Option<Instant>,
    /// The time to look whether the direction that comes in here may be offloaded: that of the reports.
    pub(super) offer_due: Option<Instant>,
    /// When our last report went out.
    pub(super) reported: Option<Instant>,
    /// The next report is the last one, with a BYE.
    pub(super) closing: bool,
    pub(super) extended: Extended,
    /// Names us in reports while we send no stream.
    pub(super) own_ssrc: Ssrc,
    pub(super) security: Security,
    pub(super) names: Names,
    allowance: Allowance,
    pub(super) meter: Meter,
    /// The stranger that was the source of RTP until who was signalled took its place; told once.
    pub(super) displaced: Option<SocketAddr>,
    /// When anything was last accepted.
    pub(super) heard: Option<Instant>,
    /// What comes in here is forwarded by somebody else.
    pub(super) offloaded: Option<Offloaded>,
    /// Datagrams for this leg that our own socket may have dropped since its last RTP packet.
    pub(super) unread: u64,
    /// What it is sent since something was played to the party.
    pub(super) playback: Option<Box<Playback>>,
    /// Something may be due to be played, as of this moment.
    pub(super) turn: Option<Instant>,
}

impl Leg {
    pub(super) fn new(random: &mut Random) -> Leg {
        Leg {
            kind: StreamKind::Rtp,
            mux: false,
            on_hold: false,
            ends_here: false,
            spoken: false,
            formats: Formats::default(),
            packet_ms: None,
            rtp: SourceLock::new(),
            rtcp: SourceLock::new(),
            received: None,
            received_before: None,
            sent: None,
            sent_before: None,
            schedule: Schedule::default(),
            due: None,
            offer_due: None,
            reported: None,
            closing: false,
            extended: Extended::default(),
            own_ssrc: Ssrc(random.next()),
            security: Security::default(),
            names: Names::new(Ssrc(random.next())),
            allowance: Allowance::default(),
            meter: Meter::default(),
            displaced: None,
            heard: None,
            offloaded: None,
            unread: 0,
            playback: None,
            turn: None,
        }
    }

    /// The peer spoke; returns whether the flow of its media was suspended or resumed by it.
    pub(super) fn handle_remote(&mut self, now: Instant, remote: &Remote, random: u32) -> bool {
        let moved = self.rtp.signalled() != remote.rtp;
        let changed = self.spoken && (moved || (self.kind, self.on_hold) != (remote.kind, remote.on_hold));
        let before = self.rtp.signalled();
        self.security.handle_keys(remote.srtp.as_deref(), moved && before.is_some() && remote.rtp.is_some());
        self.kind = remote.kind;
        self.mux = remote.mux;
        self.on_hold = remote.on_hold;
        self.ends_here = remote.ends_here;
        self.spoken = true;
        self.formats = Formats::new(remote);
        self.packet_ms = remote.packet_ms;
        self.extended.want(remote.extended);
        self.rtp.reopen(remote.rtp, remote.symmetric, remote.signalling);
        let rtcp = if remote.mux { remote.rtp } else { remote.rtcp.filter(|_| remote.rtp.is_some()) };
        self.rtcp.reopen(rtcp, remote.symmetric, remote.signalling);
        match remote.kind {
            StreamKind::Rtp => self.schedule.start(now, random),
            StreamKind::Udptl => self.schedule.stop(),
        }
        changed
    }

    /// Who holds whom, as this leg on `side` says: its party the other one. Of two streams of one peer, the one that pauses is its
    /// party's own.
    pub(super) fn holder(&self, side: Side) -> Side {
        if self.ends_here { side.other() } else { side }
    }

    /// Where packets of a kind go, if the party takes them now: not while it has said sendonly or inactive (RFC 3264 §5.1), nor
    /// sound while it expects a fax, or the other way round.
    pub(super) fn destination(&self, kind: StreamKind) -> Option<SocketAddr> {
        self.rtp.destination().filter(|_| self.kind == kind && !self.on_hold)
    }

    /// The peer across spoke; `first`: for the first time.
    pub(super) fn handle_answer(&mut self, now: Instant, first: bool) {
        self.rtp.reopen_by_answer(now, first);
        self.rtcp.reopen_by_answer(now, first);
    }

    /// The lock that watches over packets of `component`; muxed RTCP shares RTP's.
    pub(super) fn lock(&self, component: Component) -> &SourceLock {
        match component {
            Component::Rtp => &self.rtp,
            Component::Rtcp => &self.rtcp,
        }
    }

    /// Passes a sound packet through the source lock.
    ///
    /// - `above_highest`: what SRTP says of its index; whoever it says no of moves no lock. `None` in the clear, where
    ///   `position` must continue the stream.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        component: Component,
        from: SocketAddr,
        judgement: Judgement,
        position: Position,
        above_highest: Option<bool>,
    ) -> Result<(), Refusal> {
        if component == Component::Rtcp && above_highest.is_none() && !self.is_beside_rtp(from) {
            return Err(Refusal::Source);
        }
        let continues = match judgement {
            Judgement::Accept => true,
            Judgement::Learn => above_highest.unwrap_or(true),
            Judgement::Refuse => return Err(Refusal::Source),
            Judgement::Continue => {
                above_highest.unwrap_or_else(|| self.continues(component, from, &position))
            }
        };
        if !continues {
            return Err(Refusal::Discontinuous);
        }
        match component {
            Component::Rtp => self.displaced = self.rtp.accept(now, from, position).or(self.displaced),
            Component::Rtcp => drop(self.rtcp.accept(now, from, position)),
        }
        self.heard = Some(self.heard.map_or(now, |heard| heard.max(now)));
        Ok(())
    }

    /// Whether RTCP in the clear may come from an address, or go there: once RTP has a source, that host only, or the one that
    /// the SDP names. Our reports tell a stranger which SSRC and sequence to go on with.
    pub(super) fn is_beside_rtp(&self, address: SocketAddr) -> bool {
        let beside = self.rtp.source().is_none_or(|source| source.ip() == address.ip());
        beside || self.rtcp.is_on_signalled_host(address)
    }

    /// RTCP has no sequence: its sender must be the one before, or send the stream that we receive. UDPTL has no SSRC, and a
    /// sequence that few guesses hit: it must come from a host that is known.
    fn continues(&self, component: Component, from: SocketAddr, position: &Position) -> bool {
        let lock = self.lock(component);
        match component {
            Component::Rtp if self.kind == StreamKind::Udptl => {
                lock.continues(position) && lock.is_on_known_host(from)
            }
            Component::Rtp => lock.continues(position),
            Component::Rtcp => {
                let received = self.received.as_ref().map(|received| received.ssrc());
                received == Some(position.ssrc) || lock.continues(position)
            }
        }
    }

    /// Measures a packet that came in.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        packet: &RtpPacket<'_>,
        format: PayloadFormat,
        codec: Option<Codec>,
    ) {
        if self.received.as_ref().is_some_and(|received| received.ssrc() != packet.ssrc()) {
            if self.received_before.as_ref().is_some_and(|before| before.ssrc() == packet.ssrc()) {
                std::mem::swap(&mut self.received, &mut self.received_before);
            } else {
                self.meter.retire_received(self.received_before.take());
                self.received_before = self.received.take();
            }
        }
        let unread = std::mem::take(&mut self.unread);
        match &mut self.received {
            Some(received) => {
                if let Arrived::Ahead { gap } = received.handle_packet(now, packet, format) {
                    let missed = unread.min(gap);
                    received.excuse(missed);
                    self.meter.refused.add_many(Refusal::Unread, missed);
                }
            }
            None => self.received = Some(Receiver::new(now, packet, format)),
        }
        if let (Some(received), Some(codec)) = (&mut self.received, codec) {
            received.set_codec(codec);
        }
    }

    /// The SSRC under which a packet of the other leg's may go out: SRTP never sends under a number twice.
    ///
    /// - `authentic`: it came by SRTP. In the clear anybody begins streams, so not too many may.
    pub(super) fn name(
        &mut self,
        now: Instant,
        packet: &RtpPacket<'_>,
        authentic: bool,
    ) -> Result<Ssrc, Refusal> {
        let (ssrc, seq) = (packet.ssrc(), packet.seq());
        let mut name = self.names.of(ssrc);
        let checked = self.security.check_rtp(name, seq);
        if checked == Err(Refusal::Replayed) && self.security.has_left_behind(name, seq) {
            name = self.names.handle_left_behind(ssrc, seq).ok_or(Refusal::Replayed)?;
        } else {
            self.names.handle_sent();
            checked?;
        }
        if !authentic && self.security.would_begin(name) && !self.allowance.take(now) {
            return Err(Refusal::Surplus);
        }
        Ok(name)
    }

    /// Whether a stream that comes in under this name goes out under it, and its highest number has gone out.
    pub(super) fn sends(&self, ssrc: Ssrc, highest: u64) -> bool {
        let is_level = |sent: &Sender| sent.ssrc() == ssrc && sent.highest() == highest as u16;
        self.names.of(ssrc) == ssrc && self.sent.as_ref().is_some_and(is_level)
    }

    /// The streams that we send, the current one first.
    pub(super) fn senders(&mut self) -> impl Iterator<Item = &mut Sender> {
        self.sent.iter_mut().chain(self.sent_before.iter_mut())
    }

    /// Counts a packet that goes out.
    pub(super) fn send(
        &mut self,
        now: Instant,
        packet: &RtpPacket<'_>,
        format: PayloadFormat,
        codec: Option<Codec>,
    ) {
        if self.sent.as_ref().is_some_and(|sent| sent.ssrc() != packet.ssrc()) {
            if self.sent_before.as_ref().is_some_and(|before| before.ssrc() == packet.ssrc()) {
                std::mem::swap(&mut self.sent, &mut self.sent_before);
            } else {
                self.meter.retire_sent(self.sent_before.take());
                self.sent_before = self.sent.take();
            }
        }
        match &mut self.sent {
            Some(sent) => sent.handle_packet(now, packet, format),
            None => self.sent = Some(Sender::new(now, packet, format)),
        }
        if let (Some(sent), Some(codec)) = (&mut self.sent, codec) {
            sent.set_codec(codec);
        }
    }

    /// The streams that we have received, the current one first.
    pub(super) fn receivers(&mut self) -> impl Iterator<Item = &mut Receiver> {
        self.received.iter_mut().chain(self.received_before.iter_mut())
    }

    /// The peer reported on streams that we send.
    pub(super) fn handle_report(&mut self, arrival: NtpTime, block: &ReportBlock) {
        for sender in self.sent.iter_mut().chain(self.sent_before.iter_mut()) {
            if let Some(report) = sender.handle_report(arrival, block) {
                self.meter.handle_report(&report);
            }
        }
    }

    /// A block of an extended report of the peer's.
    pub(super) fn handle_extended(
        &mut self,
        now: Instant,
        arrival: NtpTime,
        reporter: Ssrc,
        block: &XrBlock,
    ) {
        let ours = [self.sent.as_ref(), self.sent_before.as_ref()];
        let is_ours = |ssrc| ours.into_iter().flatten().any(|sent| sent.ssrc() == ssrc);
        if let Some(round_trip) = self.extended.handle_block(now, arrival, reporter, block, is_ours) {
            self.meter.handle_round_trip(round_trip);
        }
    }

    /// What we think of the stream that comes in, where the peer wants to know.
    pub(super) fn metrics(&mut self, now: Instant) -> Option<VoipMetrics> {
        if !self.extended.wants_metrics() {
            return None;
        }
        let period = self.call_statistics(now);
        let figures = period.statistics(&period, None);
        let received = self.received.as_ref()?;
        Some(extended::metrics(received, &figures.received, figures.round_trip))
    }

    /// The figures since the call began.
    pub(super) fn call_statistics(&mut self, now: Instant) -> Period {
        let received = [self.received.as_mut(), self.received_before.as_mut()];
        let sent = [self.sent.as_ref(), self.sent_before.as_ref()];
        self.meter.call(now, Streams { received, sent })
    }

    /// The figures of the minute; a new one begins.
    pub(super) fn minute_statistics(&mut self, now: Instant) -> Period {
        let received = [self.received.as_mut(), self.received_before.as_mut()];
        let sent = [self.sent.as_ref(), self.sent_before.as_ref()];
        self.meter.minute(now, Streams { received, sent })
    }

    /// Suspends or resumes the streams that come in, by signalling.
    pub(super) fn pause(&mut self, now: Instant) {
        self.receivers().for_each(|receiver| receiver.pause(now));
    }

    /// Our report block on what came in since the last report.
    pub(super) fn report_block(&mut self, now: Instant) -> Option<ReportBlock> {
        let reported = self.reported;
        let received = self.received.as_mut()?;
        reported.is_none_or(|reported| received.heard() > reported).then(|| received.report(now))
    }

    /// How long the leg has been silent, counted from `since` if it was not heard later.
    pub(super) fn silence(&self, now: Instant, since: Instant) -> Duration {
        now.saturating_duration_since(self.heard.map_or(since, |heard| heard.max(since)))
    }
}
