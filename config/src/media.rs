//! The table `[media]`.

use std::net::IpAddr;
use std::time::Duration;

use crate::read::{Item, Table};
use crate::value::{ValueError, ip_address};
use crate::{Listen, PortRange};

/// `[media]`: where RTP and RTCP are relayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Local addresses, at least one. Default: those of the listeners.
    pub address: Vec<IpAddr>,
    /// What SDP says instead of `address`: at most one a family, each of a family that `address` has.
    /// Default: where `address` is the listeners', what they advertise; else `address` itself. None where
    /// listeners belong to networks: each tells what it advertises itself.
    pub advertise: Vec<IpAddr>,
    /// Default: `[5000, 65000]`; ports of listeners and those that the host reserves are skipped.
    pub ports: PortRange,
    /// A call ends when both sides were silent for so long and neither is on hold. Default: 60 s.
    pub inactivity_timeout: Duration,
    /// The same for a call on hold. Default: 30 min.
    pub hold_timeout: Duration,
    /// How datagrams reach the media threads. Default: [`MediaDriver::Auto`].
    pub driver: MediaDriver,
    /// Whether the kernel forwards what is steady. Default: [`MediaKernel::Off`].
    pub kernel: MediaKernel,
    /// Ports (not pairs) of each address set aside for emergency calls; a call takes four. At least one pair is
    /// left for the others. Default: 20, or a quarter of a range of fewer than 80.
    pub emergency_ports: u16,
}

/// `media.driver`: how datagrams reach the media threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MediaDriver {
    /// [`MediaDriver::SkLookup`] where the host allows it, else [`MediaDriver::Epoll`].
    #[default]
    Auto,
    /// A socket for each port.
    Epoll,
    /// One socket for all ports of a thread, by a BPF program that only privileged processes may load. Without it the
    /// gateway does not start.
    SkLookup,
}

