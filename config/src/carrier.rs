//! The tables `[[carrier]]`.

use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use crate::check::Kind;
use crate::gateway::quotable;
use crate::network::nets;
use crate::number_format::Home;
use crate::read::{Item, Table, parsed};
use crate::route::{first_response_timeout, options_interval, progress_timeout};
use crate::value::{ValueError, cidr};
use crate::{
    CarrierName, CountryCode, Credentials, Host, NumberFormat, Peer, Prefix, Priority, Refer, Registration,
    Route, Secret, Transport, Weight,
};

/// `[[carrier]]`: hosts of the remote side.
#[derive(Debug, Clone)]
pub struct Carrier {
    /// Unique.
    pub name: CarrierName,
    /// Inbound calls are taken from here only; empty: from nowhere. Default: empty. Addresses of the hosts
    /// do not belong to it by themselves.
    pub allowlist: Vec<IpNet>,
    /// Which numbers it takes: longest match first, then priority, then weight. Default: `["+"]`, or none
    /// where `countries` are given.
    pub prefixes: Vec<Prefix>,
    /// Countries it takes, as their prefixes would. Default: none.
    pub countries: Vec<CountryCode>,
    /// How it wants the called number. Default: `e164`.
    pub number_format: NumberFormat,
    /// Whose formats; required where any format is `national`, `national-without-trunk` or `international`. Default: none.
    pub country: Option<CountryCode>,
    /// How it gives the called number of inbound calls. Default: `e164`.
    pub inbound_number_format: NumberFormat,
    /// How it wants and gives the calling number. Default: `e164`.
    pub caller_id_format: NumberFormat,
    /// Default: 1.
    pub priority: Priority,
    /// Default: 1.
    pub weight: Weight,
    /// New calls a second, at least 1. Default: none, no limit.
    pub cps_limit: Option<u32>,
    /// Calls at one time, at least 1. Default: none, no limit.
    pub max_calls: Option<u32>,
    /// Where requests to all of its hosts are sent. Default: none, to the hosts.
    pub outbound_proxy: Option<OutboundProxy>,
    /// Register there as a user of it. Default: none.
    pub register: Option<Register>,
    /// Nothing heard for so long: next route. Default: 4 s.
    pub first_response_timeout: Duration,
    /// Heard, and not ringing after so long: next route, where there is one. Default: 20 s.
    pub progress_timeout: Duration,
    /// How often every host is probed by OPTIONS; zero: never. Default: 30 s.
    pub options_interval: Duration,
    /// Final answers, 400 to 699, that send the call on, beside the standard ones. Default: none.
    pub failover_on: Vec<u16>,
    /// How we answer its digest challenge. Default: none.
    pub credentials: Option<Credentials>,
    /// Where outbound calls go, at least one; in the file's order.
    pub host: Vec<Route>,
    /// How its systems speak.
    pub peer: Peer,
}

/// `carrier.outbound_proxy`: `sip:host[:port][;transport=udp|tcp|tls];lr`, a loose router.
///
/// Source: RFC 3261 §8.1.2, where such a URI is a route set that is known beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundProxy {
    /// An address or a name.
    pub host: Host,
    /// Default: none.
    pub port: Option<u16>,
    /// `transport` of the URI, `tls` for `sips:`. Default: `udp`.
    pub protocol: Transport,
}

/// `carrier.register`: a registration that we keep alive.
#[derive(Debug, Clone)]
pub struct Register {
    /// The user part of the address of record.
    pub user: String,
    /// The domain that we register at.
    pub domain: Host,
    /// What we ask for. Default: 1 h.
    pub expires: Duration,
    /// Default: none, the carrier's `credentials`.
    pub password: Option<Secret>,
}

