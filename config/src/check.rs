//! What several tables have to agree about, checked when all of them are read.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use ipnet::IpNet;

use crate::read::{At, Reader, nearest};
use crate::{CarrierName, ConnectorId, E164, NetworkName, Object, Position, Transport};

/// Kinds of tables that others refer to by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Connector,
    Group,
    Carrier,
    Network,
}

impl Kind {
    fn shown(self) -> &'static str {
        match self {
            Kind::Connector => "voice connector",
            Kind::Group => "voice connector group",
            Kind::Carrier => "carrier",
            Kind::Network => "network",
        }
    }

    fn header(self) -> &'static str {
        match self {
            Kind::Connector => "[[voice_connector]]",
            Kind::Group => "[[voice_connector_group]]",
            Kind::Carrier => "[[carrier]]",
            Kind::Network => "[[network]]",
        }
    }
}

/// What the tables said, with the place of each.
#[derive(Default)]
pub(crate) struct Facts {
    names: Vec<(Kind, String, At)>,
    references: Vec<(Kind, String, At)>,
    pub listeners: Vec<(Transport, SocketAddr, At)>,
    /// Hosts that are called, by what carries the calls.
    pub routes: Vec<(Transport, At)>,
    /// `udp_size_limit`, where it asks for TCP.
    pub size_limits: Vec<At>,
    /// Voice connectors that take TLS only.
    pub encrypted: Vec<(ConnectorId, At)>,
    pub admin: Option<(SocketAddr, At)>,
    pub customer_nets: Vec<(ConnectorId, IpNet, At)>,
    pub carrier_nets: Vec<(CarrierName, IpNet, At)>,
    /// What each network has; `None`: whoever is in no other.
    pub networks: Vec<(NetworkName, Option<IpNet>, At)>,
    /// Listeners without a network.
    pub at_large: Vec<At>,
    pub numbers: Vec<(E164, At)>,
}

impl Facts {
    /// Something that can be referred to.
    pub(crate) fn name(&mut self, kind: Kind, name: &str, at: At) {
        self.names.push((kind, name.to_owned(), at));
    }

    /// Something that is referred to.
    pub(crate) fn refer(&mut self, kind: Kind, name: &str, at: At) {
        self.references.push((kind, name.to_owned(), at));
    }

    /// Where the connectors and groups stand.
    pub(crate) fn places(&self, reader: &Reader<'_>) -> BTreeMap<Object, Position> {
        let place = |(kind, name, at): &(Kind, String, At)| {
            let object = match kind {
                Kind::Connector => Object::Connector(name.clone()),
                Kind::Group => Object::Group(name.clone()),
                Kind::Carrier | Kind::Network => return None,
            };
            Some((object, reader.position(*at)))
        };
        self.names.iter().filter_map(place).collect()
    }

    /// Tells the reader of every disagreement.
    pub(crate) fn check(&self, reader: &Reader<'_>) {
        self.check_names(reader);
        self.check_listeners(reader);
        self.check_transports(reader);
        self.check_nets(reader);
        self.check_networks(reader);
        self.check_numbers(reader);
    }

    fn check_names(&self, reader: &Reader<'_>) {
        let mut known: HashMap<(Kind, &str), At> = HashMap::new();
        for (kind, name, at) in &self.names {
            match known.entry((*kind, name)) {
                Entry::Vacant(place) => {
                    place.insert(*at);
                }
                Entry::Occupied(first) => {
                    let place = reader.position(*first.get());
                    let problem = format!("{} {name:?} is already in {place}", kind.shown());
                    reader.error(*at, problem, "write another name, or remove one of the two");
                }
            }
        }
        for (kind, name, at) in &self.references {
            if !known.contains_key(&(*kind, name.as_str())) {
                let remedy = self.instead(*kind, name);
                reader.error(*at, format!("there is no {} {name:?}", kind.shown()), remedy);
            }
        }
    }

    /// What to write instead of a name that there is not.
    fn instead(&self, kind: Kind, name: &str) -> String {
        let names = || self.names.iter().filter(|known| known.0 == kind).map(|(_, name, _)| name.as_str());
        match (nearest(name, names()), names().next()) {
            (Some(near), _) => format!("write {near:?}"),
            (None, Some(some)) => format!("write one that the file has, as in {some:?}"),
            (None, None) => format!("write {} for it", kind.header()),
        }
    }

