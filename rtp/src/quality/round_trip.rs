//! Round-trip time from a report block.

use std::time::Duration;

use crate::ntp::{NtpShort, NtpTime};

/// The rounding of coarse clocks: 0.1 s, in units of 1/65536 s.
const GRAIN: i64 = 6_553;

/// The round trip that a report block gives, at the moment when it arrived.
///
/// ```text
/// A     block's arrival   0xb710:8000 (46864.500 s)
/// LSR                   - 0xb705:2000 (46853.125 s)
/// DLSR                  - 0x0005:4000 (    5.250 s)
/// round trip              0x0006:2000 (    6.125 s)
/// ```
///
/// `None` when the peer had seen no sender report (LSR 0), or says that it held it for longer than it has existed. A little
/// longer is the rounding of clocks, and counts as zero. The age of the report wraps with the clock, at 9.1 h either way.
///
/// Source: RFC 3550 §6.4.1, Figure 2.
pub fn round_trip(arrival: NtpTime, last_sr: NtpShort, delay_since_last_sr: NtpShort) -> Option<Duration> {
    if last_sr.0 == 0 {
        return None;
    }
    let age = arrival.short().0.wrapping_sub(last_sr.0) as i32;
    let units = i64::from(age) - i64::from(delay_since_last_sr.0);
    (units >= -GRAIN).then(|| NtpShort(u32::try_from(units).unwrap_or(0)).to_duration())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figure_2_and_the_edges() {
        let check = |arrival: u32, lsr, dlsr, millis: Option<u64>| {
            let arrival = NtpTime(u64::from(arrival) << 16);
            let expected = millis.map(Duration::from_millis);
            assert_eq!(round_trip(arrival, NtpShort(lsr), NtpShort(dlsr)), expected);
        };
        check(0xb710_8000, 0xb705_2000, 0x0005_4000, Some(6_125));
        check(0xb710_8000, 0, 0x0005_4000, None);
        check(0xb705_2000, 0xb705_2000, 1, Some(0)); // a clock that rounded up
        check(0x0000_8000, 0xffff_8000, 0x0000_8000, Some(500)); // across the wrap
        check(0xb705_2000, 0xb705_2001, 0, Some(0)); // a clock that was set back by its grain
        check(0xb705_2000, 0xb705_2000, 0x1999, Some(0));
        // A receiver that says to have held a report for longer than it exists has not.
        check(0xb705_2000, 0xb705_2000, 0x199a, None);
        check(0xb710_8000, 0xb705_2000, 0x9000_0000, None);
        check(0xb710_8000, 0xb705_2000, 0xffff_ffff, None);
        check(0xb705_2000, 0xb710_8000, 0, None);
    }
}
