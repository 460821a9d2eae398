use std::time::Duration;

use ipnet::IpNet;

use crate::{CarrierName, ConnectorId, CountryCode, Credentials, E164, Peer, Prefix, Route};

/// `[[voice_connector]]`: one trunk.
#[derive(Debug, Clone)]
pub struct VoiceConnector {
    /// Unique; 1 to 22 lower-case letters and digits. Reached at `<id>.<domain>`.
    pub id: ConnectorId,
    /// For people. Default: the id.
    pub name: String,
    /// TLS and SRTP only. Default: false.
    pub encryption: bool,
    /// Outbound. Default: off.
    pub termination: Termination,
    /// Inbound. Default: off.
    pub origination: Origination,
    /// How the customer's systems speak.
    pub peer: Peer,
    /// One entry a country. Default: none.
    pub emergency: Vec<Emergency>,
    /// What is logged of its calls.
    pub logging: Logging,
}

/// `[voice_connector.termination]`: this customer to the carriers.
#[derive(Debug, Clone)]
pub struct Termination {
    /// Default: true where the table is there.
    pub enabled: bool,
    /// Who may call; empty admits nobody. Default: empty. Two connectors may share addresses: the host of
    /// the Request-URI tells them apart. A connector and a carrier may not.
    pub allowlist: Vec<IpNet>,
    /// Countries that may be called. Default: none.
    pub calling_plan: Vec<CountryCode>,
    /// Refused even inside the plan. Default: none.
    pub denied_prefixes: Vec<Prefix>,
    /// Premium and non-country codes taken all the same. Default: none.
    pub allow_premium: Vec<Prefix>,
    /// Default: `owned`.
    pub caller_id_policy: CallerIdPolicy,
    /// Default: `p-asserted-identity`.
    pub identity_header: IdentityHeader,
    /// Fraud stop. Default: none.
    pub daily_minutes: Option<u32>,
    /// Only these carriers. Default: none, all.
    pub carriers: Option<Vec<CarrierName>>,
    /// A call ends after so long. Default: 12 h.
    pub max_duration: Duration,
    /// New calls a second, at least 1. Default: 100.
    pub cps_limit: u32,
    /// Calls at one time, at least 1. Default: 2000.
    pub max_calls: u32,
    /// Replaces whatever the customer sends. Default: none.
    pub caller_id: Option<E164>,
    /// Digest users; empty: the allowlist alone admits. Default: empty.
    pub credentials: Vec<Credentials>,
}

impl Default for Termination {
    /// Off.
    fn default() -> Self {
        Self {
            enabled: false,
            allowlist: Vec::new(),
            calling_plan: Vec::new(),
            denied_prefixes: Vec::new(),
            allow_premium: Vec::new(),
            caller_id_policy: CallerIdPolicy::Owned,
            identity_header: IdentityHeader::PAssertedIdentity,
            daily_minutes: None,
            carriers: None,
            max_duration: Duration::from_secs(12 * 60 * 60),
            cps_limit: 100,
            max_calls: 2000,
            caller_id: None,
            credentials: Vec::new(),
        }
    }
}

/// `termination.caller_id_policy`: which numbers a customer may show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerIdPolicy {
    /// Its own and those of its groups.
    Owned,
    /// Foreign ones too, on a call whose Diversion is an own number.
    Forwarded,
    /// Any.
    Any,
}

/// `termination.identity_header`: which header tells the carriers who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityHeader {
    /// RFC 3325.
    PAssertedIdentity,
    /// draft-ietf-sip-privacy-04.
    RemotePartyId,
    /// From alone.
    From,
}

/// `[voice_connector.origination]`: the carriers to this customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origination {
    /// Default: true where the table is there.
    pub enabled: bool,
    /// New calls a second, at least 1. Default: 100.
    pub cps_limit: u32,
    /// Calls at one time, at least 1. Default: 2000.
    pub max_calls: u32,
    /// Nothing heard for so long: next route. Default: 4 s.
    pub first_response_timeout: Duration,
    /// How often every host is probed by OPTIONS; zero: never. Default: 30 s.
    pub options_interval: Duration,
    /// Where the calls go, at least one where enabled; in the file's order.
    pub route: Vec<Route>,
}

impl Default for Origination {
    /// Off.
    fn default() -> Self {
        Self {
            enabled: false,
            cps_limit: 100,
            max_calls: 2000,
            first_response_timeout: Duration::from_secs(4),
            options_interval: Duration::from_secs(30),
            route: Vec::new(),
        }
    }
}

/// `[[voice_connector.emergency]]`: where emergency calls of a country go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emergency {
    /// Unique within the connector.
    pub country: CountryCode,
    /// Dialled as is: 2 to 6 digits each, not empty.
    pub digits: Vec<String>,
    /// Where the call goes instead.
    pub routing_number: E164,
    /// Dialled for a test. Default: none.
    pub test_digits: Vec<String>,
    /// Where test calls go. Required where `test_digits` are given.
    pub test_routing_number: Option<E164>,
}

/// `[voice_connector.logging]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logging {
    /// Each SIP message, secrets masked. Default: false.
    pub sip_messages: bool,
    /// Quality of each call. Default: true.
    pub media_metrics: bool,
}

impl Default for Logging {
    fn default() -> Self {
        Self { sip_messages: false, media_metrics: true }
    }
}
