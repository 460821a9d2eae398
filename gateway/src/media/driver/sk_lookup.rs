//! One socket for all ports of a worker: a BPF program tells the kernel which ports those are, and raw sockets send from
//! them. A port is an entry of two tables, of the kernel's and of ours, and no descriptor.

mod routes;
mod sockets;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastpath::{Batch, HEADROOM, Received, Steering, write_headers};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;

use super::socket::probe;
use super::{BUFFER, Datagram, LONGEST, Next, PortId, Sink, Tag};
use crate::clock::Now;
use routes::Routes;
pub(in crate::media) use sockets::Sockets;
use sockets::{Inbox, Outlet, send_raw};

/// Datagrams that are received with one system call.
const BATCH: usize = 64;
/// Batches that are served in one wake, so that commands are heard.
const ROUNDS: usize = 4;
/// For so long after a port was opened the kernel's stamps are taken at their word.
const FRESH: Duration = Duration::from_secs(1);
/// Marks the event of the command channel among those of sockets.
const COMMAND_TOKEN: u64 = u64::MAX;

/// The driver.
pub(in crate::media) struct SkLookupDriver {
    steering: Arc<Steering>,
    epoll: Epoll,
    inboxes: Vec<Inbox>,
    /// Which inboxes the last wait found full.
    ready: Vec<usize>,
    /// By the number of their address.
    locals: Vec<Local>,
    routes: Routes,
    batch: Batch,
    /// Of each datagram of the batch that is sent on: whose it is, and how long.
    sent: Vec<Option<(Tag, usize)>>,
    /// Datagrams of the batch that are longer than the way out takes in one packet.
    oversized: Vec<usize>,
    late: Duration,
}

/// One of the addresses.
struct Local {
    outlet: Outlet,
    /// By port.
    ports: Vec<Option<Entry>>,
}

/// An open port.
#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: Tag,
    since: Now,
    /// What the inbox had dropped when a datagram last came to the port.
    dropped: u32,
}

impl Entry {
    /// Whether a datagram was for whoever had the port before. It waits in the inbox, where a worker that was busy may find it only
    /// now; and the next call may be one for help, which takes ports that rest. Of the two clocks the wall's tells the order of two
    /// moments exactly, but may be set: it is asked for a moment only.
    fn is_older(&self, now: Now, stamp: Option<Duration>, arrival: Instant) -> bool {
        let fresh = now.instant.saturating_duration_since(self.since.instant) < FRESH;
        arrival < self.since.instant || fresh && stamp.is_some_and(|stamp| stamp < self.since.unix)
    }
}

