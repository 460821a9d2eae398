//! What a wide record says beside what was seen: it follows from that, so the journal need not keep it and no call pays for it.

use super::attempt::{AttemptDetail, EndedBy};
use super::detail::{CallDetail, DetailTimes};
use crate::q850::{self, Q850};
use serde::Serialize;

/// A wide record as it is delivered: one JSON object, what was seen first.
#[derive(Debug, Serialize)]
pub struct WideRecord<'a> {
    #[serde(flatten)]
    seen: &'a CallDetail,
    /// Who ended it and why, in words.
    why: String,
    /// Whose failure it was; null where a party hung up a call that was answered.
    class: Option<FailureClass>,
    /// From the INVITE to the first ringing or the answer, in milliseconds; null where neither came.
    post_dial_delay: Option<u64>,
    /// From the first ringing to the answer or the end; null where it never rang.
    ring_time: Option<u64>,
    /// From the answer to the end; null where there was none.
    talk_time: Option<u64>,
    /// The Q.850 cause of each attempt, in the order of `attempts`: what its `Reason` says, else what stands for its status
    /// (RFC 3398 §8.2.6.1); null where it was answered or nothing stands for it.
    attempts_q850: Vec<Option<u16>>,
    /// The W3C trace id of its spans: the 16 bytes of the transaction id, in 32 hexadecimal digits.
    trace_id: String,
}

/// Whose failure a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The caller gave up, or asked for what it may not have.
    Caller,
    /// Ours: no room, no route, a fault, a restart, an operator.
    Gateway,
    /// The carrier did not answer, had a fault of its own, or refused us.
    Carrier,
    /// What is behind the host that was asked: the callee, its network, a customer's system.
    Upstream,
}

impl<'a> WideRecord<'a> {
    /// The record of a call.
    #[must_use]
    pub fn of(seen: &'a CallDetail) -> Self {
        let DetailTimes { invite, ringing, answer, end } = seen.times;
        let since = |from: u64, to: u64| to.saturating_sub(from);
        Self {
            why: why(seen),
            class: class(seen),
            post_dial_delay: ringing.or(answer).map(|first| since(invite, first)),
            ring_time: ringing.map(|ringing| since(ringing, answer.unwrap_or(end))),
            talk_time: answer.map(|answer| since(answer, end)),
            attempts_q850: seen.attempts.iter().map(cause).collect(),
            trace_id: seen.transaction_id.replace('-', ""),
            seen,
        }
    }
}

fn why(seen: &CallDetail) -> String {
    let how = match seen.cause.as_str() {
        "" => seen.status.to_string(),
        cause => format!("{} {cause}", seen.status),
    };
    let answered = seen.times.answer.is_some();
    match (answered, seen.ended_by) {
        (true, EndedBy::Caller) => "the caller hung up".to_owned(),
        (true, EndedBy::Callee) => "the callee hung up".to_owned(),
        (true, EndedBy::Gateway) => format!("the gateway ended it: {how}"),
        (_, EndedBy::Operator) => format!("the operator ended it: {how}"),
        (false, EndedBy::Caller) => "the caller gave up".to_owned(),
        (false, EndedBy::Callee) => format!("the callee refused it: {how}"),
        (false, EndedBy::Gateway) if seen.attempts.is_empty() => format!("the gateway refused it: {how}"),
        (false, EndedBy::Gateway) => format!("nobody took it: {how}"),
    }
}

fn class(seen: &CallDetail) -> Option<FailureClass> {
    if seen.times.answer.is_some() {
        let ours = matches!(seen.ended_by, EndedBy::Gateway | EndedBy::Operator);
        return ours.then_some(FailureClass::Gateway);
    }
    let last = match (seen.ended_by, seen.attempts.last()) {
        (EndedBy::Operator, _) => return Some(FailureClass::Gateway),
        (EndedBy::Caller, _) => return Some(FailureClass::Caller),
        (_, Some(last)) => last,
        // Before a host was asked: what a status says of a request is its sender's.
        (_, None) if (400..500).contains(&seen.status) && seen.status != 480 => {
            return Some(FailureClass::Caller);
        }
        (_, None) => return Some(FailureClass::Gateway),
    };
    let of_carrier = matches!(last.status, None | Some(401 | 403 | 407 | 408 | 500..=599));
    Some(match (of_carrier, &last.carrier) {
        (true, Some(_)) => FailureClass::Carrier,
        _ => FailureClass::Upstream,
    })
}

