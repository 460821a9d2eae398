//! Calls that are over, from their wide records.

use ::console::{Call, CallLine, Fact, Leg, Question};
use serde_json::Value;

use super::live::attempt;
use super::seconds;
use crate::record::AttemptDetail;

fn text<'r>(record: &'r Value, pointer: &str) -> Option<&'r str> {
    record.pointer(pointer).and_then(Value::as_str)
}

fn number(record: &Value, pointer: &str) -> Option<u64> {
    record.pointer(pointer).and_then(Value::as_u64)
}

/// A call in a list.
pub(super) fn line(record: &Value) -> CallLine {
    let said = |pointer: &str| text(record, pointer).unwrap_or_default().to_owned();
    let party =
        |one: &str, other: &str| text(record, one).or_else(|| text(record, other)).unwrap_or("-").to_owned();
    let answered = number(record, "/times/answer");
    let started = number(record, "/times/invite").unwrap_or_default();
    let ended = number(record, "/times/end").unwrap_or(started);
    let scores = ["caller", "callee"]
        .iter()
        .flat_map(|side| ["received", "sent"].map(|way| record.pointer(&format!("/media/{side}/{way}/mos"))));
    let scores = scores.flatten().filter_map(Value::as_f64);
    CallLine {
        id: said("/transaction_id"),
        state: if answered.is_some() { "Completed" } else { "Failed" }.to_owned(),
        caller: said("/caller"),
        callee: said("/callee"),
        from: party("/calling_voice_connector", "/calling_carrier"),
        to: party("/called_voice_connector", "/carrier"),
        started,
        seconds: ended.saturating_sub(answered.unwrap_or(started)) / 1000,
        mos: scores.reduce(f64::min),
        emergency: record.pointer("/emergency").and_then(Value::as_bool).unwrap_or(false),
    }
}

/// All of it.
pub(super) fn call(record: &Value) -> Call {
    let mut facts: Vec<Fact> = Vec::new();
    let mut tell = |name: &str, value: Option<String>| {
        facts.extend(value.filter(|value| !value.is_empty()).map(|value| (name.to_owned(), value)));
    };
    let said = |pointer: &str| text(record, pointer).map(str::to_owned);
    tell("How it ended", said("/why"));
    tell(
        "Status",
        number(record, "/status").map(|status| format!("{status} {}", said("/cause").unwrap_or_default())),
    );
    tell("Whose failure", said("/class"));
    tell("Reason", said("/reason"));
    tell("Ringing or answer after", number(record, "/post_dial_delay").map(seconds));
    tell("Rang", number(record, "/ring_time").map(seconds));
    tell("Talked", number(record, "/talk_time").map(seconds));
    let attempts = record.pointer("/attempts").and_then(Value::as_array).into_iter().flatten();
    let attempts = attempts.filter_map(|one| serde_json::from_value::<AttemptDetail>(one.clone()).ok());
    let notes = record.pointer("/notes").and_then(Value::as_array).into_iter().flatten();
    let line = line(record);
    let source =
        text(record, "/caller_leg/address").and_then(|address| address.parse::<std::net::SocketAddr>().ok());
    let question = source.map(|source| Question {
        from: line.caller.clone(),
        to: line.callee.clone(),
        source: source.ip().to_string(),
        transport: said("/caller_leg/transport").unwrap_or_else(|| "udp".to_owned()),
        connector: said("/calling_voice_connector").unwrap_or_default(),
    });
    Call {
        facts,
        legs: ["caller", "callee"].iter().map(|side| leg(record, side)).collect(),
        attempts: attempts.map(|detail| attempt(&detail, None)).collect(),
        notes: notes.filter_map(|note| note.as_str().map(str::to_owned)).collect(),
        record: serde_json::to_string_pretty(record).ok(),
        question,
        line,
        ..Call::default()
    }
}

fn leg(record: &Value, side: &str) -> Leg {
    let said = |name: &str| text(record, &format!("/{side}_leg/{name}")).map(str::to_owned);
    let mut facts: Vec<Fact> = Vec::new();
    let mut tell = |name: &str, value: Option<String>| {
        facts.extend(value.map(|value| (name.to_owned(), value)));
    };
    tell(
        "Signalling",
        said("address").map(|address| format!("{address} {}", said("transport").unwrap_or_default())),
    );
    tell(
        "TLS",
        said("tls_version")
            .map(|version| format!("{version} {}", said("tls_cipher_suite").unwrap_or_default())),
    );
    tell("Codec", said("codec"));
    tell("SRTP", said("srtp_suite"));
    tell("Call-ID", text(record, &format!("/{side}_call_id")).map(str::to_owned));
    let media = |way: &str, name: &str| number(record, &format!("/media/{side}/{way}/{name}"));
    tell("Packets from it", media("received", "rtp_packets").map(|packets| packets.to_string()));
    tell("Lost of these", media("received", "packets_lost").map(|packets| packets.to_string()));
    tell("Packets to it", media("sent", "rtp_packets").map(|packets| packets.to_string()));
    Leg { facts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::WideRecord;
    use crate::record::testing::detail;

    #[test]
    fn a_wide_record_is_a_page() {
        let record = serde_json::to_value(WideRecord::of(&detail())).unwrap();
        let call = call(&record);
        assert_eq!(call.line.id, detail().transaction_id.as_str());
        assert_eq!((call.line.state.as_str(), call.line.seconds), ("Completed", 4));
        let fact =
            |name: &str| call.facts.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
        assert_eq!(fact("How it ended"), Some("the callee hung up"));
        assert_eq!((fact("Rang"), fact("Talked")), (Some("1.0 s"), Some("4.0 s")));
        assert_eq!(call.attempts.len(), detail().attempts.len());
        assert!(call.record.is_some_and(|record| record.contains("\n  \"caller\"")));
        assert_eq!(super::call(&Value::Null).line.state, "Failed", "a record of nothing is no harm");
    }
}
