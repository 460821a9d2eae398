use std::time::Duration;

use ipnet::IpNet;

use crate::{
    CarrierName, CountryCode, Credentials, Host, Peer, Prefix, Priority, Protocol, Route, Secret, Weight,
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
    /// Whose national format; required where any format is `national`. Default: none.
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
    /// Where requests go instead of the hosts. Default: none.
    pub outbound_proxy: Option<OutboundProxy>,
    /// Register there as a user of it. Default: none.
    pub register: Option<Register>,
    /// Final answers, 400 to 699, that send the call on, beside the standard ones. Default: none.
    pub failover_on: Vec<u16>,
    /// How we answer its digest challenge. Default: none.
    pub credentials: Option<Credentials>,
    /// Where outbound calls go, at least one; in the file's order.
    pub host: Vec<Route>,
    /// How its systems speak.
    pub peer: Peer,
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberFormat {
    /// `+12065550100`.
    E164,
    /// `12065550100`.
    E164WithoutPlus,
    /// As dialled inside the carrier's `country`: `2065550100`, `02079460100`.
    National,
}

/// `carrier.outbound_proxy`: `sip:host[:port][;transport=udp|tcp|tls][;lr]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundProxy {
    /// The URI as written.
    pub uri: String,
    /// An address or a name.
    pub host: Host,
    /// Default: none.
    pub port: Option<u16>,
    /// `transport` of the URI, `tls` for `sips:`. Default: `udp`.
    pub protocol: Protocol,
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
