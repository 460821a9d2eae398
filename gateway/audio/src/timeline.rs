//! Where in a party's stream a packet belongs: by its timestamp, which is held against the time of arrival.

use rtp::relay::TappedPacket;

use crate::ticks::{self, PER_SECOND, millis};

/// A packet that comes so much earlier than its timestamp lets expect shows that those before it were late.
const EARLY: i64 = millis(3);
/// Where the least late packet of a [`WINDOW`] is so late, the sender's clock is slow.
const SLOW: i64 = millis(5);
const WINDOW: i64 = 10 * PER_SECOND;
/// Where no packet has been in time for so long, the way has become longer.
const LONGER: i64 = PER_SECOND / 2;
/// A packet so late by its timestamp was not on the way for so long: its sender has stopped its clock.
const JUMP: i64 = PER_SECOND;

/// See the module.
#[derive(Debug, Default)]
pub struct Timeline {
    anchor: Option<Anchor>,
}

#[derive(Debug)]
struct Anchor {
    ssrc: u32,
    clock_rate: u32,
    /// The newest timestamp, and the same extended.
    timestamp: u32,
    extended: i64,
    /// What makes the time since the answer of an extended timestamp.
    offset: i64,
    /// When the window began, and how late its least late packet was.
    window: (i64, i64),
    /// Since when all packets are too late.
    late_since: Option<i64>,
}

impl Timeline {
    /// The time of the packet's first sample, and whether that is told by a new reckoning: another stream, or a clock that jumped.
    ///
    /// - `arrival`: when it came;
    /// - `delay`: what comes later than this is too late to be played.
    pub fn place(&mut self, arrival: i64, delay: i64, packet: &TappedPacket) -> (i64, bool) {
        let (ssrc, clock_rate) = (packet.ssrc.0, packet.format.clock_rate.max(1));
        let known = self.anchor.as_mut().filter(|known| (known.ssrc, known.clock_rate) == (ssrc, clock_rate));
        let Some(anchor) = known else {
            let extended = i64::from(packet.timestamp);
            let offset = arrival - scaled(extended, clock_rate);
            let (timestamp, window) = (packet.timestamp, (arrival, i64::MAX));
            let late_since = None;
            self.anchor = Some(Anchor { ssrc, clock_rate, timestamp, extended, offset, window, late_since });
            return (arrival, true);
        };
        anchor.extended += i64::from(packet.timestamp.wrapping_sub(anchor.timestamp) as i32);
        anchor.timestamp = packet.timestamp;
        let late = arrival - anchor.time();
        let jumped = anchor.follow(arrival, late, delay, packet.marker);
        (anchor.time(), jumped)
    }

    /// The time of a timestamp of the stream that is heard, as of an event: its packets repeat it, so nothing is learnt.
    pub fn look(&self, arrival: i64, packet: &TappedPacket) -> i64 {
        let known = self.anchor.as_ref().filter(|known| known.ssrc == packet.ssrc.0);
        let Some(anchor) = known else { return arrival };
        let since = i64::from(packet.timestamp.wrapping_sub(anchor.timestamp) as i32);
        let time = scaled(anchor.extended + since, anchor.clock_rate) + anchor.offset;
        if (time - arrival).abs() > 10 * PER_SECOND { arrival } else { time.min(arrival) }
    }
}

impl Anchor {
    fn time(&self) -> i64 {
        scaled(self.extended, self.clock_rate) + self.offset
    }

    /// Corrects the reckoning by a packet that came so `late`; returns whether it jumped.
    fn follow(&mut self, arrival: i64, late: i64, delay: i64, marker: bool) -> bool {
        if late < -EARLY {
            self.shift(arrival, late);
            return late < -JUMP;
        }
        if late > delay {
            let since = *self.late_since.get_or_insert(arrival);
            let jumps = marker || late > JUMP || arrival - since >= LONGER;
            if jumps {
                self.shift(arrival, late);
            }
            return jumps;
        }
        self.late_since = None;
        self.window.1 = self.window.1.min(late);
        if arrival - self.window.0 >= WINDOW {
            let slow = self.window.1;
            self.shift(arrival, if slow > SLOW { slow } else { 0 });
        }
        false
    }

