//! Where a call goes on that a route did not take, and which refusal its caller hears.

use std::fmt;

use crate::q850::Q850;

/// How an attempt ended without an answer of 2xx that is of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteEnd {
    /// The INVITE could not be sent, or its connection was lost.
    TransportFailure,
    /// The name of its host has no address.
    Unresolved,
    /// Nothing was heard, not even 100, within `first_response_timeout` (or Timer B).
    NoResponse,
    /// Something was heard, and nothing rang within `progress_timeout`.
    NoProgress,
    /// The callee rang until Timer C.
    NoAnswer,
    /// Its limits leave no room for the call.
    NoRoom,
    /// Nothing of the caller's offer may be said to it.
    NotAcceptable,
    /// Its 2xx can't be used.
    BadAnswer,
    /// A final answer of 300 to 699 was received.
    Answer {
        /// Status code.
        status: u16,
        /// The cause of a `Reason: Q.850` header. RFC 3326.
        q850: Option<u16>,
    },
}

impl RouteEnd {
    /// Whether it is an answer that says something about the call, by its status or by its cause.
    fn says_something(&self) -> bool {
        let RouteEnd::Answer { status, q850 } = *self else { return false };
        let refined = q850.map(|cause| Q850 { cause, by_user: false }.refine(status));
        !matches!(status, 401 | 407 | 408 | 430 | 503) || refined.is_some_and(|refined| refined != status)
    }

    /// The label of counters: one of few words.
    pub fn as_label(self) -> &'static str {
        match self {
            RouteEnd::TransportFailure => "transport",
            RouteEnd::Unresolved => "unresolved",
            RouteEnd::NoResponse => "no_response",
            RouteEnd::NoProgress => "no_progress",
            RouteEnd::NoAnswer => "no_answer",
            RouteEnd::NoRoom => "no_room",
            RouteEnd::NotAcceptable => "not_acceptable",
            RouteEnd::BadAnswer => "bad_answer",
            RouteEnd::Answer { status: 401 | 407, .. } => "challenge",
            RouteEnd::Answer { status: 300..=399, .. } => "3xx",
            RouteEnd::Answer { status: 400..=499, .. } => "4xx",
            RouteEnd::Answer { status: 500..=599, .. } => "5xx",
            RouteEnd::Answer { .. } => "6xx",
        }
    }

    /// What the caller hears where no answer of a route crosses: a status and a word, without any name or address.
    ///
    /// Never 503: who hears it takes the whole trunk for gone, and sends its calls elsewhere or nowhere.
    ///
    /// Source: RFC 3261 §16.7 step 6 (503 becomes 500) and §21.5; RFC 5626 §11.5 (430).
    pub fn told(self) -> (u16, &'static str) {
        match self {
            RouteEnd::TransportFailure => (502, "unreachable"),
            RouteEnd::Unresolved => (502, "no address"),
            RouteEnd::NoResponse => (504, "no response"),
            RouteEnd::NoProgress => (504, "no progress"),
            RouteEnd::NoAnswer => (480, "no answer"),
            RouteEnd::NoRoom => (480, "no room"),
            RouteEnd::NotAcceptable => (488, "not acceptable"),
            RouteEnd::BadAnswer => (502, "unusable answer"),
            RouteEnd::Answer { status: 401 | 407, .. } => (502, "authentication failed"),
            RouteEnd::Answer { status: 300..=399, .. } => (480, "redirected"),
            RouteEnd::Answer { status: 408, .. } => (504, "timed out"),
            RouteEnd::Answer { status: 430, .. } => (480, "flow failed"),
            RouteEnd::Answer { .. } => (500, "unavailable"),
        }
    }
}

/// Whether the next route is tried, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failover {
    /// Leave this route for the next.
    Next(Because),
    /// The route has had the last word.
    Stop(Because),
}

impl Failover {
    /// The next route is tried.
    pub fn goes_on(self) -> bool {
        matches!(self, Failover::Next(_))
    }
}

impl fmt::Display for Failover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failover::Next(because) | Failover::Stop(because) => because.fmt(f),
        }
    }
}

