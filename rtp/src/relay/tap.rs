//! What the parties of a call say, for whoever listens: a ring for each of them, which the relay writes and never waits for.
//!
//! A record is a head of [`HEAD`] bytes and the payload. One that finds no room is dropped, and counted in the next one that does.

use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer, RingBuffer};

use super::{Relay, Side};
use crate::codec::Codec;
use crate::packet::{RtpPacket, Ssrc};
use crate::quality::{PayloadFormat, PayloadUse};

const HEAD: usize = 32;

/// The end that a relay writes.
#[derive(Debug)]
pub struct Tap {
    began: Instant,
    a: Ring,
    b: Ring,
}

/// The end where one party is heard.
#[derive(Debug)]
pub struct TapReader {
    ring: Consumer<u8>,
}

/// What one party said, in order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tapped {
    /// When it came: the time since the tap began.
    pub at: Duration,
    /// So many records before this one found no room.
    pub dropped: u16,
    /// What came.
    pub said: Said,
}

/// See [`Tapped`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// A packet, whose payload is in the buffer.
    Packet(TappedPacket),
    /// The other party has put this one on hold (`true`), or takes its sound again.
    Held(bool),
}

/// The head of a packet, and how its description says to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TappedPacket {
    /// Its stream.
    pub ssrc: Ssrc,
    /// Its number.
    pub seq: u16,
    /// Its timestamp.
    pub timestamp: u32,
    /// Its marker: for sound, the first of a talkspurt.
    pub marker: bool,
    /// Sound, event or comfort noise, and its clock.
    pub format: PayloadFormat,
    /// Of what codec; `None`: it is no sound.
    pub codec: Option<Codec>,
}

#[derive(Debug)]
struct Ring {
    ring: Producer<u8>,
    dropped: u16,
}

impl Tap {
    /// A tap whose time begins at `began`, and the ends where the a-leg's party and the b-leg's are heard.
    ///
    /// - `bytes`: room of each party's ring.
    #[must_use]
    pub fn new(began: Instant, bytes: usize) -> (Tap, [TapReader; 2]) {
        let [(a, from_a), (b, from_b)] = [(); 2].map(|()| RingBuffer::new(bytes));
        let [a, b] = [a, b].map(|ring| Ring { ring, dropped: 0 });
        (Tap { began, a, b }, [from_a, from_b].map(|ring| TapReader { ring }))
    }

    pub(super) fn packet(
        &mut self,
        now: Instant,
        side: Side,
        packet: &RtpPacket<'_>,
        format: PayloadFormat,
        codec: Option<Codec>,
    ) {
        let (ssrc, seq) = (packet.ssrc(), packet.seq());
        let (timestamp, marker) = (packet.timestamp(), packet.marker());
        let said = Said::Packet(TappedPacket { ssrc, seq, timestamp, marker, format, codec });
        self.write(now, side, said, packet.payload());
    }

    /// The party of `side` holds the other one, or does not any more.
    pub(super) fn holds(&mut self, now: Instant, side: Side, on_hold: bool) {
        self.write(now, side.other(), Said::Held(on_hold), &[]);
    }

    fn write(&mut self, now: Instant, side: Side, said: Said, payload: &[u8]) {
        let at = now.saturating_duration_since(self.began);
        let ring = match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        };
        let length = u16::try_from(payload.len()).ok().filter(|_| ring.ring.slots() >= HEAD + payload.len());
        let head = length.map(|length| head(&Tapped { at, dropped: ring.dropped, said }, length));
        let written = head.is_some_and(|head| {
            ring.ring.push_entire_slice(&head).is_ok() && ring.ring.push_entire_slice(payload).is_ok()
        });
        ring.dropped = if written { 0 } else { ring.dropped.saturating_add(1) };
    }
}

impl TapReader {
    /// What the party said next; its payload is put into `payload`, in place of what was there. `None`: nothing has come since.
    pub fn read(&mut self, payload: &mut Vec<u8>) -> Option<Tapped> {
        let mut bytes = [0; HEAD];
        let head = self.ring.read_chunk(HEAD).ok()?;
        let (first, second) = head.as_slices();
        bytes.iter_mut().zip(first.iter().chain(second)).for_each(|(byte, from)| *byte = *from);
        let (tapped, length) = read_head(&bytes);
        if self.ring.slots() < HEAD + length {
            return None; // It is being written.
        }
        self.ring.read_chunk(HEAD).ok()?.commit_all();
        payload.clear();
        payload.resize(length, 0);
        self.ring.pop_entire_slice(payload).ok()?;
        Some(tapped)
    }

