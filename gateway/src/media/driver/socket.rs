//! A media socket: non-blocking, with the kernel's time of arrival on each datagram.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::sockopt::{ReceiveTimestampns, RxqOvfl};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

/// Room for about a second of a stream, so that a busy moment of the worker loses nothing; the kernel takes memory only
/// for what waits.
const RECEIVE_BUFFER: usize = 64 * 1024;
const SEND_BUFFER: usize = 32 * 1024;

/// One bound UDP port.
#[derive(Debug)]
pub(super) struct MediaSocket(UdpSocket);

/// A datagram that came in, as the kernel describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) from: SocketAddr,
    /// Bytes of the buffer; more than any buffer has where the datagram was longer.
    pub(super) len: usize,
    /// Kernel's time of arrival, since the Unix epoch; `None`: it gave none.
    pub(super) stamp: Option<Duration>,
    /// Datagrams before it that found the socket full, since the port was opened.
    pub(super) unread: u32,
}

/// Room for the control messages that carry the time, and the count of what found no room.
pub(super) fn control_buffer() -> Vec<u8> {
    nix::cmsg_space!(TimeSpec, u32)
}

impl MediaSocket {
    /// Binds `port` of `address`.
    pub(super) fn bind(address: IpAddr, port: u16) -> io::Result<MediaSocket> {
        let local = SocketAddr::new(address, port);
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&local.into())?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.set_send_buffer_size(SEND_BUFFER)?;
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        setsockopt(&socket, RxqOvfl, &1)?;
        Ok(MediaSocket(socket.into()))
    }

    /// Receives one datagram; `None`: none waits.
    pub(super) fn receive(&self, buffer: &mut [u8], control: &mut [u8]) -> Option<Received> {
        let mut slices = [IoSliceMut::new(buffer)];
        loop {
            let message = recvmsg::<SockaddrStorage>(
                self.0.as_raw_fd(),
                &mut slices,
                Some(&mut *control),
                MsgFlags::empty(),
            );
            match message {
                Ok(message) => {
                    let (mut stamp, mut unread) = (None, 0);
                    for message in message.cmsgs().into_iter().flatten() {
                        match message {
                            ControlMessageOwned::ScmTimestampns(time) => stamp = Some(Duration::from(time)),
                            // Left out as long as it is 0.
                            ControlMessageOwned::RxqOvfl(count) => unread = count,
                            _ => {}
                        }
                    }
                    let from = message.address.as_ref().and_then(socket_addr)?;
                    let truncated = message.flags.contains(MsgFlags::MSG_TRUNC);
                    let len = if truncated { usize::MAX } else { message.bytes };
                    return Some(Received { from, len, stamp, unread });
                }
                Err(Errno::EINTR) => {}
                // EAGAIN: nothing waits. Anything else was an error of an earlier send, and is cleared by this call.
                Err(_) => return None,
            }
        }
    }

    /// Sends; a datagram that the kernel will not take now is lost, for a late one is worth nothing.
    pub(super) fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.0.send_to(datagram, to).map(|_| ())
    }
}

impl AsFd for MediaSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4(SocketAddrV4::from(*v4)));
    }
    address.as_sockaddr_in6().map(|v6| SocketAddr::V6(SocketAddrV6::from(*v6)))
}
