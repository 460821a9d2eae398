//! Packets: what one costs to relay, and whether all arrive.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rtp::srtp::Protect;
use socket2::{Domain, Socket, Type};

use crate::Result;
use crate::cpu::{run_time, unread, wait_time};
use crate::daemon::{Daemon, Subject, Transport};
use crate::floor::{self, Forwarder};
use crate::report::Series;
use crate::sdp;
use crate::signalling::Phones;

/// Sockets of each side, which its calls share; no receive buffer fills between two looks.
const SOCKETS: usize = 16;
const FIRST_PORT: u16 = 20_000;
const BUFFER: usize = 1 << 20;

/// Each stream sends one packet of 20 ms in this time, spread over slots of one millisecond.
const SLOTS: u64 = 20;
const SLOT: Duration = Duration::from_millis(1);
/// RTP header and 20 ms of G.711.
const PACKET: usize = 12 + 160;
/// What `AES_CM_128_HMAC_SHA1_80` adds.
const TAG: usize = 10;

/// Before a measurement, so that sources are locked and caches warm.
const WARM_UP: Duration = Duration::from_millis(400);
/// After it, for what is on the way.
const SETTLE: Duration = Duration::from_millis(100);
/// A packet that is not there by then is lost.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the two phones of a call send their media.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    pub customer: SocketAddr,
    pub carrier: SocketAddr,
    /// The carrier's phone speaks SRTP.
    pub srtp: bool,
}

impl Way {
    pub fn plain(customer: SocketAddr, carrier: SocketAddr) -> Way {
        Way { customer, carrier, srtp: false }
    }
}

/// Where both phones of a call take their media.
pub fn phone_port(call: usize) -> u16 {
    FIRST_PORT + 2 * u16::try_from(call % SOCKETS).unwrap_or(0)
}

struct Stream {
    to: SocketAddr,
    socket: usize,
    ssrc: u32,
    seq: u16,
    timestamp: u32,
    /// The sender's SRTP.
    protect: Option<Protect>,
}

/// The phones' media: one stream from each, and a count of what arrives.
pub struct Generator {
    sockets: Vec<UdpSocket>,
    /// RTCP that the gateway sends to the phones.
    reports: Vec<UdpSocket>,
    streams: Vec<Stream>,
    /// The streams that send in each slot.
    slots: Vec<Vec<usize>>,
    /// How long the packets are that reach the carrier's phone.
    carrier_packet: usize,
    sent: u64,
    received: u64,
    /// Times that a slot began more than five slots late.
    late: u64,
}

impl Generator {
    pub fn new(customer: Ipv4Addr, carrier: Ipv4Addr, ways: &[Way]) -> Result<Generator> {
        let (mut sockets, mut reports) = (Vec::new(), Vec::new());
        for address in [customer, carrier] {
            for call in 0..SOCKETS {
                sockets.push(socket((address, phone_port(call)).into())?);
                reports.push(socket((address, phone_port(call) + 1).into())?);
            }
        }
        let mut streams = Vec::new();
        let mut slots = vec![Vec::new(); SLOTS as usize];
        for (call, way) in ways.iter().enumerate() {
            for (side, to) in [way.customer, way.carrier].into_iter().enumerate() {
                let protect = (side == 1 && way.srtp).then(sdp::protect).transpose()?;
                let ssrc = u32::try_from(side << 28 | call)?;
                let socket = side * SOCKETS + call % SOCKETS;
                if let Some(slot) = slots.get_mut((call * 13 + side * 7) % SLOTS as usize) {
                    slot.push(streams.len());
                }
                streams.push(Stream { to, socket, ssrc, seq: call as u16, timestamp: ssrc, protect });
            }
        }
        let tag = if ways.iter().any(|way| way.srtp) { TAG } else { 0 };
        let carrier_packet = PACKET + tag;
        Ok(Generator { sockets, reports, streams, slots, carrier_packet, sent: 0, received: 0, late: 0 })
    }

    /// Sends and receives for a while. Returns how many packets arrived in it.
    pub fn run(&mut self, duration: Duration) -> Result<u64> {
        let (start, before) = (Instant::now(), self.received);
        let ticks = duration.as_millis() as u64;
        for tick in 0..ticks {
            let due = start + SLOT * tick as u32;
            let now = Instant::now();
            if now < due {
                sleep(due - now);
            } else if now > due + 5 * SLOT {
                self.late += 1;
            }
            self.send((tick % SLOTS) as usize)?;
            self.drain()?;
        }
        Ok(self.received - before)
    }

