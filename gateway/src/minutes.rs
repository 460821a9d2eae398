//! The fraud stop: how long each connector's calls have talked outwards today, shared by all shards without a lock.
//!
//! A day is one of UTC. A call counts from its answer on, while it lasts; over midnight its rest counts for the new day. Calls for
//! help count for nothing and are stopped by nothing. Beyond `termination.daily_minutes` no call begins; those that are up go on.
//!
//! What passed is measured by the monotonic clock, so that a wall clock that is set adds no minute; only which day it is comes from
//! the wall's.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::admit::{Admitted, Origin, Refusal};
use crate::clock::Now;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The ledgers of all connectors. One for all shards; a connector gets its own with its first call.
#[derive(Debug, Default)]
pub struct Minutes(ArcSwap<HashMap<SmolStr, Arc<Ledger>>>);

/// What one connector has used today.
#[derive(Debug, Default)]
pub struct Ledger(ArcSwap<Tally>);

/// As of one moment; swapped whole.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    /// Since the Unix epoch.
    day: u64,
    /// By then, of that day.
    used: Duration,
    /// Calls that talk.
    calls: u32,
    /// The moment; none before the first call.
    at: Option<Instant>,
}

/// What outlives the process. Plain data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The day, since the Unix epoch.
    day: u64,
    /// By connector.
    milliseconds: BTreeMap<SmolStr, u64>,
}

impl Minutes {
    /// Goes on from what an earlier process had counted.
    pub fn restore(&self, saved: &Saved) {
        for (connector, milliseconds) in &saved.milliseconds {
            let used = Duration::from_millis(*milliseconds);
            self.ledger(connector).0.store(Arc::new(Tally { day: saved.day, used, ..Tally::default() }));
        }
    }

    /// What a later process may go on from.
    pub fn saved(&self, now: Now) -> Saved {
        let milliseconds = |ledger: &Ledger| u64::try_from(ledger.used(now).as_millis()).unwrap_or(u64::MAX);
        let ledgers = self.0.load();
        let used = ledgers.iter().map(|(connector, ledger)| (connector.clone(), milliseconds(ledger)));
        Saved { day: split(now.unix).0, milliseconds: used.filter(|(_, used)| *used > 0).collect() }
    }

    /// Where a connector's calls are booked; keep it for as long as the call lasts.
    pub fn ledger(&self, connector: &str) -> Arc<Ledger> {
        if let Some(ledger) = self.0.load().get(connector) {
            return ledger.clone();
        }
        self.0.rcu(|ledgers| {
            let mut ledgers = HashMap::clone(ledgers);
            ledgers.entry(connector.into()).or_default();
            ledgers
        });
        self.0.load().get(connector).cloned().unwrap_or_default()
    }

    /// How long a connector's calls have talked today.
    pub fn used(&self, now: Now, connector: &str) -> Duration {
        self.0.load().get(connector).map_or(Duration::ZERO, |ledger| ledger.used(now))
    }

    /// What of its minutes the calling connector has used, and how many it has; none without a limit, of a carrier, or by a call
    /// for help.
    pub fn used_by(&self, admitted: &Admitted, now: Now) -> Option<(Duration, u32)> {
        let Origin::Connector(connector) = &admitted.origin else { return None };
        let limit = connector.termination.daily_minutes.filter(|_| admitted.emergency.is_none())?;
        Some((self.used(now, connector.id.as_str()), limit))
    }

    /// Whether the calling connector may begin one more call.
    ///
    /// # Errors
    /// [`Refusal::DailyMinutes`]: it has used up its day.
    pub fn check(&self, admitted: &Admitted, now: Now) -> Result<(), Refusal> {
        match self.used_by(admitted, now) {
            Some((used, limit)) if is_used_up(used, limit) => {
                Err(Refusal::DailyMinutes { connector: admitted.connector.clone(), limit })
            }
            _ => Ok(()),
        }
    }
}

/// Whether so many minutes leave none.
pub fn is_used_up(used: Duration, limit: u32) -> bool {
    used >= Duration::from_secs(60) * limit
}

impl Ledger {
    /// A call is answered.
    pub fn begin(&self, now: Now) {
        self.change(now, |calls| calls.saturating_add(1));
    }

    /// It is over.
    pub fn end(&self, now: Now) {
        self.change(now, |calls| calls.saturating_sub(1));
    }

    fn used(&self, now: Now) -> Duration {
        self.0.load().on(now).used
    }

    fn change(&self, now: Now, change: impl Fn(u32) -> u32) {
        self.0.rcu(|tally| {
            let tally = tally.on(now);
            Tally { calls: change(tally.calls), ..tally }
        });
    }
}

