//! The call detail record, schema 2.0.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::facts::CallFacts;
use super::usage::usage_type;
use crate::direction::Direction;

/// Calls are billed in steps of this many milliseconds.
const BILLING_STEP_MS: u128 = 6_000;

/// Whether a call was ever answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It was answered, however it ended.
    Completed,
    /// It never was.
    Failed,
}

/// One call of one connector, as it is delivered: one JSON object with these names in this order.
///
/// Every field is always there; a string that is not known is empty. What AWS's record does not have comes last.
///
/// Source: reference §10.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallDetailRecord {
    /// `gateway.account`.
    pub aws_account_id: SmolStr,
    /// The gateway's UUID of the call.
    pub transaction_id: SmolStr,
    /// SIP Call-ID of the leg to the connector.
    pub call_id: SmolStr,
    /// The connector that the call is billed to.
    pub voice_connector_id: SmolStr,
    /// Answered or not.
    pub status: Status,
    /// `OK`, or the cause in words.
    pub status_message: SmolStr,
    /// The digest user.
    pub sip_auth_user: SmolStr,
    /// From answer to end, rounded up to a multiple of 6 s; 0 where there was no answer.
    pub billable_duration_seconds: u64,
    /// The seconds ÷ 60; a multiple of 0.1.
    pub billable_duration_minutes: f64,
    /// `2.0`.
    pub schema_version: SmolStr,
    /// Who called, E.164.
    pub source_phone_number: SmolStr,
    /// The caller's name.
    pub source_phone_number_name: SmolStr,
    /// The caller's ISO 3166 country.
    pub source_country: SmolStr,
    /// Who was called, E.164.
    pub destination_phone_number: SmolStr,
    /// The called number's name.
    pub destination_phone_number_name: SmolStr,
    /// The called number's ISO 3166 country.
    pub destination_country: SmolStr,
    /// What the call is billed as, see [`usage_type`].
    pub usage_type: String,
    /// `AmazonChimeVoiceConnector`.
    pub service_code: SmolStr,
    /// Seen from the customer.
    pub direction: Direction,
    /// Arrival of the INVITE, whole seconds since the Unix epoch.
    pub start_time_epoch_seconds: u64,
    /// End of the call, whole seconds since the Unix epoch.
    pub end_time_epoch_seconds: u64,
    /// `gateway.region`.
    pub region: SmolStr,
    /// Audio was streamed.
    pub streaming: bool,
    /// A proxy session joined the two.
    pub is_proxy_call: bool,
    /// Ours: when the call was answered, whole seconds since the Unix epoch; null where it was not.
    pub answer_time_epoch_seconds: Option<u64>,
}

impl CallDetailRecord {
    /// The record of a call that is over.
    #[must_use]
    pub fn new(facts: &CallFacts) -> CallDetailRecord {
        let steps = billable_steps(facts.answered_at, facts.ended_at);
        CallDetailRecord {
            aws_account_id: facts.account.clone(),
            transaction_id: facts.transaction_id.clone(),
            call_id: facts.call_id.clone(),
            voice_connector_id: facts.voice_connector_id.clone(),
            status: if facts.answered_at.is_some() { Status::Completed } else { Status::Failed },
            status_message: facts.status_message.clone(),
            sip_auth_user: facts.sip_auth_user.clone().unwrap_or_default(),
            billable_duration_seconds: u64::from(steps) * 6,
            // A tenth of an integer prints as one: 0.1, never 0.30000000000000004.
            billable_duration_minutes: f64::from(steps) / 10.0,
            schema_version: SmolStr::new_static("2.0"),
            source_phone_number: facts.source.number.clone(),
            source_phone_number_name: facts.source.name.clone().unwrap_or_default(),
            source_country: facts.source.country.clone().unwrap_or_default(),
            destination_phone_number: facts.destination.number.clone(),
            destination_phone_number_name: facts.destination.name.clone().unwrap_or_default(),
            destination_country: facts.destination.country.clone().unwrap_or_default(),
            usage_type: usage_type(facts),
            service_code: SmolStr::new_static("AmazonChimeVoiceConnector"),
            direction: facts.direction,
            start_time_epoch_seconds: facts.started_at.as_secs(),
            end_time_epoch_seconds: facts.ended_at.as_secs(),
            region: facts.region.clone(),
            streaming: facts.streaming,
            is_proxy_call: facts.is_proxy_call,
            answer_time_epoch_seconds: facts.answered_at.map(|at| at.as_secs()),
        }
    }
}

