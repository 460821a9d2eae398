//! What the core knows about a call when it reports it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sip::text::phrase;

use super::detail::CallDetail;
use super::settled::Settled;
use crate::direction::Direction;

/// One end of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// E.164 with `+` where the call reached that far, else what was dialled or claimed; may be empty.
    pub number: String,
    /// Calling name; `None` where nobody gave one.
    pub name: Option<String>,
    /// ISO 3166 alpha-2 country of the number, `None` where the number has none.
    pub country: Option<String>,
}

/// Everything that a call detail record is made of.
///
/// A call between two connectors of this gateway is reported twice, once by each connector.
/// All times are durations since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFacts {
    /// `gateway.account`; may be empty.
    pub account: String,
    /// `gateway.region`, such as `us-east-1`.
    pub region: String,
    /// The gateway's UUID of the call.
    pub transaction_id: String,
    /// SIP Call-ID of the leg to the connector.
    pub call_id: String,
    /// The connector that the call is billed to.
    pub voice_connector_id: String,
    /// Seen from the customer.
    pub direction: Direction,
    /// How the call ended, in words: `OK`, or the cause of a refusal or failure.
    pub status_message: String,
    /// The digest user that the customer proved to be, if a challenge was answered.
    pub sip_auth_user: Option<String>,
    /// Who called.
    pub source: Party,
    /// Who was called.
    pub destination: Party,
    /// The INVITE arrived.
    pub started_at: Duration,
    /// The call was answered (2xx); `None`: it never was, and nobody is billed.
    pub answered_at: Option<Duration>,
    /// The call was over. Ignored in an [`AnsweredCall`].
    pub ended_at: Duration,
    /// Audio was streamed.
    pub streaming: bool,
    /// A proxy session joined the two.
    pub is_proxy_call: bool,
}

impl CallFacts {
    /// One set of facts for each connector of a call: the calling one (Outbound), the called one (Inbound), and those that
    /// sent it on (Outbound).
    #[must_use]
    pub fn of(settled: &Settled, gateway: &config::Gateway) -> Vec<Self> {
        let account = &settled.account;
        let mut message = match settled.cause.status.code() {
            200 => "OK".to_owned(),
            code => format!("{code} {}", settled.cause.text),
        };
        for note in &settled.notes {
            message.push_str("; ");
            message.push_str(note);
        }
        let facts = |connector: &String, direction: Direction, call_id: &str| CallFacts {
            account: gateway.account.clone().unwrap_or_default(),
            region: gateway.region.clone(),
            transaction_id: settled.transaction_id.to_string(),
            call_id: phrase(call_id),
            voice_connector_id: connector.clone(),
            direction,
            status_message: message.clone(),
            // The caller's login is no business of whom it calls.
            sip_auth_user: account
                .sip_auth_user
                .as_deref()
                .filter(|_| direction == Direction::Outbound)
                .map(phrase),
            source: Party {
                number: phrase(&account.caller),
                name: account.caller_name.clone(),
                country: account.caller_country.clone(),
            },
            destination: Party {
                number: phrase(&account.callee),
                name: account.callee_name.clone(),
                country: account.callee_country.clone(),
            },
            started_at: settled.times.started,
            answered_at: settled.times.answered,
            ended_at: settled.times.ended.unwrap_or(settled.times.started),
            streaming: false,
            is_proxy_call: false,
        };
        let b_call_id = settled.b_call_id.as_str();
        let outbound = account.outbound.iter().map(|id| facts(id, Direction::Outbound, &settled.a_call_id));
        let inbound = account.inbound.iter().map(|id| facts(id, Direction::Inbound, b_call_id));
        let forwards = account.forwards.iter().map(|forward| {
            let destination =
                Party { number: phrase(&forward.callee), name: None, country: forward.country.clone() };
            CallFacts { destination, ..facts(&forward.connector, Direction::Outbound, b_call_id) }
        });
        outbound.chain(inbound).chain(forwards).collect()
    }

    /// The key by which the journal pairs the answer of a call with its end.
    #[must_use]
    pub fn key(&self) -> CallKey {
        CallKey {
            transaction_id: self.transaction_id.clone(),
            voice_connector_id: self.voice_connector_id.clone(),
            direction: self.direction,
        }
    }
}

/// Names one connector's part in one call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallKey {
    /// The gateway's UUID of the call.
    pub transaction_id: String,
    /// The connector of this part.
    pub voice_connector_id: String,
    /// Seen from the customer.
    pub direction: Direction,
}

/// A call that was just answered, as the journal keeps it until its record arrives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnsweredCall {
    /// The record so far.
    pub facts: CallFacts,
    /// The wide record so far, with one of the call's entries.
    #[serde(default)]
    pub detail: Option<Box<CallDetail>>,
    /// Whatever the core needs to hang up both legs after a restart: tags, route sets, CSeq, flows.
    /// The journal does not look into it.
    pub state: Vec<u8>,
}