impl Carrier {
    pub(crate) fn read(table: &Table<'_>) -> Option<Self> {
        let reader = table.reader();
        let get = |key| table.get(key);
        let item = table.required("name", "name = \"carrier-a\"")?;
        let name = CarrierName::from(item.name_text()?);
        reader.fact(|facts| facts.name(Kind::Carrier, name.as_str(), item.at()));
        for item in get("allowlist").and_then(|item| item.list()).unwrap_or_default() {
            if let Some(net) = item.quiet_string().and_then(|text| cidr(text).ok()) {
                reader.fact(|facts| facts.carrier_nets.push((name.clone(), net, item.at())));
            }
        }
        let countries = parsed(get("countries"));
        let prefixes = match get("prefixes") {
            Some(item) => parsed(Some(item)),
            None if countries.is_empty() => vec![Prefix::all()],
            None => Vec::new(),
        };
        let hosts = get("host").map(|item| item.tables("route")).unwrap_or_default();
        let takes_calls = !(prefixes.is_empty() && countries.is_empty());
        if hosts.is_empty() && takes_calls && get("host").is_none() {
            let remedy = "write [[carrier.host]] with its host, or prefixes = [] where it only brings calls";
            reader.error(table.at(), format!("carrier {name} has no host"), remedy);
        }
        let home = Home::read(table, "write country = \"US\" beside it");
        let format = |key| home.format(table, key).unwrap_or(NumberFormat::E164);
        let limit = |key| get(key).and_then(|item| item.integer(1, 1_000_000));
        let outbound_proxy: Option<OutboundProxy> = get("outbound_proxy").and_then(|item| item.parse());
        if let (Some(item), Some(proxy)) = (get("outbound_proxy"), &outbound_proxy) {
            reader.fact(|facts| facts.routes.push((proxy.protocol, item.at())));
        }
        let host = |table: &Table<'_>| match &outbound_proxy {
            Some(_) => Route::read(table, false),
            None => Route::read_dialled(table, false),
        };
        let host = hosts.iter().filter_map(host).collect();
        let carrier = Self {
            allowlist: nets(get("allowlist")),
            prefixes,
            countries,
            number_format: format("number_format"),
            country: home.country,
            inbound_number_format: format("inbound_number_format"),
            caller_id_format: format("caller_id_format"),
            priority: Priority::read(table),
            weight: Weight::read(table),
            cps_limit: limit("cps_limit"),
            max_calls: limit("max_calls"),
            outbound_proxy,
            register: get("register").and_then(|item| Register::read(&item.table("register")?)),
            first_response_timeout: first_response_timeout(get("first_response_timeout")),
            progress_timeout: progress_timeout(get("progress_timeout")),
            options_interval: options_interval(get("options_interval")),
            failover_on: get("failover_on").map(|item| failover_on(&item)).unwrap_or_default(),
            credentials: get("credentials").and_then(|item| Credentials::read(&item.table("credentials")?)),
            host,
            peer: Peer::read_carriers(get("peer")),
            name,
        };
        check_register(table, &carrier);
        warn_of_transfers(table, &carrier);
        Some(carrier)
    }
}

fn check_register(table: &Table<'_>, carrier: &Carrier) {
    if let Some(item) = table.get("peer").and_then(|item| item.table("peer")?.get("registration"))
        && carrier.peer.registration != Registration::Off
    {
        let remedy = "remove the line; where we register with it, write register = { ... } in [[carrier]]";
        item.error(format!("carrier {} does not register here", carrier.name), remedy);
    }
    if let (Some(_), Some(item)) = (&carrier.register, table.get("register"))
        && table.get("host").is_none()
        && carrier.outbound_proxy.is_none()
    {
        let remedy = "write [[carrier.host]] with the registrar's host";
        item.error(format!("carrier {} has no host to register at", carrier.name), remedy);
    }
}

/// What a carrier is allowed by a REFER that is passed on, and who pays for it.
fn warn_of_transfers(table: &Table<'_>, carrier: &Carrier) {
    if let Some(item) = table.get("peer").and_then(|item| item.table("peer")?.get("refer"))
        && carrier.peer.refer == Refer::Pass
    {
        let text = format!(
            "carrier {} may ask a customer's phone to call any number of its choice, which the customer pays for, within that \
             customer's own limits; write refer = \"off\", or \"handle\", by which a carrier reaches numbers of ours alone",
            carrier.name
        );
        item.reader().warn(item.at(), text);
    }
}

