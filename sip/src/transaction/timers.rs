use std::time::{Duration, Instant};

/// The three base times from which every transaction timer is computed.
///
/// A configured zero counts as one millisecond, so that no timer can fire without time passing.
///
/// Source: RFC 3261 §17.1.1.1 and Table 4, RFC 6026 §7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// Estimate of the round trip time; 500 ms unless configured.
    pub t1: Duration,
    /// Longest interval between retransmissions of a non-INVITE request or an INVITE response; 4 s.
    pub t2: Duration,
    /// Longest time that a message stays in the network; 5 s.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Timers { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Timers {
    /// How long the transaction user has to answer an INVITE before the layer sends 100 itself. RFC 3261 §17.2.1.
    pub const TRYING_AFTER: Duration = Duration::from_millis(200);

    /// 64*T1: timers B, F, H, J, L and M, and the guard after a CANCEL (RFC 3261 §9.1).
    pub fn t1_64(&self) -> Duration {
        self.first() * 64
    }

    /// Timer D, how long an INVITE client on an unreliable transport answers repeated finals: at least 32 s, since
    /// the T1 of the server is unknown. RFC 3261 §17.1.1.2.
    pub fn d(&self) -> Duration {
        self.t1_64().max(Duration::from_secs(32))
    }

    /// The first interval of timers A, E and G: T1.
    pub(crate) fn first(&self) -> Duration {
        self.t1.max(Duration::from_millis(1))
    }

    /// The interval after `interval` for timers E and G: doubled, up to T2.
    pub(crate) fn next(&self, interval: Duration) -> Duration {
        (interval * 2).min(self.longest())
    }

    /// T2, never below T1.
    pub(crate) fn longest(&self) -> Duration {
        self.t2.max(self.first())
    }
}

/// When the first retransmission is due; never on a reliable transport.
pub(crate) fn retransmit_at(now: Instant, interval: Duration, reliable: bool) -> Option<Instant> {
    (!reliable).then(|| now + interval)
}

/// `true` once `timer` runs and `now` has reached it.
pub(crate) fn is_due(timer: Option<Instant>, now: Instant) -> bool {
    timer.is_some_and(|timer| timer <= now)
}

/// The earlier of a timer that may not run and one that does.
pub(crate) fn earlier(timer: Option<Instant>, other: Instant) -> Instant {
    timer.map_or(other, |timer| timer.min(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_double_up_to_t2() {
        let timers = Timers::default();
        let mut interval = timers.first();
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(interval.as_millis());
            interval = timers.next(interval);
        }
        assert_eq!(seen, [500, 1_000, 2_000, 4_000, 4_000]);
    }

    #[test]
    fn a_configured_zero_still_lets_time_pass() {
        let zero = Timers { t1: Duration::ZERO, t2: Duration::ZERO, t4: Duration::ZERO };
        assert!(zero.first() > Duration::ZERO && zero.next(zero.first()) > Duration::ZERO);
        assert_eq!(zero.d(), Duration::from_secs(32));
    }
}
