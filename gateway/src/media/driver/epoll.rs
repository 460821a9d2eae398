//! A socket for each port, watched by epoll.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;

use super::socket::{MediaSocket, Received, control_buffer};
use super::{BUFFER, Datagram, KeptPort, LONGEST, Next, Outgoing, PortId, Sink, Tag};
use crate::clock::Now;

/// Sockets that are served in one wake.
const EVENTS: usize = 256;
/// A datagram that waited longer than this has others behind it, most likely: drain.
const BEHIND: Duration = Duration::from_millis(5);
/// At most so many at once, so that no socket starves the others.
const DRAIN: usize = 16;
/// So many datagrams come to a port that nobody has before it is closed.
const NOISE: u32 = 64;
/// Marks the event of the command channel among those of sockets.
const COMMAND_TOKEN: u64 = u64::MAX;

/// The driver.
pub(in crate::media) struct EpollDriver {
    epoll: Epoll,
    ports: Vec<Option<Port>>,
    /// Empty places of `ports`.
    vacant: Vec<u32>,
    generation: u32,
    ready: Box<[EpollEvent; EVENTS]>,
    /// How many of `ready` the last wait filled.
    count: usize,
    buffer: Box<[u8; BUFFER]>,
    control: Vec<u8>,
    late: Duration,
}

/// What of the datagrams that a socket has not taken was meant to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shedding {
    No,
    Yes,
    /// Not any more, but some may not be counted yet.
    Over,
}

struct Port {
    socket: MediaSocket,
    local: (IpAddr, u16),
    /// `None`: nobody's, and kept for a call to come.
    tag: Option<Tag>,
    /// When its call began, if it was kept before: what came until then is nothing to that.
    since: Option<Instant>,
    /// What has come since it is nobody's.
    noise: Cell<u32>,
    /// What the kernel has counted of datagrams that found the socket full.
    unread: Cell<u32>,
    shedding: Cell<Shedding>,
    /// Tells this port from others that had its place before.
    generation: u32,
}