fn cause(attempt: &AttemptDetail) -> Option<u16> {
    let status = attempt.status.filter(|status| *status >= 300)?;
    attempt.reason.as_deref().and_then(Q850::said).or_else(|| q850::cause_of(status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::detail;

    /// The call of `testing`: the first host is silent, the second one takes it; it rings after 2.5 s and is answered a second
    /// later.
    #[test]
    fn it_has_all_that_was_seen_and_what_follows() {
        let json = serde_json::to_value(WideRecord::of(&detail())).unwrap();
        let seen = serde_json::to_value(detail()).unwrap();
        for (name, value) in seen.as_object().unwrap() {
            assert_eq!(json.get(name), Some(value), "{name}");
        }
        assert_eq!(json["why"], "the callee hung up");
        assert_eq!(json["class"], serde_json::Value::Null);
        assert_eq!((&json["post_dial_delay"], &json["ring_time"]), (&2_500.into(), &1_000.into()));
        assert_eq!(json["talk_time"], 4_000);
        assert_eq!(json["attempts_q850"], serde_json::json!([null, null]));
        assert_eq!(json["trace_id"], "0f8fad5bd9cb469fa16570867728950e");
    }

    #[test]
    fn whose_failure_it_was() {
        use FailureClass::{Caller, Carrier, Gateway, Upstream};
        // Answered, who ended it, status, the last host's: whose, its status.
        let rows = [
            (true, EndedBy::Caller, 200, Some(("west", Some(200))), None, "the caller hung up"),
            (
                true,
                EndedBy::Gateway,
                503,
                Some(("west", Some(200))),
                Some(Gateway),
                "the gateway ended it: 503 Why",
            ),
            (
                false,
                EndedBy::Operator,
                503,
                Some(("west", None)),
                Some(Gateway),
                "the operator ended it: 503 Why",
            ),
            (false, EndedBy::Caller, 487, Some(("west", None)), Some(Caller), "the caller gave up"),
            (
                false,
                EndedBy::Callee,
                486,
                Some(("west", Some(486))),
                Some(Upstream),
                "the callee refused it: 486 Why",
            ),
            (
                false,
                EndedBy::Callee,
                503,
                Some(("west", Some(503))),
                Some(Carrier),
                "the callee refused it: 503 Why",
            ),
            (false, EndedBy::Gateway, 504, Some(("west", None)), Some(Carrier), "nobody took it: 504 Why"),
            (false, EndedBy::Gateway, 504, Some(("", None)), Some(Upstream), "nobody took it: 504 Why"),
            (false, EndedBy::Gateway, 403, None, Some(Caller), "the gateway refused it: 403 Why"),
            (false, EndedBy::Gateway, 503, None, Some(Gateway), "the gateway refused it: 503 Why"),
        ];
        for (answered, ended_by, status, host, expect, words) in rows {
            let mut seen = CallDetail { ended_by, status, cause: "Why".into(), reason: None, ..detail() };
            seen.times.answer = seen.times.answer.filter(|_| answered);
            seen.attempts.truncate(usize::from(host.is_some()));
            if let (Some((carrier, status)), Some(attempt)) = (host, seen.attempts.first_mut()) {
                attempt.carrier = Some(carrier.into()).filter(|_| !carrier.is_empty());
                attempt.status = status;
            }
            assert_eq!((class(&seen), why(&seen).as_str()), (expect, words));
        }
    }

    #[test]
    fn each_attempt_has_its_cause() {
        let attempt = detail().attempts.remove(0);
        for (status, reason, expect) in [
            (Some(486), None, Some(17)),
            (Some(503), Some("Q.850;cause=34;text=\"no circuit\""), Some(34)),
            (Some(503), Some("SIP;cause=503, q.850 ; cause=42"), Some(42)),
            (Some(503), Some("SIP;cause=503"), Some(41)),
            (Some(503), Some("Q.850;cause=900"), Some(41)),
            (Some(200), Some("Q.850;cause=16"), None),
            (None, None, None),
        ] {
            let attempt = AttemptDetail { status, reason: reason.map(Into::into), ..attempt.clone() };
            assert_eq!(cause(&attempt), expect, "{status:?} {reason:?}");
        }
    }
}
