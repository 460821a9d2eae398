//! Digits that come as telephone-events, each told once. RFC 4733.

use rtp::relay::TappedPacket;

use crate::ticks::{self, millis};

/// A digit whose end was lost has ended when nothing was heard of it for so long.
const GONE: i64 = millis(400);

/// A timestamp that is behind by no more than this is that of a copy which came late.
const OLD: i32 = 80_000;

/// A digit that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digit {
    /// When.
    pub start: i64,
    /// Which.
    pub digit: char,
    /// For how long.
    pub duration: i64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Digits {
    pressed: Option<Pressed>,
    /// The timestamp of the one that was told last: its end is repeated.
    told: Option<u32>,
}

#[derive(Debug)]
struct Pressed {
    digit: char,
    start: i64,
    /// Timestamp of the segment that is heard, and how long those before it were. RFC 4733 §2.5.1.3.
    timestamp: u32,
    before: u32,
    /// The longest that was said.
    lasts: u32,
    clock_rate: u32,
    heard: i64,
}

impl Digits {
    /// An event's packet; returns the digit that it ends, or whose end was lost before it.
    ///
    /// - `place`: the time of its timestamp.
    pub fn handle(
        &mut self,
        arrival: i64,
        place: i64,
        packet: &TappedPacket,
        payload: &[u8],
    ) -> Option<Digit> {
        let [event, flags, high, low] = *payload.first_chunk::<4>()?;
        let digit = digit(event)?;
        let (lasts, ends) = (u32::from(u16::from_be_bytes([high, low])), flags & 0x80 != 0);
        let since = self.told.map(|told| packet.timestamp.wrapping_sub(told) as i32);
        if since.is_some_and(|since| (-OLD..=0).contains(&since)) {
            return None;
        }
        let mut lost = None;
        match &mut self.pressed {
            Some(pressed) if pressed.is_of(digit, packet.timestamp) => {}
            Some(pressed) if pressed.goes_on(digit, packet.timestamp) => {
                pressed.before = pressed.before.saturating_add(pressed.lasts);
                (pressed.timestamp, pressed.lasts) = (packet.timestamp, 0);
            }
            _ => {
                lost = self.end();
                self.pressed = Some(Pressed {
                    digit,
                    start: place,
                    timestamp: packet.timestamp,
                    before: 0,
                    lasts: 0,
                    clock_rate: packet.format.clock_rate.max(1),
                    heard: arrival,
                });
            }
        }
        if let Some(pressed) = &mut self.pressed {
            pressed.lasts = pressed.lasts.max(lasts);
            pressed.heard = arrival;
        }
        if ends && lost.is_none() { self.end() } else { lost }
    }

    /// The digit whose end was lost, if it is over by now.
    pub fn handle_timeout(&mut self, now: i64) -> Option<Digit> {
        self.pressed.as_ref().filter(|pressed| now - pressed.heard >= GONE)?;
        self.end()
    }

    /// Nothing follows.
    pub fn end(&mut self) -> Option<Digit> {
        let Pressed { digit, start, timestamp, before, lasts, clock_rate, .. } = self.pressed.take()?;
        self.told = Some(timestamp);
        let duration = i64::from(before.saturating_add(lasts)) * ticks::PER_SECOND / i64::from(clock_rate);
        Some(Digit { start, digit, duration })
    }
}

impl Pressed {
    fn is_of(&self, digit: char, timestamp: u32) -> bool {
        (self.digit, self.timestamp) == (digit, timestamp)
    }

    fn goes_on(&self, digit: char, timestamp: u32) -> bool {
        self.digit == digit && self.lasts > 0 && timestamp == self.timestamp.wrapping_add(self.lasts)
    }
}

fn digit(event: u8) -> Option<char> {
    "0123456789*#ABCD".chars().nth(usize::from(event))
}

#[cfg(test)]
mod tests {
    use rtp::packet::Ssrc;
    use rtp::quality::{PayloadFormat, PayloadUse};

    use super::*;

    /// Digits told of packets `(timestamp, event, end, duration)`, 20 ms apart; `_`: in milliseconds.
    fn check(packets: &[(u32, u8, bool, u16)], expected: &[(char, i64, i64)]) {
        let mut digits = Digits::default();
        let mut told = Vec::new();
        let mut arrival = 0;
        for (number, (timestamp, event, end, duration)) in packets.iter().enumerate() {
            arrival = millis(20) * number as i64;
            let format = PayloadFormat { clock_rate: 8000, used_for: PayloadUse::Event };
            let (seq, marker, codec, timestamp) = (number as u16, false, None, *timestamp);
            let packet = TappedPacket { ssrc: Ssrc(1), seq, timestamp, marker, format, codec };
            let [high, low] = duration.to_be_bytes();
            let payload = [*event, u8::from(*end) << 7 | 10, high, low];
            told.extend(digits.handle(arrival, i64::from(timestamp) * 6, &packet, &payload));
        }
        told.extend(digits.handle_timeout(arrival + millis(399)));
        let before = told.len();
        told.extend(digits.handle_timeout(arrival + GONE));
        told.extend(digits.end());
        assert!(told.len() - before <= 1);
        let told: Vec<_> =
            told.iter().map(|told| (told.digit, told.start / millis(1), told.duration / millis(1))).collect();
        assert_eq!(told, expected, "{packets:?}");
    }

    #[test]
    fn each_is_told_once() {
        let five = [
            (800, 5, false, 160),
            (800, 5, false, 320),
            (800, 5, true, 480),
            (800, 5, true, 480),
            (800, 5, true, 480),
        ];
        check(&five, &[('5', 100, 60)]);
        check(&[(800, 11, false, 160), (800, 11, false, 320)], &[('#', 100, 40)]); // its end was lost
        check(
            &[(800, 1, false, 160), (1600, 1, true, 160), (1600, 1, true, 160)],
            &[('1', 100, 20), ('1', 200, 20)],
        );
        check(
            &[(800, 1, true, 160), (1600, 2, true, 160), (800, 1, true, 160)],
            &[('1', 100, 20), ('2', 200, 20)],
        );
        check(&[(800, 16, true, 160), (800, 250, true, 9)], &[]); // a flash is no digit
        check(&[(800, 12, true, 160)], &[('A', 100, 20)]);
        let long = [(0, 9, false, 65_535), (65_535, 9, false, 160), (65_535, 9, true, 465)];
        check(&long, &[('9', 0, 8250)]);
    }

    /// A sender may go on with a key for as long as it likes: nothing overflows.
    #[test]
    fn a_key_that_is_never_let_go_lasts_as_long_as_can_be_told() {
        let mut digits = Digits::default();
        let longest = u32::from(u16::MAX);
        let format = PayloadFormat { clock_rate: 8000, used_for: PayloadUse::Event };
        for segment in 0..70_000_u32 {
            let timestamp = segment.wrapping_mul(longest);
            let packet =
                TappedPacket { ssrc: Ssrc(1), seq: 0, timestamp, marker: false, format, codec: None };
            assert_eq!(digits.handle(0, 0, &packet, &[9, 10, 0xff, 0xff]), None);
        }
        let told = digits.end().unwrap();
        assert_eq!(told.duration, i64::from(u32::MAX) * 6);
    }
}
