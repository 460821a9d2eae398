//! From a name to its servers. RFC 3263 §4.
//!
//! The transport is settled by configuration, so NAPTR cannot choose it; where the domain has a NAPTR record for
//! our transport, its replacement names the SRV records, else the usual `_sip._udp.name` does, and where there are
//! no SRV records either, the name itself has the addresses.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::dns::{Dns, DnsError, Naptr, Srv};
use super::order::by_priority_and_weight;
use super::{Lookup, ResolveError};
use crate::peer::Transport;
use crate::random::Random;

/// Targets of one name that are looked at; a name with more is a mistake or an attack.
const MAX_TARGETS: usize = 32;

/// A server behind a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Lowest first.
    pub priority: u16,
    /// Share among equals.
    pub weight: u16,
    /// All its addresses.
    pub addresses: Vec<SocketAddr>,
}

/// The servers behind a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located(pub Vec<Target>);

impl Located {
    /// All addresses in the order in which one call tries them. The next call may draw another order.
    pub fn ordered(&self, random: &mut dyn Random) -> Vec<SocketAddr> {
        let targets = by_priority_and_weight(
            self.0.iter().collect(),
            |target| (target.priority, target.weight),
            random,
        );
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in targets.into_iter().flat_map(|target| &target.addresses) {
            if !addresses.contains(address) {
                addresses.push(*address);
            }
        }
        addresses
    }
}

/// Finds the servers of `lookup`, at least one address.
///
/// # Errors
///
/// Where no address was found: why not. A target without addresses is passed over while another has some.
pub async fn locate<D: Dns>(dns: &Arc<D>, lookup: &Lookup) -> Result<Located, ResolveError> {
    if let Some(address) = lookup.literal() {
        return Ok(single(vec![address]));
    }
    let host = lookup.host.trim_end_matches('.');
    if let Some(port) = lookup.port {
        return by_address(dns.as_ref(), lookup, host, port).await;
    }
    let services = services(dns.as_ref(), lookup.transport, host).await;
    match services {
        Ok(services) if services.iter().all(|service| service.target == ".") => {
            Err(ResolveError::NotOffered(lookup.host.clone()))
        }
        Ok(services) => by_targets(dns, lookup, services).await,
        // No SRV records, or a name server that stumbles over them: the name itself may do. §4.2.
        Err(_) => by_address(dns.as_ref(), lookup, host, lookup.transport.default_port()).await,
    }
}

/// The SRV records, never empty.
async fn services<D: Dns>(dns: &D, transport: Transport, host: &str) -> Result<Vec<Srv>, DnsError> {
    let prefix = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    };
    // Ending in a dot, so that no search domain is tried.
    let (absolute, usual) = (format!("{host}."), format!("{prefix}.{host}."));
    // Asked at one time: few domains have NAPTR records, and nobody should wait to learn that.
    let (naptrs, services) = tokio::join!(dns.naptr(&absolute), dns.srv(&usual));
    let mut services = services;
    if let Some(replacement) = naptrs.ok().and_then(|naptrs| replacement(naptrs, transport))
        && !replacement.trim_end_matches('.').eq_ignore_ascii_case(usual.trim_end_matches('.'))
    {
        services = dns.srv(&replacement).await;
    }
    let mut services = services?;
    services.sort_by_key(|service| service.priority);
    services.truncate(MAX_TARGETS);
    if services.is_empty() { Err(DnsError::NoRecords) } else { Ok(services) }
}

/// Where the best NAPTR record for the transport leads. RFC 3263 §4.1.
fn replacement(naptrs: Vec<Naptr>, transport: Transport) -> Option<String> {
    let wanted = match transport {
        Transport::Udp => "SIP+D2U",
        Transport::Tcp => "SIP+D2T",
        Transport::Tls => "SIPS+D2T",
    };
    naptrs
        .into_iter()
        .filter(|naptr| naptr.services.eq_ignore_ascii_case(wanted) && naptr.flags.eq_ignore_ascii_case("s"))
        .filter(|naptr| naptr.replacement != ".")
        .min_by_key(|naptr| (naptr.order, naptr.preference))
        .map(|naptr| naptr.replacement)
}