/// Started billing steps between answer and end. A clock that was set back bills nothing.
fn billable_steps(answered_at: Option<Duration>, ended_at: Duration) -> u32 {
    let Some(answered_at) = answered_at else { return 0 };
    let talked_ms = ended_at.saturating_sub(answered_at).as_millis();
    u32::try_from(talked_ms.div_ceil(BILLING_STEP_MS)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::facts;

    #[test]
    fn a_record_is_this_json() {
        let json = serde_json::to_string_pretty(&CallDetailRecord::new(&facts())).unwrap();
        assert_eq!(
            json,
            r#"{
  "AwsAccountId": "111122223333",
  "TransactionId": "0f8fad5b-d9cb-469f-a165-70867728950e",
  "CallId": "a84b4c76e66710@pbx.example.com",
  "VoiceConnectorId": "abcdef1ghij2klmno3pqr4",
  "Status": "Completed",
  "StatusMessage": "OK",
  "SipAuthUser": "",
  "BillableDurationSeconds": 6,
  "BillableDurationMinutes": 0.1,
  "SchemaVersion": "2.0",
  "SourcePhoneNumber": "+12065550100",
  "SourcePhoneNumberName": "Head office",
  "SourceCountry": "US",
  "DestinationPhoneNumber": "+16285551212",
  "DestinationPhoneNumberName": "",
  "DestinationCountry": "US",
  "UsageType": "USE1-US-US-outbound-minutes",
  "ServiceCode": "AmazonChimeVoiceConnector",
  "Direction": "Outbound",
  "StartTimeEpochSeconds": 1565399625,
  "EndTimeEpochSeconds": 1565399632,
  "Region": "us-east-1",
  "Streaming": false,
  "IsProxyCall": false,
  "AnswerTimeEpochSeconds": 1565399628
}"#
        );
    }

    #[test]
    fn an_unanswered_call_failed_and_costs_nothing() {
        let record = CallDetailRecord::new(&CallFacts {
            answered_at: None,
            status_message: "Busy Here".into(),
            sip_auth_user: Some("branch".into()),
            ..facts()
        });
        assert_eq!(record.status, Status::Failed);
        assert_eq!(record.status_message, "Busy Here");
        assert_eq!(record.sip_auth_user, "branch");
        assert_eq!((record.billable_duration_seconds, record.answer_time_epoch_seconds), (0, None));
        assert_eq!(serde_json::to_value(&record).unwrap()["Status"], "Failed");
    }

    #[test]
    fn every_started_six_seconds_are_billed() {
        for (talked_ms, seconds, minutes) in [
            (0, 0, "0.0"),
            (1, 6, "0.1"),
            (4_000, 6, "0.1"),
            (6_000, 6, "0.1"),
            (6_001, 12, "0.2"),
            (17_500, 18, "0.3"),
            (60_000, 60, "1.0"),
            (3_600_001, 3_606, "60.1"),
        ] {
            let mut facts = facts();
            facts.ended_at = facts.answered_at.unwrap() + Duration::from_millis(talked_ms);
            let record = CallDetailRecord::new(&facts);
            assert_eq!(record.billable_duration_seconds, seconds, "{talked_ms}");
            assert_eq!(serde_json::to_string(&record.billable_duration_minutes).unwrap(), minutes);
        }
    }

    #[test]
    fn a_clock_set_back_bills_nothing() {
        let record = CallDetailRecord::new(&CallFacts { ended_at: Duration::ZERO, ..facts() });
        assert_eq!(record.billable_duration_seconds, 0);
    }
}
