//! Control messages of a received datagram. Source: cmsg(3), socket(7), ip(7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

/// Bytes of a socket address of either family.
pub(crate) const NAME: usize = size_of::<libc::sockaddr_in6>();
/// Room for a time, a count and an address, each with its head.
pub(crate) const ROOM: usize = 128;

const HEAD: usize = size_of::<libc::cmsghdr>();

/// What the kernel says beside the datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Control {
    pub(crate) stamp: Option<Duration>,
    pub(crate) dropped: u32,
    pub(crate) destination: Option<SocketAddr>,
}

impl Control {
    pub(crate) fn parse(mut messages: &[u8]) -> Self {
        let mut control = Self::default();
        while let Some((len, level, kind)) = head(messages) {
            let Some(data) = messages.get(HEAD..len) else { break };
            match (level, kind) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => control.stamp = time(data),
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                    control.dropped = data.first_chunk().map_or(0, |count| u32::from_ne_bytes(*count));
                }
                (libc::SOL_IP, libc::IP_ORIGDSTADDR) | (libc::SOL_IPV6, libc::IPV6_ORIGDSTADDR) => {
                    control.destination = read_name(data);
                }
                _ => {}
            }
            messages = messages.get(len.next_multiple_of(size_of::<usize>())..).unwrap_or_default();
        }
        control
    }
}

fn head(messages: &[u8]) -> Option<(usize, libc::c_int, libc::c_int)> {
    let (len, rest) = messages.split_first_chunk::<{ size_of::<usize>() }>()?;
    let (level, rest) = rest.split_first_chunk()?;
    let kind = rest.first_chunk()?;
    let len = usize::from_ne_bytes(*len);
    (len >= HEAD).then_some((len, i32::from_ne_bytes(*level), i32::from_ne_bytes(*kind)))
}

/// A `struct timespec`, whose seconds are as wide as its nanoseconds.
fn time(data: &[u8]) -> Option<Duration> {
    let (seconds, rest) = data.split_first_chunk::<{ size_of::<libc::c_long>() }>()?;
    let nanos = rest.first_chunk::<{ size_of::<libc::c_long>() }>()?;
    let seconds = u64::try_from(libc::c_long::from_ne_bytes(*seconds)).ok()?;
    let nanos = u32::try_from(libc::c_long::from_ne_bytes(*nanos)).ok()?;
    Some(Duration::new(seconds, nanos))
}

/// Reads a socket address as the kernel writes it.
pub(crate) fn read_name(name: &[u8]) -> Option<SocketAddr> {
    let (family, rest) = name.split_first_chunk()?;
    let (port, rest) = rest.split_first_chunk()?;
    let port = u16::from_be_bytes(*port);
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET => {
            let address = rest.first_chunk::<4>()?;
            Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(*address)), port))
        }
        libc::AF_INET6 => {
            let (_flow, rest) = rest.split_first_chunk::<4>()?;
            let (address, rest) = rest.split_first_chunk::<16>()?;
            let scope = u32::from_ne_bytes(*rest.first_chunk()?);
            Some(SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(*address), port, 0, scope)))
        }
        _ => None,
    }
}

/// Writes an address as the kernel reads it, for a raw socket: without the port, which is a protocol number there.
/// Returns its length.
pub(crate) fn write_name(name: &mut [u8; NAME], address: SocketAddr) -> usize {
    *name = [0; NAME];
    match address {
        SocketAddr::V4(address) => {
            let [a, b, c, d] = address.ip().octets();
            let [e, f] = (libc::AF_INET as u16).to_ne_bytes();
            name.iter_mut().zip([e, f, 0, 0, a, b, c, d]).for_each(|(to, from)| *to = from);
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(address) => {
            let family = (libc::AF_INET6 as u16).to_ne_bytes();
            let scope = address.scope_id().to_ne_bytes();
            let bytes = family.into_iter().chain([0; 6]).chain(address.ip().octets()).chain(scope);
            name.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
            NAME
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut message = (HEAD + data.len()).to_ne_bytes().to_vec();
        message.extend(level.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(data);
        message.resize(message.len().next_multiple_of(size_of::<usize>()), 0);
        message
    }

    #[test]
    fn messages_are_read_in_any_order() {
        let mut name = [0; NAME];
        write_name(&mut name, "[2001:db8::1%7]:9".parse().unwrap());
        let (mut time, count) = (7_i64.to_ne_bytes().to_vec(), 3_u32.to_ne_bytes());
        time.extend(9_i64.to_ne_bytes());
        let messages = [
            message(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &count),
            message(libc::SOL_SOCKET, 4711, b"what we did not ask for"),
            message(libc::SOL_IPV6, libc::IPV6_ORIGDSTADDR, &name),
            message(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &time),
        ];
        let control = Control::parse(&messages.concat());
        let destination = "[2001:db8::1%7]:0".parse().ok();
        assert_eq!(control, Control { stamp: Some(Duration::new(7, 9)), dropped: 3, destination });
    }

    #[test]
    fn what_is_cut_short_is_left_out() {
        let whole = message(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &[1, 0, 0, 0]);
        for len in 0..HEAD + 4 {
            assert_eq!(Control::parse(&whole[..len]), Control::default());
        }
        let endless = message(libc::SOL_SOCKET, 1, &[])[HEAD..].to_vec();
        assert_eq!(Control::parse(&[0_usize.to_ne_bytes().to_vec(), endless].concat()), Control::default());
    }
}
