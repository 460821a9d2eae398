//! The sockets of a worker: one for each family by which all comes in, one for each address by which all goes out.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use fastpath::{Steering, accept_originals};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBufForce, ReceiveTimestampns, RxqOvfl, SndBufForce};
use socket2::{Domain, Protocol, Socket, Type};

/// Room for what all calls of a worker hear in a quarter of a second; the kernel takes memory only for what waits.
const RECEIVE_BUFFER: usize = 32 << 20;
const SEND_BUFFER: usize = 4 << 20;
/// Nothing is received by such a socket, and the headers of what it sends are the sender's. raw(7).
const IPPROTO_RAW: i32 = 255;

/// Where datagrams of one family come in.
#[derive(Debug)]
pub(super) struct Inbox {
    /// Bound to a loopback address: nobody else's port, and nothing from outside but what is steered here.
    pub(super) socket: UdpSocket,
    pub(super) ipv6: bool,
    /// The number by which the program knows the socket.
    pub(super) number: u16,
    /// Datagrams that found the socket full, as the kernel last said.
    pub(super) dropped: u32,
}

/// Where datagrams leave from one address.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) address: IpAddr,
    pub(super) socket: Socket,
}

/// All of one worker.
#[derive(Debug)]
pub(in crate::media) struct Sockets {
    pub(super) inboxes: Vec<Inbox>,
    /// In the order of the addresses' numbers.
    pub(super) outlets: Vec<Outlet>,
}

impl Sockets {
    /// How many numbers the inboxes of so many workers need.
    pub(in crate::media) fn numbers(workers: usize) -> u16 {
        u16::try_from(2 * workers).unwrap_or(u16::MAX)
    }

    /// Opens the sockets of a worker, and names its inboxes to the program.
    pub(in crate::media) fn open(steering: &Steering, worker: u16) -> io::Result<Self> {
        let mut inboxes = Vec::new();
        for ipv6 in [false, true] {
            if steering.addresses().iter().any(|address| address.is_ipv6() == ipv6) {
                let number = 2 * worker + u16::from(ipv6);
                let socket = inbox(ipv6)?;
                steering.register(number, &socket)?;
                inboxes.push(Inbox { socket, ipv6, number, dropped: 0 });
            }
        }
        let outlets = steering.addresses().iter().map(|address| {
            let socket = outlet(*address)
                .map_err(|error| io::Error::new(error.kind(), format!("raw socket at {address}: {error}")))?;
            Ok(Outlet { address: *address, socket })
        });
        Ok(Self { outlets: outlets.collect::<io::Result<_>>()?, inboxes })
    }
}

impl Outlet {
    /// Whether a datagram for `ip` is for this address.
    pub(super) fn is_reached_at(&self, ip: IpAddr) -> bool {
        self.address == ip || self.address.is_unspecified() && self.address.is_ipv4() == ip.is_ipv4()
    }
}

fn inbox(ipv6: bool) -> io::Result<UdpSocket> {
    let loopback: IpAddr = if ipv6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
    let local = SocketAddr::new(loopback, 0);
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if ipv6 {
        socket.set_only_v6(true)?;
    }
    setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER)?;
    setsockopt(&socket, ReceiveTimestampns, &true)?;
    setsockopt(&socket, RxqOvfl, &1)?;
    accept_originals(&socket, ipv6)?;
    socket.bind(&local.into())?;
    Ok(socket.into())
}

/// Bound to its address, so that routes by source are found.
fn outlet(address: IpAddr) -> io::Result<Socket> {
    let local = SocketAddr::new(address, 0);
    let protocol = Some(Protocol::from(IPPROTO_RAW));
    let socket = Socket::new(Domain::for_address(local), Type::RAW.nonblocking(), protocol)?;
    setsockopt(&socket, SndBufForce, &SEND_BUFFER)?;
    socket.bind(&local.into())?;
    Ok(socket)
}

/// Sends a whole packet.
pub(super) fn send_raw(socket: &Socket, packet: &[u8], mut to: SocketAddr) -> io::Result<()> {
    to.set_port(0); // a protocol's number, to a raw socket of IPv6
    socket.send_to(packet, &to.into()).map(drop)
}
