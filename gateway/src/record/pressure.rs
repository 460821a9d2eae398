//! What is given up when room runs out.

use crate::metrics::RecordKind;

/// How little room is left, from plenty to none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// Everything is taken.
    #[default]
    None,
    /// SIP messages are not, nor what of the API only reads.
    Messages,
    /// Quality records, wide records and events of streams that begin are not either.
    Quality,
    /// Call and streaming detail records only, and none of the API's; no new calls but emergencies.
    Calls,
}

/// Whether somebody should look, before anything is given up: four fifths of the journal are spoken for.
pub fn is_near(used: u64, limit: u64) -> bool {
    used >= limit / 5 * 4
}

impl Pressure {
    /// Of the room in memory, in bytes.
    ///
    /// A quarter of the room is only for call detail records, and half of that for those of calls that
    /// are up already.
    pub fn of_memory(used: u64, limit: u64) -> Pressure {
        Pressure::at(used, limit, [50, 75, 88])
    }

    /// Of the journal.
    ///
    /// - `used`: bytes that are spoken for; the records of the calls that are up are among them, so that these find room where
    ///   no more calls are taken.
    pub fn of_journal(used: u64, limit: u64) -> Pressure {
        Pressure::at(used, limit, [90, 95, 100])
    }

    /// - `steps`: from which percentage on messages, quality and calls are given up.
    fn at(used: u64, limit: u64, [messages, quality, calls]: [u64; 3]) -> Pressure {
        let percent = used.saturating_mul(100) / limit.max(1);
        match percent {
            _ if percent >= calls => Pressure::Calls,
            _ if percent >= quality => Pressure::Quality,
            _ if percent >= messages => Pressure::Messages,
            _ => Pressure::None,
        }
    }

    /// What is given up, in words.
    pub fn given_up(self) -> &'static str {
        match self {
            Pressure::None => "nothing",
            Pressure::Messages => "SIP messages, and what sinks need not have",
            Pressure::Quality => "SIP messages, quality and wide records, events of streams that begin",
            Pressure::Calls => "all calls but emergencies",
        }
    }

    /// Whether a record of this kind is still taken.
    pub fn admits(self, kind: RecordKind) -> bool {
        match kind {
            RecordKind::CallDetail | RecordKind::StreamingDetail => true,
            RecordKind::Audit => self < Pressure::Calls,
            RecordKind::Quality | RecordKind::Detail | RecordKind::StreamingEvent => self < Pressure::Quality,
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
    fn messages_go_first_then_quality_then_changes_by_the_api_and_call_details_never() {
        use RecordKind::{Audit, CallDetail, Quality, SipMessage};
        for (memory, journal, expect, admitted) in [
            (0, 0, Pressure::None, vec![CallDetail, Audit, Quality, SipMessage]),
            (49, 89, Pressure::None, vec![CallDetail, Audit, Quality, SipMessage]),
            (50, 90, Pressure::Messages, vec![CallDetail, Audit, Quality]),
            (74, 94, Pressure::Messages, vec![CallDetail, Audit, Quality]),
            (75, 95, Pressure::Quality, vec![CallDetail, Audit]),
            (87, 99, Pressure::Quality, vec![CallDetail, Audit]),
            (88, 100, Pressure::Calls, vec![CallDetail]),
            (1_000, 1_000, Pressure::Calls, vec![CallDetail]),
        ] {
            let pressure = Pressure::of_memory(memory, 100);
            assert_eq!((pressure, Pressure::of_journal(journal, 100)), (expect, expect), "{memory}");
            assert_eq!(Pressure::from_level(pressure.level()), pressure);
            for kind in [CallDetail, Audit, Quality, SipMessage] {
                assert_eq!(pressure.admits(kind), admitted.contains(&kind), "{memory} {kind:?}");
            }
        }
        assert_eq!(Pressure::of_memory(1, 0), Pressure::Calls);
        assert_eq!([79, 80, 200].map(|used| is_near(used, 100)), [false, true, true]);
    }
}