    fn shift(&mut self, arrival: i64, by: i64) {
        self.offset += by;
        self.window = (arrival, i64::MAX);
        self.late_since = None;
    }
}

fn scaled(timestamp: i64, clock_rate: u32) -> i64 {
    (i128::from(timestamp) * i128::from(ticks::PER_SECOND) / i128::from(clock_rate)) as i64
}

#[cfg(test)]
mod tests {
    use rtp::codec::Codec;
    use rtp::packet::Ssrc;
    use rtp::quality::{PayloadFormat, PayloadUse};

    use super::*;

    fn packet(ssrc: u32, timestamp: u32, marker: bool) -> TappedPacket {
        let format = PayloadFormat { clock_rate: 8000, used_for: PayloadUse::Media };
        TappedPacket { ssrc: Ssrc(ssrc), seq: 0, timestamp, marker, format, codec: Some(Codec::Pcmu) }
    }

    const DELAY: i64 = millis(120);

    /// Where packets of one stream are put, in milliseconds: `(arrival, timestamp, marker)`.
    fn check(packets: &[(i64, u32, bool)], expected: &[i64]) {
        let mut timeline = Timeline::default();
        let places: Vec<_> = packets
            .iter()
            .map(|(arrival, timestamp, marker)| {
                timeline.place(millis(*arrival), DELAY, &packet(1, *timestamp, *marker)).0 / millis(1)
            })
            .collect();
        assert_eq!(places, expected, "{packets:?}");
    }

    #[test]
    fn a_timestamp_tells_the_time_across_its_wrap() {
        check(&[(1000, u32::MAX - 79, true), (1030, 80, false), (1040, 240, false)], &[1000, 1020, 1040]);
    }

    #[test]
    fn a_packet_that_comes_early_shows_that_the_first_was_late() {
        check(&[(1030, 0, true), (1020, 160, false), (1040, 320, false)], &[1030, 1020, 1040]);
    }

    #[test]
    fn a_clock_that_stood_still_or_leapt_is_followed() {
        check(&[(0, 0, true), (3000, 160, true), (3020, 320, false)], &[0, 3000, 3020]);
        check(&[(0, 0, true), (3000, 160, false), (3020, 320, false)], &[0, 3000, 3020]);
        check(&[(0, 0, true), (20, 80_000, false), (40, 80_160, false)], &[0, 20, 40]);
        check(&[(0, 80_000, true), (20, 0, false), (40, 160, false)], &[0, 20, 40]);
    }

    #[test]
    fn silence_is_as_long_as_the_timestamps_say() {
        check(&[(0, 0, true), (5010, 40_000, true), (5020, 40_160, false)], &[0, 5000, 5020]);
    }

    #[test]
    fn a_burst_after_a_hiccup_stays_where_it_belongs_and_a_longer_way_is_followed() {
        check(&[(0, 0, true), (260, 160, false), (260, 320, false), (262, 480, false)], &[0, 20, 40, 60]);
        let late: Vec<_> =
            (0..30).map(|n| (n * 20 + 300 * i64::from(n > 0), n as u32 * 160, n == 0)).collect();
        let mut timeline = Timeline::default();
        let last =
            late.iter().map(|(at, ts, marker)| timeline.place(millis(*at), DELAY, &packet(1, *ts, *marker)));
        assert_eq!(last.last().unwrap().0, millis(29 * 20 + 300));
    }

    #[test]
    fn a_slow_or_fast_clock_never_leads_far_astray() {
        for ppm in [-300_i64, 300] {
            let mut timeline = Timeline::default();
            for n in 0..180_000_i64 {
                let jitter = (n * 7919 % 13) * millis(1);
                let sent = n * millis(20) + n * millis(20) * ppm / 1_000_000;
                let (place, jumped) =
                    timeline.place(sent + jitter, DELAY, &packet(1, (n * 160) as u32, n == 0));
                assert!((place - sent).abs() <= millis(20), "{ppm} {n} {}", place - sent);
                assert_eq!(jumped, n == 0);
            }
        }
    }
}
