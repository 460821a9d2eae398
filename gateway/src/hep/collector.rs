//! The thread of one collector: it takes what waits, and sends it.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use config::{HepTransport, HostPort, SecretError};
use secrecy::{ExposeSecret, SecretString};
use tracing::{info, warn};

use super::packet::{Head, Protocol, packet};
use super::report::reports;
use super::{Inlet, Seen, What};
use crate::metrics::HepMetrics;
use crate::peer::Transport;
use crate::trace::masked;

/// How often the thread looks whether something waits.
const LOOK: Duration = Duration::from_millis(20);
/// So long after a failure nothing is sent.
const PAUSE: Duration = Duration::from_secs(2);
/// A collector that does not take a connection, or what is sent by it, for so long is away.
const PATIENCE: Duration = Duration::from_secs(5);
/// After so long a socket for datagrams is opened anew, since its name may have moved.
const NAME: Duration = Duration::from_secs(60);

/// Why there is no collector.
#[derive(Debug, thiserror::Error)]
pub enum HepError {
    /// Its password is not where the configuration says.
    #[error("hep {0}: {1}")]
    Secret(String, SecretError),
    /// The system has no thread for it.
    #[error("hep {0}: {1}")]
    Thread(String, io::Error),
}

struct Collector {
    name: String,
    address: HostPort,
    transport: HepTransport,
    agent: u32,
    password: Option<SecretString>,
    wire: Option<Wire>,
    /// Nothing is sent before.
    paused: Option<Instant>,
    /// It was said that it is away.
    away: bool,
    metrics: HepMetrics,
}

enum Wire {
    /// And since when.
    Udp(UdpSocket, Instant),
    Tcp(TcpStream),
}

/// Starts the thread, which ends when nothing can come any more.
pub(super) fn start(config: &config::Hep, inlet: Inlet, metrics: HepMetrics) -> Result<(), HepError> {
    let password = config.password.as_ref().map(|password| password.resolve()).transpose();
    let mut collector = Collector {
        name: config.name.clone(),
        address: config.address.clone(),
        transport: config.transport,
        agent: config.capture_id,
        password: password.map_err(|error| HepError::Secret(config.name.clone(), error))?,
        wire: None,
        paused: None,
        away: false,
        metrics,
    };
    let run = move || {
        loop {
            match inlet.next() {
                Ok(Some(seen)) => collector.tell(&seen),
                Ok(None) => thread::sleep(LOOK),
                Err(()) => return,
            }
        }
    };
    let started = thread::Builder::new().name(format!("hep-{}", config.name)).spawn(run);
    started.map(drop).map_err(|error| HepError::Thread(config.name.clone(), error))
}

impl Collector {
    fn tell(&mut self, seen: &Seen) {
        if self.paused.is_some_and(|until| until > Instant::now()) {
            return self.metrics.dropped();
        }
        let (protocol, carrier, payloads) = match &seen.what {
            What::Sip(transport, message) => (Protocol::Sip, carrier(*transport), vec![masked(message)]),
            What::Rtcp(datagram) => (Protocol::Rtcp, carrier(Transport::Udp), reports(datagram)),
        };
        let call = seen.call.map(|call| call.to_string());
        for payload in payloads {
            let head = Head {
                at: seen.at,
                from: seen.from,
                to: seen.to,
                carrier,
                protocol,
                agent: self.agent,
                password: self.password.as_ref().map(|password| password.expose_secret()),
                correlation: call.as_deref(),
            };
            match packet(&head, &payload).map(|packet| self.send(&packet)) {
                Some(Ok(())) => self.sent(),
                Some(Err(error)) => self.failed(&error),
                None => self.metrics.dropped(),
            }
        }
    }

    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        if matches!(&self.wire, Some(Wire::Udp(_, since)) if since.elapsed() > NAME) {
            self.wire = None;
        }
        let wire = match self.wire.take() {
            Some(wire) => wire,
            None => self.connect()?,
        };
        // What fails is not used again.
        match self.wire.insert(wire) {
            Wire::Udp(socket, _) => socket.send(packet).map(drop),
            Wire::Tcp(stream) => stream.write_all(packet),
        }
    }

    fn connect(&self) -> io::Result<Wire> {
        let host = match &self.address.host {
            config::Host::Ip(address) => address.to_string(),
            config::Host::Name(name) => name.clone(),
        };
        let mut last = io::ErrorKind::NotFound.into();
        for address in (host.as_str(), self.address.port).to_socket_addrs()? {
            match open(self.transport, address) {
                Ok(wire) => return Ok(wire),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn sent(&mut self) {
        self.metrics.sent();
        if std::mem::take(&mut self.away) {
            info!(collector = self.name, "SIP messages and reports reach the collector again");
        }
    }

    fn failed(&mut self, error: &io::Error) {
        self.metrics.dropped();
        (self.wire, self.paused) = (None, Some(Instant::now() + PAUSE));
        if !std::mem::replace(&mut self.away, true) {
            warn!(
                collector = self.name,
                address = %self.address,
                %error,
                "SIP messages and reports do not reach the collector; they are left out"
            );
        }
    }
}

fn open(transport: HepTransport, address: SocketAddr) -> io::Result<Wire> {
    match transport {
        HepTransport::Udp => {
            let any: SocketAddr = match address {
                SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
            };
            let socket = UdpSocket::bind(any)?;
            socket.connect(address)?;
            Ok(Wire::Udp(socket, Instant::now()))
        }
        HepTransport::Tcp => {
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            Ok(Wire::Tcp(stream))
        }
    }
}

/// A number of IP, or what others who speak HEP3 write for TLS.
fn carrier(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => 17,
        Transport::Tcp => 6,
        Transport::Tls => 22,
    }
}
