//! What is given up when room runs out.

use crate::metrics::RecordKind;

/// How little room is left, from plenty to none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// Everything is taken.
    #[default]
    None,
    /// SIP messages are not.
    Messages,
    /// Quality records and wide records are not either.
    Quality,
    /// Call detail records only; no new calls but emergencies.
    Calls,
}

impl Pressure {
    /// - `used`, `limit`: in the same unit.
    ///
    /// A quarter of the room is only for call detail records, and half of that for those of calls that
    /// are up already.
    pub fn of(used: u64, limit: u64) -> Pressure {
        let eighths = used.saturating_mul(8) / limit.max(1);
        match eighths {
            0..4 => Pressure::None,
            4..6 => Pressure::Messages,
            6 => Pressure::Quality,
            _ => Pressure::Calls,
        }
    }

    /// Whether a record of this kind is still taken.
    pub fn admits(self, kind: RecordKind) -> bool {
        match kind {
            RecordKind::CallDetail => true,
            RecordKind::Quality | RecordKind::Detail => self < Pressure::Quality,
            RecordKind::SipMessage => self < Pressure::Messages,
        }
    }

    /// As a number that [`from_level`](Pressure::from_level) understands.
    pub fn level(self) -> u8 {
        match self {
            Pressure::None => 0,
            Pressure::Messages => 1,
            Pressure::Quality => 2,
            Pressure::Calls => 3,
        }
    }

    /// The opposite of [`level`](Pressure::level).
    pub fn from_level(level: u8) -> Pressure {
        match level {
            0 => Pressure::None,
            1 => Pressure::Messages,
            2 => Pressure::Quality,
            _ => Pressure::Calls,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_first_then_quality_and_call_details_never() {
        use RecordKind::{CallDetail, Quality, SipMessage};
        for (used, expect, admitted) in [
            (0, Pressure::None, vec![CallDetail, Quality, SipMessage]),
            (49, Pressure::None, vec![CallDetail, Quality, SipMessage]),
            (50, Pressure::Messages, vec![CallDetail, Quality]),
            (74, Pressure::Messages, vec![CallDetail, Quality]),
            (75, Pressure::Quality, vec![CallDetail]),
            (87, Pressure::Quality, vec![CallDetail]),
            (88, Pressure::Calls, vec![CallDetail]),
            (1_000, Pressure::Calls, vec![CallDetail]),
        ] {
            let pressure = Pressure::of(used, 100);
            assert_eq!(pressure, expect, "{used}");
            assert_eq!(Pressure::from_level(pressure.level()), pressure);
            for kind in [CallDetail, Quality, SipMessage] {
                assert_eq!(pressure.admits(kind), admitted.contains(&kind), "{used} {kind:?}");
            }
        }
        assert_eq!(Pressure::of(1, 0), Pressure::Calls);
    }
}
