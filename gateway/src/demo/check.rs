//! Whether a scenario went as told.

use super::metrics::Metrics;
use super::records::Record;
use super::scenario::{Cdr, Expected, Scenario};
use super::stage::{BRANCH, Heard, Outcome, PBX};

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Whether it is as told.
    pub ok: bool,
    /// What it is, or what it should be and is not.
    pub text: String,
}

impl Check {
    fn new(ok: bool, told: impl Into<String>, found: impl std::fmt::Display) -> Check {
        let told = told.into();
        let text = if ok { told } else { format!("{told}: found {found}") };
        Check { ok, text }
    }
}

/// The answer that the caller got.
pub fn answer(expected: Expected, outcome: &Outcome) -> Check {
    let Some(answer) = &outcome.answer else {
        return Check { ok: false, text: "the caller got no answer".to_owned() };
    };
    let (status, phrase) = match expected {
        Expected::Answered | Expected::Measured => {
            return Check::new(answer.status == 200, "answered 200", answer);
        }
        Expected::PassedOn(status, phrase) | Expected::Refused(status, phrase) => (status, phrase),
        Expected::Throttled(phrase) => (503, phrase),
    };
    let same = answer.status == status && answer.phrase == phrase;
    let reason = format!("SIP;cause={status};text=\"{phrase}\"");
    let found = format!("{answer}, Reason {:?}, Retry-After {:?}", answer.reason, answer.retry_after);
    match expected {
        Expected::Refused(..) => {
            let ok = same && answer.reason.as_deref() == Some(&reason);
            Check::new(ok, format!("{status} {phrase}, and Reason says the same"), found)
        }
        Expected::Throttled(_) => {
            let ok = same && answer.reason.as_deref() == Some(&reason) && answer.retry_after.is_some();
            Check::new(ok, format!("{status} {phrase}, with Reason and Retry-After"), found)
        }
        _ => Check::new(same, format!("{status} {phrase}"), found),
    }
}

/// The call detail records that were written.
pub fn records(expected: &[Cdr], found: &[Record]) -> Check {
    let told = |cdr: &Cdr| format!("{} {} {}: {}", cdr.connector, cdr.direction, cdr.status, cdr.message);
    let mut wanted: Vec<String> = expected.iter().map(told).collect();
    let read = |record: &Record| {
        let text = |name| record.text(name);
        let (connector, direction) = (text("VoiceConnectorId"), text("Direction"));
        format!("{connector} {direction} {}: {}", text("Status"), text("StatusMessage"))
    };
    let mut there: Vec<String> = found.iter().map(read).collect();
    wanted.sort();
    there.sort();
    let told = match expected.len() {
        0 => "no record".to_owned(),
        1 => "one record, as told".to_owned(),
        several => format!("{several} records, as told"),
    };
    let found = if there.is_empty() { "none".to_owned() } else { there.join("; ") };
    Check::new(wanted == there, told, format!("{found} for {}", wanted.join("; ")))
}

/// Two records of one call share their transaction id; nobody is billed where nobody answered.
pub fn bill(expected: &[Cdr], found: &[Record]) -> Option<Check> {
    let completed = |record: &&Record| record.text("Status") == "Completed";
    let billed = |record: &Record| record.number("BillableDurationSeconds");
    if expected.iter().all(|cdr| cdr.status == "Failed") {
        let seconds: u64 = found.iter().map(billed).sum();
        return (!expected.is_empty())
            .then(|| Check::new(seconds == 0, "nothing billed", format!("{seconds} s")));
    }
    let ids: Vec<&str> = found.iter().filter(completed).map(|record| record.text("TransactionId")).collect();
    let shared = ids.windows(2).all(|pair| matches!(pair, [one, other] if one == other));
    let all = found.iter().filter(completed).all(|record| billed(record) == 6);
    let told = if ids.len() > 1 { "6 s billed to each, one transaction id" } else { "6 s billed" };
    Some(Check::new(shared && all, told, format!("{found:?}")))
}

/// What each party heard.
pub fn tones(heard: &[Heard]) -> Option<Check> {
    let told: Vec<String> = heard.iter().map(|one| format!("{} heard {}", one.who.0, one.tone)).collect();
    // Phones that did not would have failed the scenario.
    (!told.is_empty()).then(|| Check { ok: true, text: told.join(", ") })
}

