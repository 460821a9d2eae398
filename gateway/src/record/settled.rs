//! What is known of a call when it is over, or was refused: its records are made of this.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::attempt::{AttemptDetail, EndedBy};
use super::leg::LegDetail;
use crate::reply::Cause;

/// When things happened, as time since the Unix epoch. Plain data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// The INVITE came.
    pub started: Duration,
    /// The caller first heard it ring.
    #[serde(default)]
    pub ringing: Option<Duration>,
    /// The callee's 2xx came.
    pub answered: Option<Duration>,
    /// The first BYE, CANCEL, final failure or time-out.
    pub ended: Option<Duration>,
}

/// Who the parties are and who is billed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The caller's number, E.164, or what stood there.
    pub caller: SmolStr,
    /// The dialled number, E.164, or the emergency digits.
    pub callee: SmolStr,
    /// The caller's calling name, where the inventory has it.
    pub caller_name: Option<SmolStr>,
    /// The callee's.
    pub callee_name: Option<SmolStr>,
    /// The caller's ISO 3166 country, where known.
    pub caller_country: Option<SmolStr>,
    /// The callee's.
    pub callee_country: Option<SmolStr>,
    /// The connector that calls out: gets an Outbound record.
    pub outbound: Option<SmolStr>,
    /// The connector that is called (set when a route to it is tried): gets an Inbound record.
    pub inbound: Option<SmolStr>,
    /// The connectors that sent the call on, each to the next: gets an Outbound record.
    #[serde(default)]
    pub forwards: Vec<Forward>,
    /// The user that digest verified.
    pub sip_auth_user: Option<SmolStr>,
    /// Whether this is an emergency call.
    pub emergency: bool,
    /// Where an emergency call goes instead of the digits.
    #[serde(default)]
    pub routing_number: Option<SmolStr>,
    /// The carrier that the call comes from.
    #[serde(default)]
    pub carrier: Option<SmolStr>,
    /// It is no call but a recording session: what the parties of a call elsewhere say comes here.
    #[serde(default)]
    pub recording: bool,
}

/// A connector whose system sent a call on to another number, and pays for that part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// Its id.
    pub connector: SmolStr,
    /// The number that the call was sent on to.
    pub callee: SmolStr,
    /// Its ISO 3166 country, where known.
    pub country: Option<SmolStr>,
}

/// A transaction id as it stands in records.
pub fn transaction_id(id: uuid::Uuid) -> SmolStr {
    id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()).into()
}

/// A call's end, for its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The gateway's UUID of the call.
    pub transaction_id: SmolStr,
    /// Whose it was.
    pub account: Account,
    /// When what happened.
    pub times: Times,
    /// The SIP Call-ID of the a-leg.
    pub a_call_id: SmolStr,
    /// That of the b-leg; the a-leg's when nothing was tried.
    pub b_call_id: SmolStr,
    /// Why it ended; 200 when a party hung up an answered call.
    pub cause: Cause,
    /// What else its record should say.
    pub notes: Vec<String>,
    /// The carrier that took the call.
    pub carrier: Option<SmolStr>,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// The value of the Reason header that a party gave.
    pub reason: Option<SmolStr>,
    /// The hosts that were tried.
    pub attempts: Vec<AttemptDetail>,
    /// The way to the caller; none: nobody has one.
    pub caller_leg: Option<LegDetail>,
    /// That to the callee, once one has taken the call.
    pub callee_leg: Option<LegDetail>,
    /// The connectors whose sinks its sound went to.
    pub streamed: Vec<SmolStr>,
}
