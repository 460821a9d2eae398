//! Calls per second and calls at one time, shared by all shards without a lock.
//!
//! Admission and routing are pure; this is the one part of them that counts. It comes last, so that a call which
//! is refused anyway uses up nothing. Emergency calls are counted by themselves, and refused only where nobody answers a flood of
//! them.
//! A call that is not up yet takes a [`Permit`] of its own too, by [`Limits::unanswered`].
//!
//! A call of a connector takes one [`Permit`] by [`Limits::call`] (termination); each attempt takes another by
//! [`Limits::attempt`] (the carrier, or the origination of the connector that is called). Dropping a permit gives
//! its place back, once.
//!
//! ```
//! use gateway::limits::{Limit, Limits};
//! use std::time::Duration;
//!
//! let limits = Limits::new();
//! let limit = Limit { calls_per_second: Some(100), calls: Some(1) };
//! let permit = limits.take("pbx", limit, Duration::from_secs(1_700_000_000));
//! assert!(permit.is_ok());
//! assert!(limits.take("pbx", limit, Duration::from_secs(1_700_000_001)).is_err());
//! drop(permit);
//! assert!(limits.take("pbx", limit, Duration::from_secs(1_700_000_002)).is_ok());
//! ```

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use config::VoiceConnector;
use smol_str::{SmolStr, format_smolstr};

use crate::admit::{Admitted, Origin, Refusal};
use crate::direction::Direction;
use crate::route::{Attempt, Via};

/// A new second brings new calls.
const RETRY_CALLS_PER_SECOND: Duration = Duration::from_secs(1);

/// Somebody has to hang up first.
const RETRY_CONCURRENT_CALLS: Duration = Duration::from_secs(5);

/// So many calls of a party may ring at one time, however few ports there are.
const FEWEST_UNANSWERED: u32 = 16;

/// So many emergency calls of one connector may use what is set aside for such: more than people in need place through one trunk,
/// and few enough that a phone system which was broken into leaves some to the emergency calls of others. More of them find their
/// place among the ordinary calls, and before these.
pub const EMERGENCY_CALLS: u32 = 200;

/// Keys of places among the emergency calls that may use what is set aside.
const SET_ASIDE: &str = "emergency ";

/// What may be taken; none: as much as anybody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// New calls in one second of the clock. At most 65534 count; above that there is no limit.
    pub calls_per_second: Option<u32>,
    /// Calls at one time.
    pub calls: Option<u32>,
}

/// The counters of connectors and carriers. One for all shards.
///
/// The limits themselves are the caller's configuration at the time of each call, so that a new configuration
/// holds from the next call on and the counts go on.
#[derive(Debug, Default)]
pub struct Limits {
    gauges: ArcSwap<HashMap<SmolStr, Arc<Gauge>>>,
}

impl Limits {
    /// Nothing counted.
    pub fn new() -> Limits {
        Limits::default()
    }

    /// Takes a place for a call of a connector: `termination.cps_limit` and `max_calls`. A call from a carrier takes
    /// none here; its attempts do.
    ///
    /// - `unix`: time since the Unix epoch; only its whole seconds count.
    ///
    /// # Errors
    /// The limit that leaves no place.
    pub fn call(&self, admitted: &Admitted, unix: Duration) -> Result<Permit, Refusal> {
        match &admitted.origin {
            Origin::Connector(connector) if admitted.emergency.is_none() => self.call_of(connector, unix),
            Origin::Connector(connector) => {
                let own = format!("{SET_ASIDE}{}", connector.id);
                let limit = Limit { calls_per_second: None, calls: Some(EMERGENCY_CALLS) };
                let beyond = Limit { calls: None, ..limit };
                self.take(&own, limit, unix)
                    .or_else(|_| self.take(&format!("beyond emergency {}", connector.id), beyond, unix))
            }
            Origin::Carrier(_) => Ok(Permit::default()),
        }
    }

    /// Takes a place for a recording session of a connector's, among its calls: `termination.cps_limit` and `max_calls`; and one
    /// among those that are not up yet.
    ///
    /// - `room`, `unix`: as in [`Limits::unanswered`].
    ///
    /// # Errors
    /// The limit that leaves no place.
    pub fn recording(
        &self,
        connector: &VoiceConnector,
        room: usize,
        unix: Duration,
    ) -> Result<[Permit; 2], Refusal> {
        let call = self.call_of(connector, unix)?;
        Ok([call, self.unanswered_of_party(Unanswered::of_connector(connector, room), unix)?])
    }

