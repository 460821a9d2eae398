//! What is played to a party, paced by the clock of its packets.

use std::time::{Duration, Instant};

use super::source::{Source, Wanted};
use super::splice::{Place, Splice};
use super::{Forward, Leg, Output, Refusal, Relay, Side, StreamKind};
use crate::codec::Codec;
use crate::packet::{PayloadType, RtpPacket, Ssrc};
use crate::quality::{PayloadFormat, PayloadUse};

/// So much is waited for before the first packet goes, so that a writer who comes late at times is not heard to.
const AHEAD: Duration = Duration::from_millis(40);
/// How often it is asked whether something waits, when nothing does.
const LOOK: Duration = Duration::from_millis(10);
/// Who writes nothing for so long replaces nobody.
const STARVED: Duration = Duration::from_millis(100);
/// More packets than this are not sent at once to make up for lost time.
const BEHIND: u32 = 3;

/// All that a leg is sent since something was played to it.
#[derive(Debug)]
pub(super) struct Playback {
    pub(super) splice: Splice,
    playing: Option<Playing>,
    /// What goes on behind that.
    beneath: Option<Playing>,
}

#[derive(Debug)]
struct Playing {
    source: Source,
    /// When to look at the ring.
    due: Instant,
    stage: Stage,
    /// Until then the other party is not heard.
    replaces: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing waits.
    Idle,
    /// Something does, and a little more is waited for.
    Filling,
    /// The packet before was of so many ticks.
    Sending(u32),
}

impl Playback {
    /// When there is something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.playing.as_ref().map(|playing| playing.due)
    }

    /// Whether the other party's sound is replaced.
    pub(super) fn replaces(&self, now: Instant) -> bool {
        self.playing.as_ref().and_then(|playing| playing.replaces).is_some_and(|until| now < until)
    }
}

impl Playing {
    /// The next packet's payload, put behind twelve bytes of `buffer`, and whether another one was sent right before it.
    fn next(&mut self, now: Instant, buffer: &mut [u8]) -> Option<(Wanted, Option<u32>, usize)> {
        let is_over = self.source.is_over();
        if self.source.is_empty() || (self.stage == Stage::Idle && !is_over) {
            self.stage = if self.source.is_empty() { Stage::Idle } else { Stage::Filling };
            self.due = now + if self.stage == Stage::Filling { AHEAD } else { LOOK };
            return None;
        }
        let payload = buffer.get_mut(12..).and_then(|room| self.source.read(room));
        let Some((wanted, ticks, length)) = payload else {
            self.due = now + LOOK;
            return None;
        };
        let follows = match self.stage {
            Stage::Sending(before) => Some(before),
            Stage::Idle | Stage::Filling => None,
        };
        self.stage = Stage::Sending(ticks);
        let duration = Duration::from_secs(1) * ticks / wanted.clock_rate.max(1);
        self.replaces = Some(now.max(self.due) + duration + STARVED);
        self.due += duration;
        if self.due + duration * BEHIND < now {
            self.due = now;
        }
        Some((wanted, follows, length))
    }

    /// Nothing is left, and nothing will come.
    fn is_done(&self) -> bool {
        self.source.is_cut() || (self.source.is_over() && self.source.is_empty())
    }
}

impl Relay {
    /// Plays something to the party of a leg, in place of the other party's sound as long as there is something to play: its digits
    /// pass. What is being written still waits meanwhile, what is whole is heard out first; what
    /// waited already is thrown away. The writer is told what the party wants to hear, now and with each description.
    ///
    /// The party hears one stream of all: what is played goes on with the SSRC, the numbers and the time of the other party's.
    pub fn play(&mut self, now: Instant, side: Side, source: Source) {
        let chance = [self.random.next(), self.random.next()];
        let (leg, other) = self.legs(side);
        let heard = other.received.as_ref().map(|received| received.ssrc());
        let playback = leg.playback.get_or_insert_with(|| {
            let splice = match &leg.sent {
                Some(sent) => {
                    let from = heard.filter(|ssrc| leg.names.of(*ssrc) == sent.ssrc());
                    Splice::new(sent.ssrc(), sent.highest(), sent.clock(), from)
                }
                None => {
                    let own = leg.own_ssrc;
                    let received = leg.received.as_ref().map(|received| received.ssrc());
                    let ssrc = if received == Some(own) { Ssrc(own.0.wrapping_add(1)) } else { own };
                    // In the lower half, so that an SRTP receiver that misses the first ones guesses well. RFC 3711 §3.3.1.
                    let [seq, timestamp] = chance;
                    Splice::new(ssrc, seq as u16 & 0x7fff, (timestamp, now, 8000), None)
                }
            };
            Box::new(Playback { splice, playing: None, beneath: None })
        });
        let playing = Playing { source, due: now, stage: Stage::Idle, replaces: None };
        match playback.playing.take().filter(|before| !before.is_done()) {
            None => playback.playing = Some(playing),
            // It has an end, and not far away.
            Some(before) if before.source.is_over() => {
                playback.playing = Some(before);
                playback.beneath = Some(playing);
            }
            Some(before) => {
                playback.playing = Some(playing);
                playback.beneath = Some(before);
            }
        }
        self.tell_wanted();
    }