/// Why a route was left or kept. Displays as words for the log and the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Because {
    /// An emergency call tries every carrier.
    Emergency,
    /// The caller has heard this route ring.
    Rang,
    /// The INVITE could not be sent.
    TransportFailure,
    /// Nothing was heard in time.
    NoResponse,
    /// The host was heard, and nothing rang in time.
    NoProgress,
    /// The callee rang for long enough.
    NoAnswer,
    /// Its limits leave no room.
    NoRoom,
    /// The host may be told nothing of the offer.
    NotAcceptable,
    /// Its 2xx can't be used.
    BadAnswer,
    /// The host wants credentials that we do not have, or refused those that we have: 401, 407.
    Challenged(u16),
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
            Because::NoProgress => f.write_str("nothing rang in time"),
            Because::NoAnswer => f.write_str("it rang for long enough"),
            Because::NoRoom => f.write_str("it has no room for another call"),
            Because::NotAcceptable => f.write_str("it takes nothing that was offered"),
            Because::BadAnswer => f.write_str("nobody can use its answer"),
            Because::Challenged(status) => write!(f, "{status} asks for credentials that it would take"),
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
    match ordinarily(end, relayed_18x, failover_on) {
        Failover::Stop(_) if emergency => Failover::Next(Because::Emergency),
        verdict => verdict,
    }
}

fn ordinarily(end: RouteEnd, relayed_18x: bool, failover_on: &[u16]) -> Failover {
    if relayed_18x {
        return Failover::Stop(Because::Rang);
    }
    match end {
        RouteEnd::TransportFailure | RouteEnd::Unresolved => Failover::Next(Because::TransportFailure),
        RouteEnd::NoResponse => Failover::Next(Because::NoResponse),
        RouteEnd::NoProgress => Failover::Next(Because::NoProgress),
        RouteEnd::NoAnswer => Failover::Stop(Because::NoAnswer),
        RouteEnd::NoRoom => Failover::Next(Because::NoRoom),
        RouteEnd::NotAcceptable => Failover::Next(Because::NotAcceptable),
        RouteEnd::BadAnswer => Failover::Stop(Because::BadAnswer),
        RouteEnd::Answer { status: status @ (486 | 600 | 603 | 604), .. } => {
            Failover::Stop(Because::Refused(status))
        }
        RouteEnd::Answer { q850: Some(cause @ (1 | 16..=19 | 21 | 28)), .. } => {
            Failover::Stop(Because::Cause(cause))
        }
        RouteEnd::Answer { status: status @ (401 | 407), .. } => Failover::Next(Because::Challenged(status)),
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
/// something about the call. 401, 407, 408, 430 and 503 say only that a route did not do; where there is nothing else
/// (`None`), [`RouteEnd::told`] of the last one holds. A route that had the last word ([`Failover::Stop`]) speaks for itself, whatever the
/// others said.
///
/// - `ends`: in the order of the attempts. Returns an index into it.
pub fn last_answer(ends: &[RouteEnd]) -> Option<usize> {
    ends.iter().rposition(|end| end.says_something())
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
            let expected = matches!(status, 401 | 407 | 408 | 430 | 500 | 502..=504 | 506..=599);
            assert_eq!(next.goes_on(), expected, "{status}: {next:?}");
        }
        use RouteEnd::{NoProgress, NoResponse, NoRoom, NotAcceptable, TransportFailure, Unresolved};
        for end in [TransportFailure, Unresolved, NoResponse, NoProgress, NoRoom, NotAcceptable] {
            assert!(next_route(end, false, &[], false).goes_on(), "{end:?}");
        }
        for end in [RouteEnd::NoAnswer, RouteEnd::BadAnswer] {
            assert!(!next_route(end, false, &[], false).goes_on(), "{end:?}");
        }
    }

    #[test]
    fn what_the_caller_is_told_is_never_that_the_trunk_is_gone() {
        for status in 300..700 {
            let (told, words) = answer(status).told();
            assert!(matches!(told, 480 | 500 | 502 | 504), "{status}: {told} {words}");
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
        let own = [RouteEnd::TransportFailure, RouteEnd::NoResponse, RouteEnd::NoAnswer, RouteEnd::BadAnswer];
        for end in own.into_iter().chain([486, 603, 501].map(answer)) {
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
            (vec![answer(401), answer(407)], None),
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
