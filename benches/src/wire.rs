//! One phone's end of SIP: a UDP socket, or TCP connections.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use socket2::{Domain, Socket, Type};

use crate::Result;
use crate::daemon::Transport;

/// Room for what comes in while the other phone has its turn.
const BUFFER: usize = 4 << 20;

/// Sends and receives whole messages.
pub enum Wire {
    Udp {
        socket: UdpSocket,
    },
    /// `listener` for who is called, a first connection for who calls.
    Tcp {
        listener: Option<TcpListener>,
        connections: Vec<Connection>,
    },
}

/// A TCP connection and what came in of the next message.
pub struct Connection {
    stream: TcpStream,
    pending: Vec<u8>,
}

impl Wire {
    /// The end of a phone that calls `gateway`.
    pub fn calling(transport: Transport, local: SocketAddr, gateway: SocketAddr) -> Result<Wire> {
        if transport == Transport::Udp {
            return Wire::udp(local);
        }
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(local.ip(), 0).into())?;
        socket.connect(&gateway.into())?;
        Ok(Wire::Tcp { listener: None, connections: vec![Connection::new(socket.into())?] })
    }

    /// The end of a phone that is called.
    pub fn called(transport: Transport, local: SocketAddr) -> Result<Wire> {
        if transport == Transport::Udp {
            return Wire::udp(local);
        }
        let listener = TcpListener::bind(local)?;
        listener.set_nonblocking(true)?;
        Ok(Wire::Tcp { listener: Some(listener), connections: Vec::new() })
    }

    fn udp(local: SocketAddr) -> Result<Wire> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.bind(&local.into())?;
        socket.set_nonblocking(true)?;
        socket.set_recv_buffer_size(BUFFER)?;
        Ok(Wire::Udp { socket: socket.into() })
    }

    /// The next messages that wait, each with the connection that it came by.
    pub fn receive(&mut self) -> Result<Vec<(usize, String)>> {
        let mut messages = Vec::new();
        match self {
            Wire::Udp { socket } => {
                let mut buffer = [0; 8192];
                while messages.len() < 64 {
                    match socket.recv(&mut buffer) {
                        Ok(len) => {
                            let bytes = buffer.get(..len).unwrap_or_default();
                            messages.push((0, String::from_utf8_lossy(bytes).into_owned()));
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Wire::Tcp { listener, connections } => {
                if let Some(listener) = listener
                    && let Ok((stream, _)) = listener.accept()
                {
                    connections.push(Connection::new(stream)?);
                }
                for (index, connection) in connections.iter_mut().enumerate() {
                    messages.extend(connection.receive()?.into_iter().map(|message| (index, message)));
                }
            }
        }
        Ok(messages)
    }

    /// - `by`: the connection of the message that this answers; 0 where there is but one.
    pub fn send(&mut self, message: &str, to: SocketAddr, by: usize) -> Result<()> {
        match self {
            Wire::Udp { socket } => {
                socket.send_to(message.as_bytes(), to)?;
            }
            Wire::Tcp { connections, .. } => {
                let connection = connections.get_mut(by).ok_or("no such connection")?;
                connection.send(message.as_bytes())?;
            }
        }
        Ok(())
    }
}

impl Connection {
    fn new(stream: TcpStream) -> Result<Connection> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, pending: Vec::new() })
    }

    fn receive(&mut self) -> Result<Vec<String>> {
        let mut buffer = [0; 65536];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Ok(Vec::new()),
            Ok(len) => self.pending.extend_from_slice(buffer.get(..len).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
        let mut messages = Vec::new();
        while let Some(end) = self.pending.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(self.pending.get(..end).unwrap_or_default());
            let length = crate::sip::header(&head, "Content-Length").and_then(|value| value.parse().ok());
            let whole = end + 4 + length.unwrap_or(0);
            if self.pending.len() < whole {
                break;
            }
            let message: Vec<u8> = self.pending.drain(..whole).collect();
            messages.push(String::from_utf8_lossy(&message).into_owned());
        }
        Ok(messages)
    }

    /// The peer is on this host and reads all the time: a full buffer is waited out.
    fn send(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