    /// Warns of what no listener can do: nothing else would tell before a call fails.
    fn check_transports(&self, reader: &Reader<'_>) {
        let listens = |protocol| self.listeners.iter().any(|(listened, _, _)| *listened == protocol);
        for (protocol, at) in self.routes.iter().filter(|(protocol, _)| !listens(*protocol)) {
            let remedy = format!("write [[listen]] with protocol = \"{protocol}\"");
            reader.warn(*at, format!("no listener has {protocol}, so that no call goes here; {remedy}"));
        }
        for at in self.size_limits.iter().filter(|_| !listens(Transport::Tcp)) {
            let remedy = "write [[listen]] with protocol = \"tcp\"";
            reader.warn(*at, format!("no listener has tcp, so that large requests stay on UDP; {remedy}"));
        }
        for (id, at) in self.encrypted.iter().filter(|_| !listens(Transport::Tls)) {
            let remedy = "write [[listen]] with protocol = \"tls\"";
            reader
                .warn(*at, format!("voice connector {id} takes TLS only, and no listener has it; {remedy}"));
        }
    }

    fn check_listeners(&self, reader: &Reader<'_>) {
        let taken = |address, at, first: At| {
            let problem = format!("{address} is already listened on in {}", reader.position(first));
            reader.error(at, problem, "write another address or port");
        };
        for (index, (protocol, address, at)) in self.listeners.iter().enumerate() {
            let earlier = self.listeners.iter().take(index);
            for (_, _, first) in
                earlier.filter(|other| udp(other.0) == udp(*protocol) && collide(other.1, *address))
            {
                taken(*address, *at, *first);
            }
        }
        if let Some((address, at)) = self.admin {
            for (_, _, first) in
                self.listeners.iter().filter(|other| !udp(other.0) && collide(other.1, address))
            {
                taken(address, at, *first);
            }
        }
    }

    /// A source is either a customer or a carrier. Two connectors may share one: the host of the Request-URI
    /// tells which of them is meant; and so may two carriers.
    fn check_nets(&self, reader: &Reader<'_>) {
        for (carrier, net, at) in &self.carrier_nets {
            for (connector, other, first) in self.customer_nets.iter().filter(|other| overlap(net, &other.1))
            {
                let (late, early) = (*at.max(first), *at.min(first));
                let problem = format!(
                    "{net} of carrier {carrier} and {other} of voice connector {connector} ({}) overlap",
                    reader.position(early)
                );
                reader.error(late, problem, "write addresses that belong to one of the two only");
            }
        }
    }

    /// A peer is in one network, and its listener in the same.
    fn check_networks(&self, reader: &Reader<'_>) {
        for (at, (name, net, place)) in self.networks.iter().enumerate() {
            for (other_name, other, first) in self.networks.iter().take(at) {
                let first = reader.position(*first);
                match (net, other) {
                    (None, None) => {
                        let text = format!(
                            "network {name} has no `local`, and network {other_name} has none either ({first}): \
                             whoever is in no other network is in {other_name}"
                        );
                        reader.warn(*place, text);
                    }
                    (Some(net), Some(other)) if net == other => {
                        let problem = format!("{net} is already in network {other_name} ({first})");
                        reader.error(*place, problem, "remove one of the two");
                    }
                    (Some(net), Some(other)) if name != other_name && overlap(net, other) => {
                        let text = match other.contains(net) {
                            true => format!(
                                "{net} of network {name} lies in {other} of network {other_name} ({first})"
                            ),
                            false => format!(
                                "{net} of network {name} holds {other} of network {other_name} ({first})"
                            ),
                        };
                        let whose = if other.contains(net) { "the former's" } else { "the latter's" };
                        reader.warn(*place, format!("{text}: its peers are {whose}"));
                    }
                    _ => {}
                }
            }
        }
        let uses_networks = self.references.iter().any(|(kind, ..)| *kind == Kind::Network);
        for place in self.at_large.iter().filter(|_| uses_networks) {
            let text = "other listeners have a `network` and this one has none: no peer of a network is called from here \
                        while one of its own has the transport; write network = \"...\"";
            reader.warn(*place, text);
        }
    }

    fn check_numbers(&self, reader: &Reader<'_>) {
        let mut known: HashMap<&E164, At> = HashMap::new();
        for (number, at) in &self.numbers {
            match known.entry(number) {
                Entry::Vacant(place) => {
                    place.insert(*at);
                }
                Entry::Occupied(first) => {
                    let problem =
                        format!("{number} is already assigned in {}", reader.position(*first.get()));
                    reader.error(*at, problem, "remove one of the two");
                }
            }
        }
    }
}

fn udp(protocol: Transport) -> bool {
    protocol == Transport::Udp
}

/// Whether one socket would be in the other's way.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port()
        && a.port() != 0
        && a.is_ipv4() == b.is_ipv4()
        && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}
