//! Datagrams that are read with one system call.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};

use super::udp::BUFFER;

/// Datagrams that are read at once, at most.
pub const BATCH: usize = 32;

/// A datagram of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    /// Bytes received.
    pub length: usize,
    /// The sender of the datagram.
    pub remote: SocketAddr,
    /// The address that it was sent to, even where the listener is bound to a wildcard.
    pub local: SocketAddr,
}

/// Room for datagrams, and those that were read last.
pub struct Batch {
    /// Memory is taken only where something was written.
    room: Vec<u8>,
    datagrams: Vec<Option<Datagram>>,
}

impl Default for Batch {
    fn default() -> Batch {
        Batch { room: vec![0; BATCH * BUFFER], datagrams: Vec::with_capacity(BATCH) }
    }
}

impl Batch {
    /// What was read, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Datagram, &[u8])> {
        self.datagrams.iter().zip(self.room.chunks_exact(BUFFER)).filter_map(|(datagram, room)| {
            let datagram = (*datagram)?;
            Some((datagram, room.get(..datagram.length)?))
        })
    }

    /// Whether as much was read as there is room for, so that more may wait.
    pub fn is_full(&self) -> bool {
        self.datagrams.len() == BATCH
    }

    /// Whether nothing was there.
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// - `local`: where the socket is bound.
    pub(super) fn receive(&mut self, socket: RawFd, local: SocketAddr) -> io::Result<()> {
        self.datagrams.clear();
        let mut slices: Vec<_> =
            self.room.chunks_exact_mut(BUFFER).map(|room| [IoSliceMut::new(room)]).collect();
        // Anew each time: the kernel leaves in them how much it has written, which the next call would take for the room.
        let mut headers = MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(libc::in6_pktinfo)));
        let received = recvmmsg::<_, SockaddrStorage, _>(
            socket,
            &mut headers,
            slices.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        );
        let received = match received {
            Err(Errno::EAGAIN) => return Ok(()),
            received => received?,
        };
        for message in received {
            let remote = message.address.as_ref().and_then(socket_addr);
            let mut local = local;
            for message in message.cmsgs().into_iter().flatten() {
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
            let length = message.bytes;
            self.datagrams.push(remote.map(|remote| Datagram { length, remote, local }));
        }
        Ok(())
    }
}

pub(super) fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    let four = address.as_sockaddr_in().map(|address| SocketAddr::V4((*address).into()));
    four.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::V6((*address).into())))
}
