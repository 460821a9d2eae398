//! How datagrams reach a worker and leave it: a driver holds the ports, waits, and hands what comes to a [`Sink`].

mod claim;
mod epoll;
mod plan;
mod sk_lookup;
mod socket;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rtp::relay::{Component, Side};

use crate::clock::Now;
pub(super) use claim::Claim;
use epoll::EpollDriver;
pub(super) use plan::{Plan, doubt, driver_here};
use sk_lookup::SkLookupDriver;

/// Room for a datagram of any Ethernet, and for what SRTP adds.
pub(super) const BUFFER: usize = 2048;
/// Longest datagram that is taken.
const LONGEST: usize = BUFFER - 64;

/// An open port, as its driver numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PortId(u32);

impl PortId {
    /// Number of the address and port, where that is what the number is made of.
    fn parts(self) -> (u16, u16) {
        ((self.0 >> 16) as u16, self.0 as u16)
    }
}

/// A port that stays open while no call has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeptPort {
    port: PortId,
    /// Tells it from others that have the same number later.
    generation: u32,
}

#[cfg(test)]
impl KeptPort {
    pub(super) fn numbered(number: u32) -> KeptPort {
        KeptPort { port: PortId(number), generation: 0 }
    }
}

/// Whose port it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    /// Place of the call among the worker's.
    pub(super) place: u32,
    pub(super) side: Side,
    pub(super) component: Component,
}

/// A datagram that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    /// Bytes of the buffer; more than the buffer has where the datagram was longer.
    pub(super) len: usize,
    /// When it reached this host.
    pub(super) arrival: Instant,
    /// It waited so long that its sound would be played too late.
    pub(super) late: bool,
    /// Datagrams of its port that our socket may have dropped since the last one that was read, at most.
    pub(super) unread: u64,
}

/// What to send: the first `len` bytes of the buffer that was lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) port: PortId,
    pub(super) to: SocketAddr,
    pub(super) len: usize,
}

/// What to do about a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    Send(Outgoing),
    /// The port that it came to is flooded: have the kernel drop what does not come from `source`.
    Shed {
        port: PortId,
        source: SocketAddr,
    },
}

/// Who takes the datagrams of all ports.
pub(super) trait Sink {
    /// A datagram came to the port of `tag`; it is in `buffer`, whose rest is room to work in.
    fn handle_datagram(&mut self, tag: Tag, datagram: &Datagram, buffer: &mut [u8]) -> Next;

    /// A socket of ours was full: so many more datagrams were dropped.
    fn handle_unread(&mut self, count: u64);

    /// More comes to a kept port of that address than is worth reading.
    fn handle_noise(&mut self, address: IpAddr, port: u16);

    /// So many more were dropped at a port that is flooded.
    fn handle_shed(&mut self, count: u64);

    /// What a datagram of `tag` led to was sent, or the kernel would not have it.
    fn handle_sent(&mut self, tag: Tag, len: usize, result: io::Result<()>);
}

/// The ports of one worker.
pub(super) enum Driver {
    /// A socket for each.
    Epoll(EpollDriver),
    /// One socket for all.
    SkLookup(SkLookupDriver),
}

impl Driver {
    /// Opens `port` of `address` for `tag`; an error of kind `AddrInUse` when somebody else has it.
    pub(super) fn open(&mut self, address: IpAddr, port: u16, tag: Tag) -> io::Result<PortId> {
        match self {
            Driver::Epoll(driver) => driver.open(address, port, tag),
            Driver::SkLookup(driver) => driver.open(address, port, tag),
        }
    }

    /// Closes a port: nothing that came to it is handed out any more.
    pub(super) fn close(&mut self, port: PortId) {
        match self {
            Driver::Epoll(driver) => driver.close(port),
            Driver::SkLookup(driver) => driver.close(port),
        }
    }

    /// Takes a port from its call and keeps it open; what comes to it is thrown away. `None`: it can't be kept, and is closed.
    pub(super) fn keep(&mut self, port: PortId) -> Option<KeptPort> {
        match self {
            Driver::Epoll(driver) => driver.keep(port),
            Driver::SkLookup(driver) => {
                driver.close(port);
                None
            }
        }
    }

    /// Gives a port that was kept to another call, which hears nothing that came before. `None`: there is no such port.
    pub(super) fn reopen(&mut self, kept: KeptPort, tag: Tag) -> Option<PortId> {
        match self {
            Driver::Epoll(driver) => driver.reopen(kept, tag),
            Driver::SkLookup(_) => None,
        }
    }

    /// Closes a port that was kept.
    pub(super) fn close_kept(&mut self, kept: KeptPort) {
        if let Driver::Epoll(driver) = self {
            driver.close_kept(kept);
        }
    }

    /// Waits for datagrams and commands.
    pub(super) fn wait(&mut self, most: Duration) {
        match self {
            Driver::Epoll(driver) => driver.wait(most),
            Driver::SkLookup(driver) => driver.wait(most),
        }
    }

    /// Hands out what the last wait found, and sends what comes of it.
    pub(super) fn serve(&mut self, now: Now, sink: &mut impl Sink) {
        match self {
            Driver::Epoll(driver) => driver.serve(now, sink),
            Driver::SkLookup(driver) => driver.serve(now, sink),
        }
    }

    /// A port is not flooded any more, as far as is known: everybody is heard. Returns what was dropped, unless the sink hears
    /// of it later.
    pub(super) fn calm(&mut self, port: PortId) -> u64 {
        match self {
            Driver::Epoll(driver) => driver.calm(port),
            Driver::SkLookup(driver) => driver.calm(port),
        }
    }

    /// Sends from a port; a datagram that the kernel will not take now is lost, for a late one is worth nothing.
    pub(super) fn send(&mut self, port: PortId, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        match self {
            Driver::Epoll(driver) => driver.send(port, datagram, to),
            Driver::SkLookup(driver) => driver.send(port, datagram, to),
        }
    }
}
