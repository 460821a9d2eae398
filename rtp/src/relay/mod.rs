//! The relay of one call: two legs, what each peer said about its media, and what was measured.

mod allowance;
mod copy;
mod extended;
mod formats;
mod leg;
mod meter;
mod offload;
mod playback;
mod random;
mod remote;
mod report;
mod restart;
mod schedule;
mod security;
mod source;
mod splice;
mod statistics;
mod tap;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub use leg::Component;
use leg::Leg;
use offload::show;
pub use offload::{Counts, Flow, LONGEST_PAUSE};
use playback::placed;
use random::Random;
pub use remote::{ExtendedReports, Remote, Side, StreamKind};
pub use source::{Player, Source, Wanted};
pub use statistics::{CallStatistics, FlowStatistics, LegStatistics, LossPattern, Refusal, Refusals};
pub use tap::{Said, Tap, TapReader, Tapped, TappedPacket};

use crate::codec::Codec;
use crate::lock::{Judgement, Position};
use crate::ntp::NtpClock;
use crate::packet::{self, PayloadType, RtpPacket, Ssrc};
use crate::quality::{PayloadFormat, PayloadUse};
use crate::rtcp::{Compound, Packet};
use crate::srtp::{Session, SessionSnapshot};

/// What every call of a gateway has in common.
#[derive(Debug, Clone, Copy)]
pub struct RelaySettings {
    /// Both legs silent, neither on hold: [`Output::Silent`].
    pub inactivity_timeout: Duration,
    /// The same with a leg on hold.
    pub hold_timeout: Duration,
    /// Wall-clock time for sender reports.
    pub clock: NtpClock,
}

/// A datagram that passed: send the first `len` bytes of the buffer from the RTP port of the other leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forward {
    /// Where to.
    pub to: SocketAddr,
    /// How many bytes.
    pub len: usize,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Output {
    /// Send a report of ours: the first `len` bytes of the buffer.
    Transmit {
        /// From this leg.
        side: Side,
        /// From this port.
        component: Component,
        /// Where to.
        to: SocketAddr,
        /// How many bytes.
        len: usize,
    },
    /// Send a packet that is played to the party of a leg ([`Relay::play`]), from its RTP port: the first `len` bytes of the buffer.
    Play {
        /// To this party.
        side: Side,
        /// Where to.
        to: SocketAddr,
        /// How many bytes.
        len: usize,
    },
    /// The key of this leg's peer has protected as many packets as its description allows: more are taken all the same. Once for each
    /// key.
    KeyUsedUp(Side),
    /// Neither leg was heard for the timeout. Once, and again after the next [`Relay::handle_remote`].
    Silent,
    /// A direction is steady: somebody cheaper may forward it from now on, as [`Flow`] says. What it counts comes back by
    /// [`Relay::handle_counts`]; who does not take it says so there as well.
    Offload(Flow),
    /// The direction that comes in at this leg is to be ours again: stop forwarding it, and tell the last counts.
    Reclaim(Side),
}