impl SkLookupDriver {
    pub(super) fn new(
        steering: Arc<Steering>,
        sockets: Sockets,
        commands: &EventFd,
        late: Duration,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        // Each write of the event is told once, so that nobody has to read it.
        epoll.add(commands, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, COMMAND_TOKEN))?;
        let Sockets { inboxes, outlets } = sockets;
        for (token, inbox) in (0..).zip(&inboxes) {
            epoll.add(&inbox.socket, EpollEvent::new(EpollFlags::EPOLLIN, token))?;
        }
        let locals = outlets.into_iter().map(|outlet| Local { outlet, ports: vec![None; 1 << 16] });
        Ok(Self {
            steering,
            epoll,
            inboxes,
            ready: Vec::new(),
            locals: locals.collect(),
            routes: Routes::default(),
            batch: Batch::new(BATCH, LONGEST),
            sent: vec![None; BATCH],
            oversized: Vec::new(),
            late,
        })
    }

    /// A port that another program has bound is its own: it is asked for, and left alone.
    pub(super) fn open(&mut self, address: IpAddr, port: u16, tag: Tag) -> io::Result<PortId> {
        let numbered = (0..).zip(&mut self.locals).find(|(_, local)| local.outlet.address == address);
        let (number, local) = numbered.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let inbox = self.inboxes.iter().find(|inbox| inbox.ipv6 == address.is_ipv6());
        let inbox = inbox.ok_or(io::ErrorKind::AddrNotAvailable)?;
        probe(address, port)?;
        if let Some(entry) = local.ports.get_mut(usize::from(port)) {
            *entry = Some(Entry { tag, since: Now::read(), dropped: inbox.dropped });
        }
        self.steering.lease(number, port, inbox.number);
        Ok(PortId(u32::from(number) << 16 | u32::from(port)))
    }

    pub(super) fn close(&mut self, port: PortId) {
        let (number, port) = port.parts();
        self.steering.release(number, port);
        let local = self.locals.get_mut(usize::from(number));
        if let Some(entry) = local.and_then(|local| local.ports.get_mut(usize::from(port))) {
            *entry = None;
        }
    }

    pub(super) fn calm(&self, port: PortId) -> u64 {
        let (number, port) = port.parts();
        self.steering.calm(number, port)
    }

    pub(super) fn wait(&mut self, most: Duration) {
        // Rounded up: waking before the time would only mean to wait again.
        let millis = u16::try_from(most.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
        let mut events = [EpollEvent::empty(); 4];
        let count = self.epoll.wait(&mut events, EpollTimeout::from(millis)).unwrap_or(0); // EINTR
        let tokens = events.iter().take(count).map(EpollEvent::data).filter(|token| *token != COMMAND_TOKEN);
        self.ready.clear();
        self.ready.extend(tokens.filter_map(|token| usize::try_from(token).ok()));
    }

    pub(super) fn serve(&mut self, now: Now, sink: &mut impl Sink) {
        for at in 0..self.inboxes.len() {
            if !self.ready.contains(&at) {
                continue;
            }
            for _ in 0..ROUNDS {
                let Some(inbox) = self.inboxes.get(at) else { break };
                let (count, more) = self.batch.receive(&inbox.socket);
                (0..count).for_each(|index| self.handle(now, at, index, sink));
                self.flush(sink);
                if !more {
                    break; // Level-triggered: if more waits after all, the next wake says so.
                }
            }
        }
        self.ready.clear();
    }

    /// Hands out a datagram of the batch, and queues what comes of it.
    fn handle(&mut self, now: Now, inbox: usize, index: usize, sink: &mut impl Sink) {
        let Some(inbox) = self.inboxes.get_mut(inbox) else { return };
        let Some((received, buffer)) = self.batch.get(index) else { return };
        let Received { from, to, len, stamp, dropped } = received;
        let more = dropped.wrapping_sub(inbox.dropped);
        if more > 0 {
            inbox.dropped = dropped;
            sink.handle_unread(u64::from(more));
        }
        let entry = self.locals.iter_mut().find(|local| local.outlet.is_reached_at(to.ip()));
        let entry = entry.and_then(|local| local.ports.get_mut(usize::from(to.port()))?.as_mut());
        let Some(entry) = entry else { return }; // closed meanwhile
        let arrival = now.arrival(stamp);
        if entry.is_older(now, stamp, arrival) {
            return;
        }
        let tag = entry.tag;
        let unread = u64::from(dropped.wrapping_sub(std::mem::replace(&mut entry.dropped, dropped)));
        let late = now.instant.saturating_duration_since(arrival) > self.late;
        let datagram = Datagram { from, len, arrival, late, unread };
        let outgoing = match sink.handle_datagram(tag, &datagram, buffer) {
            Next::Nothing => return,
            Next::Send(outgoing) => outgoing,
            Next::Shed { port, source } => {
                let (number, port) = port.parts();
                // Fails when as many ports are flooded as the kernel can be told of: then this one costs us time.
                return drop(self.steering.shed(number, port, source));
            }
        };
        let (number, _) = outgoing.port.parts();
        let from = source(&self.locals, &mut self.routes, outgoing.port, outgoing.to);
        if from.is_some_and(|from| self.batch.queue(index, number, from, outgoing.to, outgoing.len)) {
            if let Some(sent) = self.sent.get_mut(index) {
                *sent = Some((tag, outgoing.len));
            }
        } else {
            sink.handle_sent(tag, outgoing.len, Err(io::ErrorKind::NetworkUnreachable.into()));
        }
    }

    /// Sends what is queued.
    fn flush(&mut self, sink: &mut impl Sink) {
        let Self { locals, batch, sent, oversized, .. } = self;
        let mut next = batch.next_group(None);
        while let Some(group) = next {
            next = batch.next_group(Some(group));
            let Some(local) = locals.get(usize::from(group)) else { continue };
            batch.send(group, &local.outlet.socket, |index, result| {
                if is_oversized(&result) {
                    oversized.push(index);
                } else if let Some((tag, len)) = sent.get_mut(index).and_then(Option::take) {
                    sink.handle_sent(tag, len, result);
                }
            });
        }
        while let Some(index) = self.oversized.pop() {
            let Some((tag, len)) = self.sent.get_mut(index).and_then(Option::take) else { continue };
            let queued = self.batch.queued(index);
            let result = queued.map_or(Ok(()), |(from, to, payload)| send_in_fragments(from, to, payload));
            sink.handle_sent(tag, len, result);
        }
    }

    pub(super) fn send(&mut self, port: PortId, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        let (number, _) = port.parts();
        let from =
            source(&self.locals, &mut self.routes, port, to).ok_or(io::ErrorKind::NetworkUnreachable)?;
        let local = self.locals.get(usize::from(number)).ok_or(io::ErrorKind::NotConnected)?;
        let mut packet = [0; HEADROOM + BUFFER];
        let end = HEADROOM + datagram.len();
        let payload = packet.get_mut(HEADROOM..end).ok_or(io::ErrorKind::InvalidInput)?;
        payload.copy_from_slice(datagram);
        let whole = packet.get_mut(..end).unwrap_or_default();
        let start = write_headers(whole, from, to).ok_or(io::ErrorKind::NetworkUnreachable)?;
        let result = send_raw(&local.outlet.socket, packet.get(start..end).unwrap_or_default(), to);
        if is_oversized(&result) { send_in_fragments(from, to, datagram) } else { result }
    }
}