    /// Tells who writes what is wanted.
    pub(super) fn tell_wanted(&mut self) {
        for (leg, other) in [(&self.a, &self.b), (&self.b, &self.a)] {
            let Some(playback) = &leg.playback else { continue };
            for playing in playback.playing.iter().chain(&playback.beneath) {
                playing.source.tell(wanted(leg, other, playing.source.codecs()));
            }
        }
    }

    /// The packet that is due to a leg, written to `buffer`.
    pub(super) fn poll_playback(&mut self, side: Side, buffer: &mut [u8]) -> Option<Output> {
        let leg = self.leg(side);
        let now = leg.turn?;
        let sent = loop {
            let playing = leg.playback.as_mut().and_then(|playback| playback.playing.as_mut());
            let due = playing
                .filter(|playing| playing.due <= now)
                .and_then(|playing| if playing.is_done() { None } else { Some(playing.next(now, buffer)) });
            match due {
                None => break None,
                Some(None) => {}
                Some(Some((wanted, follows, length))) => {
                    if let Ok(forward) = leg.send_played(now, wanted, follows, buffer, 12 + length) {
                        break Some(forward);
                    }
                }
            }
        };
        if let Some(Forward { to, len }) = sent {
            return Some(Output::Play { side, to, len });
        }
        leg.turn = None;
        if let Some(playback) = &mut leg.playback {
            let done = playback.playing.take_if(|playing| playing.is_done() && playing.due <= now);
            if done.is_some() {
                playback.playing = playback.beneath.take().map(|playing| Playing { due: now, ..playing });
            }
        }
        None
    }
}

impl Leg {
    /// Something may be due to be played.
    pub(super) fn handle_playback(&mut self, now: Instant) {
        let due = self.playback.as_ref().and_then(|playback| playback.poll_timeout());
        if due.is_some_and(|due| due <= now) {
            self.turn = Some(now);
        }
    }

    /// A packet that is played: its payload is in `buffer` already, behind the room for its header.
    fn send_played(
        &mut self,
        now: Instant,
        wanted: Wanted,
        follows: Option<u32>,
        buffer: &mut [u8],
        mut len: usize,
    ) -> Result<Forward, Refusal> {
        let to = self.destination(StreamKind::Rtp).ok_or(Refusal::Unroutable)?;
        let playback = self.playback.as_mut().ok_or(Refusal::Unroutable)?;
        let place = playback.splice.play(now, wanted.clock_rate, follows);
        let [first, second, ..] = buffer else { return Err(Refusal::Oversized) };
        (*first, *second) = (0x80, wanted.payload_type.0);
        let packet = placed(buffer, len, place)?;
        let format = PayloadFormat { clock_rate: wanted.clock_rate, used_for: PayloadUse::Media };
        self.send(now, &packet, format, Some(wanted.codec));
        len = self.security.protect_rtp(buffer, len)?;
        self.meter.sent.rtp.add(len);
        Ok(Forward { to, len })
    }
}

/// The packet in the first `len` bytes of `buffer`, in its place.
pub(super) fn placed(buffer: &mut [u8], len: usize, place: Place) -> Result<RtpPacket<'_>, Refusal> {
    let datagram = buffer.get_mut(..len).ok_or(Refusal::Malformed)?;
    let [_, second, rest @ ..] = datagram.first_chunk_mut::<12>().ok_or(Refusal::Malformed)?;
    *second = *second & 0x7f | u8::from(place.marker) << 7;
    let fields = place.seq.to_be_bytes().into_iter().chain(place.timestamp.to_be_bytes());
    rest.iter_mut().zip(fields.chain(place.ssrc.0.to_be_bytes())).for_each(|(byte, field)| *byte = field);
    RtpPacket::parse(datagram).map_err(|_| Refusal::Malformed)
}

/// How the party of a leg wants its sound: as the other one sends it, else by the first codec that both have described.
fn wanted(leg: &Leg, other: &Leg, codecs: &[Codec]) -> Option<Wanted> {
    let ours = || leg.formats.sound().filter(|(_, _, codec)| codecs.contains(codec));
    let sent = other.received.as_ref().map(|received| received.payload_type());
    // The shorter list is the answer's: the better one comes first in it. RFC 3264 §6.1.
    let is_answer = leg.formats.sound().count() <= other.formats.sound().count();
    let in_both = |&(_, rate, codec): &(PayloadType, u32, Codec)| {
        other.formats.sound().any(|(_, other_rate, other)| (other_rate, other) == (rate, codec))
    };
    let by_other = || {
        other.formats.sound().find_map(|(_, rate, codec)| ours().find(|one| (one.1, one.2) == (rate, codec)))
    };
    let (payload_type, clock_rate, codec) = ours()
        .find(|(payload_type, ..)| Some(*payload_type) == sent)
        .or_else(|| if is_answer { ours().find(in_both) } else { by_other() })
        .or_else(|| ours().next())?;
    let packet_ms = match leg.packet_ms {
        Some(ms @ (10 | 20 | 40 | 60)) => ms as u8,
        Some(ms @ (30 | 50)) if codec != Codec::Opus => ms as u8,
        _ => 20,
    };
    Some(Wanted { codec, payload_type, clock_rate, packet_ms })
}