impl Tally {
    /// As it is now.
    fn on(&self, now: Now) -> Tally {
        let Some(at) = self.at else {
            return Tally { at: Some(now.instant), ..self.of_day(now, Duration::ZERO) };
        };
        if now.instant < at {
            return *self; // A shard whose turn began a little earlier.
        }
        Tally { at: Some(now.instant), ..self.of_day(now, now.instant - at) }
    }

    /// - `passed`: since it was made.
    fn of_day(&self, now: Now, passed: Duration) -> Tally {
        let (day, into) = split(now.unix);
        let (before, passed) = match day == self.day {
            true => (self.used, passed),
            false => (Duration::ZERO, passed.min(into)),
        };
        Tally { day, used: before.saturating_add(passed.saturating_mul(self.calls)), ..*self }
    }
}

/// The day, and how far it is.
fn split(unix: Duration) -> (u64, Duration) {
    let day = unix.as_secs() / DAY.as_secs();
    (day, unix.saturating_sub(Duration::from_secs(day * DAY.as_secs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many seconds after the begin of a day, on both clocks.
    fn at(start: Instant, seconds: u64) -> Now {
        Now {
            instant: start + Duration::from_secs(seconds),
            unix: DAY * 20_000 + Duration::from_secs(seconds),
        }
    }

    fn seconds(ledger: &Ledger, now: Now) -> u64 {
        ledger.used(now).as_secs()
    }

    #[test]
    fn calls_count_while_they_talk_and_midnight_begins_anew() {
        let (start, ledger) = (Instant::now(), Ledger::default());
        ledger.begin(at(start, 100));
        ledger.begin(at(start, 160));
        assert_eq!(seconds(&ledger, at(start, 170)), 80);
        ledger.end(at(start, 170));
        assert_eq!(seconds(&ledger, at(start, 86_399)), 80 + 86_399 - 170);
        assert_eq!(seconds(&ledger, at(start, 86_400)), 0);
        assert_eq!(seconds(&ledger, at(start, 86_500)), 100);
        ledger.end(at(start, 86_500));
        assert_eq!(seconds(&ledger, at(start, 90_000)), 100);
        assert_eq!(seconds(&ledger, at(start, 3 * 86_400)), 0);
    }

    #[test]
    fn a_wall_clock_that_is_set_adds_no_minute() {
        let (start, ledger) = (Instant::now(), Ledger::default());
        ledger.begin(at(start, 1_000));
        let ahead = Now { unix: at(start, 40_000).unix, ..at(start, 1_010) };
        assert_eq!(seconds(&ledger, ahead), 10);
        ledger.end(ahead);
        assert_eq!(seconds(&ledger, at(start, 1_020)), 10);
        // Set to another day: its calls begin there, whatever passed.
        ledger.begin(at(start, 1_020));
        let tomorrow = Now { unix: at(start, 86_403).unix, ..at(start, 1_030) };
        assert_eq!(seconds(&ledger, tomorrow), 3);
        ledger.end(tomorrow);
        // And back: no day is stuck in the future.
        ledger.begin(at(start, 1_040));
        assert_eq!(seconds(&ledger, at(start, 1_060)), 20);
    }

    #[test]
    fn a_shard_that_is_late_takes_nothing_back() {
        let (start, ledger) = (Instant::now(), Ledger::default());
        ledger.begin(at(start, 86_390));
        ledger.begin(at(start, 86_410));
        ledger.end(at(start, 86_395));
        assert_eq!(seconds(&ledger, at(start, 86_420)), 20);
    }

    #[test]
    fn another_process_goes_on_and_another_day_begins_anew() {
        let (start, minutes) = (Instant::now(), Minutes::default());
        minutes.ledger("pbx").begin(at(start, 10));
        minutes.ledger("idle");
        let saved = minutes.saved(at(start, 70));
        let text = serde_json::to_string(&saved).unwrap();
        assert_eq!(text, r#"{"day":20000,"milliseconds":{"pbx":60000}}"#);
        for (later, used) in [(100, 60), (86_400, 0)] {
            let next = Minutes::default();
            next.restore(&serde_json::from_str(&text).unwrap());
            assert_eq!(next.used(at(start, later), "pbx").as_secs(), used);
            next.ledger("pbx").begin(at(start, later));
            assert_eq!(next.used(at(start, later + 5), "pbx").as_secs(), used + 5);
        }
    }

    #[test]
    fn shards_together_lose_no_call() {
        let (start, minutes) = (Instant::now(), Minutes::default());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| minutes.ledger("pbx").begin(at(start, 0))));
            }
        });
        assert_eq!(minutes.used(at(start, 3), "pbx").as_secs(), 12_000);
    }
}
