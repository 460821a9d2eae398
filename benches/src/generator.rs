//! The phones' media: a stream each way of every call, at one pace.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rtp::srtp::Protect;
use socket2::{Domain, Socket, Type};

use crate::Result;
use crate::sdp;

/// Sockets of each side, which its calls share; no receive buffer fills between two looks.
const SOCKETS: usize = 16;
const FIRST_PORT: u16 = 20_000;
const BUFFER: usize = 1 << 20;

/// Packets are spread over slots of so long.
const SLOT: Duration = Duration::from_millis(1);
/// Slots from one packet of a stream to its next, where nothing else is wanted: 20 ms.
pub const PTIME: usize = 20;
/// RTP header and 20 ms of G.711.
const PACKET: usize = 12 + 160;
/// What `AES_CM_128_HMAC_SHA1_80` adds.
const TAG: usize = 10;

/// After a measurement, for what is on the way.
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
    /// Slots from one packet of a stream to its next.
    period: usize,
    /// The slot that comes next.
    slot: usize,
    /// How long the packets are that reach the carrier's phone.
    carrier_packet: usize,
    pub sent: u64,
    pub received: u64,
    /// Times that a slot began more than five slots late.
    pub late: u64,
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
        for (call, way) in ways.iter().enumerate() {
            for (side, to) in [way.customer, way.carrier].into_iter().enumerate() {
                let protect = (side == 1 && way.srtp).then(sdp::protect).transpose()?;
                let ssrc = u32::try_from(side << 28 | call)?;
                let socket = side * SOCKETS + call % SOCKETS;
                streams.push(Stream { to, socket, ssrc, seq: call as u16, timestamp: ssrc, protect });
            }
        }
        let tag = if ways.iter().any(|way| way.srtp) { TAG } else { 0 };
        let carrier_packet = PACKET + tag;
        Ok(Generator {
            sockets,
            reports,
            streams,
            period: PTIME,
            slot: 0,
            carrier_packet,
            sent: 0,
            received: 0,
            late: 0,
        })
    }

    /// From now on each stream sends one packet in so many milliseconds.
    pub fn set_period(&mut self, millis: usize) {
        self.period = millis.max(1);
        self.slot = 0;
    }

    /// Sends and receives for a while. Returns how many packets arrived in it.
    pub fn run(&mut self, duration: Duration) -> Result<u64> {
        let (start, before) = (Instant::now(), self.received);
        let ticks = duration.as_millis() as u64;
        for tick in 0..ticks {
            let due = start + SLOT * tick as u32;
            let now = Instant::now();
            // A generator that cannot send so much stops all the same.
            if now > start + 3 * duration {
                break;
            }
            if now < due {
                sleep(due - now);
            } else if now > due + 5 * SLOT {
                self.late += 1;
            }
            self.send(self.slot)?;
            self.slot = (self.slot + 1) % self.period;
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
        for stream in self.streams.iter_mut().skip(slot).step_by(self.period) {
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
