//! Calls from a connector's customer.

use std::time::Duration;

use ipnet::IpNet;

use super::{ChallengeStatus, DigestAlgorithm};
use crate::check::Kind;
use crate::network::nets;
use crate::number_format::Home;
use crate::read::{Item, Table, parsed};
use crate::value::cidr;
use crate::{CarrierName, ConnectorId, CountryCode, Credentials, E164, NumberFormat, Prefix};

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
    /// Premium, shared-cost and personal numbers and non-country codes taken all the same. Default: none.
    pub allow_premium: Vec<Prefix>,
    /// Default: `owned`.
    pub caller_id_policy: CallerIdPolicy,
    /// Default: `p-asserted-identity`.
    pub identity_header: IdentityHeader,
    /// How the customer dials. Default: `e164`.
    pub number_format: NumberFormat,
    /// How it names its callers, and who sent a call on. Default: as `number_format`.
    pub caller_id_format: NumberFormat,
    /// Fraud stop: so many minutes its outbound calls may talk in one day of UTC, at least 1. Default: none.
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
    /// How they are asked for their credentials. Default: 407.
    pub challenge: ChallengeStatus,
    /// What they may answer by, in the order in which it is offered; a user with an `ha1` is offered what that is of. Not
    /// empty. Default: all, strongest first.
    pub digest_algorithms: Vec<DigestAlgorithm>,
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
            number_format: NumberFormat::E164,
            caller_id_format: NumberFormat::E164,
            daily_minutes: None,
            carriers: None,
            max_duration: Duration::from_secs(12 * 60 * 60),
            cps_limit: 100,
            max_calls: 2000,
            caller_id: None,
            credentials: Vec::new(),
            challenge: ChallengeStatus::ProxyAuthenticationRequired,
            digest_algorithms: DigestAlgorithm::DEFAULT.to_vec(),
        }
    }
}

/// `termination.caller_id_policy`: which numbers a customer may show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerIdPolicy {
    /// Its own and those of its groups.
    Owned,
    /// Foreign ones too, on a call that an own number in Diversion, History-Info or P-Asserted-Identity has sent on.
    Forwarded,
    /// Any.
    Any,
}

/// `termination.identity_header`: where the caller is looked for first, and in which header a side that we trust is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityHeader {
    /// RFC 3325.
    PAssertedIdentity,
    /// RFC 3325; a side that we trust is told in P-Asserted-Identity.
    PPreferredIdentity,
    /// draft-ietf-sip-privacy-04.
    RemotePartyId,
    /// From; a side that we trust is told in From alone.
    From,
}

impl Termination {
    pub(crate) fn read(table: &Table<'_>, id: &ConnectorId, home: &Home) -> Self {
        let get = |key| table.get(key);
        let reader = table.reader();
        let default = Self::default();
        let number_format = home.format(table, "number_format").unwrap_or(NumberFormat::E164);
        let limit = |key, default| get(key).and_then(|item| item.integer(1, 1_000_000)).unwrap_or(default);
        let logins = get("credentials").map(|item| item.tables("credentials")).unwrap_or_default();
        if let Some(items) = get("allowlist").and_then(|item| item.list()) {
            for item in items {
                // The whole internet means those who prove themselves, wherever they are. A carrier's addresses stay its own.
                let anywhere = |net: &IpNet| net.prefix_len() == 0 && !logins.is_empty();
                let net = item.quiet_string().and_then(|text| cidr(text).ok());
                if let Some(net) = net.filter(|net| !anywhere(net)) {
                    reader.fact(|facts| facts.customer_nets.push((id.clone(), net, item.at())));
                }
            }
        }
        let digest_algorithms = get("digest_algorithms")
            .and_then(|item| DigestAlgorithm::list(&item))
            .unwrap_or(default.digest_algorithms);
        logins.iter().for_each(|login| DigestAlgorithm::check_ha1(login, &digest_algorithms));
        Self {
            enabled: get("enabled").and_then(|item| item.boolean()).unwrap_or(true),
            allowlist: nets(get("allowlist")),
            calling_plan: parsed(get("calling_plan")),
            denied_prefixes: parsed(get("denied_prefixes")),
            allow_premium: parsed(get("allow_premium")),
            caller_id_policy: get("caller_id_policy")
                .and_then(|item| item.choice(CallerIdPolicy::CHOICES))
                .unwrap_or(default.caller_id_policy),
            identity_header: get("identity_header")
                .and_then(|item| item.choice(IdentityHeader::CHOICES))
                .unwrap_or(default.identity_header),
            number_format,
            caller_id_format: home.format(table, "caller_id_format").unwrap_or(number_format),
            daily_minutes: get("daily_minutes").and_then(|item| item.integer(1, 1_000_000_000)),
            carriers: get("carriers").and_then(|item| carriers(&item)),
            max_duration: get("max_duration")
                .and_then(|item| item.duration("1s", "30d"))
                .unwrap_or(default.max_duration),
            cps_limit: limit("cps_limit", default.cps_limit),
            max_calls: limit("max_calls", default.max_calls),
            caller_id: get("caller_id").and_then(|item| item.parse()),
            credentials: logins.iter().filter_map(Credentials::read).collect(),
            challenge: get("challenge")
                .and_then(|item| ChallengeStatus::read(&item))
                .unwrap_or(default.challenge),
            digest_algorithms,
        }
    }
}

fn carriers(item: &Item<'_>) -> Option<Vec<CarrierName>> {
    let items = item.list()?;
    if items.is_empty() {
        item.wrong(
            "`carriers` is empty, so no call could go out",
            "a carrier's name, or remove the line for all",
        );
    }
    let name = |item: &Item<'_>| {
        let name = item.string()?;
        item.reader().fact(|facts| facts.refer(Kind::Carrier, name, item.at()));
        Some(name.into())
    };
    Some(items.iter().filter_map(name).collect())
}

impl CallerIdPolicy {
    const CHOICES: &[(&'static str, Self)] = &[
        ("owned", CallerIdPolicy::Owned),
        ("forwarded", CallerIdPolicy::Forwarded),
        ("any", CallerIdPolicy::Any),
    ];
}

impl IdentityHeader {
    const CHOICES: &[(&'static str, Self)] = &[
        ("p-asserted-identity", IdentityHeader::PAssertedIdentity),
        ("p-preferred-identity", IdentityHeader::PPreferredIdentity),
        ("remote-party-id", IdentityHeader::RemotePartyId),
        ("from", IdentityHeader::From),
    ];
}
