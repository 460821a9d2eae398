//! The addresses that peers will see, and what they must let through.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use config::{Config, Listen, Transport};

use super::{Finding, peers, shown};
use crate::listen::listed;

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings: Vec<Finding> = config.listen.iter().map(binds).collect();
    findings.extend(config.listen.iter().filter_map(|listen| told(config, listen)));
    findings.extend(config.media_addresses().into_iter().map(media));
    findings.extend(routes(config));
    findings
}

/// Whether the listener can be had.
fn binds(listen: &Listen) -> Finding {
    let (protocol, address) = (listen.protocol, listen.address);
    let bound = match protocol {
        Transport::Udp => UdpSocket::bind(address).map(drop),
        Transport::Tcp | Transport::Tls => TcpListener::bind(address).map(drop),
    };
    let what = format!("{protocol} {address}");
    match bound.map_err(|error| (error.kind(), error)) {
        Ok(()) => Finding::good("listen", format!("{what} can be had")),
        Err((ErrorKind::AddrInUse, _)) => {
            Finding::note("listen", format!("{what} is taken: by a gateway that runs, or by something else"))
        }
        Err((ErrorKind::AddrNotAvailable, _)) => Finding::bad(
            "listen",
            format!("{what} is no address of this machine"),
            "ip address lists those that are",
        ),
        Err((ErrorKind::PermissionDenied, error)) => Finding::bad(
            "listen",
            format!("{what}: {error}"),
            "AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit",
        ),
        Err((_, error)) => Finding::bad("listen", format!("{what}: {error}"), "see the system's log"),
    }
}

/// What peers are told where they can't be where that is.
fn told(config: &Config, listen: &Listen) -> Option<Finding> {
    let (address, port) = (listen.advertised().ip(), listen.advertised().port());
    let text =
        format!("{} {}: peers are told {}", listen.protocol, listen.address, SocketAddr::new(address, port));
    let outside = listed(config).into_iter().map(|net| net.addr()).find(|peer| is_public(*peer));
    Some(match outside.filter(|_| listen.network.is_none() && is_private(address)) {
        Some(peer) => Finding::bad(
            "address",
            format!("{text}, which means nothing to {peer}"),
            "advertise = \"the public address\" in [[listen]]; for peers on both sides, [[network]]",
        ),
        None => Finding::note("address", text),
    })
}

fn media(address: IpAddr) -> Finding {
    match UdpSocket::bind((address, 0)) {
        Ok(_) => Finding::good("media", format!("{address} can be had")),
        Err(error) => Finding::bad("media", format!("{address}: {error}"), "name an address of this machine"),
    }
}

/// Whether there is a way to each peer, and whether we come from where it expects us. Nothing is sent.
fn routes(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (party, lookup) in peers(config) {
        let Some(remote) = lookup.literal() else { continue };
        let fits = |listen: &&Listen| {
            listen.protocol == lookup.transport && listen.address.is_ipv4() == remote.is_ipv4()
        };
        let host = shown(&lookup);
        let Some(listen) = config.listen.iter().find(fits) else {
            let text = format!("{party}: no listener has {} to {host}", lookup.transport);
            findings.push(Finding::bad("route", text, "a [[listen]] of that protocol and family"));
            continue;
        };
        let from = UdpSocket::bind((listen.address.ip(), 0)).and_then(|socket| {
            socket.connect(remote)?;
            socket.local_addr()
        });
        findings.push(match from {
            Ok(from) => Finding::good("route", format!("{party}: {host} is reached from {}", from.ip())),
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => continue, // The listener's own finding says it.
            Err(error) => {
                let text = format!("{party}: no way from {} to {host}: {error}", listen.address.ip());
                Finding::bad("route", text, "ip route; or the listener's address is of another network")
            }
        });
    }
    findings.dedup();
    findings
}

/// What each party's firewall, and ours, must let through.
pub(super) fn firewall(config: &Config) -> Vec<Finding> {
    let ours: Vec<String> =
        config.listen.iter().map(|one| format!("{} {}", one.protocol, one.advertised())).collect();
    let ours = ours.join(", ");
    let media: Vec<String> = config.media_addresses().iter().map(ToString::to_string).collect();
    let told = config.media_advertised();
    let media = if told.is_empty() { media } else { told.iter().map(ToString::to_string).collect() };
    let (first, last) = (config.media.ports.first(), config.media.ports.last());
    let media = format!("udp {} ports {first} to {last} both ways", media.join(", "));
    let hosts = |party: &str| -> String {
        let of_party = peers(config).filter(|(other, _)| other.to_string() == party);
        let hosts: BTreeSet<String> =
            of_party.map(|(_, lookup)| format!("{} {}", lookup.transport, shown(&lookup))).collect();
        if hosts.is_empty() { "nothing".to_owned() } else { Vec::from_iter(hosts).join(", ") }
    };
    let connectors = config.voice_connector.iter();
    let connectors =
        connectors.map(|one| (format!("voice connector {}", one.id), &one.termination.allowlist));
    let carriers = config.carrier.iter().map(|one| (format!("carrier {}", one.name), &one.allowlist));
    let line = |(party, allowlist): (String, &Vec<ipnet::IpNet>)| {
        let from: Vec<String> = allowlist.iter().map(ToString::to_string).collect();
        let from = if from.is_empty() { "nobody".to_owned() } else { from.join(", ") };
        let text = format!("{party}: from {from} to {ours}; from us to {}; {media}", hosts(&party));
        Finding::note("firewall", text)
    };
    connectors.chain(carriers).map(line).collect()
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_private() || address.is_link_local() || matches!(address.octets(), [100, 64..=127, ..])
        }
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
}

fn is_public(address: IpAddr) -> bool {
    !is_private(address) && !address.is_loopback() && !address.is_unspecified()
}
