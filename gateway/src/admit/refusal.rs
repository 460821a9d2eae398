//! Why a call is refused, and what follows from that.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use config::{ConnectorId, CountryCode, E164, NumberFormat, Prefix};
use sip::text::word;

use crate::number::Surcharge;
use crate::peer::Transport;
use crate::reply::Cause;

/// When to ask again what is out of service: another one will be asked meanwhile.
pub const DRAINED_AFTER: Duration = Duration::from_secs(30);

/// Why a call is not taken. Displays as the cause in words: the reason phrase, the text of `Reason`, and the
/// status message of the call's record.
///
/// Words that a peer sent are shown as printable ASCII, cut to 64 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// No allowlist holds the source.
    UnknownSource {
        /// The source.
        address: IpAddr,
    },
    /// The named connector's allowlist does not hold the source; another's does.
    SourceNotListed {
        /// The connector named by the Request-URI.
        connector: ConnectorId,
        /// The source.
        address: IpAddr,
    },
    /// The source is listed, but the Request-URI names no connector.
    UnknownConnector {
        /// The host of the Request-URI.
        host: String,
    },
    /// Several connectors list the source, and nothing tells which of them is meant.
    AmbiguousConnector {
        /// The source.
        address: IpAddr,
    },
    /// The connector takes no outbound calls.
    TerminationOff {
        /// The connector.
        connector: ConnectorId,
    },
    /// The connector takes no recording sessions.
    RecordingOff {
        /// The connector.
        connector: ConnectorId,
    },
    /// The connector is encrypted and the message came without TLS.
    PlainSignalling {
        /// The connector.
        connector: ConnectorId,
        /// What carried the message.
        transport: Transport,
    },
    /// The connector is encrypted and the offer is plain RTP.
    PlainMedia {
        /// The connector.
        connector: ConnectorId,
    },
    /// Wrong credentials too often.
    Digest {
        /// The connector.
        connector: ConnectorId,
    },
    /// Credentials that are right for another number than the one that is called.
    DigestTarget {
        /// The connector.
        connector: ConnectorId,
    },
    /// Emergency digits for which the connector has no entry.
    NoEmergencyEntry {
        /// The digits.
        digits: String,
    },
    /// What was dialled is no number as the customer writes them.
    NotANumber {
        /// What was dialled.
        dialled: String,
        /// `termination.number_format`.
        format: NumberFormat,
    },
    /// The caller may not show this number.
    CallerId {
        /// The number or word that was shown.
        caller: String,
    },
    /// The dialled country is not in the calling plan.
    CallingPlan {
        /// The number.
        number: E164,
        /// Its country; none where no plan has the number.
        country: Option<CountryCode>,
    },
    /// The number begins with a denied prefix.
    DeniedPrefix {
        /// The number.
        number: E164,
        /// The prefix.
        prefix: Prefix,
    },
    /// A premium, personal or non-country number that `allow_premium` does not name.
    Premium {
        /// The number.
        number: E164,
        /// What it is.
        surcharge: Surcharge,
    },
    /// Nobody has the number that a carrier dialled.
    NotAssigned {
        /// What was dialled.
        dialled: String,
    },
    /// The connector that has the number takes no inbound calls.
    OriginationOff {
        /// The connector.
        connector: ConnectorId,
    },
    /// No carrier takes the number.
    NoCarrier {
        /// The number.
        number: E164,
    },
    /// The connectors that have the number have no route, and nobody has registered.
    NotRegistered {
        /// The number.
        number: E164,
    },
    /// The connectors that have the number have no route.
    NoRoute {
        /// The number.
        number: E164,
    },
    /// Every route wants a transport that no listener has.
    NoListener {
        /// The number.
        number: E164,
    },
    /// The operator has taken whose call it is, or every place where it could go, out of service.
    Draining {
        /// What drains, in words.
        what: String,
    },
    /// The calls of a connector are to be recorded or not to be, and recordings can't be written.
    Unrecorded {
        /// The connector.
        connector: ConnectorId,
    },
    /// The connector's calls are to be streamed or not to be, and a sink takes none.
    Unstreamed {
        /// The connector.
        connector: ConnectorId,
        /// The sink's name.
        sink: String,
    },
    /// The connector's calls have talked outwards for as long as they may in one day.
    DailyMinutes {
        /// The connector.
        connector: ConnectorId,
        /// `termination.daily_minutes`.
        limit: u32,
    },
    /// Too many new calls in this second.
    CallsPerSecond {
        /// Whose limit it is: a connector's id or a carrier's name.
        whose: String,
        /// The limit.
        limit: u32,
        /// When to come again.
        retry_after: Duration,
    },
    /// Too many calls at one time that are not answered and acknowledged yet.
    UnansweredCalls {
        /// Whose calls they are: a connector's id or a carrier's name.
        whose: String,
        /// The limit.
        limit: u32,
        /// When to come again.
        retry_after: Duration,
    },
    /// Too many calls at one time.
    ConcurrentCalls {
        /// Whose limit it is: a connector's id or a carrier's name.
        whose: String,
        /// The limit.
        limit: u32,
        /// When to come again.
        retry_after: Duration,
    },
}

