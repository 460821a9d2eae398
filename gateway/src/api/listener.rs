//! Connections of the API, with TLS or without.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener as _};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::admin::{Connection, Limited, Limits};

/// What clients can take: they come from many hosts, and none waits long.
const LIMITS: Limits = Limits {
    connections: 256,
    per_source: 128,
    request_time: Duration::from_secs(10),
    lifetime: Duration::from_secs(30),
    idle: Some(Duration::from_secs(60)),
};

/// A connection is closed after so many requests, and says so with the answer to the last: none is served for ever by one
/// process, or under one certificate.
pub(super) const REQUESTS: u32 = 1_000;

/// Who is connected.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub address: SocketAddr,
    requests: Arc<AtomicU32>,
}

impl Peer {
    /// Another request has come. Says whether it is the last one of its connection.
    pub fn asks(&self) -> bool {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1 >= REQUESTS
    }
}

/// What the API shows who connects by TLS; another one holds for the handshakes that begin after it.
pub type Certified = ArcSwap<ServerConfig>;

/// See the module.
pub(super) enum Listener {
    Plain(Limited),
    /// Handshakes go on beside each other; what is done with them waits here.
    Secure {
        ready: mpsc::Receiver<(TlsStream<Connection>, SocketAddr)>,
        address: SocketAddr,
    },
}

impl Listener {
    /// Takes connections from now on. Within a runtime.
    pub(super) fn new(listener: TcpListener, address: SocketAddr, tls: Option<Arc<Certified>>) -> Listener {
        let mut listener = Limited::new(listener, LIMITS);
        let Some(tls) = tls else { return Listener::Plain(listener) };
        let (done, ready) = mpsc::channel(LIMITS.connections);
        tokio::spawn(async move {
            while !done.is_closed() {
                let (stream, peer) = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = done.closed() => return,
                };
                let (acceptor, done) = (TlsAcceptor::from(tls.load_full()), done.clone());
                // It ends: a connection without a complete request is closed.
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = done.send((stream, peer)).await;
                    }
                });
            }
        });
        Listener::Secure { ready, address }
    }
}

impl axum::serve::Listener for Listener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        match self {
            Listener::Plain(listener) => {
                let (stream, peer) = listener.accept().await;
                (Stream::Plain(stream), peer)
            }
            Listener::Secure { ready, .. } => match ready.recv().await {
                Some((stream, peer)) => (Stream::Secure(Box::new(stream)), peer),
                // The runtime ends.
                None => std::future::pending().await,
            },
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Listener::Plain(listener) => listener.local_addr(),
            Listener::Secure { address, .. } => Ok(*address),
        }
    }
}

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Peer {
        Peer { address: *stream.remote_addr(), requests: Arc::default() }
    }
}

/// A connection.
pub(super) enum Stream {
    Plain(Connection),
    Secure(Box<TlsStream<Connection>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Secure(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Secure(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Secure(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Secure(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