    /// Takes in what is on the way still. Returns packets sent and not received by then.
    pub fn settle(&mut self) -> Result<u64> {
        let until = Instant::now() + PATIENCE;
        loop {
            sleep(SETTLE);
            self.drain()?;
            let missing = self.sent.saturating_sub(self.received);
            if missing == 0 || Instant::now() > until {
                return Ok(missing);
            }
        }
    }

    fn send(&mut self, slot: usize) -> Result<()> {
        let mut packet = [0; PACKET + TAG];
        for index in self.slots.get(slot).into_iter().flatten() {
            let Some(stream) = self.streams.get_mut(*index) else { continue };
            let mut header = [0; 12];
            header[0] = 0x80;
            header[1] = 8;
            header[2..4].copy_from_slice(&stream.seq.to_be_bytes());
            header[4..8].copy_from_slice(&stream.timestamp.to_be_bytes());
            header[8..12].copy_from_slice(&stream.ssrc.to_be_bytes());
            packet[..12].copy_from_slice(&header);
            packet[12..PACKET].fill(0xd5);
            stream.seq = stream.seq.wrapping_add(1);
            stream.timestamp = stream.timestamp.wrapping_add(160);
            let len = match &mut stream.protect {
                Some(protect) => protect.protect_rtp(&mut packet, PACKET)?,
                None => PACKET,
            };
            if let Some(socket) = self.sockets.get(stream.socket) {
                socket.send_to(packet.get(..len).unwrap_or_default(), stream.to)?;
                self.sent += 1;
            }
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<()> {
        let mut buffer = [0; 2048];
        for (index, socket) in self.sockets.iter().enumerate() {
            let wanted = if index < SOCKETS { PACKET } else { self.carrier_packet };
            loop {
                match socket.recv(&mut buffer) {
                    Ok(len) if len == wanted && buffer[0] == 0x80 && buffer[1] == 8 => self.received += 1,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        for socket in &self.reports {
            while socket.recv(&mut buffer).is_ok() {}
        }
        Ok(())
    }
}

fn socket(local: SocketAddr) -> Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.bind(&local.into())?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(BUFFER)?;
    Ok(socket.into())
}

/// One relay under measurement, with all that keeps its calls up.
struct Relay {
    series: Series,
    process: u32,
    generator: Generator,
    addresses: [Ipv4Addr; 3],
    unread: [u64; 2],
    load: f64,
    /// Packets a second, in the slowest measurement.
    rate: f64,
    /// The part of the time that it could have run and others did, in the worst measurement.
    denied: f64,
    _keep: Keep,
}

#[expect(clippy::large_enum_variant, reason = "there are two of them")]
enum Keep {
    Forwarder(#[expect(dead_code, reason = "runs until it is dropped")] Forwarder),
    Calls(#[expect(dead_code, reason = "runs until it is dropped")] Daemon, Phones),
}

impl Relay {
    fn floor(calls: usize) -> Result<Relay> {
        let forwarder = Forwarder::start(calls)?;
        let generator = floor_generator(&forwarder)?;
        let addresses = [floor::LOCAL, floor::CUSTOMER, floor::CARRIER];
        let (process, series) = (forwarder.process(), Series::new("bare epoll"));
        Relay::new(series, process, generator, addresses, Keep::Forwarder(forwarder))
    }

    fn gateway(subject: &Subject, calls: usize, srtp: bool) -> Result<Relay> {
        let daemon = Daemon::start(subject, Transport::Udp, srtp)?;
        let addresses = [1, 2, 3].map(|host| subject.address(host));
        let mut phones = Phones::new(subject, Transport::Udp)?;
        phones.place(calls, 200)?;
        let [_, customer, carrier] = addresses;
        let ways = phones.ways()?;
        if srtp && ways.iter().any(|way| !way.srtp) {
            return Err("the gateway offered no SRTP keys".into());
        }
        let generator = Generator::new(customer, carrier, &ways)?;
        let series = Series::new(&subject.name);
        Relay::new(series, daemon.process(), generator, addresses, Keep::Calls(daemon, phones))
    }

    fn new(
        series: Series,
        process: u32,
        generator: Generator,
        addresses: [Ipv4Addr; 3],
        keep: Keep,
    ) -> Result<Relay> {
        Ok(Relay {
            series,
            process,
            generator,
            addresses,
            unread: [0; 2],
            load: 0.0,
            rate: f64::INFINITY,
            denied: 0.0,
            _keep: keep,
        })
    }

    fn measure(&mut self, window: Duration) -> Result<()> {
        let drops = self.drops()?;
        self.generator.run(WARM_UP)?;
        let (before, waited, start) = (run_time(self.process)?, wait_time(self.process)?, Instant::now());
        let packets = self.generator.run(window)?;
        let used = run_time(self.process)? - before;
        let elapsed = start.elapsed().as_secs_f64();
        let denied = wait_time(self.process)? - waited;
        self.load = self.load.max(used.as_secs_f64() / elapsed);
        self.denied = self.denied.max(denied.as_secs_f64() / elapsed);
        self.rate = self.rate.min(packets as f64 / elapsed);
        self.series.values.push(used.as_secs_f64() * 1e6 / packets as f64);
        self.generator.settle()?;
        let since = self.drops()?;
        for (sum, (now, then)) in self.unread.iter_mut().zip(since.iter().zip(drops)) {
            *sum += now - then;
        }
        Ok(())
    }

    /// Packets that waited too long at the relay's and at the generator's sockets, since these were opened.
    fn drops(&self) -> Result<[u64; 2]> {
        let [relay, customer, carrier] = self.addresses;
        Ok([unread(relay)?, unread(customer)? + unread(carrier)?])
    }

    fn print(&mut self, floor: Option<(&str, f64)>) -> Result<()> {
        let lost = self.generator.settle()?;
        let Generator { sent, late, .. } = &self.generator;
        let [relay, generator] = self.unread;
        let (load, rate) = (self.load * 100.0, self.rate);
        let mut note = format!("  load {load:.0} % at {rate:.0} packets/s, lost {lost} of {sent}");
        if lost > 0 {
            let denied = self.denied * 100.0;
            note.push_str(&format!(" (unread: {relay} at the relay, {generator} at the generator;"));
            note.push_str(&format!(" others had the relay's core for {denied:.0} % of the time)"));
        }
        if *late > 0 {
            note.push_str(&format!(", {late} slots were late"));
        }
        self.series.note = note;
        self.series.print("µs/packet", floor);
        Ok(())
    }
}

/// The phones of a forwarder.
pub fn floor_generator(forwarder: &Forwarder) -> Result<Generator> {
    Generator::new(floor::CUSTOMER, floor::CARRIER, &forwarder.ways)
}

/// CPU of one packet that `process` forwards, in µs: a short measurement.
pub fn cost(process: u32, generator: &mut Generator) -> Result<f64> {
    generator.run(WARM_UP)?;
    let before = run_time(process)?;
    let packets = generator.run(Duration::from_secs(1))?;
    Ok((run_time(process)? - before).as_secs_f64() * 1e6 / packets as f64)
}

/// CPU of a relayed packet: the forwarder and each subject in turn.
pub fn compare(
    subjects: &[Subject],
    calls: usize,
    window: Duration,
    rounds: usize,
    srtp: bool,
) -> Result<()> {
    let mut relays = vec![Relay::floor(calls)?];
    for subject in subjects {
        relays.push(Relay::gateway(subject, calls, srtp)?);
    }
    for _ in 0..rounds {
        for relay in &mut relays {
            relay.measure(window)?;
        }
    }
    let what = if srtp { "RTP to SRTP and back" } else { "RTP both ways" };
    println!(
        "Relayed packet, {what}, {calls} calls at 50 packets a second, median of {rounds} x {window:.1?}"
    );
    let floor = relays.first().map_or(f64::NAN, |floor| floor.series.median());
    for (index, relay) in relays.iter_mut().enumerate() {
        relay.print((index > 0).then_some(("the floor", floor)))?;
    }
    println!();
    Ok(())
}

/// Relays for a while; an error when a packet was lost that had reached the gateway, or never reached it.
pub fn hold(subjects: &[Subject], calls: usize, window: Duration) -> Result<()> {
    let subject = subjects.first().ok_or("nothing to measure")?;
    let mut relay = Relay::gateway(subject, calls, false)?;
    relay.measure(window)?;
    println!("Relayed for {window:.0?}, RTP both ways, {calls} calls at 50 packets a second");
    relay.print(None)?;
    let lost = relay.generator.settle()?;
    let [_, at_the_generator] = relay.unread;
    if let Keep::Calls(_, phones) = &mut relay._keep {
        phones.hang_up(200)?;
    }
    if lost > at_the_generator { Err(format!("{lost} packets lost").into()) } else { Ok(()) }
}
