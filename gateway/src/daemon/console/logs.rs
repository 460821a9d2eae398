//! What the logs of a call's connectors say of it: its SIP messages, and the quality of each minute.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use ::console::{Minute, Rung, Side, Stream};
use bytes::Bytes;
use serde_json::Value;
use sip::Message;

use crate::record::{LogGroup, hourly};

/// Bytes of one log file that are read for a call; there is one for each hour.
const MOST: u64 = 64 << 20;
/// Hours of a call that are looked at.
const HOURS: u64 = 24;
/// Messages that are shown.
const MESSAGES: usize = 200;

/// Lines of a log that have `part` in them, of all connectors and hours of a call.
fn lines(directory: &Path, record: &Value, group: LogGroup, part: &str) -> Vec<Value> {
    let number = |pointer: &str| record.pointer(pointer).and_then(Value::as_u64);
    let (Some(from), Some(to)) = (number("/times/invite"), number("/times/end")) else { return Vec::new() };
    if part.is_empty() {
        return Vec::new();
    }
    const HOUR: u64 = 3_600_000;
    let hours = (from / HOUR..=to / HOUR).take(usize::try_from(HOURS).unwrap_or(usize::MAX));
    let connectors = ["/calling_voice_connector", "/called_voice_connector"];
    let connectors = connectors.iter().filter_map(|pointer| record.pointer(pointer)?.as_str());
    // One is enough where both are customers: each has the same messages.
    let mut found = Vec::new();
    for connector in connectors {
        for hour in hours.clone() {
            let name = hourly(group, connector, Duration::from_millis(hour * HOUR));
            let Ok(file) = File::open(directory.join(name)) else { continue };
            let lines = BufReader::new(file.take(MOST)).lines().map_while(Result::ok);
            let of_call = lines.filter(|line| line.contains(part));
            found.extend(of_call.filter_map(|line| serde_json::from_str(&line).ok()).take(MESSAGES));
        }
        if !found.is_empty() {
            break;
        }
    }
    found
}

/// The messages of a call, whose way is told by who asked for the dialog: the caller on its leg, the gateway on the other.
pub(super) fn ladder(directory: &Path, record: &Value) -> Vec<Rung> {
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (caller, callee) = (text("/caller_call_id"), text("/callee_call_id"));
    let began = record.pointer("/times/invite").and_then(Value::as_u64).unwrap_or_default();
    let mut askers = BTreeMap::<String, String>::new();
    let mut rungs = Vec::new();
    // The log's own Call-ID is the customer's.
    let customer = if text("/calling_voice_connector").is_empty() { callee } else { caller };
    for line in lines(directory, record, LogGroup::SipMessages, customer) {
        let at = line.pointer("/event_timestamp").and_then(Value::as_u64).unwrap_or_default();
        let said = line.pointer("/sip_message").and_then(Value::as_str).unwrap_or_default();
        let Ok(message) = Message::parse(Bytes::copy_from_slice(said.as_bytes())) else { continue };
        let (Ok(call_id), Ok(cseq)) = (message.call_id(), message.cseq()) else { continue };
        let side = match call_id {
            id if id == caller => Side::Caller,
            id if id == callee => Side::Callee,
            _ => continue,
        };
        let tag = message.from_tag().unwrap_or_default().into_owned();
        let asker = askers.entry(call_id.to_owned()).or_insert_with(|| tag.clone());
        // The asker's requests, and what is said to those of the other one.
        let by_asker = (*asker == tag) == message.is_request();
        let what = match message.status() {
            Some(status) => format!("{} {}", status.code(), cseq.method),
            None => cseq.method.to_string(),
        };
        rungs.push(Rung {
            milliseconds: at.saturating_sub(began),
            side,
            sent: (side == Side::Callee) == by_asker,
            what,
            ..Rung::default()
        });
    }
    rungs
}

/// The quality of each minute. Losses are told of the call so far, and shown minute by minute.
pub(super) fn minutes(directory: &Path, record: &Value) -> Vec<Minute> {
    let id = record.pointer("/transaction_id").and_then(Value::as_str).unwrap_or_default();
    let outbound = record.pointer("/calling_voice_connector").is_some_and(Value::is_string);
    let (mut customer_lost, mut remote_lost) = (0, 0);
    let mut minutes = Vec::new();
    for line in lines(directory, record, LogGroup::Media, id) {
        let customer = stream(&line, "cust", &mut customer_lost);
        let remote = stream(&line, "rem", &mut remote_lost);
        let (caller, callee) = if outbound { (customer, remote) } else { (remote, customer) };
        minutes.push(Minute { caller, callee });
    }
    minutes
}

