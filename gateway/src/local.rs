//! What we are towards a peer: the listener that it is reached by, and the addresses and names that it is told.

use std::collections::BTreeMap;
use std::fmt::{self, Display as _};
use std::net::{IpAddr, SocketAddr};

use config::{Config, ContactName, Listen, Media, Network};
use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, format_smolstr};

use crate::peer::{ListenerId, Transport};

/// What we are on a leg: the listener, and what the peer is told of it. Plain data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Local {
    pub listener: ListenerId,
    pub transport: Transport,
    /// The signalling address that peers are told.
    pub advertise: SocketAddr,
    /// The name that stands in place of its IP address. RFC 3261 §18.1.1.
    #[serde(default)]
    pub name: Option<SmolStr>,
    /// Where media sockets are bound, and what SDP says instead.
    pub media: IpAddr,
    pub media_advertise: IpAddr,
}

impl Local {
    /// The same under the name that the peer is to know us by; `None`: by our address.
    pub fn named(mut self, contact: Option<&ContactName>) -> Self {
        if let Some(ContactName { name, port }) = contact {
            self.advertise.set_port(port.unwrap_or(self.advertise.port()));
            self.name = Some(name.into());
        }
        self
    }

    /// The host of a URI of ours: the name, else the address, IPv6 in brackets.
    pub fn host(&self) -> SmolStr {
        match &self.name {
            Some(name) => name.clone(),
            None => format_smolstr!("{}", sip::Host::from(self.advertise.ip())),
        }
    }

    /// Host and port, as in Via and Contact.
    pub fn host_port(&self) -> impl fmt::Display {
        let port = self.advertise.port();
        fmt::from_fn(move |f| {
            match &self.name {
                Some(name) => f.write_str(name)?,
                None => sip::Host::from(self.advertise.ip()).fmt(f)?,
            }
            f.write_str(":")?;
            port.fmt(f)
        })
    }

    /// A Via value with a branch of ours. RFC 3261 §18.1.1; `rport` of RFC 3581.
    pub fn via<B: fmt::Display>(&self, branch: B) -> impl fmt::Display {
        let transport = self.transport.via();
        fmt::from_fn(move |f| {
            // Piece by piece: every message has one, and a format of them all takes several times longer.
            f.write_str("SIP/2.0/")?;
            f.write_str(transport)?;
            f.write_str(" ")?;
            self.host_port().fmt(f)?;
            f.write_str(";branch=")?;
            branch.fmt(f)?;
            f.write_str(";rport")
        })
    }

    /// A Contact value; `user` as it stands on the wire, empty for none.
    pub fn contact(&self, user: &str) -> impl fmt::Display {
        let at = if user.is_empty() { "" } else { "@" };
        let transport = match self.transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            // Not `sips:`: it promises TLS on every hop, which nobody here asked for, and phones stumble over it.
            Transport::Tls => ";transport=tls",
        };
        fmt::from_fn(move |f| {
            ["<sip:", user, at].into_iter().try_for_each(|piece| f.write_str(piece))?;
            self.host_port().fmt(f)?;
            f.write_str(transport)?;
            f.write_str(">")
        })
    }
}

/// What we are towards any peer, as the listeners, networks and media addresses of a configuration have it.
#[derive(Debug, Clone)]
pub struct Locals {
    listeners: Vec<Listening>,
    networks: Vec<Network>,
    media: Media,
    /// Each listener speaks for its own network.
    has_networks: bool,
}

/// The addresses that listeners really have: port 0 is one of the system's choice.
pub type BoundAddresses = BTreeMap<ListenerId, SocketAddr>;

/// A listener as it is configured, and where it really is.
#[derive(Debug, Clone)]
struct Listening {
    id: ListenerId,
    listen: Listen,
    bound: SocketAddr,
}

impl Locals {
    /// - `bound`: a listener that is not among them is where the configuration has it.
    pub fn new(config: &Config, bound: &BoundAddresses) -> Self {
        let listening = |listen: &Listen| {
            let id = ListenerId(listen.number);
            Listening { id, listen: listen.clone(), bound: bound.get(&id).copied().unwrap_or(listen.address) }
        };
        Self {
            listeners: config.listen.iter().map(listening).collect(),
            networks: config.network.clone(),
            media: config.media.clone(),
            has_networks: config.has_networks(),
        }
    }

