use std::fmt;

/// How an attempt ended without an answer of 2xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteEnd {
    /// It could not be sent, its connection was lost, or its name has no address.
    TransportFailure,
    /// Nothing was heard, not even 100, within `first_response_timeout` (or Timer B).
    NoResponse,
    /// A final answer of 300 to 699 was received.
    Answer {
        /// Status code.
        status: u16,
        /// The cause of a `Reason: Q.850` header. RFC 3326.
        q850: Option<u16>,
    },
}

/// Whether the next route is tried, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failover {
    /// Leave this route for the next.
    Next(Because),
    /// This route has had the last word.
    Stop(Because),
}

impl Failover {
    /// The next route is tried.
    pub fn goes_on(self) -> bool {
        matches!(self, Failover::Next(_))
    }
}

/// Why a route was left or kept. Displays as words for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Because {
    /// An emergency call tries every carrier.
    Emergency,
    /// The caller has heard this route ring.
    Rang,
    /// It could not be sent.
    TransportFailure,
    /// Nothing was heard in time.
    NoResponse,
    /// The callee itself refused: 486, 600, 603, 604.
    Refused(u16),
    /// The number or the callee is at fault by Q.850, so that no other route would do better.
    Cause(u16),
    /// 408, 430 or 5xx.
    Failed(u16),
    /// The carrier's `failover_on` names it.
    Named(u16),
    /// Nothing says that another route would do better.
    Final(u16),
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Because::Emergency => f.write_str("an emergency call tries every route"),
            Because::Rang => f.write_str("the caller has heard it ring"),
            Because::TransportFailure => f.write_str("it could not be reached"),
            Because::NoResponse => f.write_str("nothing was heard in time"),
            Because::Refused(status) => write!(f, "{status} is the callee's own word"),
            Because::Cause(cause) => write!(f, "Q.850 cause {cause} holds on every route"),
            Because::Failed(status) => write!(f, "{status} is a failure of the route"),
            Because::Named(status) => write!(f, "{status} is named by failover_on"),
            Because::Final(status) => write!(f, "{status} is final"),
        }
    }
}

/// Whether the call goes on to the next route.
///
/// - `end`: how the attempt ended;
/// - `relayed_18x`: a 180 to 189 of this attempt was sent on to the caller;
/// - `failover_on`: the carrier's key, empty for a connector;
/// - `emergency`: the call is one: every route is tried until one answers, whatever the others said, even after
///   one rang. Nobody is billed twice who would not gladly be.
///
/// Source: design §4 and RFC 3261 §16.7. Deciding it wrongly bills a caller twice or loses a call.
pub fn next_route(end: RouteEnd, relayed_18x: bool, failover_on: &[u16], emergency: bool) -> Failover {
    if emergency {
        return Failover::Next(Because::Emergency);
    }
    if relayed_18x {
        return Failover::Stop(Because::Rang);
    }
    match end {
        RouteEnd::TransportFailure => Failover::Next(Because::TransportFailure),
        RouteEnd::NoResponse => Failover::Next(Because::NoResponse),
        RouteEnd::Answer { status: status @ (486 | 600 | 603 | 604), .. } => {
            Failover::Stop(Because::Refused(status))
        }
        RouteEnd::Answer { q850: Some(cause @ (1 | 16..=19 | 21 | 28)), .. } => {
            Failover::Stop(Because::Cause(cause))
        }
        RouteEnd::Answer { status, .. } if failover_on.contains(&status) => {
            Failover::Next(Because::Named(status))
        }
        RouteEnd::Answer { status: status @ (501 | 505), .. } => Failover::Stop(Because::Final(status)),
        RouteEnd::Answer { status: status @ (408 | 430 | 500..=599), .. } => {
            Failover::Next(Because::Failed(status))
        }
        RouteEnd::Answer { status, .. } => Failover::Stop(Because::Final(status)),
    }
}

/// Which of the ended attempts speaks to the caller when all routes are exhausted: the last answer that says
/// something about the call. 408, 430 and 503 say only that a route did not do; where there is nothing else the
/// caller gets 503 (`None`). A route that had the last word ([`Failover::Stop`]) speaks for itself, whatever the
/// others said.
///
/// - `ends`: in the order of the attempts. Returns an index into it.
pub fn last_answer(ends: &[RouteEnd]) -> Option<usize> {
    ends.iter()
        .rposition(|end| matches!(end, RouteEnd::Answer { status, .. } if !matches!(status, 408 | 430 | 503)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> RouteEnd {
        RouteEnd::Answer { status, q850: None }
    }

    #[test]
    fn a_route_is_left_only_for_its_own_failure() {
        for status in 300..700 {
            let next = next_route(answer(status), false, &[], false);
            let expected = matches!(status, 408 | 430 | 500 | 502..=504 | 506..=599);
            assert_eq!(next.goes_on(), expected, "{status}: {next:?}");
        }
        for end in [RouteEnd::TransportFailure, RouteEnd::NoResponse] {
            assert!(next_route(end, false, &[], false).goes_on(), "{end:?}");
        }
    }

    #[test]
    fn failover_on_adds_answers_but_never_the_callees_own_word() {
        let named: Vec<u16> = (400..700).collect();
        for status in 400..700 {
            let next = next_route(answer(status), false, &named, false);
            assert_eq!(next.goes_on(), !matches!(status, 486 | 600 | 603 | 604), "{status}");
        }
        assert!(!next_route(answer(404), false, &[480], false).goes_on());
    }

    #[test]
    fn a_cause_of_the_number_or_the_callee_stops_whatever_the_status() {
        for cause in 0..=127 {
            let end = RouteEnd::Answer { status: 503, q850: Some(cause) };
            let stops = matches!(cause, 1 | 16 | 17 | 18 | 19 | 21 | 28);
            assert_eq!(next_route(end, false, &[503], false).goes_on(), !stops, "{cause}");
        }
    }

    #[test]
    fn nothing_is_tried_after_the_caller_heard_it_ring() {
        for end in [RouteEnd::TransportFailure, RouteEnd::NoResponse, answer(500), answer(503), answer(404)] {
            assert_eq!(next_route(end, true, &[404], false), Failover::Stop(Because::Rang), "{end:?}");
        }
    }

    #[test]
    fn an_emergency_call_tries_every_route() {
        for end in [RouteEnd::TransportFailure, RouteEnd::NoResponse, answer(486), answer(603), answer(501)] {
            for relayed in [false, true] {
                assert!(next_route(end, relayed, &[], true).goes_on(), "{end:?}");
            }
        }
    }

    #[test]
    fn the_last_answer_that_says_something_speaks() {
        use RouteEnd::{NoResponse, TransportFailure};
        for (ends, expected) in [
            (vec![], None),
            (vec![TransportFailure, NoResponse], None),
            (vec![answer(503), answer(408), answer(430)], None),
            (vec![answer(500), NoResponse], Some(0)),
            (vec![answer(500), answer(503)], Some(0)),
            (vec![answer(500), answer(502), TransportFailure], Some(1)),
            (vec![answer(503), answer(404)], Some(1)),
            (vec![answer(486)], Some(0)),
        ] {
            assert_eq!(last_answer(&ends), expected, "{ends:?}");
        }
    }
}
