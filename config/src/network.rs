//! The tables `[[network]]`.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::check::Kind;
use crate::media::addresses;
use crate::read::{Item, Table};
use crate::value::cidr;
use crate::{Config, NetworkName};

/// `[[network]]`: one side of a gateway with an inside and an outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Unique.
    pub name: NetworkName,
    /// Peers reached without the advertised address. Default: none; such a network has whoever is in no other.
    pub local: Vec<IpNet>,
    /// Where media of this side is relayed, one address a family. Default: none, `media.address`.
    pub media_address: Vec<IpAddr>,
}

impl Config {
    /// The local addresses of media, each once: those of `[media]` and of every network.
    pub fn media_addresses(&self) -> Vec<IpAddr> {
        let mut all = self.media.address.clone();
        for address in self.network.iter().flat_map(|network| &network.media_address) {
            if !all.contains(address) {
                all.push(*address);
            }
        }
        all
    }

    /// Whether listeners belong to networks, so that each speaks for its own.
    pub fn has_networks(&self) -> bool {
        self.listen.iter().any(|listen| listen.network.is_some())
    }

    /// What session descriptions say in place of those, each once.
    pub fn media_advertised(&self) -> Vec<IpAddr> {
        let mut all = self.media.advertise.clone();
        let listeners = self.listen.iter().filter(|_| self.has_networks());
        for address in listeners.filter_map(|listen| listen.advertise).map(|address| address.ip()) {
            let covered = self.media.advertise.iter().any(|told| told.is_ipv4() == address.is_ipv4());
            if !covered && !all.contains(&address) {
                all.push(address);
            }
        }
        all
    }
}

impl Network {
    /// The network of a peer: the one whose `local` has the narrowest CIDR for it, else the one without `local`.
    pub fn of(networks: &[Network], peer: IpAddr) -> Option<&Network> {
        let peer = peer.to_canonical();
        let narrowest = |network: &Network| {
            network.local.iter().filter(|net| net.contains(&peer)).map(IpNet::prefix_len).max()
        };
        let local = networks.iter().filter_map(|network| Some((narrowest(network)?, network)));
        let nearest = local.reduce(|best, next| if next.0 > best.0 { next } else { best });
        let others = || networks.iter().find(|network| network.local.is_empty());
        nearest.map(|(_, network)| network).or_else(others)
    }

    /// Whether `peer` is reached without the advertised address.
    pub fn is_local(&self, peer: IpAddr) -> bool {
        self.local.iter().any(|net| net.contains(&peer.to_canonical()))
    }

    pub(crate) fn read(table: &Table<'_>) -> Option<Self> {
        let item = table.required("name", "name = \"inside\"")?;
        let name = NetworkName::from(item.name_text()?);
        let reader = table.reader();
        reader.fact(|facts| facts.name(Kind::Network, name.as_str(), item.at()));
        let items = table.get("local").and_then(|item| item.list()).unwrap_or_default();
        let at = if items.is_empty() { Some((table.at(), None)) } else { None };
        let each = items.iter().filter_map(|item| Some((item.at(), Some(cidr(item.quiet_string()?).ok()?))));
        let places: Vec<_> = each.chain(at).map(|(at, net)| (name.clone(), net, at)).collect();
        reader.fact(|facts| facts.networks.extend(places));
        Some(Self {
            name,
            local: nets(table.get("local")),
            media_address: table
                .get("media_address")
                .and_then(|item| media_address(&item))
                .unwrap_or_default(),
        })
    }
}

/// Addresses of this machine, one a family.
fn media_address(item: &Item<'_>) -> Option<Vec<IpAddr>> {
    let all = addresses(item)?;
    for (at, address) in all.iter().enumerate() {
        if address.is_unspecified() {
            item.wrong(format!("peers cannot be told {address}"), "an address of this machine");
        } else if all.iter().take(at).any(|other| other.is_ipv4() == address.is_ipv4()) {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            item.wrong(format!("{address} is a second {family} address"), "one address a family");
        }
    }
    Some(all)
}

/// The CIDRs of a list; none where it is not there.
pub(crate) fn nets(item: Option<Item<'_>>) -> Vec<IpNet> {
    let items = item.and_then(|item| item.list()).unwrap_or_default();
    items.iter().filter_map(|item| item.text(cidr)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const TWO_SIDES: &str = r#"
        listen = [
            { address = "10.1.1.5", network = "inside" },
            { address = "192.168.9.2", advertise = "203.0.113.10", network = "outside" },
        ]
        network = [
            { name = "outside", media_address = "192.168.9.3" },
            { name = "inside", local = ["10.0.0.0/8", "2001:db8::/32"], media_address = ["10.1.1.5", "2001:db8::5"] },
            { name = "lab", local = ["10.9.0.0/16"] },
        ]
    "#;

    #[test]
    fn a_peer_belongs_to_the_narrowest_network_or_to_the_one_of_everybody_else() {
        let (config, warnings) = Config::parse(TWO_SIDES, Path::new("f.toml")).unwrap();
        for (peer, expected) in [
            ("10.2.3.4", "inside"),
            ("::ffff:10.2.3.4", "inside"),
            ("2001:db8::1", "inside"),
            ("10.9.3.4", "lab"),
            ("198.51.100.1", "outside"),
        ] {
            let network = Network::of(&config.network, peer.parse().unwrap()).unwrap();
            assert_eq!(network.name.as_str(), expected, "{peer}");
            assert_eq!(network.is_local(peer.parse().unwrap()), expected != "outside", "{peer}");
        }
        let shown = |all: Vec<IpAddr>| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(shown(config.media_addresses()), "10.1.1.5 192.168.9.2 192.168.9.3 2001:db8::5");
        assert_eq!(shown(config.media_advertised()), "203.0.113.10");
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let told = "f.toml:9:38: 10.9.0.0/16 of network lab lies in 10.0.0.0/8 of network inside (f.toml:8:41): \
                    its peers are the former's";
        assert_eq!(warnings, [told]);
        let (config, _) =
            Config::parse("listen = [{ address = \"10.1.1.5\" }]", Path::new("f.toml")).unwrap();
        assert_eq!(Network::of(&config.network, [10, 1, 1, 9].into()), None);
    }
}