fn failover_on(item: &Item<'_>) -> Vec<u16> {
    let code = |item: &Item<'_>| {
        let code: u16 = item.integer(400, 699)?;
        if matches!(code, 486 | 600 | 603 | 604) {
            item.wrong(format!("{code} never sends a call on"), format!("the list without {code}"));
        }
        Some(code)
    };
    item.numbers(code)
}

impl FromStr for OutboundProxy {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        proxy(text).ok_or_else(|| {
            ValueError::new(
                format!("{text:?} is not the URI of a proxy"),
                "it as in \"sip:sbc.carrier.example;lr\" or \"sip:192.0.2.30:5060;transport=tcp;lr\"",
            )
        })
    }
}

fn proxy(text: &str) -> Option<OutboundProxy> {
    let (scheme, rest) = text.split_once(':')?;
    let mut protocol = match scheme {
        "sip" => Transport::Udp,
        "sips" => Transport::Tls,
        _ => return None,
    };
    let mut parts = rest.split(';');
    let place = parts.next()?;
    let mut loose = false;
    for parameter in parts {
        match (parameter.to_ascii_lowercase().as_str(), scheme) {
            ("lr", _) => loose = true,
            ("transport=tcp" | "transport=tls", "sips") => {}
            ("transport=udp", "sip") => protocol = Transport::Udp,
            ("transport=tcp", "sip") => protocol = Transport::Tcp,
            ("transport=tls", "sip") => protocol = Transport::Tls,
            _ => return None,
        }
    }
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !host.starts_with('[') || host.ends_with(']') => {
            (host, Some(port.parse().ok().filter(|port| *port > 0)?))
        }
        _ => (place, None),
    };
    let host = host.parse().ok()?;
    loose.then_some(OutboundProxy { host, port, protocol })
}

impl Register {
    fn read(table: &Table<'_>) -> Option<Self> {
        let user = table.required("user", "user = \"trunk\"").and_then(|item| quotable(&item));
        let domain = table.required("domain", "domain = \"carrier.example\"").and_then(|item| item.parse());
        let expires = table.get("expires").and_then(|item| item.duration("60s", "24h"));
        Some(Self {
            user: user?,
            domain: domain?,
            expires: expires.unwrap_or(Duration::from_secs(60 * 60)),
            password: table.get("password").and_then(|item| Secret::read(&item)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_sip_uri_without_a_user() {
        for (text, expected) in [
            ("sip:sbc.carrier.example;lr", Some(("sbc.carrier.example", None, Transport::Udp))),
            ("sip:192.0.2.30:5070;transport=tcp;lr", Some(("192.0.2.30", Some(5070), Transport::Tcp))),
            ("sip:[2001:db8::1]:5061;transport=TLS;lr", Some(("[2001:db8::1]", Some(5061), Transport::Tls))),
            ("sip:[2001:db8::1];lr", Some(("[2001:db8::1]", None, Transport::Udp))),
            ("sips:sbc.carrier.example;lr", Some(("sbc.carrier.example", None, Transport::Tls))),
            ("sip:sbc.carrier.example", None), // a strict router, of RFC 2543
            ("sips:sbc.carrier.example;transport=udp;lr", None),
            ("sip:user@sbc.carrier.example;lr", None),
            ("sip:sbc.carrier.example:0;lr", None),
            ("sip:sbc.carrier.example;maddr=1.2.3.4;lr", None),
            ("tel:+12065550100", None),
            ("sbc.carrier.example", None),
            ("", None),
        ] {
            let proxy = text.parse::<OutboundProxy>().ok();
            let parts = proxy.map(|proxy| (proxy.host.to_string(), proxy.port, proxy.protocol));
            assert_eq!(parts, expected.map(|(host, port, protocol)| (host.into(), port, protocol)), "{text}");
        }
    }
}
