//! A media socket: non-blocking, with the kernel's time of arrival on each datagram.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::LazyLock;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::sockopt::{ReceiveTimestampns, RxqOvfl};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};

/// Room for about a second of a stream, so that a busy moment of the worker loses nothing; the kernel takes memory only
/// for what waits.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// Whether sockets have less room than [`RECEIVE_BUFFER`] by themselves. Linux gives them more, unless its operator was sparing.
static HAS_LITTLE_ROOM: LazyLock<bool> = LazyLock::new(|| {
    let room = std::fs::read_to_string("/proc/sys/net/core/rmem_default").ok();
    room.and_then(|room| room.trim().parse::<usize>().ok()).is_none_or(|room| room < RECEIVE_BUFFER)
});

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

/// Whether nobody has `port` of `address`; an error of kind `AddrInUse` when somebody has.
pub(super) fn probe(address: IpAddr, port: u16) -> io::Result<()> {
    bind(address, port).map(drop)
}

fn bind(address: IpAddr, port: u16) -> io::Result<Socket> {
    let local = SocketAddr::new(address, port);
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&local.into())?;
    Ok(socket)
}

/// What a socket can do without: kernels that are imitated (sandboxes, emulators of a processor) do not know every option.
fn where_known(set: nix::Result<()>) -> nix::Result<()> {
    set.or_else(|error| if error == Errno::ENOPROTOOPT { Ok(()) } else { Err(error) })
}

impl MediaSocket {
    /// Binds `port` of `address`.
    pub(super) fn bind(address: IpAddr, port: u16) -> io::Result<MediaSocket> {
        let socket = bind(address, port)?;
        if *HAS_LITTLE_ROOM {
            socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        }
        // Calls matter more than figures. Without the one a packet came when it is read, without the other nobody counts what
        // found no room.
        where_known(setsockopt(&socket, ReceiveTimestampns, &true))?;
        where_known(setsockopt(&socket, RxqOvfl, &1))?;
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

    /// What does not come from `source` finds the socket full from now on.
    pub(super) fn hear_only(&self, source: SocketAddr) -> io::Result<()> {
        SockRef::from(&self.0).attach_filter(&only_from(source))
    }

    /// Everybody is heard again.
    pub(super) fn hear_all(&self) {
        let _ = SockRef::from(&self.0).detach_filter(); // fails only where there is none
    }

    /// Sends; a datagram that the kernel will not take now is lost, for a late one is worth nothing.
    pub(super) fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.0.send_to(datagram, to).map(|_| ())
    }
}

/// A classic filter that takes a datagram from `source` alone. What it is shown begins with the UDP header; the IP header is
/// found below the offset `SKF_NET_OFF`. Source: Linux, `Documentation/networking/filter.rst`.
fn only_from(source: SocketAddr) -> Vec<SockFilter> {
    /// `SKF_NET_OFF`.
    const NETWORK: u32 = (-0x10_0000_i32) as u32;
    const LOAD_HALF: u16 = 0x28;
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_IS: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let words: Vec<u32> = match source.ip() {
        IpAddr::V4(v4) => vec![v4.to_bits()],
        IpAddr::V6(v6) => {
            v6.octets().as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word)).collect()
        }
    };
    let address = NETWORK + if source.is_ipv4() { 12 } else { 8 };
    let loads = words.iter().zip(0..).map(|(word, at)| (LOAD_WORD, address + 4 * at, *word));
    let mut comparisons = vec![(LOAD_HALF, 0, u32::from(source.port()))];
    comparisons.extend(loads);
    let mut filter = Vec::new();
    for (left, (load, at, wanted)) in (0..comparisons.len() as u8).rev().zip(comparisons) {
        filter.push(SockFilter::new(load, 0, 0, at));
        // To the last instruction, past the other comparisons and the one that takes it.
        filter.push(SockFilter::new(JUMP_IF_IS, 0, 2 * left + 1, wanted));
    }
    filter.push(SockFilter::new(RETURN, 0, 0, u32::MAX));
    filter.push(SockFilter::new(RETURN, 0, 0, 0));
    filter
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
