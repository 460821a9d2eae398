//! Which datagrams come to which of our sockets.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::bpf::{self, Kind, MapType};
use crate::mapping::Mapping;
use crate::program::{FLOODED, Program, SOURCE};

/// Flooded ports at one time; more are not shed.
const MOST_FLOODED: u32 = 4096;
const PORTS: usize = 1 << 16;
/// From one entry of four bytes to the next.
const STRIDE: usize = 8;

/// The program at work in this thread's network namespace, until it is dropped or the process ends.
#[derive(Debug)]
pub struct Steering {
    addresses: Vec<IpAddr>,
    ports: Mapping<AtomicU32>,
    sockets: OwnedFd,
    sources: OwnedFd,
    _link: OwnedFd,
}

impl Steering {
    /// Loads and attaches the program; it selects no datagram before [`Steering::lease`].
    ///
    /// - `addresses`: local addresses of media; `0.0.0.0` and `::` are all of a family.
    /// - `sockets`: how many sockets there are, at most.
    ///
    /// # Errors
    /// What the kernel would not do, and why: not permitted, most likely, or too old.
    pub fn attach(addresses: &[IpAddr], sockets: u16) -> io::Result<Self> {
        if u32::from(sockets) >= FLOODED {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many sockets"));
        }
        let entries = PORTS * addresses.len();
        let most = u32::try_from(entries).map_err(|_| io::ErrorKind::InvalidInput)?;
        let ports = bpf::create_map(MapType::Array, 4, 4, most, bpf::MMAPABLE).map_err(at("map of ports"))?;
        let sockets =
            bpf::create_map(MapType::SockMap, 4, 4, u32::from(sockets), 0).map_err(at("map of sockets"))?;
        let sources = bpf::create_map(MapType::Hash, 4, SOURCE as u32, MOST_FLOODED, 0)
            .map_err(at("map of sources"))?;
        let program =
            Program { ports: ports.as_raw_fd(), sockets: sockets.as_raw_fd(), sources: sources.as_raw_fd() };
        let code =
            program.assemble(addresses).ok_or_else(|| at("program")(io::ErrorKind::InvalidInput.into()))?;
        let program = bpf::load(Kind::SkLookup, &code).map_err(at("program"))?;
        let namespace = File::open("/proc/thread-self/ns/net").map_err(at("network namespace"))?;
        let target = u32::try_from(namespace.as_raw_fd()).unwrap_or(u32::MAX);
        let link = bpf::attach(Kind::SkLookup, program.as_fd(), target).map_err(at("link"))?;
        let ports = Mapping::new(ports.as_fd(), entries * STRIDE).map_err(at("mapping of ports"))?;
        Ok(Self { addresses: addresses.to_vec(), ports, sockets, sources, _link: link })
    }

    /// The addresses, in the order of their numbers.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Names a bound UDP socket: datagrams for what is leased to `number` come to it.
    ///
    /// # Errors
    /// The number is too high, or the socket is not bound.
    pub fn register(&self, number: u16, socket: &impl AsFd) -> io::Result<()> {
        let descriptor = socket.as_fd().as_raw_fd().to_ne_bytes();
        bpf::update(self.sockets.as_fd(), &u32::from(number).to_ne_bytes(), &descriptor).map_err(at("socket"))
    }

    /// From now on datagrams for `port` of an address (by its number) come to a socket (by its number).
    pub fn lease(&self, address: u16, port: u16, socket: u16) {
        self.set(address, port, (u32::from(socket) + 1) & !FLOODED);
    }

    /// Datagrams for `port` go their own way again. Returns how many were shed since it was flooded.
    pub fn release(&self, address: u16, port: u16) -> u64 {
        let flooded = self.calm(address, port);
        self.set(address, port, 0);
        flooded
    }

    /// `port` is flooded: from now on the kernel drops what does not come from `source`, before it is queued.
    ///
    /// # Errors
    /// Too many ports are flooded.
    pub fn shed(&self, address: u16, port: u16, source: SocketAddr) -> io::Result<()> {
        let mut value = [0; SOURCE];
        let (ip, rest) = value.split_at_mut(16);
        match source.ip() {
            IpAddr::V4(v4) => ip.iter_mut().zip(v4.octets()).for_each(|(to, from)| *to = from),
            IpAddr::V6(v6) => ip.iter_mut().zip(v6.octets()).for_each(|(to, from)| *to = from),
        }
        rest.iter_mut().zip(source.port().to_be_bytes()).for_each(|(to, from)| *to = from);
        bpf::update(self.sources.as_fd(), &key(address, port), &value)?;
        self.flag(address, port, |entry| entry | FLOODED);
        Ok(())
    }

    /// Hears everybody again. Returns how many datagrams were dropped since [`Steering::shed`].
    pub fn calm(&self, address: u16, port: u16) -> u64 {
        let entry = self.ports.at(index(address, port));
        if entry.is_none_or(|entry| entry.load(Ordering::Relaxed) & FLOODED == 0) {
            return 0;
        }
        self.flag(address, port, |entry| entry & !FLOODED);
        let mut value = [0; SOURCE];
        let known = bpf::look_up(self.sources.as_fd(), &key(address, port), &mut value);
        let _ = bpf::delete(self.sources.as_fd(), &key(address, port));
        let dropped = value.last_chunk::<8>().map_or(0, |count| u64::from_ne_bytes(*count));
        if known.is_ok() { dropped } else { 0 }
    }

    fn flag(&self, address: u16, port: u16, change: impl FnOnce(u32) -> u32) {
        if let Some(entry) = self.ports.at(index(address, port)) {
            // A port has one owner, so nobody writes in between.
            entry.store(change(entry.load(Ordering::Relaxed)), Ordering::Release);
        }
    }

    fn set(&self, address: u16, port: u16, entry: u32) {
        if let Some(place) = self.ports.at(index(address, port)) {
            place.store(entry, Ordering::Release);
        }
    }
}

/// Makes the kernel say of each datagram of a UDP socket for which address and port it came: `IP_RECVORIGDSTADDR`, or
/// `IPV6_RECVORIGDSTADDR` (ip(7)).
///
/// # Errors
/// The kernel's.
pub fn accept_originals(socket: &impl AsFd, ipv6: bool) -> io::Result<()> {
    let (level, name) = match ipv6 {
        false => (libc::SOL_IP, libc::IP_RECVORIGDSTADDR),
        true => (libc::SOL_IPV6, libc::IPV6_RECVORIGDSTADDR),
    };
    let (on, descriptor): (libc::c_int, _) = (1, socket.as_fd().as_raw_fd());
    let value: *const libc::c_int = &on;
    // SAFETY: the kernel reads four bytes of `on`.
    let result =
        unsafe { libc::setsockopt(descriptor, level, name, value.cast(), size_of::<libc::c_int>() as u32) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn index(address: u16, port: u16) -> usize {
    (usize::from(address) * PORTS + usize::from(port)) * STRIDE
}

fn key(address: u16, port: u16) -> [u8; 4] {
    (u32::from(address) << 16 | u32::from(port)).to_ne_bytes()
}

/// Says at what it failed.
fn at(what: &'static str) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("BPF {what}: {error}"))
}
