//! Which way the kernel would send a packet, and what its interfaces are: rtnetlink(7).

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::net::if_::if_nameindex;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// Routes change, though rarely.
const LIFETIME: Duration = Duration::from_secs(5);
/// Ways that are remembered, at most.
const MOST: usize = 4096;
/// An interface must take packets of this length, or none.
const LEAST_MTU: u32 = 1280;

const REQUEST: u16 = 1;
const GET_LINK: u16 = 18;
const NEW_LINK: u16 = 16;
const GET_ROUTE: u16 = 26;
const NEW_ROUTE: u16 = 24;
/// Lengths of `struct nlmsghdr`, `struct rtmsg` and `struct ifinfomsg`.
const HEADER: usize = 16;
const ROUTE: usize = 12;
const LINK: usize = 16;
/// Attributes of a route, and of a link.
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_PREFSRC: u16 = 7;
const IFLA_MTU: u16 = 4;
/// Types of routes, and of links.
const UNICAST: u8 = 1;
const LOCAL: u8 = 2;
const ETHERNET: u16 = 1;
const LOOPBACK: u16 = 772;

/// Where a way leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    /// To this host.
    Here,
    /// Out at an interface.
    Interface(u32),
}

/// The kernel's way to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) destination: Destination,
    /// The address of ours that it would begin with.
    pub(super) source: Option<IpAddr>,
}

/// Asks the kernel, and remembers for a while.
pub(super) struct Routes {
    socket: OwnedFd,
    known: HashMap<(IpAddr, IpAddr), (Option<Way>, Instant)>,
}

impl Routes {
    pub(super) fn new() -> io::Result<Self> {
        let (kind, flags) = (SockType::Raw, SockFlag::SOCK_CLOEXEC);
        let socket = socket(AddressFamily::Netlink, kind, flags, SockProtocol::NetlinkRoute)?;
        Ok(Self { socket, known: HashMap::new() })
    }

    /// The interfaces that are Ethernet, or loopback, and take whatever is forwarded.
    pub(super) fn interfaces(&self) -> io::Result<BTreeSet<u32>> {
        let mut found = BTreeSet::new();
        for interface in &if_nameindex()? {
            let number = interface.index();
            let mut body = [0; LINK];
            put(&mut body, 4, &number.to_ne_bytes());
            let Some(answer) = self.ask(GET_LINK, NEW_LINK, &body) else { continue };
            let kind =
                answer.get(2..4).and_then(|bytes| bytes.first_chunk()).map(|kind| u16::from_ne_bytes(*kind));
            let mtu = attribute(answer.get(LINK..).unwrap_or_default(), IFLA_MTU).and_then(number_of);
            if matches!(kind, Some(ETHERNET | LOOPBACK)) && mtu.is_some_and(|mtu| mtu >= LEAST_MTU) {
                found.insert(number);
            }
        }
        Ok(found)
    }

    /// The way from an address of ours (perhaps the unspecified one) to another; `None`: there is none, or it is no plain one.
    pub(super) fn find(&mut self, now: Instant, from: IpAddr, to: IpAddr) -> Option<Way> {
        let known = self.known.get(&(from, to));
        if let Some((way, _)) = known.filter(|(_, since)| now.saturating_duration_since(*since) < LIFETIME) {
            return *way;
        }
        let way = self.look_up(from, to);
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert((from, to), (way, now));
        way
    }

    fn look_up(&self, from: IpAddr, to: IpAddr) -> Option<Way> {
        if from.is_ipv4() != to.is_ipv4() {
            return None;
        }
        let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 } as i32;
        let bits = if to.is_ipv4() { 32 } else { 128 };
        let has_source = !from.is_unspecified();
        let mut body = vec![0; ROUTE];
        put(&mut body, 0, &[family as u8, bits, if has_source { bits } else { 0 }]);
        push(&mut body, RTA_DST, to);
        if has_source {
            push(&mut body, RTA_SRC, from);
        }
        let answer = self.ask(GET_ROUTE, NEW_ROUTE, &body)?;
        let attributes = answer.get(ROUTE..)?;
        let interface = attribute(attributes, RTA_OIF).and_then(number_of)?;
        let destination = match *answer.get(7)? {
            LOCAL => Destination::Here,
            UNICAST => Destination::Interface(interface),
            _ => return None,
        };
        let source = attribute(attributes, RTA_PREFSRC).and_then(address_of);
        Some(Way { destination, source })
    }

    /// What is behind the header of the answer, if that is of the wanted type.
    fn ask(&self, question: u16, wanted: u16, body: &[u8]) -> Option<Vec<u8>> {
        let len = u32::try_from(HEADER + body.len()).ok()?;
        let mut message = Vec::with_capacity(HEADER + body.len());
        message.extend(len.to_ne_bytes());
        message.extend(question.to_ne_bytes());
        message.extend(REQUEST.to_ne_bytes());
        message.extend([0; 8]); // sequence number and port: there is one question at a time
        message.extend(body);
        send(self.socket.as_raw_fd(), &message, MsgFlags::empty()).ok()?;
        // The kernel has answered by then.
        let mut answer = vec![0; 16_384];
        let count = recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT).ok()?;
        answer.truncate(count);
        let kind = answer.get(4..6)?.first_chunk().map(|kind| u16::from_ne_bytes(*kind));
        (kind == Some(wanted)).then(|| answer.split_off(HEADER.min(answer.len())))
    }
}

/// The value of an attribute.
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let Some(([a, b, c, d], _)) = attributes.split_first_chunk::<4>() {
        let len = usize::from(u16::from_ne_bytes([*a, *b]));
        let value = attributes.get(4..len)?;
        if u16::from_ne_bytes([*c, *d]) == wanted {
            return Some(value);
        }
        attributes = attributes.get(len.next_multiple_of(4)..)?;
    }
    None
}

fn number_of(value: &[u8]) -> Option<u32> {
    value.first_chunk().map(|value| u32::from_ne_bytes(*value))
}

fn address_of(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => value.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        _ => value.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
    }
}

fn push(message: &mut Vec<u8>, attribute: u16, address: IpAddr) {
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    message.extend((octets.len() as u16 + 4).to_ne_bytes());
    message.extend(attribute.to_ne_bytes());
    message.extend(octets);
}

fn put(to: &mut [u8], at: usize, bytes: &[u8]) {
    to.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_leads_here_and_nowhere_is_no_way() {
        let mut routes = Routes::new().unwrap();
        let [here, any, six] = ["127.0.0.1", "0.0.0.0", "::1"].map(|ip| ip.parse().unwrap());
        let now = Instant::now();
        let way = routes.find(now, any, here).unwrap();
        assert_eq!(way, Way { destination: Destination::Here, source: Some(here) });
        assert_eq!(routes.find(now, here, here).map(|way| way.destination), Some(Destination::Here));
        assert_eq!(routes.find(now, here, six), None);
        assert!(routes.interfaces().unwrap().contains(&1));
    }
}
