//! Many datagrams with one system call: recvmmsg(2), sendmmsg(2).
#![allow(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use crate::control::{Control, NAME, ROOM, read_name, write_name};
use crate::packet::{HEADROOM, write_headers};

/// Room for one datagram, its headers before it and what encryption adds behind.
const BUFFER: usize = HEADROOM + 2048;

/// A datagram that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Whence.
    pub from: SocketAddr,
    /// For which of our addresses and ports.
    pub to: SocketAddr,
    /// Bytes of the buffer; more than it has where the datagram was longer.
    pub len: usize,
    /// Kernel's time of arrival, since the Unix epoch; `None`: it gave none.
    pub stamp: Option<Duration>,
    /// Datagrams before it that found the socket full, since that was opened.
    pub dropped: u32,
}

struct Slot {
    name: [u8; NAME],
    control: [u8; ROOM],
    buffer: [u8; BUFFER],
    /// Of the last datagram that was received into it.
    name_len: usize,
    control_len: usize,
    len: usize,
    truncated: bool,
}

/// A packet that waits to be sent.
struct Queued {
    slot: usize,
    group: u16,
    from: SocketAddr,
    to: SocketAddr,
    /// Where in the buffer it begins and ends.
    start: usize,
    end: usize,
    name_len: usize,
}

/// Room for some datagrams: received, looked at, sent on from where they are.
pub struct Batch {
    slots: Vec<Slot>,
    queued: Vec<Queued>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    longest: usize,
    /// For so many datagrams the next receipt is made ready: those of the last one twice, for each costs whether it comes or not.
    expected: usize,
}

/// The least number of datagrams that a receipt is made ready for.
const FEW: usize = 8;

impl Batch {
    /// Room for `slots` datagrams of up to `longest` bytes.
    pub fn new(slots: usize, longest: usize) -> Self {
        let empty = || Slot {
            name: [0; NAME],
            control: [0; ROOM],
            buffer: [0; BUFFER],
            name_len: 0,
            control_len: 0,
            len: 0,
            truncated: false,
        };
        Self {
            slots: (0..slots).map(|_| empty()).collect(),
            queued: Vec::with_capacity(slots),
            vectors: Vec::with_capacity(slots),
            headers: Vec::with_capacity(slots),
            longest: longest.min(BUFFER - HEADROOM),
            expected: FEW,
        }
    }

    /// How many datagrams fit.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Receives what waits at a socket, without waiting; what was there before is forgotten. Returns how many came, and whether
    /// more may wait.
    pub fn receive(&mut self, socket: &impl AsFd) -> (usize, bool) {
        self.queued.clear();
        self.vectors.clear();
        self.headers.clear();
        for slot in self.slots.iter_mut().take(self.expected) {
            let payload = slot.buffer.get_mut(HEADROOM..HEADROOM + self.longest).unwrap_or_default();
            self.vectors.push(libc::iovec { iov_base: payload.as_mut_ptr().cast(), iov_len: payload.len() });
        }
        for (slot, vector) in self.slots.iter_mut().zip(&mut self.vectors) {
            let mut header = empty_header();
            header.msg_hdr.msg_name = slot.name.as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = NAME as u32;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = slot.control.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = ROOM as _;
            self.headers.push(header);
        }
        let (descriptor, most) = (socket.as_fd().as_raw_fd(), self.headers.len() as u32);
        // Flags and lengths have other types in each C library.
        let (headers, flags) = (self.headers.as_mut_ptr(), libc::MSG_DONTWAIT as _);
        // SAFETY: `most` headers, each of which points to a name, a vector and a control buffer of the lengths that it says;
        // all of them are in `self`, which nobody else can touch meanwhile.
        let count = unsafe { libc::recvmmsg(descriptor, headers, most, flags, std::ptr::null_mut()) };
        let count = usize::try_from(count).unwrap_or(0); // EAGAIN, or an error that is cleared by this call
        self.expected = (2 * count).max(FEW);
        for (slot, header) in self.slots.iter_mut().zip(&self.headers).take(count) {
            slot.name_len = header.msg_hdr.msg_namelen as usize;
            slot.control_len = header.msg_hdr.msg_controllen as _;
            slot.len = header.msg_len as usize;
            slot.truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
        }
        (count, count == most as usize)
    }

