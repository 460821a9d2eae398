//! Audio that is not of the call's parties, on its way to one of them: a ring that somebody writes and the relay plays.
//!
//! A record is a head of [`HEAD`] bytes and the payload of one packet. It says for what format it was coded: what a new description
//! has overtaken is thrown away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};

use crate::codec::Codec;
use crate::packet::PayloadType;

const HEAD: usize = 14;

/// How a party wants its audio: as its leg has negotiated it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The codec.
    pub codec: Codec,
    /// Its number.
    pub payload_type: PayloadType,
    /// Ticks of its clock in a second.
    pub clock_rate: u32,
    /// Milliseconds of audio in a packet: 10, 20, 30, 40, 50 or 60.
    pub packet_ms: u8,
}

/// The end that audio is written to. When it is dropped, what was written is played, and then the party hears the other one again.
#[derive(Debug)]
pub struct Player {
    ring: Producer<u8>,
    shared: Arc<Shared>,
}

/// The end that a relay plays: [`Relay::play`](super::Relay::play).
#[derive(Debug)]
pub struct Source {
    ring: Consumer<u8>,
    shared: Arc<Shared>,
    codecs: &'static [Codec],
}

#[derive(Debug, Default)]
struct Shared {
    /// [`Wanted::code`]; 0: nothing.
    wanted: AtomicU64,
    /// What waits is not to be played.
    is_cut: AtomicBool,
}

impl Player {
    /// Both ends of a ring.
    ///
    /// - `bytes`: its room.
    /// - `codecs`: those that its writer can write, the relay chooses among them.
    #[must_use]
    pub fn new(bytes: usize, codecs: &'static [Codec]) -> (Player, Source) {
        let (producer, consumer) = RingBuffer::new(bytes);
        let shared = Arc::new(Shared::default());
        (Player { ring: producer, shared: shared.clone() }, Source { ring: consumer, shared, codecs })
    }

    /// What is to be written from now on; `None`: the relay has not been told yet, or the party takes nothing that can be written.
    #[must_use]
    pub fn wanted(&self) -> Option<Wanted> {
        Wanted::of(self.shared.wanted.load(Ordering::Acquire))
    }

    /// A packet's payload, coded as `wanted` says. Returns whether there was room for it; if not, it is lost.
    ///
    /// - `ticks`: how much of the codec's clock it is.
    pub fn write(&mut self, wanted: Wanted, ticks: u32, payload: &[u8]) -> bool {
        let Ok(length) = u16::try_from(payload.len()) else { return false };
        if self.ring.slots() < HEAD + payload.len() {
            return false;
        }
        let mut head = [0; HEAD];
        let fields = length.to_be_bytes().into_iter().chain(wanted.code().to_be_bytes());
        let fields = fields.chain(ticks.to_be_bytes());
        head.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        self.ring.push_entire_slice(&head).is_ok() && self.ring.push_entire_slice(payload).is_ok()
    }

    /// What waits is not played: the party hears the other one at once.
    pub fn cut(self) {
        self.shared.is_cut.store(true, Ordering::Release);
    }

    /// The relay plays it no more: the call is over, or something else is played.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ring.is_abandoned()
    }
}

impl Source {
    /// Tells the writer what is wanted.
    pub(super) fn tell(&self, wanted: Option<Wanted>) {
        self.shared.wanted.store(wanted.map_or(0, Wanted::code), Ordering::Release);
    }

