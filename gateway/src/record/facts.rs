//! What the core knows about a call when it reports it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sip::text::shared_phrase;
use smol_str::{SmolStr, format_smolstr};

use super::detail::CallDetail;
use super::settled::Settled;
use crate::direction::Direction;

/// One end of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// E.164 with `+` where the call reached that far, else what was dialled or claimed; may be empty.
    pub number: SmolStr,
    /// Calling name; `None` where nobody gave one.
    pub name: Option<SmolStr>,
    /// ISO 3166 alpha-2 country of the number, `None` where the number has none.
    pub country: Option<SmolStr>,
}

/// Everything that a call detail record is made of.
///
/// A call between two connectors of this gateway is reported twice, once by each connector.
/// All times are durations since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFacts {
    /// `gateway.account`; may be empty.
    pub account: SmolStr,
    /// `gateway.region`, such as `us-east-1`.
    pub region: SmolStr,
    /// The gateway's UUID of the call.
    pub transaction_id: SmolStr,
    /// SIP Call-ID of the leg to the connector.
    pub call_id: SmolStr,
    /// The connector that the call is billed to.
    pub voice_connector_id: SmolStr,
    /// Seen from the customer.
    pub direction: Direction,
    /// How the call ended, in words: `OK`, or the cause of a refusal or failure.
    pub status_message: SmolStr,
    /// The digest user that the customer proved to be, if a challenge was answered.
    pub sip_auth_user: Option<SmolStr>,
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
    pub fn of(settled: &Settled, gateway: &config::Gateway) -> impl Iterator<Item = Self> {
        let Settled { account, times, a_call_id, b_call_id, .. } = settled;
        let outbound = account.outbound.iter().map(move |id| (id, Direction::Outbound, a_call_id, None));
        let inbound = account.inbound.iter().map(move |id| (id, Direction::Inbound, b_call_id, None));
        let forwards = account.forwards.iter();
        let forwards =
            forwards.map(move |sent_on| (&sent_on.connector, Direction::Outbound, b_call_id, Some(sent_on)));
        let message = message(settled);
        outbound.chain(inbound).chain(forwards).map(move |(connector, direction, call_id, sent_on)| {
            CallFacts {
                account: gateway.account.as_deref().unwrap_or_default().into(),
                region: gateway.region.as_str().into(),
                transaction_id: settled.transaction_id.clone(),
                call_id: shared_phrase(call_id),
                voice_connector_id: connector.clone(),
                direction,
                status_message: message.clone(),
                // The caller's login is no business of whom it calls.
                sip_auth_user: account
                    .sip_auth_user
                    .as_ref()
                    .filter(|_| direction == Direction::Outbound)
                    .map(shared_phrase),
                source: Party {
                    number: shared_phrase(&account.caller),
                    name: account.caller_name.clone(),
                    country: account.caller_country.clone(),
                },
                destination: match sent_on {
                    Some(forward) => Party {
                        number: shared_phrase(&forward.callee),
                        name: None,
                        country: forward.country.clone(),
                    },
                    None => Party {
                        number: shared_phrase(&account.callee),
                        name: account.callee_name.clone(),
                        country: account.callee_country.clone(),
                    },
                },
                started_at: times.started,
                answered_at: times.answered,
                ended_at: times.ended.unwrap_or(times.started),
                streaming: (account.recording && times.answered.is_some())
                    || settled.streamed.contains(connector),
                is_proxy_call: false,
            }
        })
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

/// How a call ended, in words: `OK`, or the cause with its status; then what else there is to say.
fn message(settled: &Settled) -> SmolStr {
    let cause = match settled.cause.status.code() {
        200 => SmolStr::new_static("OK"),
        code => format_smolstr!("{code} {}", settled.cause.text),
    };
    match settled.notes.as_slice() {
        [] => cause,
        notes => format_smolstr!("{cause}; {}", notes.join("; ")),
    }
}

/// Names one connector's part in one call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallKey {
    /// The gateway's UUID of the call.
    pub transaction_id: SmolStr,
    /// The connector of this part.
    pub voice_connector_id: SmolStr,
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
