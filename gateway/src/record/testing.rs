//! A call to test with.

use std::time::{Duration, UNIX_EPOCH};

use rtp::relay::{CallStatistics, FlowStatistics, LegStatistics, LossPattern};
use rtp::srtp::SrtcpTag;
use smol_str::format_smolstr;

use super::attempt::{AttemptDetail, EndedBy};
use super::audit::AuditRecord;
use super::detail::{CallDetail, DetailDirection, DetailTimes};
use super::facts::{AnsweredCall, CallFacts, Party};
use super::leg::LegDetail;
use super::media::MediaDetail;
use super::streamed::StreamedCall;
use crate::direction::Direction;

/// An outbound call of 4 s that rang for 3.5 s.
pub(crate) fn facts() -> CallFacts {
    let started_at = Duration::from_millis(1_565_399_625_042);
    CallFacts {
        account: "111122223333".into(),
        region: "us-east-1".into(),
        transaction_id: "0f8fad5b-d9cb-469f-a165-70867728950e".into(),
        call_id: "a84b4c76e66710@pbx.example.com".into(),
        voice_connector_id: "abcdef1ghij2klmno3pqr4".into(),
        direction: Direction::Outbound,
        status_message: "OK".into(),
        sip_auth_user: None,
        source: Party {
            number: "+12065550100".into(),
            name: Some("Head office".into()),
            country: Some("US".into()),
        },
        destination: Party { number: "+16285551212".into(), name: None, country: Some("US".into()) },
        started_at,
        answered_at: Some(started_at + Duration::from_millis(3_500)),
        ended_at: started_at + Duration::from_millis(7_500),
        streaming: false,
        is_proxy_call: false,
    }
}

/// A call of the API.
pub(crate) fn audit(changes: bool) -> AuditRecord {
    let name = if changes { "CreateVoiceConnector" } else { "ListVoiceConnectors" };
    AuditRecord {
        event_id: "7d444840-9dc0-11d1-b245-5ffdce74fad2".into(),
        at_ms: 1_565_399_625_042,
        changes,
        body: serde_json::json!({ "eventName": name }).to_string(),
    }
}

/// The same call, of which two streams are live.
pub(crate) fn streamed() -> StreamedCall {
    let facts = facts();
    let call = streaming::Call {
        transaction_id: facts.transaction_id.parse().unwrap(),
        connector: facts.voice_connector_id,
        call_id: facts.call_id,
        direction: streaming::Direction::Outbound,
        from: facts.source.number,
        to: facts.destination.number,
        answered: UNIX_EPOCH + facts.answered_at.unwrap(),
    };
    let mut streamed = StreamedCall::new(call, "111122223333", "us-east-1");
    streamed.live = 2;
    streamed
}

/// The same call, wide.
pub(crate) fn detail() -> CallDetail {
    let facts = facts();
    let started = crate::record::milliseconds(facts.started_at);
    let attempt = |carrier: &str, address: &str, started, ended| AttemptDetail {
        carrier: Some(carrier.into()),
        voice_connector: None,
        host: "sip.carrier.example".into(),
        address: address.parse().ok(),
        transport: "udp".into(),
        started,
        ended: Some(ended),
        status: None,
        cause: "no response in time".into(),
        reason: None,
        because: Some("nothing was heard in time".into()),
    };
    let second = AttemptDetail {
        status: Some(200),
        cause: "OK".into(),
        because: None,
        ..attempt("west", "192.0.2.31:5060", started + 2_000, started + 3_500)
    };
    let leg = |address: &str| LegDetail {
        address: address.parse().unwrap(),
        transport: "udp".into(),
        tls_version: None,
        tls_cipher_suite: None,
        srtp_suite: None,
        codec: Some("PCMU/8000".into()),
    };
    let secured = LegDetail {
        transport: "tls".into(),
        tls_version: Some("1.3".into()),
        tls_cipher_suite: Some("TLS_AES_128_GCM_SHA256".into()),
        srtp_suite: Some("AES_CM_128_HMAC_SHA1_80".into()),
        ..leg("192.0.2.1:40123")
    };
    CallDetail {
        schema: CallDetail::SCHEMA,
        transaction_id: facts.transaction_id,
        region: facts.region,
        direction: DetailDirection::Outbound,
        caller: facts.source.number,
        callee: facts.destination.number,
        calling_voice_connector: Some(facts.voice_connector_id),
        called_voice_connector: None,
        calling_carrier: None,
        carrier: Some("west".into()),
        emergency: false,
        routing_number: None,
        caller_call_id: facts.call_id,
        callee_call_id: Some("7f3a@192.0.2.1".into()),
        caller_leg: Some(secured),
        callee_leg: Some(leg("192.0.2.31:5060")),
        times: DetailTimes {
            invite: started,
            ringing: Some(started + 2_500),
            answer: Some(started + 3_500),
            end: started + 7_500,
        },
        ended_by: EndedBy::Callee,
        status: 200,
        cause: "OK".into(),
        reason: Some("Q.850;cause=16".into()),
        notes: Vec::new(),
        attempts: vec![attempt("east", "192.0.2.30:5060", started, started + 2_000), second],
        media: Some(MediaDetail::of(&figures())),
    }
}

/// What the media worker says of that call.
pub(crate) fn figures() -> CallStatistics {
    let flow = |rtp_packets, packets_lost, mos| FlowStatistics {
        rtp_packets,
        rtp_bytes: rtp_packets * 172,
        rtcp_packets: 1,
        rtcp_bytes: 80,
        packets_lost: Some(packets_lost),
        jitter: Some(Duration::from_micros(1_250)),
        max_jitter: Some(Duration::from_micros(4_000)),
        mos,
        ..FlowStatistics::default()
    };
    let leg = |received, sent, round_trip| LegStatistics {
        received,
        sent,
        round_trip,
        mos: Some(4.1),
        ..LegStatistics::default()
    };
    let bursts = |flow: FlowStatistics| FlowStatistics {
        duplicates: 2,
        interruptions: (1, 0),
        pattern: Some(LossPattern {
            bursts: Some(1),
            burst_density: 2.0 / 3.0,
            burst_duration: Duration::from_millis(60),
            gap_density: 2.0 / 197.0,
            gap_duration: Duration::from_millis(1_970),
            burst_ratio: Some(1.3),
        }),
        ..flow
    };
    let a = leg(bursts(flow(196, 4, Some(4.127))), flow(199, 0, Some(4.4)), Some(Duration::from_millis(20)));
    CallStatistics {
        period: Duration::from_millis(7_500),
        a: LegStatistics { srtcp_tag: Some(SrtcpTag::Bits32), ..a },
        b: leg(flow(199, 1, Some(4.36)), flow(196, 0, None), None),
    }
}

/// The call numbered `n`, with a transaction id of its own.
pub(crate) fn facts_of(n: u32) -> CallFacts {
    CallFacts { transaction_id: format_smolstr!("00000000-0000-4000-8000-{n:012}"), ..facts() }
}

/// The call numbered `n` when it was answered.
pub(crate) fn answered(n: u32) -> AnsweredCall {
    let state = format!("cseq {n}, routes <sip:edge;lr>").into_bytes();
    AnsweredCall { facts: facts_of(n), detail: None, state }
}