    fn call_of(&self, connector: &VoiceConnector, unix: Duration) -> Result<Permit, Refusal> {
        let termination = &connector.termination;
        let limit =
            Limit { calls_per_second: Some(termination.cps_limit), calls: Some(termination.max_calls) };
        self.take_named(&format_smolstr!("out {}", connector.id), &connector.id, limit, unix)
    }

    /// Takes a place among the calls of one party that are not up yet: not answered, or not acknowledged. They may have half
    /// of the room for media, and a few in any case; whoever never acknowledges holds no more. So many emergency calls of a
    /// connector may ring beside them, and [`EMERGENCY_CALLS`] in any case: nobody whose address was forged takes all ports.
    ///
    /// - `room`: how many calls find media ports at one time;
    /// - `unix`: as in [`Limits::call`].
    ///
    /// # Errors
    /// The limit that leaves no place.
    pub fn unanswered(&self, admitted: &Admitted, room: usize, unix: Duration) -> Result<Permit, Refusal> {
        self.unanswered_of_party(Unanswered::of(admitted, room), unix)
    }

    fn unanswered_of_party(&self, party: Unanswered, unix: Duration) -> Result<Permit, Refusal> {
        let Unanswered { whose, key, most } = party;
        let limit = Limit { calls_per_second: None, calls: Some(most) };
        self.take_named(&key, whose, limit, unix).map_err(|refusal| match refusal {
            Refusal::ConcurrentCalls { whose, limit, retry_after } => {
                Refusal::UnansweredCalls { whose, limit, retry_after }
            }
            other => other,
        })
    }

    /// Takes a place for an attempt: `carrier.cps_limit` and `max_calls`, or those of the called connector's
    /// origination. Where the attempt before went to the same side, keep its permit instead: see
    /// [`Permit::covers`]. A refusal here sends the call to the next attempt; it is the answer where none is left.
    ///
    /// - `emergency`: the call is one;
    /// - `unix`: as in [`Limits::call`].
    ///
    /// # Errors
    /// The limit that leaves no place.
    pub fn attempt(&self, attempt: &Attempt, emergency: bool, unix: Duration) -> Result<Permit, Refusal> {
        if emergency {
            return Ok(Permit::default());
        }
        self.take_named(&key(&attempt.via), attempt.via.name(), limit_of(&attempt.via), unix)
    }

    /// The places of a call that is taken over while it is up, limits or not: the calling connector's and the called
    /// one's. A carrier's place is not known any more.
    pub fn resume(&self, outbound: Option<&str>, inbound: Option<&str>) -> [Permit; 2] {
        let place = |key: Option<String>| {
            let none = Limit { calls_per_second: None, calls: None };
            let taken = key.map(|key| self.take(&key, none, std::time::Duration::ZERO));
            taken.and_then(Result::ok).unwrap_or_default()
        };
        [place(outbound.map(|id| format!("out {id}"))), place(inbound.map(|id| format!("in {id}")))]
    }

    /// Takes a place of `key`, in one step: both limits hold, or nothing is counted.
    ///
    /// # Errors
    /// Which of the two limits leaves no place.
    pub fn take(&self, key: &str, limit: Limit, unix: Duration) -> Result<Permit, Refusal> {
        self.take_named(key, key, limit, unix)
    }

    /// Places that are taken now, of all connectors and carriers.
    pub fn calls(&self) -> u64 {
        self.gauges.load().values().map(|gauge| gauge.word.load(Ordering::Relaxed) & LOW_24).sum()
    }

    /// Places that calls of a connector hold now, out and in, those of emergency calls among them.
    pub fn calls_of_connector(&self, id: &str) -> u64 {
        let ordinary = ["out", "in"].map(|kind| self.held(&format!("{kind} {id}")));
        let emergency = [SET_ASIDE, "beyond emergency "].map(|kind| self.held(&format!("{kind}{id}")));
        ordinary.iter().chain(&emergency).sum()
    }

    /// Places that ordinary calls of a connector hold in one direction, of its `max_calls`.
    pub fn calls_in(&self, direction: Direction, id: &str) -> u64 {
        let kind = match direction {
            Direction::Inbound => "in",
            Direction::Outbound => "out",
        };
        self.held(&format!("{kind} {id}"))
    }

