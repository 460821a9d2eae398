//! One shard's socket of one UDP listener. RFC 3261 §18.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrStorage, recvmsg, sendmmsg,
    sendmsg, setsockopt, sockopt,
};
use tokio::io::Interest;

use super::bind::Listener;
use super::udp_batch::{Batch, socket_addr};
use crate::peer::ListenerId;

/// Larger than any UDP payload, so that nothing is ever cut off by the buffer.
pub const BUFFER: usize = 65_536;

/// A datagram to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// What it says.
    pub payload: &'a [u8],
    /// Whom it is for.
    pub remote: SocketAddr,
    /// The address to speak from, heeded only where the listener is bound to a wildcard.
    pub local: Option<IpAddr>,
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

    /// Waits for datagrams or ICMP errors and hands each to its closure, which says whether nothing is left of them. Returns
    /// whether nothing is left of either.
    ///
    /// - `errors`: called only where the kernel tells of one.
    /// - `datagrams`: told whether an error may have cut a batch short, so that a short one does not mean that nothing is left.
    ///
    /// # Errors
    ///
    /// The runtime is shutting down.
    pub async fn ready(
        &self,
        mut errors: impl FnMut() -> bool,
        mut datagrams: impl FnMut(bool) -> bool,
    ) -> io::Result<bool> {
        // ERROR as well: an ICMP error alone does not make the socket readable.
        let ready = self.socket.ready(Interest::READABLE | Interest::ERROR).await?;
        let served = |empty| if empty { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) };
        // One by one: `try_io` does nothing for two interests at once. It waits again for what had nothing left.
        let mut left = false;
        if ready.is_error() {
            left |= self.socket.try_io(Interest::ERROR, || served(errors())).is_ok();
        }
        if ready.is_readable() {
            left |= self.socket.try_io(Interest::READABLE, || served(datagrams(ready.is_error()))).is_ok();
        }
        Ok(!left)
    }

    /// Reads what has come into `batch`; it is empty where nothing has.
    ///
    /// # Errors
    ///
    /// Whatever the system says; an error of an earlier datagram also comes back here and means nothing for the next.
    pub fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        batch.receive(self.socket.as_raw_fd(), self.local)
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

    /// Sends datagrams, in order and each now or never; with one system call as many as leave from one address.
    ///
    /// - `sent`: how it went with each.
    pub fn send_all(&self, outgoing: &[Outgoing<'_>], mut sent: impl FnMut(usize, Result<(), SendError>)) {
        let mut at = 0;
        while let Some(rest @ [first, ..]) = outgoing.get(at..) {
            let alike = rest.iter().take_while(|one| self.source(one) == self.source(first)).count();
            let left = match alike {
                2.. => self.send_alike(rest.get(..alike).unwrap_or_default()),
                _ => 0,
            };
            (at..at + left).for_each(|index| sent(index, Ok(())));
            at += left;
            // What the kernel would not take with the others says why by itself.
            if left < alike
                && let Some(one) = outgoing.get(at)
            {
                sent(at, self.send(one.payload, one.remote, one.local));
                at += 1;
            }
        }
    }

    /// Sends datagrams that leave from one address; returns how many of the first did.
    fn send_alike(&self, outgoing: &[Outgoing<'_>]) -> usize {
        let slices: Vec<_> = outgoing.iter().map(|one| [IoSlice::new(one.payload)]).collect();
        let remotes: Vec<_> = outgoing.iter().map(|one| Some(SockaddrStorage::from(one.remote))).collect();
        let info = outgoing.first().and_then(|one| self.source(one)).map(SourceInfo::new);
        let control = info.as_ref().map(SourceInfo::message);
        let mut headers = MultiHeaders::preallocate(outgoing.len(), info.as_ref().map(SourceInfo::room));
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        sendmmsg(self.socket.as_raw_fd(), &mut headers, &slices, &remotes, control.as_slice(), flags)
            .map_or(0, Iterator::count)
    }

    /// Whence it leaves, if that has to be said.
    fn source(&self, outgoing: &Outgoing<'_>) -> Option<IpAddr> {
        outgoing.local.filter(|_| self.local.ip().is_unspecified())
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
        let info = self.source(&Outgoing { payload, remote, local }).map(SourceInfo::new);
        let control = info.as_ref().map(SourceInfo::message);
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

/// The address that a datagram leaves from, as the kernel reads it.
enum SourceInfo {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

impl SourceInfo {
    fn new(local: IpAddr) -> SourceInfo {
        match local {
            IpAddr::V4(local) => SourceInfo::V4(libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(local.octets()) },
                ipi_addr: libc::in_addr { s_addr: 0 },
            }),
            IpAddr::V6(local) => SourceInfo::V6(libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: local.octets() },
                ipi6_ifindex: 0,
            }),
        }
    }

    fn message(&self) -> ControlMessage<'_> {
        match self {
            SourceInfo::V4(info) => ControlMessage::Ipv4PacketInfo(info),
            SourceInfo::V6(info) => ControlMessage::Ipv6PacketInfo(info),
        }
    }

    /// Room for the message and no more.
    fn room(&self) -> Vec<u8> {
        match self {
            SourceInfo::V4(_) => nix::cmsg_space!(libc::in_pktinfo),
            SourceInfo::V6(_) => nix::cmsg_space!(libc::in6_pktinfo),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::bind::bind;
    use crate::listen::udp_batch::{BATCH, Datagram};
    use crate::peer::Transport;

    fn port(address: &str) -> UdpPort {
        let listener =
            Listener { id: ListenerId(0), transport: Transport::Udp, address: address.parse().unwrap() };
        let (listener, socket) = bind(&[listener], 1).unwrap().udp.remove(0).remove(0);
        UdpPort::new(listener, socket).unwrap()
    }

    /// Serves `port` until an error or a datagram has come: its bytes.
    async fn next(port: &UdpPort) -> (Option<IcmpError>, Option<Datagram>, Vec<u8>) {
        let (mut batch, mut buffer) = (Batch::default(), vec![0; BUFFER]);
        let mut error = None;
        loop {
            let errors = || {
                error = error.or_else(|| port.receive_error(&mut buffer));
                true
            };
            let datagrams = |_| {
                port.receive(&mut batch).unwrap();
                true
            };
            port.ready(errors, datagrams).await.unwrap();
            if let Some(error) = error {
                return (Some(error), None, buffer[..error.length].to_vec());
            }
            if let Some((datagram, payload)) = batch.iter().next() {
                return (None, Some(datagram), payload.to_vec());
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
            let got = next(&port).await.1.unwrap();
            assert_eq!((got.length, got.local, got.remote), (8, to, phone.local_addr().unwrap()));
            let mut buffer = vec![0; BUFFER];
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
            let (error, _, quote) = next(&port).await;
            assert_eq!(error.unwrap().remote, gone);
            assert_eq!(quote, b"is anybody there?");
            let mut buffer = vec![0; BUFFER];

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

    /// From two addresses of one wildcard, among them one that can't leave.
    #[tokio::test]
    async fn what_leaves_together_is_reported_one_by_one() {
        for (wildcard, local) in [("0.0.0.0:0", ["127.0.0.7", "127.0.0.8"]), ("[::]:0", ["::1", "::1"])] {
            let port = port(wildcard);
            let [one, other] = local.map(|local| local.parse::<IpAddr>().unwrap());
            let phone = UdpSocket::bind(SocketAddr::new(one, 0)).unwrap();
            let remote = phone.local_addr().unwrap();
            let long = [0; 70_000];
            let said: [(&[u8], IpAddr); 6] =
                [(b"a", one), (b"b", one), (b"c", other), (b"d", other), (&long, other), (b"e", other)];
            let outgoing = said.map(|(payload, local)| Outgoing { payload, remote, local: Some(local) });
            let mut results = Vec::new();
            port.send_all(&outgoing, |index, result| results.push((index, result.is_ok())));
            assert_eq!(results, [0, 1, 2, 3, 4, 5].map(|index| (index, index != 4)));
            let mut buffer = [0; 100];
            for (payload, local) in said.into_iter().filter(|(payload, _)| payload.len() == 1) {
                let (length, from) = phone.recv_from(&mut buffer).unwrap();
                assert_eq!((&buffer[..length], from), (payload, SocketAddr::new(local, port.local.port())));
            }
        }
    }

    #[tokio::test]
    async fn a_batch_is_what_came_in_its_order() {
        for wildcard in ["0.0.0.0:0", "127.0.0.1:0"] {
            let port = port(wildcard);
            let to = SocketAddr::new("127.0.0.1".parse().unwrap(), port.local.port());
            let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
            let mut batch = Batch::default();
            for round in 0..3_u8 {
                (0..=BATCH as u8)
                    .for_each(|number| assert_eq!(phone.send_to(&[round, number], to).unwrap(), 2));
                for expected in [0..BATCH as u8, BATCH as u8..BATCH as u8 + 1, 0..0] {
                    port.receive(&mut batch).unwrap();
                    let got: Vec<_> = batch
                        .iter()
                        .map(|(datagram, payload)| {
                            assert_eq!((datagram.local, datagram.remote), (to, phone.local_addr().unwrap()));
                            payload.to_vec()
                        })
                        .collect();
                    assert_eq!(got, expected.map(|number| vec![round, number]).collect::<Vec<_>>());
                }
            }
        }
    }
}
