use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use crate::check::Kind;
use crate::network::nets;
use crate::read::{Item, Table};
use crate::value::{ValueError, cidr};
use crate::{CarrierName, ConnectorId, CountryCode, Credentials, E164, Peer, Prefix, Route, Srtp, available};

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

impl VoiceConnector {
    /// Whether this version cannot serve it yet.
    pub fn sleeps(&self) -> bool {
        self.encryption && !(available::TLS && available::SRTP)
    }

    pub(crate) fn read(table: &Table<'_>) -> Option<Self> {
        let reader = table.reader();
        let item = table.required("id", "id = \"...\" with 1 to 22 lower-case letters and digits")?;
        let id = ConnectorId::from(item.string().map(|text| id_text(&item, text))?);
        reader.fact(|facts| facts.name(Kind::Connector, id.as_str(), item.at()));
        let encryption = table.get("encryption").and_then(|item| item.boolean()).unwrap_or(false);
        let termination = table.get("termination").and_then(|item| item.table("termination"));
        let origination = table.get("origination").and_then(|item| item.table("origination"));
        let emergency = table.get("emergency").map(|item| item.tables("emergency")).unwrap_or_default();
        let connector = Self {
            name: table.get("name").and_then(|item| item.name_text()).unwrap_or(id.as_str()).to_owned(),
            encryption,
            termination: termination.as_ref().map(|table| Termination::read(table, &id)).unwrap_or_default(),
            origination: origination.map(|table| Origination::read(&table, encryption)).unwrap_or_default(),
            peer: read_peer(table, encryption),
            emergency: emergency.iter().filter_map(Emergency::read).collect(),
            logging: table
                .get("logging")
                .and_then(|item| item.table("logging"))
                .map(Logging::read)
                .unwrap_or_default(),
            id,
        };
        check_emergency(table, &emergency, &connector);
        if let Some(termination) = &termination {
            warn_termination(termination, &connector);
        }
        Some(connector)
    }
}

/// The id, whatever is wrong with it, so that what refers to it finds it.
fn id_text<'a>(item: &Item<'_>, text: &'a str) -> &'a str {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !(1..=22).contains(&text.len()) || !text.chars().all(fits) {
        let lower: String = text.to_ascii_lowercase().chars().filter(|c| fits(*c)).take(22).collect();
        let remedy = match lower.as_str() {
            "" => "1 to 22 lower-case letters and digits".into(),
            lower => format!("{lower:?}, or other 1 to 22 lower-case letters and digits"),
        };
        item.wrong(format!("{text:?} is not the id of a voice connector"), remedy);
    }
    text
}

fn read_peer(table: &Table<'_>, encryption: bool) -> Peer {
    let peer = Peer::read(table.get("peer"));
    if encryption
        && peer.srtp.is_some_and(|srtp| srtp != Srtp::Required)
        && let Some(srtp) = table.get("peer").and_then(|item| item.table("peer")?.get("srtp"))
    {
        srtp.error("an encrypted connector takes SRTP only", "remove the line");
    }
    peer
}

fn check_emergency(table: &Table<'_>, entries: &[Table<'_>], connector: &VoiceConnector) {
    let reader = table.reader();
    if let Some(first) = entries.first()
        && !(connector.termination.enabled && connector.origination.enabled)
    {
        let remedy = "write enabled = true in both, or remove the emergency tables";
        reader.error(first.at(), "emergency calls need termination and origination", remedy);
    }
    let mut countries = Vec::new();
    let mut dialled: Vec<&str> = Vec::new();
    for entry in entries {
        if let Some(country) = entry.get("country")
            && let Some(text) = country.quiet_string()
        {
            if countries.contains(&text) {
                country.wrong(format!("{text} has an emergency table already"), "its digits there");
            }
            countries.push(text);
        }
        for digits in ["digits", "test_digits"].iter().filter_map(|key| entry.get(key)?.list()).flatten() {
            let Some(text) = digits.quiet_string() else { continue };
            if dialled.contains(&text) {
                digits
                    .wrong(format!("{text} is here a second time"), "each number once in a voice connector");
            }
            dialled.push(text);
        }
    }
}

/// Tells of what refuses every call, and of emergency calls that go nowhere.
fn warn_termination(table: &Table<'_>, connector: &VoiceConnector) {
    let termination = &connector.termination;
    if !termination.enabled {
        return;
    }
    let warn = |text: String| table.reader().warn(table.at(), text);
    let id = &connector.id;
    if termination.allowlist.is_empty() {
        warn(format!("voice connector {id} admits nobody: its allowlist is empty"));
    }
    if termination.calling_plan.is_empty() {
        warn(format!("voice connector {id} may call no country: its calling_plan is empty"));
    }
    if termination.credentials.is_empty() && termination.allowlist.iter().any(|net| net.prefix_len() == 0) {
        warn(format!("voice connector {id} admits everybody: its allowlist is the whole internet"));
    }
    let covered = |country: &&CountryCode| connector.emergency.iter().any(|entry| entry.country == **country);
    let open: Vec<&str> = termination
        .calling_plan
        .iter()
        .filter(|country| !covered(country))
        .map(CountryCode::as_str)
        .collect();
    if !open.is_empty() {
        let countries = open.join(", ");
        warn(format!(
            "voice connector {id} takes no emergency calls in {countries}: it has no emergency table for them"
        ));
    }
}