    pub(super) fn codecs(&self) -> &'static [Codec] {
        self.codecs
    }

    pub(super) fn is_cut(&self) -> bool {
        self.shared.is_cut.load(Ordering::Acquire)
    }

    /// Nothing will come but what is there. Asked before it is read.
    pub(super) fn is_over(&self) -> bool {
        self.ring.is_abandoned()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// The next payload, in the beginning of `buffer`: its format, its ticks and its length. `None`: there is none yet, or none that
    /// is wanted.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Option<(Wanted, u32, usize)> {
        loop {
            let mut head = [0; HEAD];
            let bytes = self.ring.read_chunk(HEAD).ok()?;
            let (first, second) = bytes.as_slices();
            head.iter_mut().zip(first.iter().chain(second)).for_each(|(byte, from)| *byte = *from);
            let [l0, l1, w0, w1, w2, w3, w4, w5, w6, w7, ticks @ ..] = head;
            let length = usize::from(u16::from_be_bytes([l0, l1]));
            if self.ring.slots() < HEAD + length {
                return None; // It is being written.
            }
            self.ring.read_chunk(HEAD).ok()?.commit_all();
            let code = u64::from_be_bytes([w0, w1, w2, w3, w4, w5, w6, w7]);
            let place = buffer.get_mut(..length);
            if let Some(place) = place.filter(|_| code == self.shared.wanted.load(Ordering::Relaxed)) {
                self.ring.pop_entire_slice(place).ok()?;
                return Some((Wanted::of(code)?, u32::from_be_bytes(ticks), length));
            }
            self.ring.read_chunk(length).ok()?.commit_all();
        }
    }
}

impl Wanted {
    /// How long a packet is, in ticks of the codec's clock.
    #[must_use]
    pub fn ticks(&self) -> u32 {
        self.clock_rate / 1000 * u32::from(self.packet_ms)
    }

    /// In eight bytes, none of which is 0 as a whole.
    fn code(self) -> u64 {
        let codec = CODECS.iter().position(|known| *known == self.codec).map_or(0, |at| at as u64 + 1);
        codec << 48
            | u64::from(self.payload_type.0) << 40
            | u64::from(self.packet_ms) << 32
            | u64::from(self.clock_rate)
    }

    fn of(code: u64) -> Option<Wanted> {
        let [_, codec, payload_type, packet_ms, rate @ ..] = code.to_be_bytes();
        let codec = *CODECS.get(usize::from(codec.checked_sub(1)?))?;
        let (payload_type, clock_rate) = (PayloadType(payload_type), u32::from_be_bytes(rate));
        Some(Wanted { codec, payload_type, clock_rate, packet_ms })
    }
}

/// Each has its place, from 1 on, in a code. Of others nothing is written.
const CODECS: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted =
        Wanted { codec: Codec::Opus, payload_type: PayloadType(107), clock_rate: 48_000, packet_ms: 20 };

    #[test]
    fn a_format_is_read_as_it_was_written() {
        for codec in CODECS {
            let wanted = Wanted { codec, ..WANTED };
            assert_eq!(Wanted::of(wanted.code()), Some(wanted));
        }
        assert_eq!(Wanted::of(0), None);
        assert_eq!(WANTED.ticks(), 960);
    }

    #[test]
    fn what_finds_no_room_is_lost_and_what_is_not_wanted_any_more_is_passed_over() {
        let (mut player, mut source) = Player::new(3 * (HEAD + 4), &CODECS);
        assert_eq!(player.wanted(), None);
        source.tell(Some(WANTED));
        assert_eq!(player.wanted(), Some(WANTED));
        let other = Wanted { codec: Codec::Pcmu, ..WANTED };
        assert!(player.write(other, 160, &[1; 4]) && player.write(WANTED, 960, &[2; 4]));
        assert!(player.write(WANTED, 960, &[3; 4]) && !player.write(WANTED, 960, &[4; 4]));
        let mut buffer = [0; 8];
        assert_eq!(source.read(&mut buffer), Some((WANTED, 960, 4)));
        assert_eq!(buffer, [2, 2, 2, 2, 0, 0, 0, 0]);
        assert!(player.write(WANTED, 960, &[5; 4]), "across the end of the ring");
        for expected in [3, 5] {
            assert_eq!(source.read(&mut buffer), Some((WANTED, 960, 4)));
            assert_eq!(buffer[..4], [expected; 4]);
        }
        assert_eq!(source.read(&mut buffer), None);
        assert!(!source.is_over() && !source.is_cut());
        player.cut();
        assert!(source.is_over() && source.is_cut());
    }
}