/// What the peer hears of a refusal, and what is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Status code of the answer.
    pub status: u16,
    /// The cause in words; the reason phrase.
    pub phrase: String,
    /// The label of the counter of refusals.
    pub cause: &'static str,
    /// Whether the refusal counts as a throttle of the connector too.
    pub throttle: bool,
    /// After some of these from one source: no answer at all.
    pub silence: bool,
    /// The value of Retry-After.
    pub retry_after: Option<Duration>,
}

impl Verdict {
    /// The value of the `Reason` header: `SIP;cause=403;text="..."`. RFC 3326.
    pub fn reason(&self) -> String {
        let text = self.phrase.replace('\\', "\\\\").replace('"', "\\\"");
        format!("SIP;cause={};text=\"{text}\"", self.status)
    }
}

impl From<Verdict> for Cause {
    fn from(verdict: Verdict) -> Cause {
        Cause { retry_after: verdict.retry_after, ..Cause::new(verdict.status, verdict.phrase) }
    }
}

impl Refusal {
    /// The operator has taken every place out of service where a call to `number` could go.
    pub fn every_way_drains(number: &E164) -> Refusal {
        Refusal::Draining { what: format!("every way to {number}") }
    }

    /// Whether routing found no way.
    pub fn is_of_routing(&self) -> bool {
        matches!(
            self,
            Refusal::NoCarrier { .. }
                | Refusal::NotRegistered { .. }
                | Refusal::NoRoute { .. }
                | Refusal::NoListener { .. }
                | Refusal::Draining { .. }
        )
    }