/// A quality line says what the phones counted themselves.
pub fn quality(expected: Expected, record: &Record, line: Option<&Record>, heard: &[Heard]) -> Check {
    let connector = record.text("VoiceConnectorId");
    let told = format!("{connector}: quality as the phones counted, none lost");
    let Some(line) = line else { return Check::new(false, told, "no line") };
    let customer = if connector == "branch" { BRANCH } else { PBX };
    let ours = heard.iter().find(|one| one.who == customer);
    let theirs = heard.iter().find(|one| one.who != customer);
    let (Some(ours), Some(theirs)) = (ours, theirs) else { return Check::new(false, told, "no talk") };
    let found = ["cust2vc", "vc2cust", "rem2vc", "vc2rem"].map(|flow| {
        (line.number(&format!("{flow}_rtp_packets")), line.number(&format!("{flow}_packets_lost")))
    });
    let counted =
        [ours.sent, ours.received, theirs.sent, theirs.received].map(|packets| (u64::from(packets), 0));
    let sides = ["cust", "rem"];
    let opinions = sides.map(|side| line.measure(&format!("mos_btwn_vc_and_{side}")));
    let trips = sides.map(|side| line.measure(&format!("rtt_btwn_vc_and_{side}")));
    // Without RTCP of both nobody knows the delay, and so not the opinion.
    let good = opinions.iter().all(|mos| mos.is_none_or(|mos| mos >= 4.0));
    let known = opinions.iter().chain(&trips).all(Option::is_some);
    let measured = expected != Expected::Measured || known;
    let told = match expected {
        Expected::Measured => format!("{told}; round trips and MOS known"),
        _ => told,
    };
    let ok = found == counted && good && measured;
    Check::new(ok, told, format!("{found:?} for {counted:?}, MOS {opinions:?}, round trips {trips:?}"))
}

/// What the metrics should have gained.
pub fn gains(scenario: &Scenario) -> Vec<Gain> {
    let mut gains: Vec<Gain> = Vec::new();
    let mut gain = |name: &'static str, labels: Vec<(&'static str, &'static str)>, by: u32| match gains
        .iter_mut()
        .find(|gain| gain.name == name && gain.labels == labels)
    {
        Some(gain) => gain.by += by,
        None => gains.push(Gain { name, labels, by }),
    };
    for cdr in scenario.records {
        let direction = if cdr.direction == "Inbound" { "inbound" } else { "outbound" };
        let labels = vec![("voice_connector_id", cdr.connector), ("direction", direction)];
        let answered = cdr.status == "Completed";
        gain("voice_connector_call_attempts_total", labels.clone(), 1);
        gain("voice_connector_calls_answered_total", labels.clone(), u32::from(answered));
        gain("voice_connector_call_failures_total", labels.clone(), u32::from(!answered));
        let throttled = matches!(scenario.answer, Expected::Throttled(text) if cdr.message.ends_with(text));
        gain("voice_connector_throttles_total", labels.clone(), u32::from(throttled));
        gain("voice_connector_calls_active", labels, 0);
    }
    if let Some((cause, count)) = scenario.refusals {
        gain("voice_connector_refusals_total", vec![("cause", cause)], count);
    }
    gains
}

/// By how much a counter should have grown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gain {
    name: &'static str,
    labels: Vec<(&'static str, &'static str)>,
    by: u32,
}

impl Gain {
    fn found(&self, before: &Metrics, after: &Metrics) -> f64 {
        after.sum(self.name, &self.labels) - before.sum(self.name, &self.labels)
    }

    /// Whether it has.
    pub fn is_met(&self, before: &Metrics, after: &Metrics) -> bool {
        (self.found(before, after) - f64::from(self.by)).abs() < 0.5
    }
}