    /// The call's media is closed, or is not tapped any more: nothing will come but what is there.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ring.is_abandoned()
    }
}

impl Relay {
    /// Somebody listens to the parties from now on, instead of who did before. Nothing is offloaded meanwhile.
    pub fn listen(&mut self, now: Instant, mut tap: Tap) {
        for (side, leg) in [(Side::A, &self.a), (Side::B, &self.b)] {
            if leg.on_hold {
                tap.holds(now, leg.holder(side), true);
            }
        }
        self.tap = Some(Box::new(tap));
    }

    /// Nobody listens any more.
    pub fn stop_listening(&mut self) {
        self.tap = None;
    }
}

fn head(tapped: &Tapped, length: u16) -> [u8; HEAD] {
    let mut head = Head::default();
    let (kind, packet) = match tapped.said {
        Said::Held(held) => (if held { HELD } else { TAKEN }, None),
        Said::Packet(packet) => (
            match packet.format.used_for {
                PayloadUse::Media => SOUND,
                PayloadUse::Event => EVENT,
                PayloadUse::ComfortNoise => NOISE,
            },
            Some(packet),
        ),
    };
    head.put(length.to_be_bytes());
    head.put(tapped.dropped.to_be_bytes());
    head.put(u64::try_from(tapped.at.as_nanos()).unwrap_or(u64::MAX).to_be_bytes());
    head.put([kind]);
    if let Some(packet) = packet {
        head.put([packet.codec.map_or(0, number), u8::from(packet.marker), 0]);
        head.put(packet.format.clock_rate.to_be_bytes());
        head.put(packet.ssrc.0.to_be_bytes());
        head.put(packet.timestamp.to_be_bytes());
        head.put(packet.seq.to_be_bytes());
    }
    head.bytes
}

fn read_head(bytes: &[u8; HEAD]) -> (Tapped, usize) {
    let mut head = Head { bytes: *bytes, at: 0 };
    let length = u16::from_be_bytes(head.take());
    let dropped = u16::from_be_bytes(head.take());
    let at = Duration::from_nanos(u64::from_be_bytes(head.take()));
    let [kind] = head.take();
    let [codec, marker, _] = head.take();
    let used_for = match kind {
        EVENT => PayloadUse::Event,
        NOISE => PayloadUse::ComfortNoise,
        _ => PayloadUse::Media,
    };
    let format = PayloadFormat { clock_rate: u32::from_be_bytes(head.take()), used_for };
    let ssrc = Ssrc(u32::from_be_bytes(head.take()));
    let timestamp = u32::from_be_bytes(head.take());
    let seq = u16::from_be_bytes(head.take());
    let codec = codec.checked_sub(1).and_then(|at| CODECS.get(usize::from(at)).copied());
    let said = match kind {
        HELD => Said::Held(true),
        TAKEN => Said::Held(false),
        _ => Said::Packet(TappedPacket { ssrc, seq, timestamp, marker: marker != 0, format, codec }),
    };
    (Tapped { at, dropped, said }, usize::from(length))
}

const SOUND: u8 = 0;
const EVENT: u8 = 1;
const NOISE: u8 = 2;
const HELD: u8 = 3;
const TAKEN: u8 = 4;

/// Each has its place, from 1 on, in a head.
const CODECS: [Codec; 9] = [
    Codec::Pcmu,
    Codec::Pcma,
    Codec::G722,
    Codec::G723,
    Codec::G729,
    Codec::Gsm,
    Codec::GsmEfr,
    Codec::Opus,
    Codec::Other,
];

fn number(codec: Codec) -> u8 {
    CODECS.iter().position(|known| *known == codec).map_or(0, |at| at as u8 + 1)
}

#[derive(Default)]
struct Head {
    bytes: [u8; HEAD],
    at: usize,
}

impl Head {
    fn put<const N: usize>(&mut self, field: [u8; N]) {
        if let Some(place) = self.bytes.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut::<N>) {
            *place = field;
            self.at += N;
        }
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let field = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<N>).copied();
        self.at += N;
        field.unwrap_or([0; N])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let packet = TappedPacket {
            ssrc: Ssrc(0xdead_beef),
            seq: 0xfedc,
            timestamp: 0x1234_5678,
            marker: true,
            format: PayloadFormat { clock_rate: 48_000, used_for: PayloadUse::ComfortNoise },
            codec: Some(Codec::Opus),
        };
        for said in [Said::Packet(packet), Said::Held(true), Said::Held(false)] {
            let tapped = Tapped { at: Duration::from_nanos(1 << 60), dropped: 9, said };
            assert_eq!(read_head(&head(&tapped, 160)), (tapped, 160));
        }
    }
}
