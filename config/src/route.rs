//! Hosts that calls go to.

use std::time::Duration;

use crate::read::{Item, Table};
use crate::{Host, Priority, Transport, UriParameters, Weight};

/// How long a host may say nothing.
const DEFAULT_FIRST_RESPONSE_TIMEOUT: Duration = Duration::from_secs(4);

/// How long a host that has been heard may take to ring.
const DEFAULT_PROGRESS_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a host is probed.
const DEFAULT_OPTIONS_INTERVAL: Duration = Duration::from_secs(30);

/// `first_response_timeout` of connectors and carriers. Timer B ends the transaction after 32 s, RFC 3261 §17.1.1.2.
pub(crate) fn first_response_timeout(item: Option<Item<'_>>) -> Duration {
    item.and_then(|item| item.duration("100ms", "32s")).unwrap_or(DEFAULT_FIRST_RESPONSE_TIMEOUT)
}

/// `options_interval` of connectors and carriers; zero: never.
pub(crate) fn options_interval(item: Option<Item<'_>>) -> Duration {
    item.and_then(|item| item.duration("0s", "24h")).unwrap_or(DEFAULT_OPTIONS_INTERVAL)
}

/// `progress_timeout` of connectors and carriers. Timer C ends what rings after 185 s, RFC 3261 §16.6.
pub(crate) fn progress_timeout(item: Option<Item<'_>>) -> Duration {
    item.and_then(|item| item.duration("1s", "180s")).unwrap_or(DEFAULT_PROGRESS_TIMEOUT)
}

/// `[[voice_connector.origination.route]]` and `[[carrier.host]]`: one place where a call may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// An address or a name.
    pub host: Host,
    /// Default: none; for a name that means NAPTR and SRV (RFC 3263), for an address the protocol's port.
    pub port: Option<u16>,
    /// Default: `udp`; on an encrypted connector `tls`.
    pub protocol: Transport,
    /// Default: 1.
    pub priority: Priority,
    /// Default: 1.
    pub weight: Weight,
    /// The user part of the Request-URI, in place of the called number. Default: none.
    pub user: Option<String>,
    /// The user part of To, in place of the called number. Default: none.
    pub to_user: Option<String>,
    /// Parameters of the Request-URI beside `transport`, which `protocol` gives. Default: none.
    pub uri_parameters: UriParameters,
}

impl Route {
    /// A place whose own address is dialled, so that a listener must have its protocol.
    ///
    /// - `encryption`: whether the connector takes TLS only.
    pub(crate) fn read_dialled(table: &Table<'_>, encryption: bool) -> Option<Self> {
        let route = Self::read(table, encryption)?;
        table.reader().fact(|facts| facts.routes.push((route.protocol, table.at())));
        Some(route)
    }

    /// - `encryption`: whether the connector takes TLS only.
    pub(crate) fn read(table: &Table<'_>, encryption: bool) -> Option<Self> {
        let host = table.required("host", "host = \"192.0.2.20\" or a name").and_then(|item| item.parse());
        let protocol = table.get("protocol").and_then(|item| {
            let protocol = item.choice(Transport::CHOICES)?;
            if encryption && protocol != Transport::Tls {
                item.wrong(format!("an encrypted connector is not reached by {protocol}"), "\"tls\"");
            }
            Some(protocol)
        });
        let protocol = protocol.unwrap_or(if encryption { Transport::Tls } else { Transport::Udp });
        Some(Self {
            host: host?,
            port: table.get("port").and_then(|item| item.integer(1, 65535)),
            protocol,
            priority: Priority::read(table),
            weight: Weight::read(table),
            user: table.get("user").and_then(|item| item.name_text().map(str::to_owned)),
            to_user: table.get("to_user").and_then(|item| item.name_text().map(str::to_owned)),
            uri_parameters: table
                .get("uri_parameters")
                .and_then(|item| UriParameters::read(&item, protocol))
                .unwrap_or_default(),
        })
    }
}
