//! What admission looked at, as lines.

use std::fmt;
use std::net::IpAddr;

use config::{CallerIdPolicy, CarrierName, ConnectorId, E164, NumberFormat, Owner, Prefix};
use sip::text::word;

use crate::number::{Numbering, Rewritten, Surcharge};
use crate::peer::Transport;

use super::{CallerSource, EmergencyCall, OfferedMedia};

/// One thing that admission looked at, and what it found. Displays as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Whose allowlists hold the source.
    Source {
        /// The source; IPv4 where it came as a mapped IPv6 address.
        address: IpAddr,
        /// What carried the message.
        transport: Transport,
        /// The parties whose allowlists hold the source.
        listed: Listed,
    },
    /// Which connector the Request-URI means.
    Connector {
        /// Its host.
        host: String,
        /// The connector, and what told it.
        found: Option<(ConnectorId, ConnectorBy)>,
    },
    /// `termination.enabled`.
    Termination {
        /// The connector.
        connector: ConnectorId,
        /// On.
        enabled: bool,
    },
    /// `encryption` against the transport.
    Signalling {
        /// The connector takes TLS only.
        encryption: bool,
        /// What carried the message.
        transport: Transport,
    },
    /// `encryption` against the offer.
    Media {
        /// The connector takes SRTP only.
        encryption: bool,
        /// What is offered.
        offered: OfferedMedia,
    },
    /// `termination.credentials`.
    Digest(DigestStep),
    /// What was dialled are no emergency digits.
    NoEmergency {
        /// What was dialled.
        dialled: String,
    },
    /// Emergency digits with an entry.
    Emergency {
        /// What they are.
        call: EmergencyCall,
        /// Where they lead.
        number: E164,
    },
    /// Emergency digits without one.
    EmergencyWithoutEntry {
        /// The digits.
        digits: String,
    },
    /// The caller of an emergency call.
    EmergencyCaller {
        /// The number; none where the caller shows none.
        number: Option<E164>,
        /// Where it comes from.
        by: CallerSource,
    },
    /// A number rule of the side that calls was obeyed.
    Rewritten(Rewritten),
    /// What was dialled, as a number.
    Dialled {
        /// What was dialled.
        dialled: String,
        /// `termination.number_format`.
        format: NumberFormat,
        /// The number; none where it is none of the format.
        number: Option<E164>,
    },
    /// `termination.caller_id` takes the caller's place.
    CallerReplaced {
        /// The number shown instead.
        number: E164,
    },
    /// What names the caller is no number.
    CallerUnusable {
        /// What stands there; empty where nothing names the caller.
        text: String,
        /// `termination.caller_id_format`.
        format: NumberFormat,
        /// Where it comes from.
        by: CallerSource,
    },
    /// A number that names the caller and is not the one that is shown.
    CallerPassedOver {
        /// The number.
        number: E164,
        /// Where it comes from.
        by: CallerSource,
        /// The connector has it.
        owned: bool,
        /// The policy.
        policy: CallerIdPolicy,
    },
    /// The caller's number against `caller_id_policy`.
    CallerId {
        /// The number.
        number: E164,
        /// Where it comes from.
        by: CallerSource,
        /// The connector has it.
        owned: bool,
        /// The number of the connector that sent on the call of a foreign caller, and where it stands; looked at under
        /// `forwarded` only.
        forwarded: Option<(E164, CallerSource)>,
        /// The policy.
        policy: CallerIdPolicy,
    },
    /// The country of the number against the calling plan.
    CallingPlan {
        /// The number.
        number: E164,
        /// To whom it belongs.
        numbering: Numbering,
        /// Whether the number may be called.
        in_plan: bool,
    },
    /// `termination.denied_prefixes`.
    DeniedPrefixes {
        /// The prefix that the number begins with.
        denied: Option<Prefix>,
    },
    /// Premium and non-country codes against `termination.allow_premium`.
    Premium {
        /// What the number costs beyond its country.
        surcharge: Option<Surcharge>,
        /// The prefix that allows it.
        allowed: Option<Prefix>,
    },
    /// What a carrier dialled, in its format.
    Called {
        /// What was dialled.
        dialled: String,
        /// `carrier.inbound_number_format`.
        format: NumberFormat,
        /// The number; none where it is none of that format.
        number: Option<E164>,
    },
    /// The owner of the number.
    Assigned {
        /// The number.
        number: E164,
        /// A connector, a group, or nobody here.
        owner: Option<Owner>,
    },
    /// `origination.enabled`.
    Origination {
        /// The connector.
        connector: ConnectorId,
        /// On.
        enabled: bool,
    },
}