    /// The one place that decides what the peer hears and which counter moves. Whether a record is written is
    /// [`super::Decision::is_recorded`].
    pub fn verdict(&self) -> Verdict {
        let (status, cause) = match self {
            Refusal::UnknownSource { .. } => (403, "source"),
            Refusal::SourceNotListed { .. } => (403, "source_not_listed"),
            Refusal::UnknownConnector { .. } => (404, "unknown_connector"),
            Refusal::AmbiguousConnector { .. } => (404, "ambiguous_connector"),
            Refusal::TerminationOff { .. } => (403, "termination_off"),
            Refusal::RecordingOff { .. } => (403, "recording_off"),
            Refusal::PlainSignalling { .. } => (403, "encryption"),
            Refusal::PlainMedia { .. } => (488, "encryption"), // As for every other offer that does not suit.
            Refusal::Digest { .. } | Refusal::DigestTarget { .. } => (403, "digest"),
            Refusal::NoEmergencyEntry { .. } => (404, "no_emergency_entry"),
            Refusal::NotANumber { .. } => (484, "not_e164"),
            Refusal::CallerId { .. } => (403, "caller_id"),
            Refusal::CallingPlan { .. } => (403, "calling_plan"),
            Refusal::DeniedPrefix { .. } => (403, "denied_prefix"),
            Refusal::Premium { .. } => (403, "premium"),
            // No word on the trunk, as 503 would be: calls for help go on, and so do those of others.
            Refusal::DailyMinutes { .. } => (403, "daily_minutes"),
            Refusal::NotAssigned { .. } => (404, "not_assigned"),
            Refusal::OriginationOff { .. } => (403, "origination_off"),
            Refusal::NoCarrier { .. } => (404, "no_carrier"),
            Refusal::NotRegistered { .. } => (480, "not_registered"), // RFC 3261 §16.5
            Refusal::NoRoute { .. } => (503, "no_route"),
            Refusal::NoListener { .. } => (503, "no_listener"),
            Refusal::Draining { .. } => (503, "draining"),
            Refusal::Unrecorded { .. } => (503, "recording"),
            Refusal::Unstreamed { .. } => (503, "streaming"),
            Refusal::CallsPerSecond { .. } => (503, "cps"),
            Refusal::ConcurrentCalls { .. } => (503, "concurrent_calls"),
            Refusal::UnansweredCalls { .. } => (503, "unanswered_calls"),
        };
        let retry_after = match self {
            Refusal::CallsPerSecond { retry_after, .. }
            | Refusal::ConcurrentCalls { retry_after, .. }
            | Refusal::UnansweredCalls { retry_after, .. } => Some(*retry_after),
            Refusal::Draining { .. } => Some(DRAINED_AFTER),
            _ => None,
        };
        Verdict {
            status,
            phrase: self.to_string(),
            cause,
            throttle: retry_after.is_some() && !matches!(self, Refusal::Draining { .. }),
            silence: matches!(self, Refusal::UnknownSource { .. }),
            retry_after,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::UnknownSource { address } => write!(f, "Source {address} is not listed"),
            Refusal::SourceNotListed { connector, address } => {
                write!(f, "Source {address} is not listed for voice connector {connector}")
            }
            Refusal::UnknownConnector { host } => write!(f, "No voice connector at {}", word(host)),
            Refusal::AmbiguousConnector { address } => {
                write!(f, "Several voice connectors list {address}, call one by its host name")
            }
            Refusal::TerminationOff { connector } => {
                write!(f, "Termination is off for voice connector {connector}")
            }
            Refusal::RecordingOff { connector } => {
                write!(f, "Voice connector {connector} takes no recording sessions")
            }
            Refusal::PlainSignalling { connector, transport } => {
                write!(f, "Voice connector {connector} takes TLS only, not {transport}")
            }
            Refusal::PlainMedia { connector } => write!(f, "Voice connector {connector} takes SRTP only"),
            Refusal::Digest { .. } => f.write_str("Too many wrong credentials"),
            Refusal::DigestTarget { .. } => f.write_str("The credentials are for another number"),
            Refusal::NoEmergencyEntry { digits } => write!(f, "No emergency entry for {digits}"),
            Refusal::NotANumber { dialled, format: NumberFormat::E164 } => {
                write!(f, "{} is not an E.164 number with +", word_or(dialled, "Nothing dialled"))
            }
            Refusal::NotANumber { dialled, format } => {
                write!(f, "{} is no number written as {format}", word_or(dialled, "Nothing dialled"))
            }
            Refusal::CallerId { caller } => {
                write!(f, "Caller Id {} is not valid", word_or(caller, "anonymous"))
            }
            Refusal::CallingPlan { number, country: Some(country) } => {
                write!(f, "{country} is not in the calling plan: {number}")
            }
            Refusal::CallingPlan { number, country: None } => write!(f, "No country has the number {number}"),
            Refusal::DeniedPrefix { number, prefix } => write!(f, "Prefix {prefix} is denied: {number}"),
            Refusal::Premium { number, surcharge } => {
                write!(f, "Premium numbers are not allowed: {number}, {surcharge}")
            }
            Refusal::NotAssigned { dialled } => {
                write!(f, "Number {} is not assigned", word_or(dialled, "(none)"))
            }
            Refusal::OriginationOff { connector } => {
                write!(f, "Origination is off for voice connector {connector}")
            }
            Refusal::NoCarrier { number } => write!(f, "No carrier for {number}"),
            Refusal::NotRegistered { number } => write!(f, "Nobody has registered for {number}"),
            Refusal::NoRoute { number } => write!(f, "No route to {number}"),
            Refusal::NoListener { number } => {
                write!(f, "No listener has the transport of any route to {number}")
            }
            Refusal::DailyMinutes { connector, limit } => {
                write!(f, "All {limit} minutes of this day are used by voice connector {connector}")
            }
            Refusal::Unrecorded { connector } => {
                write!(f, "Calls of voice connector {connector} can't be recorded now")
            }
            Refusal::Unstreamed { connector, sink } => {
                write!(f, "Calls of voice connector {connector} can't be streamed to {sink} now")
            }
            Refusal::Draining { what } => write!(f, "No new calls now: {what} is draining"),
            Refusal::CallsPerSecond { whose, limit, .. } => {
                write!(f, "More than {limit} calls per second for {whose}")
            }
            Refusal::ConcurrentCalls { whose, limit, .. } => {
                write!(f, "More than {limit} calls at one time for {whose}")
            }
            Refusal::UnansweredCalls { whose, limit, .. } => {
                write!(f, "More than {limit} calls at one time that are not answered for {whose}")
            }
        }
    }
}

fn word_or(text: &str, nothing: &str) -> String {
    if text.is_empty() { nothing.to_owned() } else { word(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_word_cannot_leave_its_line() {
        let refusal = Refusal::CallerId { caller: "1\r\nX: \"ü\\".into() };
        assert_eq!(refusal.to_string(), "Caller Id 1??X: \"?\\ is not valid");
        assert_eq!(
            refusal.verdict().reason(),
            "SIP;cause=403;text=\"Caller Id 1??X: \\\"?\\\\ is not valid\""
        );
        let long = Refusal::NotAssigned { dialled: "9".repeat(1000) };
        assert!(long.to_string().len() < 100);
    }
}
