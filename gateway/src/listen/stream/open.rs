//! What comes before the first byte of SIP: connecting, and the TLS handshake of either side.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::listen::bind::tune_stream;
use crate::listen::tls::{self, Client};
use crate::peer::Secured;

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::listen) enum Stage {
    /// Not a byte has come.
    Connect,
    Handshake,
}

/// Why there is no stream.
#[derive(Debug)]
pub(in crate::listen) struct OpenError {
    pub(super) stage: Stage,
    pub(super) error: io::Error,
    /// What TLS found wrong, where it did.
    pub(super) reason: Option<String>,
}

impl OpenError {
    fn new(stage: Stage, error: io::Error, anchors: &str) -> OpenError {
        OpenError { stage, reason: tls::reason(&error, anchors), error }
    }

    /// Whether time ran out.
    pub(super) fn is_late(&self) -> bool {
        self.error.kind() == io::ErrorKind::TimedOut
    }

    /// Somebody wants it no more.
    pub(super) fn aborted() -> OpenError {
        OpenError::new(Stage::Connect, io::ErrorKind::ConnectionAborted.into(), "")
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = &self.reason {
            return f.write_str(reason);
        }
        match (self.stage, self.error.kind()) {
            (Stage::Connect, _) => self.error.fmt(f),
            (Stage::Handshake, io::ErrorKind::TimedOut) => f.write_str("the TLS handshake took too long"),
            (Stage::Handshake, io::ErrorKind::UnexpectedEof) => {
                f.write_str("it closed the connection during the TLS handshake")
            }
            (Stage::Handshake, _) => write!(f, "the TLS handshake failed: {}", self.error),
        }
    }
}

/// A stream that is ready for SIP.
pub(in crate::listen) struct Opened<S> {
    pub(super) stream: S,
    /// Our end of it.
    pub(super) local: SocketAddr,
    /// What TLS was agreed on.
    pub(super) secured: Option<Secured>,
}

/// When to give up, and whose word counts.
async fn until<T>(
    deadline: Instant,
    stage: Stage,
    anchors: &str,
    what: impl Future<Output = io::Result<T>>,
) -> Result<T, OpenError> {
    let done = timeout_at(deadline, what).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    done.map_err(|error| OpenError::new(stage, error, anchors))
}

/// Connects from the listener's address, so that the peer's allowlist knows us; the port is the system's choice.
pub(in crate::listen) async fn connect(
    local: IpAddr,
    remote: SocketAddr,
    limit: Duration,
) -> Result<Opened<TcpStream>, OpenError> {
    let connecting = from_listener(local, remote);
    let (stream, local) = until(Instant::now() + limit, Stage::Connect, "", connecting).await?;
    Ok(Opened { stream, local, secured: None })
}

async fn from_listener(local: IpAddr, remote: SocketAddr) -> io::Result<(TcpStream, SocketAddr)> {
    let socket = if remote.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if !local.is_unspecified() {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    let stream = socket.connect(remote).await?;
    tune_stream(&stream);
    let local = stream.local_addr()?;
    Ok((stream, local))
}

/// Connects and shakes hands as a client.
///
/// - `name`: what the peer's certificate must carry; asked for by SNI where it is no address.
/// - `limit`: for both together.
pub(in crate::listen) async fn connect_tls(
    local: IpAddr,
    remote: SocketAddr,
    name: ServerName<'static>,
    how: Client,
    limit: Duration,
) -> Result<Opened<client::TlsStream<TcpStream>>, OpenError> {
    let deadline = Instant::now() + limit;
    let connecting = from_listener(local, remote);
    let (stream, local) = until(deadline, Stage::Connect, "", connecting).await?;
    let shaking = TlsConnector::from(how.config).connect(name, stream);
    let stream = until(deadline, Stage::Handshake, &how.anchors, shaking).await?;
    let secured = Secured::of(stream.get_ref().1);
    Ok(Opened { stream, local, secured })
}

/// Shakes hands as a server with who has connected.
pub(in crate::listen) async fn accept_tls(
    stream: TcpStream,
    local: SocketAddr,
    how: Arc<ServerConfig>,
    limit: Duration,
) -> Result<Opened<server::TlsStream<TcpStream>>, OpenError> {
    let deadline = Instant::now() + limit;
    until(deadline, Stage::Connect, "", first_byte(&stream)).await?;
    let shaking = TlsAcceptor::from(how).accept(stream);
    let anchors = "the authorities of client_ca";
    let stream = until(deadline, Stage::Handshake, anchors, shaking).await?;
    let secured = Secured::of(stream.get_ref().1);
    Ok(Opened { stream, local, secured })
}

/// Waits until the peer says something, and leaves it to be read.
async fn first_byte(stream: &TcpStream) -> io::Result<()> {
    match stream.peek(&mut [0]).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn patience_has_an_end() {
        let start = Instant::now();
        let deadline = start + Duration::from_secs(3);
        let never = std::future::pending::<io::Result<()>>();
        let error = until(deadline, Stage::Handshake, "", never).await.unwrap_err();
        assert_eq!(start.elapsed(), Duration::from_secs(3));
        assert_eq!(error.to_string(), "the TLS handshake took too long");
    }
}