/// The parties whose allowlists hold a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// Nobody.
    Nowhere,
    /// Connectors; only the one of the Request-URI where that is among them.
    Connectors(Vec<ConnectorId>),
    /// A carrier.
    Carrier(CarrierName),
}

/// What told one connector from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectorBy {
    /// The host of the Request-URI, `<id>.<domain>`.
    Host,
    /// No other lists the source.
    Source,
    /// No other that lists the source owns the caller's number.
    Caller,
    /// The connector is the first that lists the source and has an entry for the emergency digits.
    Emergency,
}

/// What a connector's credentials had to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestStep {
    /// The connector has none.
    NotAsked,
    /// A user proved itself.
    Verified(String),
    /// The message has no credentials.
    Missing,
    /// Right, but for a nonce that is too old.
    Stale,
    /// Wrong.
    Wrong,
    /// Wrong too often.
    TooMany,
    /// Right, but computed for another number.
    OtherTarget,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Source { address, transport, listed } => {
                write!(f, "source: {address} over {transport} is listed ")?;
                match listed {
                    Listed::Nowhere => f.write_str("nowhere"),
                    Listed::Carrier(name) => write!(f, "for carrier {name}"),
                    Listed::Connectors(ids) => write!(f, "for voice connector {}", list(ids)),
                }
            }
            Step::Connector { host, found } => {
                write!(f, "connector: Request-URI host {} ", word(host))?;
                match found {
                    Some((id, ConnectorBy::Host)) => write!(f, "names {id}"),
                    Some((id, ConnectorBy::Source)) => write!(f, "is ours; the source means {id}"),
                    Some((id, ConnectorBy::Caller)) => write!(f, "is ours; the caller's number means {id}"),
                    Some((id, ConnectorBy::Emergency)) => write!(f, "is ours; {id} has the emergency entry"),
                    None => f.write_str("names no voice connector"),
                }
            }
            Step::Termination { connector, enabled } => {
                write!(f, "termination: {} for {connector}", on(*enabled))
            }
            Step::Signalling { encryption: false, transport } => {
                write!(f, "signalling: {transport}; encryption is off")
            }
            Step::Signalling { encryption: true, transport } => {
                write!(f, "signalling: {transport}; encryption is on, so TLS is required")
            }
            Step::Media { encryption, offered } => {
                let offered = match offered {
                    OfferedMedia::None => "no offer",
                    OfferedMedia::Plain => "plain RTP offered",
                    OfferedMedia::Srtp => "SRTP offered",
                };
                let required =
                    if *encryption { "encryption is on, so SRTP is required" } else { "encryption is off" };
                write!(f, "media: {offered}; {required}")
            }
            Step::Digest(step) => write!(f, "digest: {step}"),
            Step::NoEmergency { dialled } => {
                write!(f, "emergency: {} are no emergency digits", word(dialled))
            }
            Step::Emergency { call, number } => {
                let test = if call.test { " test" } else { "" };
                write!(
                    f,
                    "emergency: {} is an emergency{test} call in {} and goes to {number}",
                    call.digits, call.country
                )
            }
            Step::EmergencyWithoutEntry { digits } => {
                write!(f, "emergency: {digits} asks for help, and the voice connector has no entry for it")
            }
            Step::EmergencyCaller { number: Some(number), by } => {
                write!(f, "caller ID: {number} by {by}; not checked on an emergency call")
            }
            Step::EmergencyCaller { number: None, .. } => {
                f.write_str("caller ID: none; not checked on an emergency call")
            }
            Step::Rewritten(rewritten) => write!(f, "number rule: {rewritten}"),
            Step::Dialled { dialled, number: Some(number), .. } if dialled == number.as_str() => {
                write!(f, "dialled: {number} is E.164")
            }
            Step::Dialled { dialled, format: NumberFormat::E164, number: Some(number) } => {
                write!(f, "dialled: {} is {number}", word(dialled))
            }
            Step::Dialled { dialled, format, number: Some(number) } => {
                write!(f, "dialled: {} as {format} is {number}", word(dialled))
            }
            Step::Dialled { dialled, format, number: None } => {
                write!(f, "dialled: {} is not {}", word(dialled), a_number(*format))
            }
            Step::CallerReplaced { number } => write!(f, "caller ID: {number} by termination.caller_id"),
            Step::CallerUnusable { text, .. } if text.is_empty() => {
                f.write_str("caller ID: the caller is anonymous and nothing else names it")
            }
            Step::CallerUnusable { text, by, format } => {
                write!(f, "caller ID: {} of {by} is not {}", word(text), a_number(*format))
            }
            Step::CallerPassedOver { number, by, owned, policy } => {
                let owned = if *owned { "owned" } else { "not owned" };
                write!(f, "caller ID: {number} of {by} is {owned}; the policy is {}", policy_name(*policy))
            }
            Step::CallerId { number, by, owned, forwarded, policy } => {
                let owned = if *owned { "owned" } else { "not owned" };
                write!(f, "caller ID: {number} of {by} is {owned}")?;
                if let Some((own, proof)) = forwarded {
                    write!(f, ", sent on by {own} of {proof}")?;
                }
                write!(f, "; the policy is {}", policy_name(*policy))
            }
            Step::CallingPlan { number, numbering, in_plan } => {
                let plan = if *in_plan { "in the calling plan" } else { "not in the calling plan" };
                match numbering {
                    Numbering::Country(country) => write!(f, "calling plan: {number} is {country}, {plan}"),
                    Numbering::NonCountry(code) => write!(f, "calling plan: +{code} is of no country"),
                    Numbering::Unknown => write!(f, "calling plan: {number} is of no known country"),
                }
            }
            Step::DeniedPrefixes { denied: None } => f.write_str("denied prefixes: none matches"),
            Step::DeniedPrefixes { denied: Some(prefix) } => write!(f, "denied prefixes: {prefix} matches"),
            Step::Premium { surcharge: None, .. } => f.write_str("premium: an ordinary number"),
            Step::Premium { surcharge: Some(surcharge), allowed: None } => {
                write!(f, "premium: {surcharge}, not allowed")
            }
            Step::Premium { surcharge: Some(surcharge), allowed: Some(prefix) } => {
                write!(f, "premium: {surcharge}, allowed by {prefix}")
            }
            Step::Called { dialled, format, number } => match number {
                Some(number) => write!(f, "called: {} as {format} is {number}", word(dialled)),
                None => write!(f, "called: {} is not a number as {format}", word(dialled)),
            },
            Step::Assigned { number, owner } => match owner {
                Some(Owner::Connector(id)) => {
                    write!(f, "number: {number} is assigned to voice connector {id}")
                }
                Some(Owner::Group(id)) => write!(f, "number: {number} is assigned to group {id}"),
                None => write!(f, "number: {number} is not assigned here"),
            },
            Step::Origination { connector, enabled } => {
                write!(f, "origination: {} for {connector}", on(*enabled))
            }
        }
    }
}

impl fmt::Display for DigestStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DigestStep::NotAsked => f.write_str("no credentials are set; the allowlist alone admits"),
            DigestStep::Verified(user) => write!(f, "user {} proved itself", word(user)),
            DigestStep::Missing => f.write_str("missing, asked for"),
            DigestStep::Stale => f.write_str("stale nonce, asked for again"),
            DigestStep::Wrong => f.write_str("wrong, asked for again"),
            DigestStep::TooMany => f.write_str("wrong too often"),
            DigestStep::OtherTarget => f.write_str("right, but for another number"),
        }
    }
}

fn a_number(format: NumberFormat) -> String {
    match format {
        NumberFormat::E164 => "E.164 with +".to_owned(),
        format => format!("a number as {format}"),
    }
}

fn policy_name(policy: CallerIdPolicy) -> &'static str {
    match policy {
        CallerIdPolicy::Owned => "owned",
        CallerIdPolicy::Forwarded => "forwarded",
        CallerIdPolicy::Any => "any",
    }
}

fn list(ids: &[ConnectorId]) -> String {
    ids.iter().map(ConnectorId::as_str).collect::<Vec<_>>().join(", ")
}

fn on(enabled: bool) -> &'static str {
    if enabled { "on" } else { "off" }
}