impl MediaDriver {
    const CHOICES: &[(&'static str, Self)] =
        &[("auto", MediaDriver::Auto), ("epoll", MediaDriver::Epoll), ("sk_lookup", MediaDriver::SkLookup)];
}

/// `media.kernel`: whether the kernel forwards streams of plain RTP by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MediaKernel {
    /// The media threads forward each packet.
    #[default]
    Off,
    /// The kernel forwards the streams that are steady, where the host allows it, by a BPF program that only privileged
    /// processes may load.
    Auto,
}

impl MediaKernel {
    const CHOICES: &[(&'static str, Self)] = &[("off", MediaKernel::Off), ("auto", MediaKernel::Auto)];
}

impl Media {
    /// What SDP says for the local address `address`: the advertised address of its family, else itself.
    pub fn advertised(&self, address: IpAddr) -> IpAddr {
        let same_family = |other: &&IpAddr| other.is_ipv4() == address.is_ipv4();
        self.advertise.iter().find(same_family).copied().unwrap_or(address)
    }
}

impl Media {
    pub(crate) fn read(table: Option<&Table<'_>>, listen: &[Listen]) -> Self {
        let get = |key| table.and_then(|table| table.get(key));
        let own = get("address").and_then(|item| addresses(&item));
        let told = get("advertise").and_then(|item| {
            let told = addresses(&item)?;
            let local = own.clone().unwrap_or_else(|| listeners(listen));
            if !local.is_empty() {
                check_advertised(&item, &told, &local);
            }
            Some(told)
        });
        if let (Some(item), Some(own), None) = (get("address"), &own, &told)
            && let Some(address) = own.iter().find(|address| address.is_unspecified())
        {
            let remedy = "an address of this machine, or also advertise = \"...\" with what peers reach";
            item.wrong(format!("peers cannot be told {address}"), remedy);
        }
        let advertise = match (told, &own) {
            (Some(told), _) => told,
            (None, Some(_)) => Vec::new(),
            (None, None) => advertised(table, listen),
        };
        let ports = get("ports").and_then(|item| ports(&item)).unwrap_or(PortRange::DEFAULT);
        let duration = |key, least, default| {
            get(key).and_then(|item| item.duration(least, "7d")).unwrap_or(Duration::from_secs(default))
        };
        Self {
            address: own.unwrap_or_else(|| listeners(listen)),
            advertise,
            ports,
            inactivity_timeout: duration("inactivity_timeout", "1s", 60),
            hold_timeout: duration("hold_timeout", "1s", 30 * 60),
            driver: get("driver").and_then(|item| item.choice(MediaDriver::CHOICES)).unwrap_or_default(),
            kernel: get("kernel").and_then(|item| item.choice(MediaKernel::CHOICES)).unwrap_or_default(),
            emergency_ports: get("emergency_ports")
                .and_then(|item| item.integer(0, i64::from(ports.pairs() - 1) * 2))
                .unwrap_or((ports.pairs() / 2).min(20)),
        }
    }
}

/// The listeners' addresses, each once.
fn listeners(listen: &[Listen]) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for address in listen.iter().map(|listen| listen.address.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// What the listeners advertise, one a family; nothing where they belong to networks, each to its own.
fn advertised(table: Option<&Table<'_>>, listen: &[Listen]) -> Vec<IpAddr> {
    let mut told: Vec<IpAddr> = Vec::new();
    if listen.iter().any(|listen| listen.network.is_some()) {
        return told;
    }
    for address in listen.iter().filter_map(|listen| listen.advertise).map(|address| address.ip()) {
        match told.iter().find(|other| other.is_ipv4() == address.is_ipv4()) {
            None => told.push(address),
            Some(other) if *other == address => {}
            Some(other) => {
                if let Some(table) = table {
                    let problem = format!("[media] cannot tell whether to advertise {other} or {address}");
                    let remedy = format!("write advertise = \"{other}\" here, or the other one");
                    table.reader().error(table.at(), problem, remedy);
                }
            }
        }
    }
    told
}

/// Local addresses, one or a list, each once.
pub(crate) fn addresses(item: &Item<'_>) -> Option<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    let items = item.one_or_list()?;
    if items.is_empty() {
        item.wrong(format!("`{}` is empty", item.name()), "an address, or remove the line");
    }
    for item in items {
        let Some(address) = item.text(ip_address) else { continue };
        if addresses.contains(&address) {
            item.wrong(format!("{address} is here a second time"), "each address once");
        } else {
            addresses.push(address);
        }
    }
    (!addresses.is_empty()).then_some(addresses)
}

fn check_advertised(item: &Item<'_>, told: &[IpAddr], local: &[IpAddr]) {
    for (at, address) in told.iter().enumerate() {
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        if address.is_unspecified() {
            item.wrong(format!("nobody can reach {address}"), "the address that peers send to");
        } else if !local.iter().any(|own| own.is_ipv4() == address.is_ipv4()) {
            item.wrong(
                format!("there is no {family} address to advertise {address} for"),
                "one of the other family",
            );
        } else if told.iter().take(at).any(|other| other.is_ipv4() == address.is_ipv4()) {
            item.wrong(format!("{address} is a second {family} address"), "one address a family");
        }
    }
}

fn ports(item: &Item<'_>) -> Option<PortRange> {
    const BOTH: &str = "the first and the last in brackets: [5000, 65000]";
    if let Some(text) = item.quiet_string() {
        let numbers: Vec<u16> =
            text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        let remedy = match numbers.as_slice() {
            [first, last] => match PortRange::new(*first, *last) {
                Ok(range) => format!("the first and the last in brackets: {range}"),
                Err(error) => error.remedy,
            },
            _ => BOTH.to_owned(),
        };
        item.wrong("`ports` is a string", remedy);
        return None;
    }
    let items = item.one_or_list()?;
    let [first, last] = items.as_slice() else {
        item.wrong("`ports` has not two elements", BOTH);
        return None;
    };
    let (first, last) = (first.integer(1, 65535), last.integer(1, 65535));
    let range: Result<_, ValueError> = PortRange::new(first?, last?);
    item.check(range)
}