    /// Places that calls by a carrier hold now, emergency calls apart.
    pub fn calls_of_carrier(&self, name: &str) -> u64 {
        self.held(&format!("carrier {name}"))
    }

    /// What of the limits of the calling connector is used, and its id; none of a carrier, nor by an emergency call.
    pub fn used_by(&self, admitted: &Admitted, unix: Duration) -> Option<(String, Used)> {
        let Origin::Connector(connector) = &admitted.origin else { return None };
        let termination = &connector.termination;
        let limit =
            Limit { calls_per_second: Some(termination.cps_limit), calls: Some(termination.max_calls) };
        let used = self.used(&format!("out {}", connector.id), limit, unix);
        admitted.emergency.is_none().then(|| (connector.id.to_string(), used))
    }

    /// What of the limits of who is called is used.
    pub fn used_at(&self, via: &Via, unix: Duration) -> Used {
        self.used(&key(via), limit_of(via), unix)
    }

    /// Whose calls those of a caller are that are not answered yet, how many there are, and how many there may be.
    pub fn unanswered_of(&self, admitted: &Admitted, room: usize) -> (String, u64, u32) {
        let Unanswered { whose, key, most } = Unanswered::of(admitted, room);
        (whose.into(), self.held(&key), most)
    }

    fn used(&self, key: &str, limit: Limit, unix: Duration) -> Used {
        let word = self.gauges.load().get(key).map_or(0, |gauge| gauge.word.load(Ordering::Relaxed));
        let second = unix.as_secs() & LOW_24;
        let is_now = (word >> 24) & LOW_24 == second;
        Used { limit, new: if is_now { word >> 48 } else { 0 }, calls: word & LOW_24 }
    }

    fn held(&self, key: &str) -> u64 {
        self.gauges.load().get(key).map_or(0, |gauge| gauge.word.load(Ordering::Relaxed) & LOW_24)
    }

    fn take_named(
        &self,
        key: &str,
        whose: impl fmt::Display,
        limit: Limit,
        unix: Duration,
    ) -> Result<Permit, Refusal> {
        let gauge = self.gauge(key);
        match gauge.take(limit, unix.as_secs()) {
            Ok(()) => Ok(Permit { held: Some(gauge) }),
            Err(Full::Second(limit)) => Err(Refusal::CallsPerSecond {
                whose: whose.to_string(),
                limit,
                retry_after: RETRY_CALLS_PER_SECOND,
            }),
            Err(Full::Calls(limit)) => Err(Refusal::ConcurrentCalls {
                whose: whose.to_string(),
                limit,
                retry_after: RETRY_CONCURRENT_CALLS,
            }),
        }
    }

    fn gauge(&self, key: &str) -> Arc<Gauge> {
        if let Some(gauge) = self.gauges.load().get(key) {
            return gauge.clone();
        }
        // The first call of a connector or carrier: copied and swapped, tried again where another shard was first.
        self.gauges.rcu(|gauges| {
            let mut gauges = HashMap::clone(gauges);
            let gauge = || Arc::new(Gauge { key: key.into(), word: AtomicU64::default() });
            gauges.entry(key.into()).or_insert_with(gauge);
            gauges
        });
        self.gauges.load().get(key).cloned().unwrap_or_default()
    }
}

/// A place that a call holds. Dropping it gives the place back; there is no other way, so it happens once.
#[derive(Debug, Default)]
#[must_use = "dropping it gives the place back"]
pub struct Permit {
    held: Option<Arc<Gauge>>,
}

impl Permit {
    /// Whether it is an emergency call's that may use what is set aside for such.
    pub fn is_set_aside(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.key.starts_with(SET_ASIDE))
    }

    /// Whether this place serves an attempt to `via` too: trying the next host of one carrier is no new call.
    pub fn covers(&self, via: &Via) -> bool {
        self.held.as_ref().is_some_and(|held| held.key == key(via))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            held.give_back();
        }
    }
}

/// What of a limit is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// What may be.
    pub limit: Limit,
    /// New calls in this second.
    pub new: u64,
    /// Calls at this moment.
    pub calls: u64,
}