impl EpollDriver {
    pub(super) fn new(commands: &EventFd, late: Duration) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        // Each write of the event is told once, so that nobody has to read it.
        epoll.add(commands, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, COMMAND_TOKEN))?;
        Ok(Self {
            epoll,
            ports: Vec::new(),
            vacant: Vec::new(),
            generation: 0,
            ready: Box::new([EpollEvent::empty(); EVENTS]),
            count: 0,
            buffer: Box::new([0; BUFFER]),
            control: control_buffer(),
            late,
        })
    }

    pub(super) fn open(&mut self, address: IpAddr, port: u16, tag: Tag) -> io::Result<PortId> {
        let socket = MediaSocket::bind(address, port)?;
        let index = self.vacant.last().copied().unwrap_or(self.ports.len() as u32);
        let generation = self.generation.wrapping_add(1);
        let token = pack(index, generation);
        self.epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, token))?;
        self.generation = generation;
        let port = Some(Port {
            socket,
            local: (address, port),
            tag: Some(tag),
            since: None,
            noise: Cell::new(0),
            unread: Cell::new(0),
            shedding: Cell::new(Shedding::No),
            generation,
        });
        match self.ports.get_mut(index as usize) {
            Some(vacant) => {
                self.vacant.pop();
                *vacant = port;
            }
            None => self.ports.push(port),
        }
        Ok(PortId(index))
    }

    pub(super) fn close(&mut self, port: PortId) {
        let PortId(index) = port;
        if self.ports.get_mut(index as usize).is_some_and(|port| port.take().is_some()) {
            self.vacant.push(index);
        }
    }

    pub(super) fn keep(&mut self, port: PortId) -> Option<KeptPort> {
        let PortId(index) = port;
        let place = self.ports.get_mut(index as usize)?;
        if let Some(open) = place
            && open.shedding.get() == Shedding::No
        {
            open.tag = None;
            open.noise.set(0);
            return Some(KeptPort { port, generation: open.generation });
        }
        self.close(port);
        None
    }

    pub(super) fn reopen(&mut self, kept: KeptPort, tag: Tag) -> Option<PortId> {
        let PortId(index) = kept.port;
        let port = self.ports.get_mut(index as usize)?.as_mut();
        let port = port.filter(|port| port.generation == kept.generation && port.tag.is_none())?;
        port.tag = Some(tag);
        port.since = Some(Instant::now());
        Some(kept.port)
    }

    pub(super) fn close_kept(&mut self, kept: KeptPort) {
        let PortId(index) = kept.port;
        if let Some(Some(port)) = self.ports.get(index as usize)
            && port.generation == kept.generation
            && port.tag.is_none()
        {
            self.close(kept.port);
        }
    }

    pub(super) fn wait(&mut self, most: Duration) {
        // Rounded up: waking before the time would only mean to wait again.
        let millis = u16::try_from(most.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
        let count = self.epoll.wait(self.ready.as_mut_slice(), EpollTimeout::from(millis));
        self.count = count.unwrap_or(0); // EINTR
    }

    pub(super) fn serve(&mut self, now: Now, sink: &mut impl Sink) {
        let Self { ports, ready, count, buffer, control, late, .. } = self;
        let tokens = ready.iter().take(*count).map(EpollEvent::data);
        for token in tokens.filter(|token| *token != COMMAND_TOKEN) {
            let (index, generation) = unpack(token);
            let Some(port) = ports.get(index as usize).and_then(Option::as_ref) else { continue };
            if port.generation != generation {
                continue; // closed earlier in this wake
            }
            for _ in 0..DRAIN {
                let room = buffer.get_mut(..LONGEST).unwrap_or_default();
                let Some(received) = port.socket.receive(room, control) else { break };
                let Some(tag) = port.tag else {
                    port.unread.set(received.unread);
                    port.noise.set(port.noise.get() + 1);
                    continue;
                };
                let arrival = now.arrival(received.stamp);
                if port.since.is_some_and(|since| arrival < since) {
                    port.unread.set(received.unread);
                    continue;
                }
                let waited = now.instant.saturating_duration_since(arrival);
                let unread = match port.missed(received.unread) {
                    (0, _) => 0,
                    (missed, Shedding::No) => {
                        sink.handle_unread(missed);
                        missed
                    }
                    (missed, Shedding::Yes | Shedding::Over) => {
                        sink.handle_shed(missed);
                        0
                    }
                };
                let Received { from, len, .. } = received;
                let datagram = Datagram { from, len, arrival, late: waited > *late, unread };
                match sink.handle_datagram(tag, &datagram, buffer.as_mut_slice()) {
                    Next::Nothing => {}
                    Next::Send(Outgoing { port: other, to, len }) => {
                        let bytes = buffer.get(..len).unwrap_or_default();
                        let result = send(ports, other, bytes, to);
                        sink.handle_sent(tag, len, result);
                    }
                    Next::Shed { source, .. } => {
                        if port.socket.hear_only(source).is_ok() {
                            port.shedding.set(Shedding::Yes);
                        }
                    }
                }
                if waited < BEHIND {
                    break; // Level-triggered: if more waits after all, the next wake says so.
                }
            }
            if port.noise.get() >= NOISE {
                port.noise.set(0);
                let (address, number) = port.local;
                sink.handle_noise(address, number);
            }
        }
        self.count = 0;
    }

    pub(super) fn calm(&self, port: PortId) -> u64 {
        let PortId(index) = port;
        if let Some(Some(port)) = self.ports.get(index as usize)
            && port.shedding.get() == Shedding::Yes
        {
            port.socket.hear_all();
            port.shedding.set(Shedding::Over);
        }
        0
    }

    pub(super) fn send(&self, port: PortId, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        send(&self.ports, port, datagram, to)
    }
}

impl Port {
    /// How many more datagrams the socket has not taken, and whether that was meant.
    ///
    /// - `unread`: the kernel's count.
    fn missed(&self, unread: u32) -> (u64, Shedding) {
        let missed = u64::from(unread.wrapping_sub(self.unread.replace(unread)));
        let shedding = self.shedding.get();
        if shedding == Shedding::Over {
            self.shedding.set(Shedding::No);
        }
        (missed, shedding)
    }
}

fn send(ports: &[Option<Port>], port: PortId, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
    let PortId(index) = port;
    match ports.get(index as usize) {
        Some(Some(port)) => port.socket.send(datagram, to),
        _ => Err(io::ErrorKind::NotConnected.into()),
    }
}

/// Place and generation of a port in the 64 bits that epoll keeps for a socket.
fn pack(index: u32, generation: u32) -> u64 {
    u64::from(index) << 32 | u64::from(generation)
}