/// Whether the metrics gained what they should have.
pub fn metrics(gains: &[Gain], before: &Metrics, after: &Metrics) -> Check {
    let short = |gain: &Gain| {
        let labels: Vec<String> = gain.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{}{{{}}} {:+}", gain.name.trim_start_matches("voice_connector_"), labels.join(","), gain.by)
    };
    let missed: Vec<String> = gains
        .iter()
        .filter(|gain| !gain.is_met(before, after))
        .map(|gain| format!("{} was {:+}", short(gain), gain.found(before, after)))
        .collect();
    let mut names: Vec<(String, u32)> = Vec::new();
    for gain in gains.iter().filter(|gain| gain.by > 0) {
        let cause = gain.labels.iter().find(|(name, _)| *name == "cause");
        let cause = cause.map_or(String::new(), |(_, cause)| format!("{{{cause}}}"));
        let name = gain.name.trim_start_matches("voice_connector_").trim_end_matches("_total");
        let name = format!("{name}{cause}");
        match names.iter_mut().find(|(other, _)| *other == name) {
            Some((_, by)) => *by += gain.by,
            None => names.push((name, gain.by)),
        }
    }
    let names: Vec<String> = names.iter().map(|(name, by)| format!("{name} {by:+}")).collect();
    Check::new(missed.is_empty(), format!("metrics: {}", names.join(", ")), missed.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::audio::Tone;
    use crate::demo::phone::Answer;
    use crate::demo::scenario::{completed, failed};

    fn read(json: &str) -> Record {
        Record::parse(json).unwrap()
    }

    fn cdr(connector: &str, id: &str, billed: u32) -> Record {
        read(&format!(
            "{{\"VoiceConnectorId\":\"{connector}\",\"Direction\":\"Outbound\",\"Status\":\"Completed\",\
             \"StatusMessage\":\"OK\",\"TransactionId\":\"{id}\",\"BillableDurationSeconds\":{billed}}}"
        ))
    }

    #[test]
    fn an_answer_is_compared_with_all_that_was_told() {
        let answer = |status, phrase: &str, reason: &str, retry_after: Option<&str>| {
            Outcome::refused(Answer {
                status,
                phrase: phrase.to_owned(),
                reason: Some(reason.to_owned()),
                retry_after: retry_after.map(str::to_owned),
            })
        };
        let check = |expected, outcome: &Outcome, ok| {
            let check = super::answer(expected, outcome);
            assert_eq!(check.ok, ok, "{check:?}");
        };
        let reason = "SIP;cause=403;text=\"No\"";
        check(Expected::Refused(403, "No"), &answer(403, "No", reason, None), true);
        check(Expected::Refused(403, "No"), &answer(403, "No", "SIP;cause=404;text=\"No\"", None), false);
        check(Expected::Refused(403, "No"), &answer(404, "No", reason, None), false);
        check(Expected::PassedOn(403, "No"), &answer(403, "Yes", reason, None), false);
        check(Expected::Answered, &answer(403, "No", reason, None), false);
        check(Expected::Answered, &Outcome::default(), false);
        let reason = "SIP;cause=503;text=\"Slow down\"";
        check(Expected::Throttled("Slow down"), &answer(503, "Slow down", reason, Some("1")), true);
        check(Expected::Throttled("Slow down"), &answer(503, "Slow down", reason, None), false);
    }

    #[test]
    fn records_are_compared_in_any_order_and_none_may_be_there_beside() {
        let (a, b) = (completed("a", "Outbound"), completed("b", "Outbound"));
        let found = [cdr("b", "1", 6), cdr("a", "1", 6)];
        assert!(records(&[a, b], &found).ok);
        assert!(!records(&[a], &found).ok);
        assert!(!records(&[a, failed("b", "Outbound", "OK")], &found).ok);
        assert!(!records(&[], &found).ok);
        assert!(bill(&[a, b], &found).unwrap().ok);
        assert!(!bill(&[a, b], &[cdr("b", "1", 6), cdr("a", "2", 6)]).unwrap().ok);
        assert!(!bill(&[a], &[cdr("a", "1", 12)]).unwrap().ok);
        assert!(!bill(&[failed("a", "Outbound", "OK")], &[cdr("a", "1", 6)]).unwrap().ok);
    }

    #[test]
    fn quality_is_what_the_phones_counted() {
        let line = |lost: u32, mos: &str| {
            let flow = |name: &str, packets: u32, lost: u32| {
                format!("\"{name}_rtp_packets\":{packets},\"{name}_packets_lost\":{lost},")
            };
            let flows =
                [flow("cust2vc", 5, 0), flow("vc2cust", 7, lost), flow("rem2vc", 7, 0), flow("vc2rem", 5, 0)];
            read(&format!("{{{}\"mos_btwn_vc_and_cust\":{mos}}}", flows.concat()))
        };
        let heard = |who, sent, received| Heard { who, tone: Tone(440), sent, received };
        let talk = [heard(PBX, 5, 7), heard(BRANCH, 7, 5)];
        let check = |expected, line: Option<&Record>, ok| {
            let check = quality(expected, &cdr("headoffice", "1", 6), line, &talk);
            assert_eq!(check.ok, ok, "{check:?}");
        };
        check(Expected::Answered, Some(&line(0, "4.4")), true);
        check(Expected::Answered, Some(&line(0, "null")), true);
        check(Expected::Measured, Some(&line(0, "4.4")), false);
        check(Expected::Answered, Some(&line(1, "4.4")), false);
        check(Expected::Answered, Some(&line(0, "3.1")), false);
        check(Expected::Answered, None, false);
    }

    #[test]
    fn counters_have_to_grow_by_just_so_much() {
        let series = |attempts: u32, refusals: u32| {
            Metrics::parse(&format!(
                "voice_connector_call_attempts_total{{voice_connector_id=\"a\",direction=\"outbound\"}} {attempts}\n\
                 voice_connector_refusals_total{{cause=\"cps\"}} {refusals}\n"
            ))
        };
        let gain = |name, labels, by| Gain { name, labels, by };
        let gains = [
            gain("voice_connector_call_attempts_total", vec![("voice_connector_id", "a")], 2),
            gain("voice_connector_refusals_total", vec![("cause", "cps")], 1),
        ];
        let check = metrics(&gains, &series(1, 0), &series(3, 1));
        assert_eq!((check.ok, check.text.as_str()), (true, "metrics: call_attempts +2, refusals{cps} +1"));
        assert!(!metrics(&gains, &series(1, 0), &series(4, 1)).ok);
        assert!(!metrics(&gains, &series(1, 0), &series(3, 0)).ok);
    }
}