/// Relays RTP between two legs; ends RTCP on each of them.
///
/// Packets are forwarded under the SSRC and sequence that they came with; a stream that begins anew under its SSRC goes
/// into SRTP under another. T.38 (UDPTL) passes opaque. Nothing here
/// allocates once a peer's SDP is in. Whoever listens to the parties ([`Relay::listen`]) is never waited for.
///
/// ```
/// use std::time::{Duration, Instant};
/// use rtp::ntp::NtpClock;
/// use rtp::relay::{Component, Relay, RelaySettings, Remote, Side};
///
/// # #[allow(clippy::disallowed_methods)]
/// let now = Instant::now();
/// let settings = RelaySettings {
///     inactivity_timeout: Duration::from_secs(60),
///     hold_timeout: Duration::from_secs(1800),
///     clock: NtpClock::new(now, Duration::from_secs(1_800_000_000)),
/// };
/// let mut relay = Relay::new(now, settings, 42);
/// let (a, b) = ("192.0.2.1:4000".parse()?, "198.51.100.2:6000".parse()?);
/// relay.handle_remote(now, Side::A, &Remote { rtp: Some(a), ..Remote::default() });
/// relay.handle_remote(now, Side::B, &Remote { rtp: Some(b), ..Remote::default() });
///
/// let mut buffer = [0; 2048];
/// buffer[0] = 0x80; // RTP version 2
/// let forward = relay.handle_datagram(now, Side::A, Component::Rtp, a, &mut buffer, 172);
/// assert_eq!(forward.map(|forward| forward.map(|forward| forward.to)), Ok(Some(b)));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub struct Relay {
    settings: RelaySettings,
    random: Random,
    /// RFC 7022: random, one for the call.
    cname: [u8; 16],
    a: Leg,
    b: Leg,
    opened: Instant,
    minute: Instant,
    /// When signalling last spoke: silence is counted from there.
    spoken: Instant,
    silent: Silence,
    tapped: bool,
    /// The packet that came last, without its encryption, where somebody wants to see it.
    shown: Option<Vec<u8>>,
    /// The RTCP that came or went last, without its encryption, where somebody wants to know it.
    reports: Option<Vec<u8>>,
    /// Where somebody listens to the parties.
    tap: Option<Box<Tap>>,
    /// The RTP packet that was taken last, without its encryption, where another relay sends it on too.
    copy: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    Watching,
    Due,
    Told,
}

impl Relay {
    /// A call whose ports are open and whose peers have said nothing. `seed` is random: it spreads reports and makes names.
    pub fn new(now: Instant, settings: RelaySettings, seed: u64) -> Relay {
        let mut random = Random::new(seed);
        let (a, b) = (Leg::new(&mut random), Leg::new(&mut random));
        Relay {
            settings,
            cname: random.name(),
            random,
            a,
            b,
            opened: now,
            minute: now,
            spoken: now,
            silent: Silence::Watching,
            tapped: false,
            shown: None,
            reports: None,
            tap: None,
            copy: None,
        }
    }

    /// A peer's SDP arrived: destinations and formats change, and the leg's source locks learn anew. So do those of the other
    /// leg, where its peer was not heard from the address that it named: what came before an answer may be a stray.
    pub fn handle_remote(&mut self, now: Instant, side: Side, remote: &Remote) {
        let random = self.random.next();
        let (leg, other) = self.legs(side);
        other.handle_answer(now, !leg.spoken);
        let held = leg.on_hold;
        let changed = leg.handle_remote(now, remote, random);
        if changed {
            // Hold, T.38 and a move suspend the sound of both directions.
            self.a.pause(now);
            self.b.pause(now);
        }
        let holder = self.leg(side).holder(side);
        if let Some(tap) = self.tap.as_mut().filter(|_| held != remote.on_hold) {
            tap.holds(now, holder, remote.on_hold);
        }
        self.spoken = now;
        self.silent = Silence::Watching;
        self.tell_wanted();
    }

    /// The peer of a leg has an offer, and no keys are in use with it.
    ///
    /// - `only`: of SRTP and nothing else. Until its keys come with [`Relay::handle_remote`], whatever reaches the leg is
    ///   refused, for it cannot be read. If not, RTP passes, also where the peer that was offered before was to have SRTP.
    pub fn expect_srtp(&mut self, side: Side, only: bool) {
        self.leg(side).security.expect(only);
    }

    /// The SRTP of a leg, from which another node can go on; `None`: the leg is RTP.
    pub fn srtp_snapshot(&self, side: Side) -> Option<SessionSnapshot> {
        let leg = match side {
            Side::A => &self.a,
            Side::B => &self.b,
        };
        leg.security.active().map(Session::snapshot)
    }

    /// Takes a datagram that reached `component` of a leg at `now` (the kernel's time of arrival): the first `len` bytes
    /// of `buffer`, which has room for what protection adds.
    ///
    /// `Ok(Some)`: send the buffer on. `Ok(None)`: it ends here, as RTCP does and what we only listen to. `Err`: refused, and counted
    /// by cause.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        side: Side,
        component: Component,
        from: SocketAddr,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<Option<Forward>, Refusal> {
        self.take(now, (side, component), from, buffer, len, false)
    }