impl Termination {
    fn read(table: &Table<'_>, id: &ConnectorId) -> Self {
        let get = |key| table.get(key);
        let reader = table.reader();
        let default = Self::default();
        let limit = |key, default| get(key).and_then(|item| item.integer(1, 1_000_000)).unwrap_or(default);
        if let Some(items) = get("allowlist").and_then(|item| item.list()) {
            for item in items {
                if let Some(net) = item.quiet_string().and_then(|text| cidr(text).ok()) {
                    reader.fact(|facts| facts.customer_nets.push((id.clone(), net, item.at())));
                }
            }
        }
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
            daily_minutes: get("daily_minutes").and_then(|item| item.integer(1, 1_000_000_000)),
            carriers: get("carriers").and_then(|item| carriers(&item)),
            max_duration: get("max_duration")
                .and_then(|item| item.duration("1s", "30d"))
                .unwrap_or(default.max_duration),
            cps_limit: limit("cps_limit", default.cps_limit),
            max_calls: limit("max_calls", default.max_calls),
            caller_id: get("caller_id").and_then(|item| item.parse()),
            credentials: get("credentials")
                .map(|item| item.tables("credentials").iter().filter_map(Credentials::read).collect())
                .unwrap_or_default(),
        }
    }
}

/// The values of a list; none where it is not there.
pub(crate) fn parsed<T: FromStr<Err = ValueError>>(item: Option<Item<'_>>) -> Vec<T> {
    item.and_then(|item| item.list()).unwrap_or_default().iter().filter_map(Item::parse).collect()
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
        ("remote-party-id", IdentityHeader::RemotePartyId),
        ("from", IdentityHeader::From),
    ];
}

impl Origination {
    fn read(table: &Table<'_>, encryption: bool) -> Self {
        let get = |key| table.get(key);
        let default = Self::default();
        let limit = |key, default| get(key).and_then(|item| item.integer(1, 1_000_000)).unwrap_or(default);
        let enabled = get("enabled").and_then(|item| item.boolean()).unwrap_or(true);
        let routes = get("route").map(|item| item.tables("route"));
        if enabled && routes.as_ref().is_none_or(Vec::is_empty) {
            let remedy = "write [[voice_connector.origination.route]] with its host, or enabled = false";
            table.reader().error(table.at(), "origination has no route", remedy);
        }
        Self {
            enabled,
            cps_limit: limit("cps_limit", default.cps_limit),
            max_calls: limit("max_calls", default.max_calls),
            // Timer B ends the transaction after 32 s, RFC 3261 §17.1.1.2.
            first_response_timeout: get("first_response_timeout")
                .and_then(|item| item.duration("100ms", "32s"))
                .unwrap_or(default.first_response_timeout),
            options_interval: get("options_interval")
                .and_then(|item| item.duration("0s", "24h"))
                .unwrap_or(default.options_interval),
            route: routes.iter().flatten().filter_map(|table| Route::read(table, encryption)).collect(),
        }
    }
}

impl Emergency {
    fn read(table: &Table<'_>) -> Option<Self> {
        let reader = table.reader();
        let country = table.required("country", "country = \"US\"").and_then(|item| item.parse());
        let digits = table.required("digits", "digits = [\"911\"]").map(|item| digits_of(&item));
        let number = "routing_number = \"+15105550111\", where the calls go";
        let routing_number = table.required("routing_number", number).and_then(|item| item.parse());
        if let Some(item) = table.get("digits")
            && item.list().is_some_and(|list| list.is_empty())
        {
            item.wrong("`digits` is empty", "[\"911\"], or what else is dialled");
        }
        let test_digits = table.get("test_digits").map(|item| digits_of(&item)).unwrap_or_default();
        let test_routing_number = table.get("test_routing_number").and_then(|item| item.parse());
        if !test_digits.is_empty() && table.get("test_routing_number").is_none() {
            let remedy = "write test_routing_number = \"+1...\", or remove test_digits";
            reader.error(table.at(), "`test_digits` without `test_routing_number`", remedy);
        }
        Some(Self {
            country: country?,
            digits: digits?,
            routing_number: routing_number?,
            test_digits,
            test_routing_number,
        })
    }
}

fn digits_of(item: &Item<'_>) -> Vec<String> {
    let digits = |item: &Item<'_>| {
        let text = item.string()?;
        let fits = (2..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if !fits {
            item.wrong(format!("{text:?} is no emergency number"), "2 to 6 digits, as in \"911\"");
        }
        fits.then(|| text.to_owned())
    };
    item.list().unwrap_or_default().iter().filter_map(digits).collect()
}

impl Logging {
    fn read(table: Table<'_>) -> Self {
        let default = Self::default();
        let flag = |key, default| table.get(key).and_then(|item| item.boolean()).unwrap_or(default);
        Self {
            sip_messages: flag("sip_messages", default.sip_messages),
            media_metrics: flag("media_metrics", default.media_metrics),
        }
    }
}
