//! A call to test with.

use std::time::Duration;

use super::facts::{AnsweredCall, CallFacts, Direction, Party};

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

/// The call numbered `n`, with a transaction id of its own.
pub(crate) fn facts_of(n: u32) -> CallFacts {
    CallFacts { transaction_id: format!("00000000-0000-4000-8000-{n:012}"), ..facts() }
}

/// The call numbered `n` when it was answered.
pub(crate) fn answered(n: u32) -> AnsweredCall {
    AnsweredCall { facts: facts_of(n), state: serde_json::json!({ "cseq": n, "routes": ["<sip:edge;lr>"] }) }
}