    /// The same for a datagram that waited so long to be read that nobody would play it any more: sound goes no further,
    /// and is refused as [`Refusal::Late`]. The peer has not lost it, and keys, locks and figures follow it.
    pub fn handle_late_datagram(
        &mut self,
        now: Instant,
        side: Side,
        component: Component,
        from: SocketAddr,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<Option<Forward>, Refusal> {
        self.take(now, (side, component), from, buffer, len, true)
    }

    /// Our own socket may have dropped so many datagrams of this leg, at most, since the last one that was read: what is
    /// missing before its next RTP packet is none of the peer's loss.
    pub fn handle_unread(&mut self, side: Side, count: u64) {
        let leg = self.leg(side);
        leg.unread = leg.unread.saturating_add(count);
    }

    /// Who alone is heard at a port of a leg, while it sends: what else comes there may be dropped unseen.
    /// [`SourceLock::settled`](crate::lock::SourceLock::settled).
    pub fn settled_source(&self, now: Instant, side: Side, component: Component) -> Option<SocketAddr> {
        let leg = match side {
            Side::A => &self.a,
            Side::B => &self.b,
        };
        let lock = if leg.mux { &leg.rtp } else { leg.lock(component) };
        lock.settled(now)
    }

    /// Whether the RTP that comes in at a leg goes no further: [`Remote::ends_here`].
    pub fn ends_here(&self, side: Side) -> bool {
        match side {
            Side::A => self.a.ends_here,
            Side::B => self.b.ends_here,
        }
    }

    fn take(
        &mut self,
        now: Instant,
        (side, component): (Side, Component),
        from: SocketAddr,
        buffer: &mut [u8],
        len: usize,
        late: bool,
    ) -> Result<Option<Forward>, Refusal> {
        let Some(datagram) = buffer.get(..len) else {
            return self.refuse(side, Refusal::Oversized);
        };
        let udptl = component == Component::Rtp && self.leg(side).kind == StreamKind::Udptl;
        let result = if udptl {
            self.handle_udptl(now, side, from, buffer, len)
        } else if component == Component::Rtcp || self.is_rtcp(side, datagram) {
            self.handle_rtcp(now, side, component, from, buffer, len).map(|()| None)
        } else {
            self.handle_rtp(now, side, from, buffer, len, late)
        };
        result.or_else(|cause| self.refuse(side, cause))
    }

    /// A forwarded datagram of this leg could not be sent.
    pub fn handle_unsent(&mut self, side: Side) {
        self.leg(side).meter.refused.add(Refusal::Unsent);
    }

    /// A datagram came to this leg from a port of the gateway's own: it is not looked at.
    pub fn handle_looped(&mut self, side: Side) {
        self.leg(side).meter.refused.add(Refusal::Looped);
    }

    /// The stranger that this leg had listened to until just now, when a host that was signalled took its place; once for
    /// each.
    pub fn take_displaced(&mut self, side: Side) -> Option<SocketAddr> {
        self.leg(side).displaced.take()
    }

    /// Time passed: makes due reports and silence ready for [`Relay::poll_output`].
    pub fn handle_timeout(&mut self, now: Instant) {
        for side in [Side::A, Side::B] {
            let random = self.random.next();
            let leg = self.leg(side);
            if leg.schedule.is_due(now, random) {
                leg.due = Some(now);
                leg.offer_due = Some(now);
            }
            leg.handle_playback(now);
        }
        self.watch_silence(now);
    }

    /// The call is over: makes a last report with a BYE ready for [`Relay::poll_output`], on each leg where we have been heard
    /// (RFC 3550 §6.3.7). Nothing else is sent from then on.
    pub fn handle_close(&mut self, now: Instant) {
        self.silent = Silence::Told;
        for leg in [&mut self.a, &mut self.b] {
            let is_known = leg.reported.is_some() || leg.sent.is_some();
            leg.closing = true;
            leg.due = Some(now).filter(|_| is_known && leg.kind == StreamKind::Rtp);
            leg.offer_due = None;
            leg.playback = None;
            leg.schedule.stop();
        }
    }

    /// The next thing to do; a report is written to `buffer`. Drain to `None`.
    pub fn poll_output(&mut self, buffer: &mut [u8]) -> Option<Output> {
        if let Some(output) = self.poll_offload() {
            return Some(output);
        }
        for side in [Side::A, Side::B] {
            if let Some(output) = self.poll_playback(side, buffer) {
                return Some(output);
            }
        }
        for side in [Side::A, Side::B] {
            if let Some(now) = self.leg(side).due.take()
                && let Some(output) = self.report(now, side, buffer)
            {
                return Some(output);
            }
        }
        for side in [Side::A, Side::B] {
            if self.leg(side).security.take_used_up() {
                return Some(Output::KeyUsedUp(side));
            }
        }
        if self.silent == Silence::Due {
            self.silent = Silence::Told;
            return Some(Output::Silent);
        }
        None
    }

    /// When to call [`Relay::handle_timeout`]; `None`: never, as things stand.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.wants_back() {
            return Some(self.opened);
        }
        let silent = (self.silent == Silence::Watching && self.a.spoken && self.b.spoken)
            .then(|| self.heard() + self.silence_timeout());
        let played = |leg: &Leg| leg.playback.as_ref().and_then(|playback| playback.poll_timeout());
        let times =
            [self.a.schedule.next(), self.b.schedule.next(), played(&self.a), played(&self.b), silent];
        times.into_iter().flatten().min()
    }

    /// The figures of the whole call.
    pub fn call_statistics(&mut self, now: Instant) -> CallStatistics {
        let (a, b) = (self.a.call_statistics(now), self.b.call_statistics(now));
        let period = now.saturating_duration_since(self.opened);
        self.statistics(period, &a, &b)
    }

    /// The figures since this was last called, or since the call began.
    pub fn minute_statistics(&mut self, now: Instant) -> CallStatistics {
        let (a, b) = (self.a.minute_statistics(now), self.b.minute_statistics(now));
        let period = now.saturating_duration_since(std::mem::replace(&mut self.minute, now));
        self.statistics(period, &a, &b)
    }

    fn statistics(&self, period: Duration, a: &meter::Period, b: &meter::Period) -> CallStatistics {
        let leg = |leg: &Leg, own: &meter::Period, across: &meter::Period| LegStatistics {
            srtcp_tag: leg.security.active().and_then(Session::srtcp_tag),
            ..own.statistics(across, leg.extended.heard())
        };
        CallStatistics { period, a: leg(&self.a, a, b), b: leg(&self.b, b, a) }
    }

    fn leg(&mut self, side: Side) -> &mut Leg {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    /// The leg of `side`, then the other one.
    fn legs(&mut self, side: Side) -> (&mut Leg, &mut Leg) {
        match side {
            Side::A => (&mut self.a, &mut self.b),
            Side::B => (&mut self.b, &mut self.a),
        }
    }

    fn refuse<T>(&mut self, side: Side, cause: Refusal) -> Result<T, Refusal> {
        self.leg(side).meter.refused.add(cause);
        Err(cause)
    }

    /// Whether a datagram that came to an RTP port is RTCP. Where the two share no port, a payload type that somebody named is
    /// RTP, though 64 to 95 look like RTCP with the marker set: RFC 5761 §4 forbids them on shared ports alone.
    fn is_rtcp(&mut self, side: Side, datagram: &[u8]) -> bool {
        let (leg, other) = self.legs(side);
        packet::is_rtcp(datagram)
            && (leg.mux
                || datagram.get(1).is_none_or(|byte| named(leg, other, PayloadType(byte & 0x7f)).is_none()))
    }

    fn handle_rtp(
        &mut self,
        now: Instant,
        side: Side,
        from: SocketAddr,
        buffer: &mut [u8],
        mut len: usize,
        late: bool,
    ) -> Result<Option<Forward>, Refusal> {
        let Relay { a, b, shown, tap, copy, .. } = self;
        let (leg, other) = match side {
            Side::A => (a, b),
            Side::B => (b, a),
        };
        let judgement = judge(leg, now, Component::Rtp, from)?;
        let on_the_wire = len;
        let unprotected = leg.security.unprotect_rtp(buffer, len)?;
        len = unprotected.map_or(len, |unprotected| unprotected.len);
        let above_highest = unprotected.map(|unprotected| unprotected.above_highest);
        let datagram = buffer.get(..len).ok_or(Refusal::Malformed)?;
        let packet = RtpPacket::parse(datagram).map_err(|_| Refusal::Malformed)?;
        let position = Position { ssrc: packet.ssrc(), seq: Some(packet.seq()) };
        leg.admit(now, Component::Rtp, from, judgement, position, above_highest)?;
        let format = format(leg, other, packet.payload_type());
        let codec = codec(leg, other, packet.payload_type(), format);
        leg.receive(now, &packet, format, codec);
        leg.meter.received.rtp.add(on_the_wire);
        if let Some(tap) = tap {
            tap.packet(now, side, &packet, format, codec);
        }
        show(copy, buffer, len);
        if late && format.used_for != PayloadUse::Event {
            return Err(Refusal::Late); // A digit is not played, and late is better than never.
        }
        if leg.ends_here {
            show(shown, buffer, len);
            return Ok(None);
        }

        let to = other.destination(StreamKind::Rtp).ok_or(Refusal::Unroutable)?;
        if !leg.spoken && other.security.active().is_some() {
            return Err(Refusal::Surplus);
        }
        let packet = match &mut other.playback {
            None => {
                let name = other.name(now, &packet, unprotected.is_some())?;
                match name == packet.ssrc() {
                    true => packet,
                    false => renamed(buffer, len, name)?,
                }
            }
            Some(playback) => {
                if format.used_for != PayloadUse::Event && playback.replaces(now) {
                    return Err(Refusal::Replaced);
                }
                let place = playback.splice.pass(now, &packet, format).ok_or(Refusal::Replaced)?;
                other.security.check_rtp(place.ssrc, place.seq)?;
                placed(buffer, len, place)?
            }
        };
        other.send(now, &packet, format, codec);
        show(shown, buffer, len);
        len = other.security.protect_rtp(buffer, len)?;
        other.meter.sent.rtp.add(len);
        Ok(Some(Forward { to, len }))
    }

    fn handle_udptl(
        &mut self,
        now: Instant,
        side: Side,
        from: SocketAddr,
        buffer: &[u8],
        len: usize,
    ) -> Result<Option<Forward>, Refusal> {
        let (leg, other) = self.legs(side);
        let judgement = judge(leg, now, Component::Rtp, from)?;
        // T.38 §9.1: a sequence number of two bytes, then at least the length of the primary packet.
        let Some([high, low, _]) = buffer.first_chunk::<3>().filter(|_| len >= 3) else {
            return Err(Refusal::Malformed);
        };
        let position = Position { ssrc: Ssrc(0), seq: Some(u16::from_be_bytes([*high, *low])) };
        leg.admit(now, Component::Rtp, from, judgement, position, None)?;
        leg.meter.received.udptl.add(len);
        let to = other.destination(StreamKind::Udptl).ok_or(Refusal::Unroutable)?;
        other.meter.sent.udptl.add(len);
        Ok(Some(Forward { to, len }))
    }

    fn handle_rtcp(
        &mut self,
        now: Instant,
        side: Side,
        component: Component,
        from: SocketAddr,
        buffer: &mut [u8],
        mut len: usize,
    ) -> Result<(), Refusal> {
        let arrival = self.settings.clock.at(now);
        let Relay { a, b, shown, reports: told, .. } = self;
        let leg = match side {
            Side::A => a,
            Side::B => b,
        };
        let judgement = judge(leg, now, component, from)?;
        let on_the_wire = len;
        let unprotected = leg.security.unprotect_rtcp(buffer, len)?;
        len = unprotected.map_or(len, |unprotected| unprotected.len);
        let above_highest = unprotected.map(|unprotected| unprotected.above_highest);
        show(shown, buffer, len);
        let datagram = buffer.get(..len).ok_or(Refusal::Malformed)?;
        let compound = Compound::parse(datagram).map_err(|_| Refusal::Malformed)?;
        let sender = compound.sender().ok_or(Refusal::Malformed)?;
        // On a muxed port RTCP keeps to RTP's source, and never moves it.
        match component {
            Component::Rtp if judgement != Judgement::Accept => return Err(Refusal::Source),
            Component::Rtp => leg.heard = Some(now),
            Component::Rtcp => {
                let position = Position { ssrc: sender, seq: None };
                leg.admit(now, component, from, judgement, position, above_highest)?;
            }
        }
        leg.meter.received.rtcp.add(on_the_wire);
        show(told, buffer, len);
        for packet in compound {
            let reports = match packet {
                Packet::SenderReport { ssrc, info, reports } => {
                    if let Some(received) = leg.receivers().find(|received| received.ssrc() == ssrc) {
                        received.handle_sender_report(now, info.ntp);
                    }
                    reports
                }
                Packet::ReceiverReport { reports, .. } => reports,
                Packet::ExtendedReport { ssrc, blocks } => {
                    blocks.for_each(|block| leg.handle_extended(now, arrival, ssrc, &block));
                    continue;
                }
                _ => continue,
            };
            for block in reports {
                leg.handle_report(arrival, &block);
            }
        }
        Ok(())
    }

    fn watch_silence(&mut self, now: Instant) {
        if !(self.a.spoken && self.b.spoken) {
            return;
        }
        let timeout = self.silence_timeout();
        if self.silent == Silence::Watching && now.saturating_duration_since(self.heard()) >= timeout {
            self.silent = Silence::Due;
        }
        if self.a.on_hold || self.b.on_hold {
            return;
        }
        let a = self.a.silence(now, self.spoken) >= timeout;
        let b = self.b.silence(now, self.spoken) >= timeout;
        if a && !b {
            self.a.meter.handle_one_way_silence();
        } else if b && !a {
            self.b.meter.handle_one_way_silence();
        }
    }

    /// When either leg was last heard, or signalling last spoke.
    fn heard(&self) -> Instant {
        [self.a.heard, self.b.heard].into_iter().flatten().fold(self.spoken, Instant::max)
    }

    fn silence_timeout(&self) -> Duration {
        if self.a.on_hold || self.b.on_hold {
            self.settings.hold_timeout
        } else {
            self.settings.inactivity_timeout
        }
    }
}