async fn by_address<D: Dns>(
    dns: &D,
    lookup: &Lookup,
    host: &str,
    port: u16,
) -> Result<Located, ResolveError> {
    let addresses = dns.addresses(host).await.map_err(|error| named(lookup, error))?;
    if addresses.is_empty() {
        return Err(ResolveError::NotFound(lookup.host.clone()));
    }
    Ok(single(with_port(addresses, port)))
}

async fn by_targets<D: Dns>(
    dns: &Arc<D>,
    lookup: &Lookup,
    services: Vec<Srv>,
) -> Result<Located, ResolveError> {
    let mut lookups = JoinSet::new();
    for service in services.into_iter().filter(|service| service.target != ".") {
        let dns = dns.clone();
        lookups.spawn(async move {
            let addresses = dns.addresses(&service.target).await;
            (service, addresses)
        });
    }
    let mut targets = Vec::new();
    let mut failure = DnsError::NoRecords;
    for (service, addresses) in lookups.join_all().await {
        match addresses {
            Ok(addresses) if !addresses.is_empty() => targets.push(Target {
                priority: service.priority,
                weight: service.weight,
                addresses: with_port(addresses, service.port),
            }),
            Ok(_) => {}
            Err(error) => failure = error,
        }
    }
    if targets.is_empty() { Err(named(lookup, failure)) } else { Ok(Located(targets)) }
}

fn single(addresses: Vec<SocketAddr>) -> Located {
    Located(vec![Target { priority: 0, weight: 0, addresses }])
}

/// IPv4 first; within a family the order of DNS, which is how it shares load.
fn with_port(mut addresses: Vec<IpAddr>, port: u16) -> Vec<SocketAddr> {
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect()
}