    /// A datagram of the last [`Batch::receive`], and the buffer that it begins. `None`: the kernel did not say whence or
    /// where to.
    pub fn get(&mut self, index: usize) -> Option<(Received, &mut [u8])> {
        let slot = self.slots.get_mut(index)?;
        let Control { stamp, dropped, destination } = Control::parse(slot.control.get(..slot.control_len)?);
        let from = read_name(slot.name.get(..slot.name_len)?)?;
        let len = if slot.truncated { usize::MAX } else { slot.len };
        let received = Received { from, to: destination?, len, stamp, dropped };
        Some((received, slot.buffer.get_mut(HEADROOM..)?))
    }

    /// Queues the first `len` bytes of a datagram's buffer, to leave from `from` by the socket of `group`. Returns whether
    /// it can be sent at all.
    pub fn queue(&mut self, index: usize, group: u16, from: SocketAddr, to: SocketAddr, len: usize) -> bool {
        let Some(slot) = self.slots.get_mut(index) else { return false };
        let end = HEADROOM + len;
        let start = slot.buffer.get_mut(..end).and_then(|packet| write_headers(packet, from, to));
        let Some(start) = start else { return false };
        let name_len = write_name(&mut slot.name, to);
        self.queued.push(Queued { slot: index, group, from, to, start, end, name_len });
        true
    }

    /// The lowest group above `after` for which something is queued.
    pub fn next_group(&self, after: Option<u16>) -> Option<u16> {
        let groups = self.queued.iter().map(|queued| queued.group);
        groups.filter(|group| after.is_none_or(|after| *group > after)).min()
    }

    /// Sends what is queued for a group by a raw socket, and tells of each by its index what became of it.
    pub fn send(&mut self, group: u16, socket: &impl AsFd, mut tell: impl FnMut(usize, io::Result<()>)) {
        self.vectors.clear();
        self.headers.clear();
        let chosen = || self.queued.iter().filter(|queued| queued.group == group);
        for queued in chosen() {
            let packet = self
                .slots
                .get_mut(queued.slot)
                .and_then(|slot| slot.buffer.get_mut(queued.start..queued.end));
            let packet = packet.unwrap_or_default();
            self.vectors.push(libc::iovec { iov_base: packet.as_mut_ptr().cast(), iov_len: packet.len() });
        }
        for (queued, vector) in chosen().zip(&mut self.vectors) {
            let mut header = empty_header();
            if let Some(slot) = self.slots.get_mut(queued.slot) {
                header.msg_hdr.msg_name = slot.name.as_mut_ptr().cast();
                header.msg_hdr.msg_namelen = queued.name_len as u32;
            }
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            self.headers.push(header);
        }
        let descriptor = socket.as_fd().as_raw_fd();
        let mut done = 0;
        while let Some(rest) = self.headers.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let (headers, most) = (rest.as_mut_ptr(), rest.len() as u32);
            // SAFETY: `most` headers, each of which points to a name and a vector of the lengths that it says; all of them
            // are in `self`, which nobody else can touch meanwhile.
            let sent = unsafe { libc::sendmmsg(descriptor, headers, most, libc::MSG_DONTWAIT as _) };
            let error = io::Error::last_os_error();
            let sent = usize::try_from(sent).unwrap_or(0);
            let indices = chosen().map(|queued| queued.slot).skip(done);
            if sent == 0 {
                if error.kind() == io::ErrorKind::Interrupted {
                    continue;
                }
                // The first one is refused; those behind it may have other ways.
                let mut error = Some(error);
                indices.take(1).for_each(|index| tell(index, error.take().map_or(Ok(()), Err)));
                done += 1;
            } else {
                indices.take(sent).for_each(|index| tell(index, Ok(())));
                done += sent;
            }
        }
    }

    /// What is queued under an index: whence, whereto, payload.
    pub fn queued(&self, index: usize) -> Option<(SocketAddr, SocketAddr, &[u8])> {
        let queued = self.queued.iter().find(|queued| queued.slot == index)?;
        let payload = self.slots.get(index)?.buffer.get(HEADROOM..queued.end)?;
        Some((queued.from, queued.to, payload))
    }
}

fn empty_header() -> libc::mmsghdr {
    // SAFETY: a structure of numbers and pointers, for which zeros are values: none.
    unsafe { std::mem::zeroed() }
}

// SAFETY: the pointers in `vectors` and `headers` are only used within a call, which has written them.
unsafe impl Send for Batch {}
