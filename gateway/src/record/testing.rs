//! A call to test with.

use std::time::Duration;

use super::attempt::{AttemptDetail, EndedBy};
use super::detail::{CallDetail, DetailDirection, DetailTimes};
use super::facts::{AnsweredCall, CallFacts, Party};
use crate::direction::Direction;

/// An outbound call of 4 s that rang for 3.5 s.
pub(crate) fn facts() -> CallFacts {
    let started_at = Duration::from_millis(1_565_399_625_042);
    CallFacts {
        account: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        transaction_id: "0f8fad5b-d9cb-469f-a165-70867728950e".to_owned(),
        call_id: "a84b4c76e66710@pbx.example.com".to_owned(),
        voice_connector_id: "abcdef1ghij2klmno3pqr4".to_owned(),
        direction: Direction::Outbound,
        status_message: "OK".to_owned(),
        sip_auth_user: None,
        source: Party {
            number: "+12065550100".to_owned(),
            name: Some("Head office".to_owned()),
            country: Some("US".to_owned()),
        },
        destination: Party { number: "+16285551212".to_owned(), name: None, country: Some("US".to_owned()) },
        started_at,
        answered_at: Some(started_at + Duration::from_millis(3_500)),
        ended_at: started_at + Duration::from_millis(7_500),
        streaming: false,
        is_proxy_call: false,
    }
}

/// The same call, wide.
pub(crate) fn detail() -> CallDetail {
    let facts = facts();
    let started = crate::record::milliseconds(facts.started_at);
    let attempt = |carrier: &str, address: &str, started, ended| AttemptDetail {
        carrier: Some(carrier.to_owned()),
        voice_connector: None,
        host: "sip.carrier.example".to_owned(),
        address: address.parse().ok(),
        transport: "udp".to_owned(),
        started,
        ended: Some(ended),
        status: None,
        cause: "no response in time".to_owned(),
        because: Some("nothing was heard in time".to_owned()),
    };
    let second = AttemptDetail {
        status: Some(200),
        cause: "OK".to_owned(),
        because: None,
        ..attempt("west", "192.0.2.31:5060", started + 2_000, started + 3_500)
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
        carrier: Some("west".to_owned()),
        emergency: false,
        routing_number: None,
        caller_call_id: facts.call_id,
        callee_call_id: Some("7f3a@192.0.2.1".to_owned()),
        times: DetailTimes {
            invite: started,
            ringing: Some(started + 2_500),
            answer: Some(started + 3_500),
            end: started + 7_500,
        },
        ended_by: EndedBy::Callee,
        status: 200,
        cause: "OK".to_owned(),
        reason: Some("Q.850;cause=16".to_owned()),
        notes: Vec::new(),
        attempts: vec![attempt("east", "192.0.2.30:5060", started, started + 2_000), second],
    }
}

/// The call numbered `n`, with a transaction id of its own.
pub(crate) fn facts_of(n: u32) -> CallFacts {
    CallFacts { transaction_id: format!("00000000-0000-4000-8000-{n:012}"), ..facts() }
}

/// The call numbered `n` when it was answered.
pub(crate) fn answered(n: u32) -> AnsweredCall {
    let state = format!("cseq {n}, routes <sip:edge;lr>").into_bytes();
    AnsweredCall { facts: facts_of(n), detail: None, state }
}
