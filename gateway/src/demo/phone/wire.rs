//! The sockets of a phone: UDP and TCP on one port, TLS on another.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::demo::certificates::Tls;
use crate::demo::failure::Failure;

/// Pairs of ports tried until both protocols have the same.
const PORT_ATTEMPTS: usize = 64;
/// A datagram is never larger.
const DATAGRAM: usize = 65_535;

/// Where a message came from, and so where its answer goes.
#[derive(Debug, Clone)]
pub enum Flow {
    /// To that address, from the phone's UDP socket.
    Udp(SocketAddr),
    /// Over that connection.
    Stream(Stream),
}

/// An open connection.
#[derive(Debug, Clone)]
pub struct Stream {
    peer: SocketAddr,
    /// As in Via: `TCP` or `TLS`.
    protocol: &'static str,
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
}

impl Flow {
    /// The other end.
    pub fn peer(&self) -> SocketAddr {
        match self {
            Flow::Udp(peer) => *peer,
            Flow::Stream(stream) => stream.peer,
        }
    }

    /// The transport as Via spells it.
    pub fn protocol(&self) -> &'static str {
        match self {
            Flow::Udp(_) => "UDP",
            Flow::Stream(stream) => stream.protocol,
        }
    }

    /// Whether nobody else can read it.
    pub fn is_secure(&self) -> bool {
        self.protocol() == "TLS"
    }

    /// Whether what is sent arrives, so that nobody repeats it.
    pub fn is_reliable(&self) -> bool {
        matches!(self, Flow::Stream(_))
    }
}

/// Bytes of one message, and how they came.
pub type Incoming = (Vec<u8>, Flow);

/// The sockets, and the tasks that read them; they end with it.
pub struct Wire {
    address: SocketAddr,
    secure_address: SocketAddr,
    udp: Arc<UdpSocket>,
    tls: Tls,
    streams: Streams,
}

/// Where connections put what they receive, and the tasks that serve them.
#[derive(Clone)]
struct Streams {
    incoming: mpsc::UnboundedSender<Incoming>,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Wire {
    /// Opens UDP and TCP on the same free port of `ip`, TLS on another.
    ///
    /// What arrives comes out of the receiver, one whole message each.
    pub async fn bind(ip: IpAddr, tls: Tls) -> Result<(Wire, mpsc::UnboundedReceiver<Incoming>), Failure> {
        let failed = || Failure::io(format!("opening a phone's ports on {ip}"));
        let (udp, tcp) = bind_both(ip).await.map_err(failed())?;
        let secure = TcpListener::bind(SocketAddr::new(ip, 0)).await.map_err(failed())?;
        let (incoming, outcome) = mpsc::unbounded_channel();
        let wire = Wire {
            address: udp.local_addr().map_err(failed())?,
            secure_address: secure.local_addr().map_err(failed())?,
            udp: Arc::new(udp),
            tls,
            streams: Streams { incoming: incoming.clone(), tasks: Arc::default() },
        };
        wire.streams.spawn(read_datagrams(wire.udp.clone(), incoming));
        wire.streams.spawn(accept(tcp, wire.streams.clone()));
        let acceptor = TlsAcceptor::from(wire.tls.server.clone());
        wire.streams.spawn(accept_tls(secure, acceptor, wire.streams.clone()));
        Ok((wire, outcome))
    }

    /// The address of UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of TLS.
    pub fn secure_address(&self) -> SocketAddr {
        self.secure_address
    }

    /// The address that those should use who answer or call us back over such a flow.
    pub fn address_for(&self, flow: &Flow) -> SocketAddr {
        if flow.is_secure() { self.secure_address } else { self.address }
    }

    /// Opens a TCP connection from the phone's address.
    pub async fn connect(&self, peer: SocketAddr) -> Result<Flow, Failure> {
        let stream = self.dial(peer).await.map_err(Failure::io(format!("connecting to {peer}")))?;
        Ok(Flow::Stream(self.streams.serve(stream, peer, "TCP")))
    }

    /// Opens a TLS connection from the phone's address to whoever proves to be `name`.
    pub async fn connect_tls(&self, peer: SocketAddr, name: &str) -> Result<Flow, Failure> {
        let failed = || Failure::io(format!("connecting to {name} at {peer} by TLS"));
        let name = ServerName::try_from(name.to_owned()).map_err(std::io::Error::other).map_err(failed())?;
        let stream = self.dial(peer).await.map_err(failed())?;
        let connector = TlsConnector::from(self.tls.client.clone());
        let stream = connector.connect(name, stream).await.map_err(failed())?;
        Ok(Flow::Stream(self.streams.serve(stream, peer, "TLS")))
    }

    async fn dial(&self, peer: SocketAddr) -> std::io::Result<TcpStream> {
        let socket = match peer {
            SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4(),
            SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6(),
        }?;
        socket.bind(SocketAddr::new(self.address.ip(), 0))?;
        socket.connect(peer).await
    }

    /// Sends one message. A connection that is gone is told by silence, as on a real network.
    pub async fn send(&self, flow: &Flow, bytes: &[u8]) -> Result<(), Failure> {
        match flow {
            Flow::Udp(peer) => {
                self.udp.send_to(bytes, peer).await.map_err(Failure::io(format!("sending to {peer}")))?;
            }
            Flow::Stream(stream) => drop(stream.outgoing.send(bytes.to_vec())),
        }
        Ok(())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The tasks hold the set themselves, so that it would outlive us.
        self.streams.tasks().abort_all();
    }
}

impl Streams {
    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks().spawn(task);
    }

