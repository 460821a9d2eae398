//! Which calls are asked for, and one line of each.

use serde::{Deserialize, Serialize};

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// Routes are tried, and nobody rings.
    Dialling,
    /// The caller hears it ring.
    Ringing,
    /// The callee has accepted; the caller does not know yet.
    Accepted,
    /// Both parties talk, or could.
    Up,
    /// The party that was transferred is in another call, and who asked for that has not hung up.
    Handed,
    /// Over: late messages are waited for.
    Over,
}

impl CallState {
    /// All of them, in order.
    pub const ALL: [CallState; 6] = {
        use CallState::{Accepted, Dialling, Handed, Over, Ringing, Up};
        [Dialling, Ringing, Accepted, Up, Handed, Over]
    };

    /// One word, as in JSON and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            CallState::Dialling => "dialling",
            CallState::Ringing => "ringing",
            CallState::Accepted => "accepted",
            CallState::Up => "up",
            CallState::Handed => "handed",
            CallState::Over => "over",
        }
    }
}

/// Which calls are asked for: those that are all of this. The default takes every call that is not over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallFilter {
    /// Part of the caller's or the callee's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// A voice connector that calls, is called, or sent the call on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connector: Option<String>,
    /// A carrier that calls, or is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// Calls that are over only where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<CallState>,
    /// Begun so many seconds ago, or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than: Option<u64>,
    /// Begun so many seconds ago, or less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub younger_than: Option<u64>,
    /// The beginning of the gateway's UUID of a call, or the whole SIP Call-ID of one of its legs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A call, as far as a list of calls tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallLine {
    /// The gateway's UUID of the call, as in its records and in the log.
    pub id: String,
    /// The call in the gateway's own numbering, for who asks more about it.
    pub key: u64,
    /// How far it is.
    pub state: CallState,
    /// Who calls: E.164, or what stood there.
    pub caller: String,
    /// Who is called: E.164, or the digits of an emergency call.
    pub callee: String,
    /// The connector that calls.
    pub calling_voice_connector: Option<String>,
    /// The connector that is called.
    pub called_voice_connector: Option<String>,
    /// The carrier that the call comes from.
    pub calling_carrier: Option<String>,
    /// The carrier that is tried, or took the call.
    pub carrier: Option<String>,
    /// Whether it is an emergency call.
    pub emergency: bool,
    /// When the INVITE came, in milliseconds since the Unix epoch.
    pub started: u64,
    /// Seconds since then.
    pub seconds: u64,
    /// Seconds since it was answered.
    pub talked: Option<u64>,
    /// Mean opinion score of its media so far, of the direction that is worse; none before the first minute is over.
    #[serde(default)]
    pub mos: Option<f64>,
}

/// Some calls of a shard, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// A line each. There may be none though there is a next page.
    pub calls: Vec<CallLine>,
    /// Where the next page begins; `None`: this is the last.
    pub next: Option<u64>,
}
