//! A call as a trace of OpenTelemetry, made of its wide record when it is over: nothing is kept for it while it lasts.
//!
//! ```text
//! call --------------------------------------------------
//!   admission --
//!                attempt --
//!                           attempt ----
//!                   ring --------
//!                                talk -------------------
//! ```
//!
//! The trace id is the transaction id. Who called whom is in no trace: traces go to places that call records do not. Written as
//! OTLP in JSON, which every collector takes: the SDK's context, samplers and processors have nothing to do where a trace is made
//! as a whole.

mod exporter;

use serde_json::{Value, json};
use smol_str::SmolStr;

use crate::record::{AttemptDetail, CallDetail, DetailDirection};

pub use exporter::{Exporter, Exports};

/// `SpanKind` of the protocol.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
const CLIENT: u8 = 3;

/// A call that is over, with what a trace is made of.
#[derive(Debug)]
pub struct Ended(CallDetail);

impl Ended {
    /// - `detail`: its wide record.
    #[must_use]
    pub fn new(detail: &CallDetail) -> Ended {
        Ended(detail.clone())
    }
}

/// The body of one request: `ExportTraceServiceRequest`.
///
/// Source: OTLP 1.x, "JSON Protobuf encoding": ids in hex, 64-bit numbers as text.
fn request(calls: &[Ended], region: &str) -> Value {
    let spans: Vec<Value> = calls.iter().flat_map(|Ended(detail)| spans(detail)).collect();
    let resource = [
        ("service.name", json!({ "stringValue": "voice-connector" })),
        ("service.version", json!({ "stringValue": env!("CARGO_PKG_VERSION") })),
        ("cloud.region", json!({ "stringValue": region })),
    ];
    let resource: Vec<Value> =
        resource.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{ "scope": { "name": "voice-connector" }, "spans": spans }],
    }] })
}

/// All spans of a call, the whole first.
fn spans(detail: &CallDetail) -> Vec<Value> {
    let times = &detail.times;
    let mut trace = Trace::of(&detail.transaction_id);
    let mut call = Span::new("call", SERVER, times.invite, times.end);
    call.name = match detail.direction {
        DetailDirection::Inbound => "call inbound",
        DetailDirection::Outbound => "call outbound",
        DetailDirection::OnNet => "call on-net",
    };
    call.text("voice_connector.calling_id", detail.calling_voice_connector.as_ref());
    call.text("voice_connector.called_id", detail.called_voice_connector.as_ref());
    call.text("voice_connector.calling_carrier", detail.calling_carrier.as_ref());
    call.text("voice_connector.carrier", detail.carrier.as_ref());
    call.text("sip.caller.call_id", Some(&detail.caller_call_id));
    call.text("sip.callee.call_id", detail.callee_call_id.as_ref());
    call.text("voice_connector.ended_by", Some(&SmolStr::new_static(detail.ended_by.as_label())));
    call.flag("voice_connector.emergency", detail.emergency);
    call.ended(Some(detail.status), &detail.cause);
    let mut all = vec![trace.write(call)];

    let first = detail.attempts.first().map_or(times.end, |attempt| attempt.started);
    let mut admission = Span::new("admission", INTERNAL, times.invite, first);
    if detail.attempts.is_empty() {
        admission.ended(Some(detail.status), &detail.cause);
    }
    all.push(trace.write(admission));
    all.extend(detail.attempts.iter().map(|one| trace.write(attempt(one, times.end))));
    if let Some(ringing) = times.ringing {
        all.push(trace.write(Span::new("ring", INTERNAL, ringing, times.answer.unwrap_or(times.end))));
    }
    if let Some(answer) = times.answer {
        all.push(trace.write(Span::new("talk", INTERNAL, answer, times.end)));
    }
    all
}

fn attempt(detail: &AttemptDetail, end: u64) -> Span {
    let mut span = Span::new("attempt", CLIENT, detail.started, detail.ended.unwrap_or(end));
    span.text("voice_connector.carrier", detail.carrier.as_ref());
    span.text("voice_connector.called_id", detail.voice_connector.as_ref());
    span.text("server.address", Some(&detail.host));
    span.text("network.protocol.name", Some(&SmolStr::new_static("sip")));
    let under_tls = detail.transport == "tls";
    let transport = if under_tls { SmolStr::new_static("tcp") } else { detail.transport.clone() };
    span.text("network.transport", Some(&transport));
    span.flag("tls.established", under_tls);
    if let Some(address) = detail.address {
        span.text("network.peer.address", Some(&smol_str::format_smolstr!("{}", address.ip())));
        span.number("network.peer.port", address.port());
    }
    span.ended(detail.status, &detail.cause);
    span
}

/// What its spans have in common.
struct Trace {
    id: String,
    root: String,
    seed: u64,
    spans: u64,
}

impl Trace {
    fn of(transaction_id: &str) -> Trace {
        let uuid = uuid::Uuid::try_parse(transaction_id).unwrap_or_default();
        Trace { id: uuid.simple().to_string(), root: String::new(), seed: uuid.as_u64_pair().1, spans: 0 }
    }

    fn write(&mut self, span: Span) -> Value {
        self.spans += 1;
        // Another one in each trace: some store spans by this alone. Multiplied by an odd number, so that no two are equal.
        let id = self.seed.wrapping_add(self.spans.wrapping_mul(0x9E37_79B9_7F4A_7C15)).max(1);
        let id = format!("{id:016x}");
        let parent = self.root.clone();
        if self.spans == 1 {
            self.root.clone_from(&id);
        }
        let nanoseconds = |milliseconds: u64| milliseconds.saturating_mul(1_000_000).to_string();
        json!({
            "traceId": self.id,
            "spanId": id,
            "parentSpanId": parent,
            "name": span.name,
            "kind": span.kind,
            "startTimeUnixNano": nanoseconds(span.start),
            "endTimeUnixNano": nanoseconds(span.end.max(span.start)),
            "attributes": span.attributes,
            "status": span.status,
        })
    }
}