impl Used {
    /// What one more call would be refused for.
    ///
    /// - `whose`: a connector's id or a carrier's name.
    pub fn refusal(&self, whose: &str) -> Option<Refusal> {
        let whose = || whose.to_owned();
        let full = |limit: Option<u32>, used: u64| limit.filter(|limit| used >= u64::from(*limit));
        if let Some(limit) = full(self.limit.calls_per_second, self.new) {
            return Some(Refusal::CallsPerSecond {
                whose: whose(),
                limit,
                retry_after: RETRY_CALLS_PER_SECOND,
            });
        }
        let limit = full(self.limit.calls, self.calls)?;
        Some(Refusal::ConcurrentCalls { whose: whose(), limit, retry_after: RETRY_CONCURRENT_CALLS })
    }
}

/// The limit on calls of one party that are not answered yet.
struct Unanswered {
    whose: SmolStr,
    key: SmolStr,
    most: u32,
}

impl Unanswered {
    fn of(admitted: &Admitted, room: usize) -> Self {
        let (whose, key, fewest) = match &admitted.origin {
            Origin::Connector(connector) if admitted.emergency.is_some() => {
                let whose = format_smolstr!("emergency calls of {}", connector.id);
                (whose, format_smolstr!("unanswered emergency {}", connector.id), EMERGENCY_CALLS)
            }
            Origin::Connector(connector) => return Unanswered::of_connector(connector, room),
            Origin::Carrier(carrier) => (
                carrier.name.as_str().into(),
                format_smolstr!("unanswered carrier {}", carrier.name),
                FEWEST_UNANSWERED,
            ),
        };
        Unanswered { whose, key, most: most(room, fewest) }
    }

    fn of_connector(connector: &VoiceConnector, room: usize) -> Self {
        let key = format_smolstr!("unanswered out {}", connector.id);
        Unanswered { whose: connector.id.as_str().into(), key, most: most(room, FEWEST_UNANSWERED) }
    }
}

/// Half of the room, and a few in any case.
fn most(room: usize, fewest: u32) -> u32 {
    u32::try_from(room / 2).unwrap_or(u32::MAX).max(fewest)
}

fn limit_of(via: &Via) -> Limit {
    match via {
        Via::Carrier(carrier) => Limit { calls_per_second: carrier.cps_limit, calls: carrier.max_calls },
        Via::Connector(connector) => {
            let origination = &connector.origination;
            Limit { calls_per_second: Some(origination.cps_limit), calls: Some(origination.max_calls) }
        }
    }
}

fn key(via: &Via) -> SmolStr {
    match via {
        Via::Carrier(carrier) => format_smolstr!("carrier {}", carrier.name),
        Via::Connector(connector) => format_smolstr!("in {}", connector.id),
    }
}

/// Calls at one time and calls of this second in one word, so that both limits are taken in one step:
///
/// ```text
///  63        48 47              24 23               0
/// +------------+------------------+------------------+
/// | new calls  | second (mod 2^24)| calls now        |
/// +------------+------------------+------------------+
/// ```
#[derive(Debug, Default)]
struct Gauge {
    /// Whose calls they are.
    key: SmolStr,
    word: AtomicU64,
}

enum Full {
    Second(u32),
    Calls(u32),
}

const LOW_24: u64 = 0xFF_FFFF;
const MOST_NEW: u64 = 0xFFFF;

/// A shard that is so many seconds behind another counts its calls in the other's second; further behind, the clock
/// was set back.
const LATEST: u64 = 5;