    /// Reads and writes a connection from now on.
    fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
        peer: SocketAddr,
        protocol: &'static str,
    ) -> Stream {
        let (reader, writer) = tokio::io::split(stream);
        let (outgoing, queue) = mpsc::unbounded_channel();
        let stream = Stream { peer, protocol, outgoing };
        self.spawn(read_stream(reader, Flow::Stream(stream.clone()), self.incoming.clone()));
        self.spawn(write_stream(writer, queue));
        stream
    }
}

async fn bind_both(ip: IpAddr) -> std::io::Result<(UdpSocket, TcpListener)> {
    let mut refused = std::io::Error::from(std::io::ErrorKind::AddrInUse);
    for _ in 0..PORT_ATTEMPTS {
        let udp = UdpSocket::bind(SocketAddr::new(ip, 0)).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

async fn read_datagrams(socket: Arc<UdpSocket>, incoming: mpsc::UnboundedSender<Incoming>) {
    let mut buffer = vec![0; DATAGRAM];
    loop {
        // An error here is an ICMP answer to something sent earlier; the socket goes on.
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else { continue };
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        if incoming.send((bytes, Flow::Udp(peer))).is_err() {
            return;
        }
    }
}

async fn accept(listener: TcpListener, streams: Streams) {
    while let Ok((stream, peer)) = listener.accept().await {
        streams.serve(stream, peer, "TCP");
    }
}

async fn accept_tls(listener: TcpListener, acceptor: TlsAcceptor, streams: Streams) {
    while let Ok((stream, peer)) = listener.accept().await {
        // A phone has one caller at a time: nobody waits behind this handshake.
        if let Ok(stream) = acceptor.accept(stream).await {
            streams.serve(stream, peer, "TLS");
        }
    }
}

async fn write_stream(mut writer: impl AsyncWrite + Unpin, mut queue: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(bytes) = queue.recv().await {
        if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
}

async fn read_stream(
    mut reader: impl AsyncRead + Unpin,
    flow: Flow,
    incoming: mpsc::UnboundedSender<Incoming>,
) {
    let mut buffer = Vec::new();
    loop {
        while let Some(message) = take_message(&mut buffer) {
            if incoming.send((message, flow.clone())).is_err() {
                return;
            }
        }
        match reader.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// The first whole message of the buffer, taken out of it. Empty lines between messages are keep-alives.
/// RFC 3261 §18.3.
fn take_message(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let start = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    buffer.drain(..start);
    let head = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let length = head + content_length(buffer.get(..head)?);
    (buffer.len() >= length).then(|| buffer.drain(..length).collect())
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head);
    let named = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let name = name.trim();
        (name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("l"))
            .then(|| value.trim().parse().ok())
            .flatten()
    };
    head.lines().find_map(named).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_cut_into_messages() {
        let mut buffer =
            b"\r\n\r\nA b c\r\nContent-Length: 3\r\n\r\nxyzD e f\r\nl: 0\r\n\r\n\r\nG h".to_vec();
        let mut next = || take_message(&mut buffer).map(|message| String::from_utf8(message).unwrap());
        assert_eq!(next().unwrap(), "A b c\r\nContent-Length: 3\r\n\r\nxyz");
        assert_eq!(next().unwrap(), "D e f\r\nl: 0\r\n\r\n");
        assert_eq!(next(), None);
        assert_eq!(buffer, b"G h");
    }

    #[test]
    fn a_body_is_waited_for() {
        let mut buffer = b"A b c\r\nContent-Length: 3\r\n\r\nxy".to_vec();
        assert_eq!(take_message(&mut buffer), None);
        buffer.push(b'z');
        assert!(take_message(&mut buffer).unwrap().ends_with(b"xyz"));
    }
}