struct Span {
    name: &'static str,
    kind: u8,
    /// Milliseconds since the Unix epoch.
    start: u64,
    end: u64,
    attributes: Vec<Value>,
    status: Value,
}

impl Span {
    fn new(name: &'static str, kind: u8, start: u64, end: u64) -> Span {
        Span { name, kind, start, end, attributes: Vec::new(), status: json!({}) }
    }

    fn attribute(&mut self, key: &str, value: Value) {
        self.attributes.push(json!({ "key": key, "value": value }));
    }

    fn text(&mut self, key: &str, value: Option<&SmolStr>) {
        if let Some(value) = value {
            self.attribute(key, json!({ "stringValue": value }));
        }
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.attribute(key, json!({ "boolValue": value }));
    }

    fn number(&mut self, key: &str, value: u16) {
        self.attribute(key, json!({ "intValue": value.to_string() }));
    }

    /// - `status`: the final response; none where none came.
    fn ended(&mut self, status: Option<u16>, cause: &str) {
        if let Some(status) = status {
            self.number("sip.response.status_code", status);
        }
        if status.is_none_or(|status| status >= 300) {
            let kind = status.map_or("_OTHER".to_owned(), |status| status.to_string());
            self.attribute("error.type", json!({ "stringValue": kind }));
            self.status = json!({ "code": 2, "message": without_numbers(cause) });
        }
    }
}

/// `text` without what may be a phone number: four digits or more in a row.
fn without_numbers(text: &str) -> String {
    let runs = text.split_inclusive(|character: char| !character.is_ascii_digit());
    let run = |run: &str| {
        let digits = run.chars().take_while(char::is_ascii_digit).count();
        if digits < 4 { run.to_owned() } else { format!("***{}", run.get(digits..).unwrap_or_default()) }
    };
    runs.map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::detail;

    /// Name, kind, begin and duration in milliseconds, and whether it failed.
    fn shape(span: &Value) -> (String, u64, i64, i64, bool) {
        let at = |key: &str| span[key].as_str().unwrap().parse::<i64>().unwrap() / 1_000_000;
        let (start, end) = (at("startTimeUnixNano"), at("endTimeUnixNano"));
        let failed = span["status"]["code"] == 2;
        (
            span["name"].as_str().unwrap().to_owned(),
            span["kind"].as_u64().unwrap(),
            start - detail().times.invite as i64,
            end - start,
            failed,
        )
    }

    fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
        let all = span["attributes"].as_array().unwrap();
        all.iter().find(|one| one["key"] == key).map_or(&Value::Null, |one| &one["value"])
    }

    #[test]
    fn a_call_is_a_trace_of_what_it_waited_for() {
        let body = request(&[Ended::new(&detail())], "here");
        let resource = &body["resourceSpans"][0];
        assert_eq!(attribute(&resource["resource"], "cloud.region")["stringValue"], "here");
        let spans = resource["scopeSpans"][0]["spans"].as_array().unwrap();
        let shapes: Vec<_> = spans.iter().map(shape).collect();
        let of = |name: &str, kind, start, lasts, failed| (name.to_owned(), kind, start, lasts, failed);
        assert_eq!(
            shapes,
            [
                of("call outbound", 2, 0, 7_500, false),
                of("admission", 1, 0, 0, false),
                of("attempt", 3, 0, 2_000, true),
                of("attempt", 3, 2_000, 1_500, false),
                of("ring", 1, 2_500, 1_000, false),
                of("talk", 1, 3_500, 4_000, false),
            ]
        );
        let root = &spans[0]["spanId"];
        assert_eq!(spans[0]["parentSpanId"], "");
        for span in spans {
            assert_eq!(span["traceId"], "0f8fad5bd9cb469fa16570867728950e");
            assert_eq!(span["spanId"].as_str().unwrap().len(), 16);
        }
        assert!(spans[1..].iter().all(|span| span["parentSpanId"] == *root));
        let ids: std::collections::HashSet<&str> =
            spans.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), spans.len());
        let [silent, taken] = [&spans[2], &spans[3]];
        assert_eq!(attribute(silent, "voice_connector.carrier")["stringValue"], "east");
        assert_eq!(attribute(silent, "error.type")["stringValue"], "_OTHER");
        assert_eq!(silent["status"]["message"], "no response in time");
        assert_eq!(attribute(taken, "sip.response.status_code")["intValue"], "200");
        assert_eq!(attribute(taken, "network.peer.address")["stringValue"], "192.0.2.31");
        assert_eq!(attribute(taken, "network.peer.port")["intValue"], "5060");
        let text = body.to_string();
        assert!(!text.contains("+1206") && !text.contains("+1628"), "a number is in a trace: {text}");
    }

    #[test]
    fn a_refusal_failed_at_admission() {
        let mut refused = detail();
        (refused.status, refused.cause) = (403, "Prefix +1628 is denied: +16285551212 of 10.0.0.1".into());
        (refused.times.ringing, refused.times.answer) = (None, None);
        refused.attempts.clear();
        let spans = spans(&refused);
        let shapes: Vec<_> = spans.iter().map(|span| (shape(span).0, shape(span).4)).collect();
        assert_eq!(shapes, [("call outbound".to_owned(), true), ("admission".to_owned(), true)]);
        assert_eq!(attribute(&spans[0], "error.type")["stringValue"], "403");
        assert_eq!(spans[0]["status"]["message"], "Prefix +*** is denied: +*** of 10.0.0.1");
    }
}
