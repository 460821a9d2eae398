//! The tables `[[listen]]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::check::Kind;
use crate::read::{Table, parsed};
use crate::value::socket_address;
use crate::{Host, NetworkName, Transport};

/// `[[listen]]`: where SIP is taken, and from where it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Default: `udp`.
    pub protocol: Transport,
    /// Default port: 5060, with TLS 5061. Port 0 lets the system pick one.
    pub address: SocketAddr,
    /// What peers are told in Via and Contact, where it differs; the family is that of `address`.
    /// Default: none, `address` itself. Required where `address` is unspecified (`0.0.0.0`, `[::]`).
    pub advertise: Option<SocketAddr>,
    /// The `[[network]]` that this listener belongs to. Default: none.
    pub network: Option<NetworkName>,
    /// TLS only, and then at least one: `certificate` and `key` come first, `certificates` follow and are
    /// chosen by server name.
    pub certificates: Vec<Certificate>,
    /// TLS only: peers must show a certificate that these anchors signed. Default: none, they are not asked.
    pub client_ca: Option<PathBuf>,
    /// With `client_ca`: a peer that shows the certificate of a server, which `client_ca` signed, is taken if it carries
    /// one of these names. Default: none; the certificate must be for clients.
    pub client_names: Vec<Host>,
    /// Its number, which no file says: its place among the listeners, until [`Config::number_listeners`](crate::Config::number_listeners) gives it another.
    pub number: u16,
}

impl Listen {
    /// What peers are told: `advertise`, else `address`.
    pub fn advertised(&self) -> SocketAddr {
        self.advertise.unwrap_or(self.address)
    }
}

impl Listen {
    pub(crate) fn read(table: &Table<'_>) -> Option<Self> {
        let protocol = table.get("protocol").and_then(|item| item.choice(Transport::CHOICES));
        let protocol = protocol.unwrap_or(Transport::Udp);
        let port = protocol.default_port();
        let item = table.required("address", "address = \"192.0.2.10:5060\" with an address of this machine");
        let address = item.as_ref().and_then(|item| item.text(|text| socket_address(text, port)));
        let advertise = table.get("advertise").and_then(|item| {
            let usual = address.map_or(port, |address| address.port());
            let told = item.text(|text| socket_address(text, usual))?;
            if address.is_some_and(|address| address.is_ipv4() != told.is_ipv4()) {
                let problem = format!("{told} is of another family than the listener's address");
                item.wrong(problem, if told.is_ipv4() { "an IPv6 address" } else { "an IPv4 address" });
            } else if told.ip().is_unspecified() || told.port() == 0 {
                item.wrong(format!("nobody can reach {told}"), "the address and port that peers send to");
            }
            Some(told)
        });
        if let (Some(item), Some(address)) = (&item, address) {
            table.reader().fact(|facts| facts.listeners.push((protocol, address, item.at())));
            if address.ip().is_unspecified() && table.get("advertise").is_none() {
                let problem = format!("peers cannot be told {}", address.ip());
                item.wrong(
                    problem,
                    "an address of this machine, or also advertise = \"...\" with what peers reach",
                );
            }
        }
        let network = table.get("network").and_then(|item| {
            let name = item.name_text()?;
            table.reader().fact(|facts| facts.refer(Kind::Network, name, item.at()));
            Some(NetworkName::from(name))
        });
        if table.get("network").is_none() {
            table.reader().fact(|facts| facts.at_large.push(table.at()));
        }
        let (certificates, client_ca) = read_tls(table, protocol);
        let client_names = parsed(table.get("client_names"));
        Some(Self {
            protocol,
            address: address?,
            advertise,
            network,
            certificates,
            client_ca,
            client_names,
            number: 0,
        })
    }
}

/// The certificates and `client_ca`, which only TLS has.
fn read_tls(table: &Table<'_>, protocol: Transport) -> (Vec<Certificate>, Option<PathBuf>) {
    if protocol != Transport::Tls {
        for key in ["certificate", "key", "certificates", "client_ca", "client_names"] {
            if let Some(item) = table.get(key) {
                let remedy = "remove the line, or write protocol = \"tls\"";
                item.error(format!("{protocol} has no use for `{key}`"), remedy);
            }
        }
        return (Vec::new(), None);
    }
    let more = table.get("certificates").map(|item| item.tables("certificate"));
    let mut certificates = Vec::new();
    let own = ["certificate", "key"].iter().any(|key| table.get(key).is_some());
    if own || more.as_ref().is_none_or(Vec::is_empty) {
        certificates.extend(Certificate::read(table));
    }
    certificates.extend(more.iter().flatten().filter_map(Certificate::read));
    if let (Some(names), None) = (table.get("client_names"), table.get("client_ca")) {
        let remedy = "write client_ca = \"clients.pem\" with the authorities that sign for them";
        names.error("`client_names` without `client_ca`", remedy);
    }
    (certificates, table.get("client_ca").and_then(|item| item.needed_file()))
}

/// A certificate chain and its private key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The private key of the leaf.
    pub key: PathBuf,
}

impl Certificate {
    pub(crate) fn read(table: &Table<'_>) -> Option<Self> {
        let file = |key, example: &str| table.required(key, example).and_then(|item| item.needed_file());
        let certificate = file("certificate", "certificate = \"tls/gateway.pem\"");
        let key = file("key", "key = \"tls/gateway.key\"");
        Some(Self { certificate: certificate?, key: key? })
    }
}
