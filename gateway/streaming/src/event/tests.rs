use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use time::macros::datetime;

use super::*;

fn call() -> Call {
    Call {
        transaction_id: "12345678-1234-1234-1234-123456789012".parse().unwrap(),
        connector: "abcdef1ghij2klmno3pqr4".into(),
        call_id: "1112-2222-4333".into(),
        direction: Direction::Outbound,
        from: "+12065550100".into(),
        to: "+13605550199".into(),
        answered: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
    }
}

fn place() -> Place {
    Place { source: SOURCE.into(), account: "111122223333".into(), region: "us-east-1".into() }
}

const ARN: &str = "arn:aws:kinesisvideo:us-east-1:123456:stream/ChimeVoiceConnector-abcdef1ghij2klmno3pqr4-111aaa-22bb-33cc-44dd-111222/111122223333";
const FRAGMENT: &str = "91343852333754009371412493862204112772176002064";

fn stream() -> Stream {
    Stream::new(&call(), Some(true), ARN, Some(FRAGMENT), datetime!(2026-11-28 15:16:17.018 UTC))
}

fn event(status: Status) -> Value {
    let event = Event::new(&place(), &call(), status, 0, datetime!(2026-11-28 16:16:17.999 +1));
    let value = serde_json::to_value(&event).unwrap();
    let again: Event = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(again, event);
    value
}

/// The envelope around a detail, of which the members of all events are left out.
fn expected(event: &Value, mut detail: Value) -> Value {
    let all = detail.as_object_mut().unwrap();
    all.insert("version".into(), "0".into());
    all.insert("voiceConnectorId".into(), "abcdef1ghij2klmno3pqr4".into());
    all.insert("transactionId".into(), "12345678-1234-1234-1234-123456789012".into());
    all.insert("callId".into(), "1112-2222-4333".into());
    json!({
        "version": "0", "id": event["id"], "detail-type": "Chime VoiceConnector Streaming Status",
        "source": "aws.chime", "account": "111122223333", "time": "2026-11-28T15:16:17Z", "region": "us-east-1",
        "resources": [], "detail": detail
    })
}

#[test]
fn a_stream_that_started_is_told_as_the_reference_says() {
    let mut stream = stream();
    let invite = [("From", "<sip:a@x>"), ("Via", "SIP/2.0/UDP a"), ("VIA", "SIP/2.0/UDP b"), ("X-Y", "1,2")];
    stream.invite_headers = Some(invite.into_iter().collect());
    let found = event(Status::Started(stream));
    let detail = json!({
        "streamingStatus": "STARTED", "direction": "Outbound", "fromNumber": "+12065550100",
        "toNumber": "+13605550199", "isCaller": true, "mediaType": "audio/L16",
        "inviteHeaders": { "from": "<sip:a@x>", "via": "SIP/2.0/UDP a,SIP/2.0/UDP b", "x-y": "1,2" },
        "startFragmentNumber": FRAGMENT, "startTime": "2026-11-28T15:16:17.018Z", "streamArn": ARN
    });
    assert_eq!(found, expected(&found, detail));
}

#[test]
fn a_recording_session_has_its_label_and_metadata() {
    let mut stream = stream();
    stream.sdp = Some(Sdp { media_index: 1, media_label: "2".into() });
    stream.siprec_metadata = Some("<?xml version=\"1.0\"?><recording/>".to_owned());
    let found = event(Status::Started(stream));
    assert_eq!(found["detail"]["sdp"], json!({ "mediaIndex": 1, "mediaLabel": "2" }));
    assert_eq!(found["detail"]["siprecMetadata"], "<?xml version=\"1.0\"?><recording/>");
}

#[test]
fn a_stream_that_ended_says_when_it_started_too() {
    let end_time = milliseconds(datetime!(2026-11-28 15:20 UTC));
    let found = event(Status::Ended { stream: stream(), end_time });
    let detail = json!({
        "streamingStatus": "ENDED", "direction": "Outbound", "fromNumber": "+12065550100",
        "toNumber": "+13605550199", "isCaller": true, "mediaType": "audio/L16", "startFragmentNumber": FRAGMENT,
        "startTime": "2026-11-28T15:16:17.018Z", "endTime": "2026-11-28T15:20:00.000Z", "streamArn": ARN
    });
    assert_eq!(found, expected(&found, detail));
}

#[test]
fn a_change_has_the_headers_of_the_request_and_a_failure_its_reason() {
    let headers = [("CSeq", "2 INVITE")].into_iter().collect();
    let found = event(Status::Updated { update_headers: headers, siprec_metadata: None });
    let detail = json!({ "streamingStatus": "UPDATED", "updateHeaders": { "cseq": "2 INVITE" } });
    assert_eq!(found, expected(&found, detail));
    let found = event(Status::Failed {
        direction: Direction::Inbound,
        fail_time: milliseconds(datetime!(2026-11-28 15:16:17 UTC)),
        failure_reason: "Internal failure".to_owned(),
    });
    let detail = json!({ "streamingStatus": "FAILED", "direction": "Inbound",
        "failTime": "2026-11-28T15:16:17.000Z", "failureReason": "Internal failure" });
    assert_eq!(found, expected(&found, detail));
}

#[test]
fn the_same_event_has_the_same_id() {
    let id = |status: Status, number| {
        Event::new(&place(), &call(), status, number, datetime!(2026-11-28 15:16:17 UTC)).id
    };
    let started = || Status::Started(stream());
    let ended = Status::Ended { stream: stream(), end_time: "".into() };
    assert_eq!(id(started(), 0), id(started(), 0));
    assert_ne!(id(started(), 0), id(started(), 1));
    assert_ne!(id(started(), 0), id(ended, 0));
}

#[test]
fn what_a_peer_sent_is_bounded() {
    let long = "x".repeat(10_000);
    let names: Vec<String> = (0..1_000).map(|number| format!("X-{number}")).collect();
    let fields = names.iter().map(|name| (name.as_str(), long.as_str()));
    let headers: Headers = fields.chain(std::iter::repeat_n(("Via", "SIP/2.0/UDP a"), 10_000)).collect();
    assert!(serde_json::to_string(&headers).unwrap().len() < 4_096);
}