    /// Towards a peer that came by `listener`; `None` where the configuration has it no more, and its sockets are open for
    /// calls that began before.
    ///
    /// - `arrived`: the address of ours that the peer's message was sent to, where that is known: what a wildcard is bound to
    ///   says nothing.
    pub fn by(&self, listener: ListenerId, peer: IpAddr, arrived: Option<IpAddr>) -> Option<Local> {
        let peer = peer.to_canonical();
        let Listening { listen: configured, bound, .. } =
            self.listeners.iter().find(|one| one.id == listener)?;
        let network = Network::of(&self.networks, peer);
        let is_local = network.is_some_and(|network| network.is_local(peer));
        let media = self.media_address(bound.ip(), network, peer)?;
        let arrived = arrived.map(|ip| ip.to_canonical()).filter(|ip| !ip.is_unspecified());
        let reached = if bound.ip().is_unspecified() { arrived.unwrap_or(media) } else { bound.ip() };
        let advertise = match configured.advertise {
            // Who is in our own network reaches us where we are, if we know where that is.
            Some(told) if !is_local || reached.is_unspecified() => told,
            _ => SocketAddr::new(reached, bound.port()),
        };
        let media_advertise = match is_local {
            true if !media.is_unspecified() => media,
            true => advertise.ip(),
            false => self.media_told(configured, bound.ip(), media),
        };
        let transport = configured.protocol;
        Some(Local { listener, transport, advertise, name: None, media, media_advertise })
    }

    /// Towards a peer that we call: by a listener of its network, else by one of none, else by any; `None` where none has
    /// the transport and the address family.
    pub fn towards(&self, transport: Transport, peer: IpAddr) -> Option<Local> {
        let peer = peer.to_canonical();
        let network = Network::of(&self.networks, peer).map(|network| &network.name);
        let rank = |one: &&Listening| match &one.listen.network {
            own if own.as_ref() == network => 0,
            None => 1,
            Some(_) => 2,
        };
        let able = self.of(transport).filter(|one| one.listen.address.is_ipv4() == peer.is_ipv4());
        self.by(able.min_by_key(rank)?.id, peer, None)
    }

    /// By the first listener that has the transport: for a peer whose address is not known yet.
    pub fn first(&self, transport: Transport) -> Option<Local> {
        let first = self.of(transport).next()?;
        self.by(first.id, first.listen.address.ip(), None)
    }

    fn of(&self, transport: Transport) -> impl Iterator<Item = &Listening> {
        self.listeners.iter().filter(move |one| one.listen.protocol == transport)
    }

    /// Where the media of a peer is bound: where its network has it, else beside the listener, else anywhere.
    fn media_address(&self, listener: IpAddr, network: Option<&Network>, peer: IpAddr) -> Option<IpAddr> {
        let family = |address: &&IpAddr| address.is_ipv4() == peer.is_ipv4();
        let all = || self.media.address.iter();
        let own = network.and_then(|network| network.media_address.iter().find(family));
        let beside = || all().filter(family).find(|address| **address == listener);
        own.or_else(beside).or_else(|| all().find(family)).or_else(|| all().next()).copied()
    }

    /// The name of a peer's network.
    pub fn network_of(&self, peer: IpAddr) -> Option<&str> {
        Network::of(&self.networks, peer).map(|network| network.name.as_str())
    }