/// Whence a datagram from a port to `to` comes; `None`: there is no way there.
fn source(locals: &[Local], routes: &mut Routes, port: PortId, to: SocketAddr) -> Option<SocketAddr> {
    let (number, port) = port.parts();
    let address = locals.get(usize::from(number))?.outlet.address;
    let address =
        if address.is_unspecified() { routes.source(Instant::now(), address, to)? } else { address };
    Some(SocketAddr::new(address, port))
}

fn is_oversized(result: &io::Result<()>) -> bool {
    result.as_ref().is_err_and(|error| error.raw_os_error() == Some(Errno::EMSGSIZE as i32))
}

/// A datagram that is longer than a packet may be: the kernel cuts it up, which it does for a UDP socket alone. That takes
/// nothing from us meanwhile, for the program comes before the table of sockets.
fn send_in_fragments(from: SocketAddr, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
    UdpSocket::bind(from)?.send_to(datagram, to).map(drop)
}

#[cfg(test)]
mod tests {
    use nix::sys::eventfd::EfdFlags;
    use rtp::relay::{Component, Side};

    use super::*;

    /// The places whose datagrams came, and when these had arrived.
    #[derive(Default)]
    struct Heard(Vec<(u32, Instant)>);

    impl Sink for Heard {
        fn handle_datagram(&mut self, tag: Tag, datagram: &Datagram, _: &mut [u8]) -> Next {
            self.0.push((tag.place, datagram.arrival));
            Next::Nothing
        }

        fn handle_unread(&mut self, _: u64) {}

        fn handle_shed(&mut self, _: u64) {}

        fn handle_noise(&mut self, _: IpAddr, _: u16) {}

        fn handle_sent(&mut self, _: Tag, _: usize, _: io::Result<()>) {}
    }

    /// Only privileged processes may steer: elsewhere this is said and left out.
    #[test]
    fn what_came_for_a_call_that_is_over_is_not_for_the_next_one_at_its_port() {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let (address, port) = (IpAddr::from([127, high, low, 77]), 20_000);
        let steering = match Steering::attach(&[address], Sockets::numbers(1)) {
            Ok(steering) => Arc::new(steering),
            Err(error) => return println!("skipped: {error}"),
        };
        let commands = EventFd::from_value_and_flags(0, EfdFlags::EFD_NONBLOCK).unwrap();
        let sockets = Sockets::open(&steering, 0).unwrap();
        let mut driver =
            SkLookupDriver::new(steering, sockets, &commands, Duration::from_millis(250)).unwrap();
        let tag = |place| Tag { place, side: Side::A, component: Component::Rtp };
        let (phone, mut heard) = (UdpSocket::bind("127.0.0.1:0").unwrap(), Heard::default());
        let mut serve = |driver: &mut SkLookupDriver| {
            driver.wait(Duration::from_secs(5));
            let before = Now::read().instant;
            driver.serve(Now::read(), &mut heard);
            let places: Vec<u32> = heard.0.iter().map(|(place, _)| *place).collect();
            (places, heard.0.drain(..).all(|(_, arrival)| arrival < before))
        };
        let first = driver.open(address, port, tag(1)).unwrap();
        // The kernel begins to stamp what arrives some time after it was asked to, and stamps what is read until then.
        loop {
            phone.send_to(b"first", (address, port)).unwrap();
            let (places, stamped) = serve(&mut driver);
            assert_eq!(places, [1]);
            if stamped {
                break;
            }
        }
        phone.send_to(b"for the first", (address, port)).unwrap();
        driver.wait(Duration::from_secs(5)); // It has arrived, and nobody has looked.
        driver.close(first);
        driver.open(address, port, tag(2)).unwrap();
        phone.send_to(b"second", (address, port)).unwrap();
        let heard = std::iter::repeat_with(|| serve(&mut driver).0).find(|places| !places.is_empty());
        assert_eq!(heard, Some(vec![2]));
    }
}