fn stream(line: &Value, side: &str, before: &mut u64) -> Stream {
    let number = |name: String| line.get(name);
    let lost = number(format!("{side}2vc_packets_lost")).and_then(Value::as_u64).unwrap_or(*before);
    let of_minute = lost.saturating_sub(*before);
    *before = lost;
    Stream {
        packets: number(format!("{side}2vc_rtp_packets")).and_then(Value::as_u64).unwrap_or_default(),
        lost: of_minute,
        jitter: number(format!("{side}2vc_jitter")).and_then(Value::as_f64).map(|jitter| jitter / 1000.0),
        mos: number(format!("mos_btwn_vc_and_{side}")).and_then(Value::as_f64),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_calls_lines_are_its_ladder_and_its_minutes() {
        let directory = tempfile::tempdir().unwrap();
        let record = serde_json::json!({
            "transaction_id": "t1", "calling_voice_connector": "office", "caller_call_id": "a@pbx", "callee_call_id": "b@us",
            "times": { "invite": 1_565_399_625_042_u64, "end": 1_565_399_825_042_u64 },
        });
        let message = |first: &str, id: &str, from: &str, cseq: &str| {
            format!(
                "{first}\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag={from}\r\nTo: <sip:b@x>\r\nCall-ID: {id}\r\nCSeq: {cseq}\r\nContent-Length: 0\r\n\r\n"
            )
        };
        let messages = [
            (message("INVITE sip:b@x SIP/2.0", "a@pbx", "pbx", "1 INVITE"), 0),
            (message("INVITE sip:b@y SIP/2.0", "b@us", "us", "7 INVITE"), 3),
            (message("SIP/2.0 180 Ringing", "b@us", "us", "7 INVITE"), 500),
            (message("SIP/2.0 180 Ringing", "a@pbx", "pbx", "1 INVITE"), 501),
            (message("BYE sip:us@x SIP/2.0", "b@us", "carrier", "1 BYE"), 9_000),
            (message("SIP/2.0 200 OK", "b@us", "carrier", "1 BYE"), 9_001),
        ];
        let log = |group, lines: &str| {
            let path =
                directory.path().join(hourly(group, "office", Duration::from_millis(1_565_399_625_042)));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, lines).unwrap();
        };
        let lines: String = messages
            .iter()
            .map(|(message, at)| {
                serde_json::json!({ "event_timestamp": 1_565_399_625_042_u64 + at, "call_id": "a@pbx", "sip_message": message }).to_string() + "\n"
            })
            .collect();
        log(LogGroup::SipMessages, &(lines + "{\"call_id\":\"other\"}\nnonsense a@pbx\n"));
        let shown: Vec<_> = ladder(directory.path(), &record)
            .iter()
            .map(|rung| (rung.milliseconds, rung.side, rung.sent, rung.what.clone()))
            .collect();
        let rung = |at, side, sent, what: &str| (at, side, sent, what.to_owned());
        assert_eq!(
            shown,
            [
                rung(0, Side::Caller, false, "INVITE"),
                rung(3, Side::Callee, true, "INVITE"),
                rung(500, Side::Callee, false, "180 INVITE"),
                rung(501, Side::Caller, true, "180 INVITE"),
                rung(9_000, Side::Callee, false, "BYE"),
                rung(9_001, Side::Callee, true, "200 BYE"),
            ]
        );
        let minute = |lost: u64, mos: f64| serde_json::json!({ "call_id": "t1", "cust2vc_rtp_packets": 3_000, "cust2vc_packets_lost": lost, "cust2vc_jitter": 2_500, "mos_btwn_vc_and_cust": mos, "rem2vc_jitter": null });
        log(LogGroup::Media, &format!("{}\n{}\n", minute(5, 4.2), minute(8, 4.1)));
        let minutes = minutes(directory.path(), &record);
        let shown: Vec<_> = minutes
            .iter()
            .map(|minute| (minute.caller.lost, minute.caller.jitter, minute.caller.mos, minute.callee.jitter))
            .collect();
        assert_eq!(shown, [(5, Some(2.5), Some(4.2), None), (3, Some(2.5), Some(4.1), None)]);
    }
}