fn named(lookup: &Lookup, error: DnsError) -> ResolveError {
    let host = lookup.host.clone();
    match error {
        DnsError::NoRecords => ResolveError::NotFound(host),
        DnsError::NoNameServer => ResolveError::NoNameServer(host),
        DnsError::TimedOut => ResolveError::TimedOut(host),
        DnsError::Failed(reason) => ResolveError::Failed { host, reason: reason.into() },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::random::SeededRandom;

    #[derive(Default)]
    struct Zone {
        naptr: HashMap<&'static str, Vec<Naptr>>,
        srv: HashMap<&'static str, Vec<Srv>>,
        addresses: HashMap<&'static str, Vec<IpAddr>>,
    }

    impl Zone {
        fn address(mut self, name: &'static str, addresses: &[&str]) -> Zone {
            self.addresses.insert(name, addresses.iter().map(|address| address.parse().unwrap()).collect());
            self
        }

        fn srv(mut self, name: &'static str, priority: u16, weight: u16, port: u16, target: &str) -> Zone {
            let target = target.to_owned();
            self.srv.entry(name).or_default().push(Srv { priority, weight, port, target });
            self
        }

        fn naptr(mut self, name: &'static str, order: u16, services: &str, replacement: &str) -> Zone {
            self.naptr.entry(name).or_default().push(Naptr {
                order,
                preference: 0,
                flags: "s".to_owned(),
                services: services.to_owned(),
                replacement: replacement.to_owned(),
            });
            self
        }
    }

    impl Dns for Zone {
        async fn naptr(&self, name: &str) -> Result<Vec<Naptr>, DnsError> {
            self.naptr.get(name).cloned().ok_or(DnsError::NoRecords)
        }

        async fn srv(&self, name: &str) -> Result<Vec<Srv>, DnsError> {
            self.srv.get(name).cloned().ok_or(DnsError::NoRecords)
        }

        async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
            let records = self.addresses.get(name.trim_end_matches('.')).cloned();
            records.ok_or(if name.starts_with("slow") { DnsError::TimedOut } else { DnsError::NoRecords })
        }
    }

    fn lookup(host: &str, port: Option<u16>, transport: Transport) -> Lookup {
        Lookup { host: host.into(), port, transport }
    }

    async fn check(zone: Zone, lookup: Lookup, expect: Result<&[&str], ResolveError>) {
        let located = locate(&Arc::new(zone), &lookup).await;
        let addresses = located.map(|located| located.ordered(&mut SeededRandom::new(1)));
        let expect = expect.map(|list| list.iter().map(|address| address.parse().unwrap()).collect());
        assert_eq!(addresses, expect, "{lookup:?}");
    }

    #[tokio::test]
    async fn addresses_are_taken_as_they_are() {
        let check =
            |host, port, transport, expect| check(Zone::default(), lookup(host, port, transport), Ok(expect));
        check("192.0.2.1", None, Transport::Udp, &["192.0.2.1:5060"]).await;
        check("192.0.2.1", None, Transport::Tls, &["192.0.2.1:5061"]).await;
        check("192.0.2.1", Some(5080), Transport::Tcp, &["192.0.2.1:5080"]).await;
        check("2001:db8::1", None, Transport::Udp, &["[2001:db8::1]:5060"]).await;
        check("[2001:db8::1]", Some(7), Transport::Udp, &["[2001:db8::1]:7"]).await;
    }

    #[tokio::test]
    async fn a_port_means_no_srv() {
        let zone = Zone::default()
            .srv("_sip._udp.carrier.example.", 1, 1, 5099, "other.example.")
            .address("carrier.example", &["2001:db8::1", "192.0.2.1", "192.0.2.2"]);
        let expect = ["192.0.2.1:5070", "192.0.2.2:5070", "[2001:db8::1]:5070"];
        check(zone, lookup("carrier.example", Some(5070), Transport::Udp), Ok(&expect)).await;
    }

    #[tokio::test]
    async fn srv_gives_ports_and_order_and_a_dead_target_is_passed_over() {
        let zone = Zone::default()
            .srv("_sip._tcp.carrier.example.", 20, 1, 5082, "b.example.")
            .srv("_sip._tcp.carrier.example.", 10, 1, 5081, "a.example.")
            .srv("_sip._tcp.carrier.example.", 5, 1, 5080, "slow.example.")
            .address("a.example", &["192.0.2.1"])
            .address("b.example", &["192.0.2.2"]);
        let expect = ["192.0.2.1:5081", "192.0.2.2:5082"];
        check(zone, lookup("carrier.example", None, Transport::Tcp), Ok(&expect)).await;
    }

    #[tokio::test]
    async fn naptr_of_our_transport_leads_to_its_srv() {
        let zone = || {
            Zone::default()
                .naptr("carrier.example.", 1, "SIP+D2T", "_sip._tcp.carrier.example.")
                .naptr("carrier.example.", 2, "SIP+D2U", "_sip._udp.east.example.")
                .naptr("carrier.example.", 3, "sip+d2u", "_sip._udp.west.example.")
                .srv("_sip._udp.east.example.", 1, 1, 5070, "a.example.")
                .srv("_sip._udp.carrier.example.", 1, 1, 5090, "a.example.")
                .srv("_sips._tcp.carrier.example.", 1, 1, 5061, "a.example.")
                .address("a.example", &["192.0.2.1"])
        };
        check(zone(), lookup("carrier.example", None, Transport::Udp), Ok(&["192.0.2.1:5070"])).await;
        check(zone(), lookup("carrier.example.", None, Transport::Tls), Ok(&["192.0.2.1:5061"])).await;
    }

    #[tokio::test]
    async fn without_srv_the_name_itself_is_asked() {
        let zone = || Zone::default().address("pbx.example", &["192.0.2.9"]);
        check(zone(), lookup("pbx.example", None, Transport::Tls), Ok(&["192.0.2.9:5061"])).await;
        let missing = ResolveError::NotFound("other.example".into());
        check(zone(), lookup("other.example", None, Transport::Udp), Err(missing)).await;
        let slow = ResolveError::TimedOut("slow.example".into());
        check(zone(), lookup("slow.example", Some(5060), Transport::Udp), Err(slow)).await;
    }

    #[tokio::test]
    async fn a_dot_says_no() {
        let zone = Zone::default()
            .srv("_sip._udp.carrier.example.", 0, 0, 0, ".")
            .address("carrier.example", &["192.0.2.1"]);
        let refused = ResolveError::NotOffered("carrier.example".into());
        check(zone, lookup("carrier.example", None, Transport::Udp), Err(refused)).await;
    }
}
