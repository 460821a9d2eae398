//! Opens the listening sockets: all of them before anything runs, so that a start fails whole.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::peer::{ListenerId, Transport};

/// Asked of the kernel, which gives what `net.core.rmem_max` allows: a burst of INVITEs must not be lost while a
/// shard is busy for a few milliseconds.
pub(crate) const UDP_BUFFER: usize = 4 << 20;
const BACKLOG: i32 = 1_024;

/// A listener to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// Its number, [`config::Listen::number`].
    pub id: ListenerId,
    /// What it takes.
    pub transport: Transport,
    /// Where. Port 0 lets the system choose; a wildcard address is allowed.
    pub address: SocketAddr,
}

/// A listener that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {transport} {address}: {error}")]
pub struct BindError {
    /// What it should have taken.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
    /// What the system says.
    #[source]
    pub error: io::Error,
}

/// Open sockets, not yet served.
#[derive(Debug)]
pub struct Bound {
    /// The listeners as they are now: a port 0 has become a real one.
    pub listeners: Vec<Listener>,
    /// For each shard its own socket of each UDP listener.
    pub udp: Vec<Vec<(Listener, UdpSocket)>>,
    /// One socket for each TCP and TLS listener.
    pub streams: Vec<(Listener, TcpListener)>,
}

/// Opens every listener, UDP once for each shard.
///
/// # Errors
///
/// The first one that cannot be opened; those before it are closed again.
pub fn bind(listeners: &[Listener], shards: u16) -> Result<Bound, BindError> {
    let mut bound = Bound {
        listeners: Vec::new(),
        udp: (0..shards.max(1)).map(|_| Vec::new()).collect(),
        streams: Vec::new(),
    };
    for listener in listeners {
        let failed = |error| BindError { transport: listener.transport, address: listener.address, error };
        let mut listener = *listener;
        match listener.transport {
            Transport::Udp => {
                let sockets = bind_udp(listener.address, bound.udp.len()).map_err(failed)?;
                for (shard, socket) in bound.udp.iter_mut().zip(sockets) {
                    listener.address = socket.local_addr().map_err(failed)?;
                    shard.push((listener, socket));
                }
            }
            Transport::Tcp | Transport::Tls => {
                let socket = bind_tcp(listener.address).map_err(failed)?;
                listener.address = socket.local_addr().map_err(failed)?;
                bound.streams.push((listener, socket));
            }
        }
        bound.listeners.push(listener);
    }
    Ok(bound)
}

fn bind_udp(address: SocketAddr, shards: usize) -> io::Result<Vec<UdpSocket>> {
    if shards > 1 {
        // SO_REUSEPORT would let us share the port with another process of the same user, each getting a part of
        // the calls. Without it the port is ours alone or taken; it is free again before we bind in earnest.
        udp_socket(address, false)?;
    }
    let mut sockets: Vec<UdpSocket> = Vec::with_capacity(shards);
    let mut address = address;
    for _ in 0..shards {
        let socket = udp_socket(address, shards > 1)?;
        address = socket.local_addr()?;
        sockets.push(socket);
    }
    Ok(sockets)
}

fn udp_socket(address: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // Explicitly: an IPv6 wildcard must not take the port of an IPv4 listener, whatever the host's default.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    let _ = socket.set_recv_buffer_size(UDP_BUFFER);
    let _ = socket.set_send_buffer_size(UDP_BUFFER);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Only lets us bind while connections of an earlier run are in TIME_WAIT; a live listener still refuses us.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Notices within two minutes that the other machine is gone, and sends each message at once.
pub(super) fn tune_stream(stream: &tokio::net::TcpStream) {
    let socket = SockRef::from(stream);
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(std::time::Duration::from_secs(60))
        .with_interval(std::time::Duration::from_secs(20))
        .with_retries(3);
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = stream.set_nodelay(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(id: u16, transport: Transport, address: &str) -> Listener {
        Listener { id: ListenerId(id), transport, address: address.parse().unwrap() }
    }

    #[test]
    fn each_shard_has_its_own_socket_on_the_same_port() {
        let listeners = [
            listener(0, Transport::Udp, "127.0.0.1:0"),
            listener(1, Transport::Tcp, "127.0.0.1:0"),
            listener(2, Transport::Udp, "[::1]:0"),
        ];
        let bound = bind(&listeners, 4).unwrap();
        assert_eq!(bound.udp.len(), 4);
        assert_eq!(bound.streams.len(), 1);
        for shard in &bound.udp {
            let addresses: Vec<_> = shard.iter().map(|(_, socket)| socket.local_addr().unwrap()).collect();
            assert_eq!(addresses, [bound.listeners[0].address, bound.listeners[2].address]);
        }
        assert!(bound.listeners.iter().all(|listener| listener.address.port() != 0));
    }

    #[test]
    fn a_port_in_use_is_refused_even_by_our_own_kind() {
        let first = bind(&[listener(0, Transport::Udp, "127.0.0.1:0")], 2).unwrap();
        let taken = Listener { id: ListenerId(0), ..first.listeners[0] };
        let error = bind(&[taken], 2).unwrap_err();
        assert_eq!(error.error.kind(), io::ErrorKind::AddrInUse);
        assert!(
            error.to_string().starts_with(&format!("cannot listen on udp {}: ", taken.address)),
            "{error}"
        );
    }

    #[test]
    fn an_ipv6_wildcard_leaves_ipv4_alone() {
        let six = bind(&[listener(0, Transport::Udp, "[::]:0")], 1).unwrap();
        let port = six.listeners[0].address.port();
        bind(&[listener(0, Transport::Udp, &format!("0.0.0.0:{port}"))], 1).unwrap();
    }
}
