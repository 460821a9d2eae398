//! A listener that takes every connection at once, and keeps few of them, for a short time.
//!
//! Who connects and says nothing must not keep others out: where there is no room, the oldest connection that has not
//! asked anything makes it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep};

/// What a stranger can take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at one time.
    pub connections: usize,
    /// Of these, from one address.
    pub per_source: usize,
    /// A connection whose request is not complete by then is closed.
    pub request_time: Duration,
    /// One that is not answered by then is closed.
    pub lifetime: Duration,
    /// After an answer it may wait for so long for its next request; `None`: it brings one.
    pub idle: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 64,
            per_source: 16,
            request_time: Duration::from_secs(2),
            lifetime: Duration::from_secs(10),
            idle: None,
        }
    }
}

/// See the module.
pub struct Limited {
    listener: TcpListener,
    limits: Limits,
    open: Arc<Open>,
}

impl Limited {
    pub fn new(listener: TcpListener, limits: Limits) -> Limited {
        Limited { listener, limits, open: Arc::default() }
    }
}

impl Listener for Limited {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        let (number, evicted) = self.open.enter(peer.ip(), &self.limits);
        let deadline = Box::pin(sleep(self.limits.request_time));
        let place = Place { number, open: self.open.clone() };
        let (begun, limits) = (Instant::now(), self.limits);
        (Connection { stream, deadline, phase: Phase::Asking, begun, limits, evicted, place }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// The open connections, the oldest first.
#[derive(Default)]
pub(super) struct Open(Mutex<Table>);

#[derive(Default)]
struct Table {
    next: u64,
    entries: BTreeMap<u64, Entry>,
}

struct Entry {
    source: IpAddr,
    /// Its request is complete, and not answered yet or being answered.
    asked: bool,
    /// Dropped to close it.
    _keep: oneshot::Sender<()>,
}

impl Open {
    /// A connection from `source` comes; another may have to go. Returns its number, and what resolves when it has to
    /// go itself.
    pub(super) fn enter(&self, source: IpAddr, limits: &Limits) -> (u64, oneshot::Receiver<()>) {
        let mut table = self.table();
        table.make_room(limits.per_source, |entry| entry.source == source);
        table.make_room(limits.connections, |_| true);
        let (keep, evicted) = oneshot::channel();
        let number = table.next;
        table.next += 1;
        table.entries.insert(number, Entry { source, asked: false, _keep: keep });
        (number, evicted)
    }

    /// Whether the request of a connection is complete; after its answer it is silent again.
    pub(super) fn set_asked(&self, number: u64, asked: bool) {
        if let Some(entry) = self.table().entries.get_mut(&number) {
            entry.asked = asked;
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Room for one more among those that `counts`.
    fn make_room(&mut self, limit: usize, counts: impl Fn(&Entry) -> bool) {
        let those = || self.entries.iter().filter(|(_, entry)| counts(entry));
        if those().count() < limit {
            return;
        }
        let silent = those().find(|(_, entry)| !entry.asked);
        if let Some(number) = silent.or(those().next()).map(|(number, _)| *number) {
            self.entries.remove(&number);
        }
    }
}

/// Leaves the table when it is dropped.
struct Place {
    number: u64,
    open: Arc<Open>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.table().entries.remove(&self.number);
    }
}

/// A connection that fails when its time is over, or another one needs its place.
pub struct Connection {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    phase: Phase,
    /// When its request began.
    begun: Instant,
    limits: Limits,
    evicted: oneshot::Receiver<()>,
    place: Place,
}

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its request is not complete.
    Asking,
    /// It is being answered.
    Answering,
    /// It was answered, and brings its next request when it likes.
    Idle,
}

impl Connection {
    /// Ready with an error when it is over; wakes the task then, too.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let late = self.deadline.as_mut().poll(cx).is_ready();
        if late || Pin::new(&mut self.evicted).poll(cx).is_ready() {
            return Poll::Ready(io::ErrorKind::TimedOut.into());
        }
        Poll::Pending
    }

    /// The server answers, so that the request was complete.
    fn answers(&mut self) {
        if self.phase != Phase::Answering {
            self.phase = Phase::Answering;
            self.deadline.as_mut().reset(self.begun + self.limits.lifetime);
            self.place.open.set_asked(self.place.number, true);
        }
    }

    /// The server has read what there was.
    ///
    /// - `bytes`: how much; none: it waits for more.
    fn has_read(&mut self, bytes: usize) {
        let now = Instant::now();
        match (self.phase, bytes) {
            (Phase::Answering, 0) => {
                let Some(idle) = self.limits.idle else { return };
                self.phase = Phase::Idle;
                self.deadline.as_mut().reset(now + idle);
                self.place.open.set_asked(self.place.number, false);
            }
            (Phase::Idle, 1..) => {
                (self.phase, self.begun) = (Phase::Asking, now);
                self.deadline.as_mut().reset(now + self.limits.request_time);
            }
            _ => {}
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(error) = self.poll_over(cx) {
            return Poll::Ready(Err(error));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.has_read(buf.filled().len() - before);
        // For the deadline, which may be another one now.
        match (&polled, self.poll_over(cx)) {
            (Poll::Pending, Poll::Ready(error)) => Poll::Ready(Err(error)),
            _ => polled,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.answers();
        if let Poll::Ready(error) = self.poll_over(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.answers();
        if let Poll::Ready(error) = self.poll_over(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
