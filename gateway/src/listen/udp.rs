//! One shard's socket of one UDP listener. RFC 3261 §18.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrStorage, recvmsg,
    sendmsg, setsockopt, sockopt,
};
use tokio::io::Interest;

use super::bind::Listener;
use crate::peer::ListenerId;

/// Larger than any UDP payload, so that nothing is ever cut off by the buffer.
pub const BUFFER: usize = 65_536;

/// A datagram in the caller's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    /// Bytes received.
    pub length: usize,
    /// The sender of the datagram.
    pub remote: SocketAddr,
    /// The address that it was sent to, even where the listener is bound to a wildcard.
    pub local: SocketAddr,
}

/// Why a datagram did not leave.
#[derive(Debug)]
pub enum SendError {
    /// The socket's buffer is full; as good as lost on the way.
    Congested,
    /// No route, forbidden by a firewall, too large.
    Failed(io::Error),
}

/// An ICMP error, its quotation of our datagram in the caller's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpError {
    /// Bytes of our payload that were quoted.
    pub length: usize,
    /// Where the datagram should have gone.
    pub remote: SocketAddr,
}

/// The socket.
#[derive(Debug)]
pub struct UdpPort {
    listener: ListenerId,
    local: SocketAddr,
    socket: tokio::net::UdpSocket,
}

impl UdpPort {
    /// Takes over a bound, non-blocking socket; must be called on the runtime that will serve it.
    ///
    /// # Errors
    ///
    /// The system's, where the socket cannot be registered.
    pub fn new(listener: Listener, socket: UdpSocket) -> io::Result<UdpPort> {
        let local = socket.local_addr()?;
        // ICMP errors are a favour: where the kernel won't tell, the transaction's timer will.
        if local.is_ipv4() {
            let _ = setsockopt(&socket, sockopt::Ipv4RecvErr, &true);
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &local.ip().is_unspecified())?;
        } else {
            let _ = setsockopt(&socket, sockopt::Ipv6RecvErr, &true);
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &local.ip().is_unspecified())?;
        }
        let socket = tokio::net::UdpSocket::from_std(socket)?;
        Ok(UdpPort { listener: listener.id, local, socket })
    }

    /// The listener that it belongs to.
    pub fn listener(&self) -> ListenerId {
        self.listener
    }

    /// Waits for datagrams or ICMP errors, hands both to `serve`, and waits again only once `serve` says that
    /// nothing is left (`true`).
    ///
    /// # Errors
    ///
    /// The runtime is shutting down.
    pub async fn ready(&self, mut serve: impl FnMut() -> bool) -> io::Result<()> {
        // ERROR as well: an ICMP error alone does not make the socket readable.
        let ready = self.socket.ready(Interest::READABLE | Interest::ERROR).await?;
        let mut served = || if serve() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) };
        // One by one: `try_io` does nothing for two interests at once.
        if ready.is_error() {
            let _ = self.socket.try_io(Interest::ERROR, &mut served);
        }
        if ready.is_readable() {
            let _ = self.socket.try_io(Interest::READABLE, &mut served);
        }
        Ok(())
    }

    /// The next datagram, `None` when there is none now.
    ///
    /// # Errors
    ///
    /// Whatever the system says; an error of an earlier datagram also comes back here and means nothing for the next.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Datagram>> {
        let mut control = nix::cmsg_space!(libc::in6_pktinfo);
        let mut slices = [IoSliceMut::new(buffer)];
        let fd = self.socket.as_raw_fd();
        let received =
            match recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut control), MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EAGAIN) => return Ok(None),
                received => received?,
            };
        let Some(remote) = received.address.as_ref().and_then(socket_addr) else {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        };
        let mut local = self.local;
        for message in received.cmsgs()? {
            match message {
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    local.set_ip(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into());
                }
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    local.set_ip(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
                }
                _ => {}
            }
        }
        Ok(Some(Datagram { length: received.bytes, remote, local }))
    }

    /// The next ICMP error, `None` when there is none.
    pub fn receive_error(&self, buffer: &mut [u8]) -> Option<IcmpError> {
        let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let mut slices = [IoSliceMut::new(buffer)];
        let fd = self.socket.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_ERRQUEUE;
        let received = recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut control), flags).ok()?;
        // With MSG_ERRQUEUE the address is where the datagram was sent.
        let remote = received.address.as_ref().and_then(socket_addr)?;
        Some(IcmpError { length: received.bytes, remote })
    }

    /// Sends one datagram, now or never.
    ///
    /// - `local`: the address to speak from, heeded only where the listener is bound to a wildcard.
    ///
    /// # Errors
    ///
    /// Only what is known at once; what the network says later comes by [`UdpPort::receive_error`].
    pub fn send(&self, payload: &[u8], remote: SocketAddr, local: Option<IpAddr>) -> Result<(), SendError> {
        // An ICMP error of an *earlier* datagram is reported once by whatever call comes next, so try again.
        let mut result = self.send_once(payload, remote, local);
        for _ in 0..2 {
            match &result {
                Err(Errno::EAGAIN | Errno::ENOBUFS) => return Err(SendError::Congested),
                Err(Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::EINTR) => {
                    result = self.send_once(payload, remote, local);
                }
                _ => break,
            }
        }
        result.map_err(|errno| SendError::Failed(errno.into()))
    }

    fn send_once(&self, payload: &[u8], remote: SocketAddr, local: Option<IpAddr>) -> Result<(), Errno> {
        let fd = self.socket.as_raw_fd();
        let slices = [IoSlice::new(payload)];
        let local = local.filter(|_| self.local.ip().is_unspecified());
        let four = local.and_then(|local| match local {
            IpAddr::V4(local) => Some(libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(local.octets()) },
                ipi_addr: libc::in_addr { s_addr: 0 },
            }),
            IpAddr::V6(_) => None,
        });
        let six = local.and_then(|local| match local {
            IpAddr::V4(_) => None,
            IpAddr::V6(local) => Some(libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: local.octets() },
                ipi6_ifindex: 0,
            }),
        });
        let control: Option<ControlMessage<'_>> = four
            .as_ref()
            .map(ControlMessage::Ipv4PacketInfo)
            .or_else(|| six.as_ref().map(ControlMessage::Ipv6PacketInfo));
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match remote {
            SocketAddr::V4(remote) => {
                sendmsg(fd, &slices, control.as_slice(), flags, Some(&SockaddrIn::from(remote)))
            }
            SocketAddr::V6(remote) => {
                sendmsg(fd, &slices, control.as_slice(), flags, Some(&SockaddrIn6::from(remote)))
            }
        }
        .map(|_sent| ())
    }
}

fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    let four = address.as_sockaddr_in().map(|address| SocketAddr::V4((*address).into()));
    four.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::V6((*address).into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::bind::bind;
    use crate::peer::Transport;

    fn port(address: &str) -> UdpPort {
        let listener =
            Listener { id: ListenerId(0), transport: Transport::Udp, address: address.parse().unwrap() };
        let (listener, socket) = bind(&[listener], 1).unwrap().udp.remove(0).remove(0);
        UdpPort::new(listener, socket).unwrap()
    }

    /// Serves `port` until `take` has what it wants.
    async fn until<T>(port: &UdpPort, mut take: impl FnMut(&UdpPort) -> Option<T>) -> T {
        loop {
            let mut taken = None;
            port.ready(|| {
                taken = taken.take().or_else(|| take(port));
                taken.is_none()
            })
            .await
            .unwrap();
            if let Some(taken) = taken {
                return taken;
            }
        }
    }

    #[tokio::test]
    async fn answers_leave_from_the_address_that_was_asked() {
        for (wildcard, asked) in
            [("0.0.0.0:0", "127.0.0.7"), ("127.0.0.1:0", "127.0.0.1"), ("[::]:0", "::1"), ("[::1]:0", "::1")]
        {
            let port = port(wildcard);
            let asked: IpAddr = asked.parse().unwrap();
            let to = SocketAddr::new(asked, port.local.port());
            let phone = tokio::net::UdpSocket::bind(if asked.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" })
                .await
                .unwrap();
            phone.send_to(b"question", to).await.unwrap();
            let mut buffer = vec![0; BUFFER];
            let got = until(&port, |port| port.receive(&mut buffer).unwrap()).await;
            assert_eq!((got.length, got.local, got.remote), (8, to, phone.local_addr().unwrap()));
            port.send(b"answer", got.remote, Some(got.local.ip())).unwrap();
            let (length, from) = phone.recv_from(&mut buffer).await.unwrap();
            assert_eq!((&buffer[..length], from), (&b"answer"[..], to));
        }
    }

    #[tokio::test]
    async fn a_closed_port_is_reported_with_what_was_sent_and_later_sends_go_out() {
        for loopback in ["127.0.0.1:0", "[::1]:0"] {
            let port = port(loopback);
            let gone = UdpSocket::bind(loopback).unwrap().local_addr().unwrap();
            port.send(b"is anybody there?", gone, None).unwrap();
            let mut buffer = vec![0; BUFFER];
            let error = until(&port, |port| port.receive_error(&mut buffer)).await;
            assert_eq!(error.remote, gone);
            assert_eq!(&buffer[..error.length], b"is anybody there?");

            let phone = UdpSocket::bind(loopback).unwrap();
            port.send(b"hello", phone.local_addr().unwrap(), None).unwrap();
            let length = phone.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"hello");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_said_at_once() {
        let port = port("127.0.0.1:0");
        let remote = "127.0.0.1:9".parse().unwrap();
        assert!(matches!(port.send(&[0; 70_000], remote, None), Err(SendError::Failed(_))));
    }
}