fn unpack(token: u64) -> (u32, u32) {
    ((token >> 32) as u32, token as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_one_port() {
        for (index, generation) in [(0, 0), (70_000, 0xffff_fffe), (u32::MAX - 1, u32::MAX)] {
            let token = pack(index, generation);
            assert_eq!(unpack(token), (index, generation));
            assert_ne!(token, COMMAND_TOKEN);
        }
    }

    /// Hears all, and sends nothing.
    #[derive(Default)]
    struct Heard {
        bytes: Vec<(u32, u8)>,
        arrival: Option<Instant>,
        noisy: Vec<u16>,
    }

    impl Sink for Heard {
        fn handle_datagram(&mut self, tag: Tag, datagram: &Datagram, buffer: &mut [u8]) -> Next {
            self.arrival = Some(datagram.arrival);
            self.bytes.push((tag.place, buffer[0]));
            Next::Nothing
        }

        fn handle_unread(&mut self, _: u64) {}

        fn handle_noise(&mut self, _: IpAddr, port: u16) {
            self.noisy.push(port);
        }

        fn handle_shed(&mut self, _: u64) {}

        fn handle_sent(&mut self, _: Tag, _: usize, _: io::Result<()>) {}
    }

    fn tag(place: u32) -> Tag {
        Tag { place, side: rtp::relay::Side::A, component: rtp::relay::Component::Rtp }
    }

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    struct Line {
        driver: EpollDriver,
        phone: std::net::UdpSocket,
        to: SocketAddr,
        port: PortId,
        heard: Heard,
    }

    impl Line {
        fn new() -> Line {
            let phone = std::net::UdpSocket::bind((LOCAL, 0)).unwrap();
            let number = std::net::UdpSocket::bind((LOCAL, 0)).unwrap().local_addr().unwrap().port();
            let event = EventFd::new().unwrap();
            let mut driver = EpollDriver::new(&event, Duration::from_millis(250)).unwrap();
            let port = driver.open(LOCAL, number, tag(1)).unwrap();
            let mut line = Line { driver, phone, to: (LOCAL, number).into(), port, heard: Heard::default() };
            // The kernel begins to take the time of arrivals a moment after the first socket has asked for it, and gives that of
            // the reading so long. A port that was kept is older than that.
            loop {
                line.send(b'?');
                let sent = Instant::now();
                std::thread::sleep(Duration::from_millis(2));
                line.serve();
                if line.heard.arrival.unwrap() < sent + Duration::from_millis(1) {
                    line.heard = Heard::default();
                    return line;
                }
            }
        }

        fn send(&self, byte: u8) {
            self.phone.send_to(&[byte], self.to).unwrap();
        }

        fn serve(&mut self) {
            for _ in 0..20 {
                self.driver.wait(Duration::ZERO);
                self.driver.serve(Now::read(), &mut self.heard);
            }
        }
    }

    #[test]
    fn a_call_hears_nothing_that_came_to_its_port_before() {
        let mut line = Line::new();
        line.send(b'a');
        line.serve();
        line.send(b'b');
        let kept = line.driver.keep(line.port).unwrap();
        line.send(b'c');
        line.serve();
        // The last of the strays waits in the socket when the next call gets it.
        line.send(b'd');
        assert_eq!(line.driver.reopen(kept, tag(2)), Some(line.port));
        assert_eq!(line.driver.reopen(kept, tag(3)), None, "it is a call's");
        line.driver.close_kept(kept);
        line.send(b'e');
        line.serve();
        assert_eq!(line.heard.bytes, [(1, b'a'), (2, b'e')]);
    }

    #[test]
    fn a_kept_port_that_is_flooded_is_told_of_and_can_be_closed() {
        let mut line = Line::new();
        let kept = line.driver.keep(line.port).unwrap();
        for _ in 1..NOISE {
            line.send(b'x');
        }
        line.serve();
        assert!(line.heard.noisy.is_empty());
        line.send(b'x');
        line.serve();
        assert_eq!(line.heard.noisy, [line.to.port()]);
        line.driver.close_kept(kept);
        assert_eq!(line.driver.reopen(kept, tag(2)), None);
        // The same number is another port then.
        let again = line.driver.open(LOCAL, line.to.port(), tag(3)).unwrap();
        assert_eq!(again, line.port);
        assert!(line.driver.keep(again).is_some());
        assert_eq!(line.driver.reopen(kept, tag(4)), None);
        assert!(line.heard.bytes.is_empty());
    }
}