impl Gauge {
    fn take(&self, limit: Limit, second: u64) -> Result<(), Full> {
        let second = second & LOW_24;
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let calls = word & LOW_24;
            // The clocks of the shards are read at different moments: a second that has begun stays the one.
            let counted = (word >> 24) & LOW_24;
            let late = counted.wrapping_sub(second) & LOW_24 <= LATEST;
            let (second, new) = if late { (counted, word >> 48) } else { (second, 0) };
            if let Some(most) = limit.calls_per_second
                && new >= u64::from(most)
            {
                return Err(Full::Second(most));
            }
            let most = limit.calls.unwrap_or(u32::MAX);
            if calls >= u64::from(most).min(LOW_24) {
                return Err(Full::Calls(most));
            }
            let next = ((new + 1).min(MOST_NEW) << 48) | (second << 24) | (calls + 1);
            match self.word.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(changed) => word = changed,
            }
        }
    }

    fn give_back(&self) {
        // Only a permit gives back, so there is a call to take away: the subtraction cannot borrow.
        self.word.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::admit::testing::{call, config};
    use crate::admit::{Outcome, admit};
    use crate::route::{Health, RouteFacts, route};

    const SECOND: Duration = Duration::from_secs(1_700_000_000);

    fn limit(calls_per_second: u32, calls: u32) -> Limit {
        Limit { calls_per_second: Some(calls_per_second), calls: Some(calls) }
    }

    #[test]
    fn calls_of_one_second_are_limited_and_the_next_second_is_new() {
        let limits = Limits::new();
        let late = SECOND + Duration::from_millis(999);
        let _first = limits.take("pbx", limit(2, 10), SECOND).unwrap();
        drop(limits.take("pbx", limit(2, 10), late).unwrap());
        let refusal = limits.take("pbx", limit(2, 10), late).unwrap_err();
        assert_eq!(refusal.to_string(), "More than 2 calls per second for pbx");
        let verdict = refusal.verdict();
        assert_eq!((verdict.status, verdict.throttle), (503, true));
        assert_eq!(verdict.retry_after, Some(Duration::from_secs(1)));
        assert!(limits.take("other", limit(2, 10), late).is_ok());
        assert!(limits.take("pbx", limit(2, 10), SECOND + Duration::from_secs(1)).is_ok());
    }

    #[test]
    fn a_shard_that_is_late_begins_no_second_again() {
        let limits = Limits::new();
        let next = SECOND + Duration::from_secs(1);
        drop(limits.take("pbx", limit(1, 10), SECOND).unwrap());
        drop(limits.take("pbx", limit(1, 10), next).unwrap());
        for unix in [SECOND, next, SECOND] {
            assert!(limits.take("pbx", limit(1, 10), unix).is_err());
        }
        drop(limits.take("pbx", limit(1, 10), next + Duration::from_secs(1)).unwrap());
        // The clock was set back by an hour.
        drop(limits.take("pbx", limit(1, 10), SECOND - Duration::from_secs(3_600)).unwrap());
    }

    #[test]
    fn calls_at_one_time_are_limited_and_come_back_once() {
        let limits = Limits::new();
        let mut held: Vec<Permit> =
            (0..3).map(|second| limits.take("pbx", limit(9, 3), SECOND * (second + 1)).unwrap()).collect();
        let refusal = limits.take("pbx", limit(9, 3), SECOND).unwrap_err();
        assert_eq!(refusal.to_string(), "More than 3 calls at one time for pbx");
        held.pop();
        held.push(limits.take("pbx", limit(9, 3), SECOND).unwrap());
        assert!(limits.take("pbx", limit(9, 3), SECOND).is_err());
        held.clear();
        assert_eq!(limits.gauge("pbx").word.load(Ordering::Relaxed) & LOW_24, 0);
    }

    #[test]
    fn a_refused_call_counts_for_nothing() {
        let limits = Limits::new();
        let held = limits.take("pbx", limit(3, 1), SECOND).unwrap();
        for _ in 0..10 {
            assert!(matches!(limits.take("pbx", limit(3, 1), SECOND), Err(Refusal::ConcurrentCalls { .. })));
        }
        drop(held);
        drop(limits.take("pbx", limit(3, 1), SECOND).unwrap());
        drop(limits.take("pbx", limit(3, 1), SECOND).unwrap());
        assert!(matches!(limits.take("pbx", limit(3, 1), SECOND), Err(Refusal::CallsPerSecond { .. })));
    }

    #[test]
    fn a_lower_limit_holds_at_once_and_no_limit_lets_everything_through() {
        let limits = Limits::new();
        let _held: Vec<_> = (0..5).map(|_| limits.take("pbx", limit(9, 9), SECOND).unwrap()).collect();
        assert!(limits.take("pbx", limit(9, 5), SECOND).is_err());
        assert!(limits.take("pbx", Limit { calls_per_second: None, calls: None }, SECOND).is_ok());
    }

    fn admitted(source: &str, from: &str, user: &str) -> (Admitted, Vec<Attempt>) {
        let config = config();
        let Outcome::Admit(admitted) = admit(&config, &call(source, from, user)).outcome else { panic!() };
        let (now, registrar) = (std::time::Instant::now(), Default::default());
        let facts = RouteFacts { admitted: &admitted, draw: 1, now, registrar: &registrar };
        let attempts = route(&config, &Health::new(), &facts).attempts.unwrap();
        (*admitted, attempts)
    }

    #[test]
    fn a_call_counts_for_its_connector_and_its_attempt_for_the_other_side() {
        let limits = Limits::new();
        let (outbound, attempts) = admitted("127.0.0.10", "x", "+12125550123");
        let held: Vec<_> = (0..5).map(|_| limits.call(&outbound, SECOND).unwrap()).collect();
        assert_eq!(
            limits.call(&outbound, SECOND).unwrap_err().to_string(),
            "More than 5 calls per second for free"
        );
        let _sixth = limits.call(&outbound, SECOND * 2).unwrap();
        assert_eq!(
            limits.call(&outbound, SECOND * 2).unwrap_err().to_string(),
            "More than 6 calls at one time for free"
        );
        drop(held);
        // The carriers have no limits of their own.
        for attempt in &attempts {
            let permit = limits.attempt(attempt, false, SECOND).unwrap();
            assert!(permit.covers(&attempt.via));
        }

        let (inbound, attempts) = admitted("127.0.0.3", "+12125550000", "+12065550101");
        let _none = limits.call(&inbound, SECOND).unwrap();
        let held: Vec<_> = (0..7).map(|_| limits.attempt(&attempts[0], false, SECOND).unwrap()).collect();
        assert_eq!(
            limits.attempt(&attempts[0], false, SECOND).unwrap_err().to_string(),
            "More than 7 calls per second for two"
        );
        assert!(held[0].covers(&attempts[0].via) && !Permit::default().covers(&attempts[0].via));
    }

    #[test]
    fn emergency_calls_are_counted_by_themselves_and_refused_only_as_a_flood_that_rings() {
        let limits = Limits::new();
        let (emergency, attempts) = admitted("127.0.0.2", "1001", "911");
        let mut ringing = Vec::new();
        let mut held = Vec::new();
        for _ in 0..200 {
            held.push(limits.call(&emergency, SECOND).unwrap());
            ringing.push(limits.unanswered(&emergency, 0, SECOND).unwrap());
            held.push(limits.attempt(&attempts[0], true, SECOND).unwrap());
        }
        assert!(held.iter().step_by(2).all(Permit::is_set_aside));
        let beyond = limits.call(&emergency, SECOND).unwrap();
        assert!(!beyond.is_set_aside());
        let refusal = limits.unanswered(&emergency, 0, SECOND).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "More than 200 calls at one time that are not answered for emergency calls of hq"
        );
        assert!(limits.unanswered(&emergency, 600, SECOND).is_ok());
        ringing.pop();
        assert!(limits.unanswered(&emergency, 0, SECOND).is_ok());
        held.clear();
        assert!(limits.call(&emergency, SECOND).unwrap().is_set_aside());
        let (ordinary, _) = admitted("127.0.0.2", "+12065550100", "+12125550123");
        assert!(!limits.call(&ordinary, SECOND).unwrap().is_set_aside());
    }

    #[test]
    fn calls_that_are_not_up_have_a_ceiling_of_their_own() {
        let limits = Limits::new();
        let (outbound, _) = admitted("127.0.0.10", "x", "+12125550123");
        let held: Vec<_> = (0..50).map(|_| limits.unanswered(&outbound, 100, SECOND).unwrap()).collect();
        let refusal = limits.unanswered(&outbound, 100, SECOND).unwrap_err();
        assert_eq!(refusal.to_string(), "More than 50 calls at one time that are not answered for free");
        let verdict = refusal.verdict();
        assert_eq!((verdict.status, verdict.cause), (503, "unanswered_calls"));
        assert!(verdict.retry_after.is_some());
        drop(held);
        let few: Vec<_> = (0..16).map(|_| limits.unanswered(&outbound, 4, SECOND).unwrap()).collect();
        assert!(limits.unanswered(&outbound, 4, SECOND).is_err());
        drop(few);
        assert_eq!(limits.calls(), 0);
    }

    #[test]
    fn shards_together_never_take_more() {
        let limits = Limits::new();
        let taken: usize = std::thread::scope(|scope| {
            let shards: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let take = |_| limits.take("pbx", limit(60_000, 1_000), SECOND).ok();
                        let held: Vec<Permit> = (0..1_000).filter_map(take).collect();
                        held.into_iter().map(std::mem::forget).count()
                    })
                })
                .collect();
            shards.into_iter().map(|shard| shard.join().unwrap()).sum()
        });
        assert_eq!(taken, 1_000);
    }
}