/// The packet in the first `len` bytes of `buffer` under another SSRC.
fn renamed(buffer: &mut [u8], len: usize, name: Ssrc) -> Result<RtpPacket<'_>, Refusal> {
    let datagram = buffer.get_mut(..len).ok_or(Refusal::Malformed)?;
    datagram.get_mut(8..12).ok_or(Refusal::Malformed)?.copy_from_slice(&name.0.to_be_bytes());
    RtpPacket::parse(datagram).map_err(|_| Refusal::Malformed)
}

fn judge(leg: &Leg, now: Instant, component: Component, from: SocketAddr) -> Result<Judgement, Refusal> {
    match leg.lock(component).judge(now, from) {
        Judgement::Refuse => Err(Refusal::Source),
        judgement => Ok(judgement),
    }
}

/// How to read a payload type that came in on `leg`: a sender uses the numbers of its peer's SDP, which is the other leg's
/// passed on; where that is silent, its own. RFC 3264 §5.1.
fn format(leg: &Leg, other: &Leg, payload_type: PayloadType) -> PayloadFormat {
    named(leg, other, payload_type).unwrap_or_else(|| formats::assumed(payload_type))
}

/// The codec that it is of, likewise; `None`: it is no sound.
fn codec(leg: &Leg, other: &Leg, payload_type: PayloadType, format: PayloadFormat) -> Option<Codec> {
    let described = || other.formats.codec(payload_type).or_else(|| leg.formats.codec(payload_type));
    let is_sound = format.used_for == PayloadUse::Media;
    is_sound.then(|| described().unwrap_or_else(|| Codec::from_static(payload_type)))
}

/// The same where an SDP says it.
fn named(leg: &Leg, other: &Leg, payload_type: PayloadType) -> Option<PayloadFormat> {
    other.formats.find(payload_type).or_else(|| leg.formats.find(payload_type))
}
