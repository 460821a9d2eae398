//! What the program and this process share of a flow: bytes with a place for each thing.

use std::net::{IpAddr, SocketAddr};

use super::{Flow, Standing};

/// Bytes of an entry.
pub(super) const LEN: usize = 256;

/// Where things are in an entry. Eight bytes each in the host's order, where nothing else is said.
pub(super) mod field {
    /// How often the program has begun to look at the entry, and has ended. Where they are the same nobody is in it.
    pub(in crate::forwarding) const ENTERED: i16 = 0;
    pub(in crate::forwarding) const LEFT: i16 = 8;
    /// 1: packets are forwarded. 0: they go up, all of them.
    pub(in crate::forwarding) const ON: i16 = 16;
    /// In the network's order.
    pub(in crate::forwarding) const SSRC: i16 = 24;
    pub(in crate::forwarding) const PAYLOAD_TYPE: i16 = 32;
    /// Where packets leave; 0: they go on as what came to this host.
    pub(in crate::forwarding) const INTERFACE: i16 = 40;
    /// New addresses and ports as a packet has them: 12 bytes of IPv4, 36 of IPv6.
    pub(in crate::forwarding) const REWRITE: i16 = 48;
    /// Four bytes each: what to add to checksums.
    pub(in crate::forwarding) const IP_CHANGE: i16 = 84;
    pub(in crate::forwarding) const ADDRESSES_CHANGE: i16 = 88;
    pub(in crate::forwarding) const PORTS_CHANGE: i16 = 92;
    pub(in crate::forwarding) const CLOCK_RATE: i16 = 96;
    pub(in crate::forwarding) const PACKETS: i16 = 104;
    pub(in crate::forwarding) const BYTES: i16 = 112;
    pub(in crate::forwarding) const DUPLICATES: i16 = 120;
    pub(in crate::forwarding) const HIGHEST: i16 = 128;
    pub(in crate::forwarding) const SEEN_LOW: i16 = 136;
    pub(in crate::forwarding) const SEEN_HIGH: i16 = 144;
    pub(in crate::forwarding) const HEARD: i16 = 152;
    pub(in crate::forwarding) const SEQ: i16 = 160;
    pub(in crate::forwarding) const TIMESTAMP: i16 = 168;
    /// 0: none.
    pub(in crate::forwarding) const PREVIOUS: i16 = 176;
    pub(in crate::forwarding) const PREVIOUS_TIMESTAMP: i16 = 184;
    pub(in crate::forwarding) const JITTER: i16 = 192;
    pub(in crate::forwarding) const JITTER_SUM: i16 = 200;
    pub(in crate::forwarding) const JITTER_COUNT: i16 = 208;
    pub(in crate::forwarding) const JITTER_MAX: i16 = 216;
    /// The period that this process is in, and the one that the last three are of.
    pub(in crate::forwarding) const ASKED: i16 = 224;
    pub(in crate::forwarding) const PERIOD: i16 = 232;
}

/// By what a flow is found: addresses and ports of a packet that comes in.
pub(super) struct Key;

impl Key {
    pub(super) const LEN: i16 = 40;
    pub(super) const LOCAL: i16 = 0;
    pub(super) const REMOTE: i16 = 16;
    pub(super) const LOCAL_PORT: i16 = 32;
    pub(super) const REMOTE_PORT: i16 = 34;
    pub(super) const FAMILY: i16 = 36;

    pub(super) fn bytes(local: SocketAddr, remote: SocketAddr) -> [u8; Self::LEN as usize] {
        let mut key = [0; Self::LEN as usize];
        put(&mut key, Self::LOCAL, &octets(local.ip()));
        put(&mut key, Self::REMOTE, &octets(remote.ip()));
        put(&mut key, Self::LOCAL_PORT, &local.port().to_be_bytes());
        put(&mut key, Self::REMOTE_PORT, &remote.port().to_be_bytes());
        let family = if local.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        put(&mut key, Self::FAMILY, &family.to_ne_bytes());
        key
    }
}

/// An entry that is on, for a flow whose addresses are of one family.
pub(super) fn bytes(flow: &Flow) -> [u8; LEN] {
    let mut entry = [0; LEN];
    let mut set = |field: i16, value: u64| put(&mut entry, field, &value.to_ne_bytes());
    let Standing { seen, heard, previous, jitter, .. } = flow.standing;
    let (before, timestamp) = previous.unwrap_or_default();
    set(field::ON, 1);
    set(field::SSRC, u32::from_ne_bytes(flow.ssrc.to_be_bytes()).into());
    set(field::PAYLOAD_TYPE, flow.payload_type.into());
    set(field::INTERFACE, flow.interface.into());
    set(field::CLOCK_RATE, flow.clock_rate.max(1).into());
    set(field::HIGHEST, flow.standing.highest);
    set(field::SEEN_LOW, seen as u64);
    set(field::SEEN_HIGH, (seen >> 64) as u64);
    set(field::HEARD, heard);
    set(field::PREVIOUS, before);
    set(field::PREVIOUS_TIMESTAMP, timestamp.into());
    set(field::JITTER, jitter);
    set(field::ASKED, 1);
    set(field::PERIOD, 1);
    let addresses = |from: SocketAddr, to: SocketAddr| [octets(from.ip()), octets(to.ip())].concat();
    let ports =
        |from: SocketAddr, to: SocketAddr| [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    let (old, new) = (addresses(flow.remote, flow.local), addresses(flow.source, flow.to));
    let addresses_change = change(&old, &new);
    let ports_change = change(&ports(flow.remote, flow.local), &ports(flow.source, flow.to));
    // One hop less: its byte is the first of a word.
    let ip_change = fold(addresses_change + fold(u32::from(!u16::from_ne_bytes([1, 0]))));
    put(&mut entry, field::REWRITE, &[new, ports(flow.source, flow.to)].concat());
    put(&mut entry, field::IP_CHANGE, &ip_change.to_ne_bytes());
    put(&mut entry, field::ADDRESSES_CHANGE, &addresses_change.to_ne_bytes());
    put(&mut entry, field::PORTS_CHANGE, &ports_change.to_ne_bytes());
    entry
}

/// What a checksum grows by when words change: the sum of `~old + new`, words as the host loads them. RFC 1624 §3.
fn change(old: &[u8], new: &[u8]) -> u32 {
    let words = |bytes: &[u8]| {
        bytes.as_chunks::<2>().0.iter().map(|word| u16::from_ne_bytes(*word)).collect::<Vec<_>>()
    };
    let sum = words(old).into_iter().map(|word| u32::from(!word)).sum::<u32>();
    fold(sum + words(new).into_iter().map(u32::from).sum::<u32>())
}

fn fold(mut sum: u32) -> u32 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn put(to: &mut [u8], at: i16, bytes: &[u8]) {
    let rest = to.iter_mut().skip(usize::try_from(at).unwrap_or(usize::MAX));
    rest.zip(bytes).for_each(|(to, from)| *to = *from);
}