    /// What SDP says to a peer outside.
    fn media_told(&self, listen: &Listen, bound: IpAddr, media: IpAddr) -> IpAddr {
        let told = self.media.advertised(media);
        match listen.advertise {
            // Of several listeners each speaks for its own network.
            Some(advertise) if told == media && media == bound && self.has_networks => advertise.ip(),
            _ => told,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn locals(text: &str) -> Locals {
        let config = Config::parse(text, Path::new("f.toml")).unwrap().0;
        Locals::new(&config, &BoundAddresses::new())
    }

    /// Listener, signalling address, bound media address, told media address.
    fn shown(local: Option<Local>) -> String {
        let show = |local: Local| {
            format!("{} {} {} {}", local.listener.0, local.advertise, local.media, local.media_advertise)
        };
        local.map_or("none".to_owned(), show)
    }

    const TWO_SIDES: &str = r#"
        network = [
            { name = "inside", local = ["10.0.0.0/8", "fd00::/8"], media_address = ["10.1.1.6", "fd00::6"] },
            { name = "outside" },
        ]
        [[listen]]
        address = "192.168.9.2:5060"
        advertise = "203.0.113.10:5070"
        network = "outside"
        [[listen]]
        address = "10.1.1.5:5060"
        advertise = "203.0.113.11:5060"
        network = "inside"
        [[listen]]
        address = "[fd00::5]:5060"
        network = "inside"
        [[listen]]
        protocol = "tcp"
        address = "0.0.0.0:5060"
        advertise = "203.0.113.12:5060"
    "#;

    #[test]
    fn a_peer_is_called_from_its_own_network() {
        let locals = locals(TWO_SIDES);
        for (transport, peer, expected) in [
            (Transport::Udp, "10.2.3.4", "1 10.1.1.5:5060 10.1.1.6 10.1.1.6"),
            (Transport::Udp, "::ffff:10.2.3.4", "1 10.1.1.5:5060 10.1.1.6 10.1.1.6"),
            (Transport::Udp, "fd00::9", "2 [fd00::5]:5060 fd00::6 fd00::6"),
            (Transport::Udp, "198.51.100.1", "0 203.0.113.10:5070 192.168.9.2 203.0.113.10"),
            // No listener of its family is outside: the one that there is.
            (Transport::Udp, "2001:db8::1", "2 [fd00::5]:5060 fd00::5 fd00::5"),
            (Transport::Tcp, "198.51.100.1", "3 203.0.113.12:5060 0.0.0.0 203.0.113.12"),
            (Transport::Tcp, "10.2.3.4", "3 10.1.1.6:5060 10.1.1.6 10.1.1.6"),
            (Transport::Tcp, "fd00::9", "none"),
            (Transport::Tls, "10.2.3.4", "none"),
        ] {
            let found = shown(locals.towards(transport, peer.parse().unwrap()));
            assert_eq!(found, expected, "{transport} {peer}");
        }
    }

    #[test]
    fn who_came_by_another_listener_is_told_of_that_one() {
        let locals = locals(TWO_SIDES);
        let by = |listener, peer: &str| {
            shown(locals.by(ListenerId(listener), peer.parse().unwrap(), Some([10, 1, 1, 9].into())))
        };
        assert_eq!(by(0, "10.2.3.4"), "0 192.168.9.2:5060 10.1.1.6 10.1.1.6");
        assert_eq!(by(1, "198.51.100.1"), "1 203.0.113.11:5060 10.1.1.5 203.0.113.11");
        assert_eq!(by(9, "10.2.3.4"), "none");
        // Where a wildcard was reached is known once somebody has reached it.
        assert_eq!(by(3, "10.2.3.4"), "3 10.1.1.9:5060 10.1.1.6 10.1.1.6");
        assert_eq!(by(3, "198.51.100.1"), "3 203.0.113.12:5060 0.0.0.0 203.0.113.12");
    }

    #[test]
    fn without_networks_everybody_is_told_the_same() {
        let locals = locals(
            r#"
            listen = [
                { address = "192.0.2.1:5060", advertise = "203.0.113.10:5060" },
                { protocol = "tcp", address = "192.0.2.2:5060", advertise = "203.0.113.10:5062" },
            ]
            [media]
            address = ["192.0.2.9", "192.0.2.2"]
            advertise = "203.0.113.9"
            "#,
        );
        let peer = "10.2.3.4".parse().unwrap();
        let udp = "0 203.0.113.10:5060 192.0.2.9 203.0.113.9";
        assert_eq!(shown(locals.towards(Transport::Udp, peer)), udp);
        let tcp = "1 203.0.113.10:5062 192.0.2.2 203.0.113.9";
        assert_eq!(shown(locals.towards(Transport::Tcp, peer)), tcp);
        assert_eq!(shown(locals.first(Transport::Tcp)), tcp);
    }

    #[test]
    fn a_name_stands_in_place_of_the_address() {
        let local = locals(TWO_SIDES).towards(Transport::Tcp, [198, 51, 100, 1].into()).unwrap();
        let six = locals(TWO_SIDES).towards(Transport::Udp, "fd00::9".parse().unwrap()).unwrap();
        let named = local.clone().named(Some(&"sbc.example.com".parse().unwrap()));
        let with_port = local.clone().named(Some(&"sbc.example.com:5090".parse().unwrap()));
        assert_eq!(local.contact("a").to_string(), "<sip:a@203.0.113.12:5060;transport=tcp>");
        assert_eq!(
            (six.contact("").to_string(), six.host()),
            ("<sip:[fd00::5]:5060>".to_owned(), "[fd00::5]".into())
        );
        assert_eq!(named.contact("a").to_string(), "<sip:a@sbc.example.com:5060;transport=tcp>");
        assert_eq!(named.via("b").to_string(), "SIP/2.0/TCP sbc.example.com:5060;branch=b;rport");
        assert_eq!(with_port.contact("").to_string(), "<sip:sbc.example.com:5090;transport=tcp>");
    }
}
