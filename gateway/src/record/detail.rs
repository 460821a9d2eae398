//! The wide record: what became of one call, all in one place, beside the call detail records of its connectors.

use serde::{Deserialize, Serialize};
use sip::text::phrase;

use super::attempt::{AttemptDetail, EndedBy};
use super::milliseconds;
use super::settled::Settled;

/// The format that this program writes.
const SCHEMA: u32 = 1;

/// One call, as it is delivered: one JSON object with these names in this order. Every field is always there; what is not
/// known is null. Times are whole milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallDetail {
    /// Version of this format.
    pub schema: u32,
    /// The gateway's UUID of the call, as in its call detail records and in the log.
    pub transaction_id: String,
    /// `gateway.region`.
    pub region: String,
    /// Seen from the customer; `on_net`: from one connector to another.
    pub direction: DetailDirection,
    /// Who called: E.164, or what stood there.
    pub caller: String,
    /// Who was called: E.164, or the digits of an emergency call.
    pub callee: String,
    /// The connector that called.
    pub calling_voice_connector: Option<String>,
    /// The connector that was called: the one that answered or was tried last.
    pub called_voice_connector: Option<String>,
    /// The carrier that the call came from.
    pub calling_carrier: Option<String>,
    /// The carrier that took the call; null also where none did.
    pub carrier: Option<String>,
    /// Whether it was an emergency call.
    pub emergency: bool,
    /// Where an emergency call went instead of its digits, E.164.
    pub routing_number: Option<String>,
    /// SIP Call-ID of the leg to the caller.
    pub caller_call_id: String,
    /// SIP Call-ID of the leg to the callee; null where nobody was asked.
    pub callee_call_id: Option<String>,
    /// When what happened.
    pub times: DetailTimes,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// How, as a status: 200 where a party hung up a call that was answered.
    pub status: u16,
    /// The same in words.
    pub cause: String,
    /// The `Reason` of the BYE, CANCEL or refusal that ended it (RFC 3326).
    pub reason: Option<String>,
    /// What else there is to say, such as a late answer that was released.
    pub notes: Vec<String>,
    /// Every host that was tried, in order.
    pub attempts: Vec<AttemptDetail>,
}

/// Which way a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetailDirection {
    /// A carrier called a connector.
    Inbound,
    /// A connector called by a carrier.
    Outbound,
    /// A connector called a connector.
    OnNet,
}

/// When what happened to a call, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetailTimes {
    /// The INVITE came.
    pub invite: u64,
    /// The caller first heard it ring.
    pub ringing: Option<u64>,
    /// The caller was told that it is answered.
    pub answer: Option<u64>,
    /// It was over.
    pub end: u64,
}

impl CallDetail {
    /// All that is known of a call, in one place.
    #[must_use]
    pub fn of(settled: &Settled, region: &str) -> Self {
        let (account, times) = (&settled.account, &settled.times);
        let tried = settled.b_call_id != settled.a_call_id;
        Self {
            schema: SCHEMA,
            transaction_id: settled.transaction_id.to_string(),
            region: region.to_owned(),
            direction: match (&account.outbound, &account.inbound) {
                (Some(_), Some(_)) => DetailDirection::OnNet,
                (Some(_), None) => DetailDirection::Outbound,
                (None, _) => DetailDirection::Inbound,
            },
            caller: phrase(&account.caller),
            callee: phrase(&account.callee),
            calling_voice_connector: account.outbound.clone(),
            called_voice_connector: account.inbound.clone(),
            calling_carrier: account.carrier.clone(),
            carrier: settled.carrier.clone(),
            emergency: account.emergency,
            routing_number: account.routing_number.clone(),
            caller_call_id: phrase(&settled.a_call_id),
            callee_call_id: tried.then(|| phrase(&settled.b_call_id)),
            times: DetailTimes {
                invite: milliseconds(times.started),
                ringing: times.ringing.map(milliseconds),
                answer: times.answered.map(milliseconds),
                end: milliseconds(times.ended.unwrap_or(times.started)),
            },
            ended_by: settled.ended_by,
            status: settled.cause.status.code(),
            cause: phrase(&settled.cause.text),
            reason: settled.reason.clone(),
            notes: settled.notes.clone(),
            attempts: settled.attempts.clone(),
        }
    }

    /// The format that this program writes.
    pub const SCHEMA: u32 = SCHEMA;
}

#[cfg(test)]
mod tests {
    use crate::record::testing::detail;

    #[test]
    fn a_record_is_this_json() {
        let json = serde_json::to_string_pretty(&detail()).unwrap();
        assert_eq!(
            json,
            r#"{
  "schema": 1,
  "transaction_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
  "region": "us-east-1",
  "direction": "outbound",
  "caller": "+12065550100",
  "callee": "+16285551212",
  "calling_voice_connector": "abcdef1ghij2klmno3pqr4",
  "called_voice_connector": null,
  "calling_carrier": null,
  "carrier": "west",
  "emergency": false,
  "routing_number": null,
  "caller_call_id": "a84b4c76e66710@pbx.example.com",
  "callee_call_id": "7f3a@192.0.2.1",
  "times": {
    "invite": 1565399625042,
    "ringing": 1565399627542,
    "answer": 1565399628542,
    "end": 1565399632542
  },
  "ended_by": "callee",
  "status": 200,
  "cause": "OK",
  "reason": "Q.850;cause=16",
  "notes": [],
  "attempts": [
    {
      "carrier": "east",
      "voice_connector": null,
      "host": "sip.carrier.example",
      "address": "192.0.2.30:5060",
      "transport": "udp",
      "started": 1565399625042,
      "ended": 1565399627042,
      "status": null,
      "cause": "no response in time",
      "because": "nothing was heard in time"
    },
    {
      "carrier": "west",
      "voice_connector": null,
      "host": "sip.carrier.example",
      "address": "192.0.2.31:5060",
      "transport": "udp",
      "started": 1565399627042,
      "ended": 1565399628542,
      "status": 200,
      "cause": "OK",
      "because": null
    }
  ]
}"#
        );
    }
}
