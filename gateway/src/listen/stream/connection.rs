//! One connection, over any stream of bytes.

mod account;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sip::transaction::Owner;
use sip::{Builder, Frame, FrameError, Message, Name, StreamFramer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout};

use super::dial_key::DialKey;
use super::handle::{Handle, Write};
use super::limits::StreamLimits;
use super::open::{OpenError, Opened};
use super::pending::Pending;
use super::troubles::Troubles;
use crate::ids::Ownership;
use crate::listen::tls::Tls;
use crate::listen::{Guard, ListenCounters, Sink};
use crate::peer::{ConnectionId, ListenerId, Secured, Source, Transport};

const READ_BYTES: usize = 16 << 10;
/// The answer to a ping, and padding elsewhere. RFC 5626 §4.4.1.
const PONG: &[u8] = b"\r\n";

/// What all connections share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) sink: Arc<dyn Sink>,
    pub(super) ownership: Ownership,
    pub(super) guard: Arc<Guard>,
    pub(super) counters: Arc<ListenCounters>,
    pub(super) limits: StreamLimits,
    pub(super) tls: Arc<Tls>,
    /// What was told of connections that failed.
    pub(super) troubles: Arc<Troubles>,
}

/// A connection that is not served yet.
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) transport: Transport,
    pub(super) listener: ListenerId,
    pub(super) remote: SocketAddr,
    /// Whether no allowlist names the peer that opened it.
    pub(super) stranger: bool,
    /// Whom we dialled; `None` where the peer opened it, so that it owes us a message.
    pub(super) dialled: Option<DialKey>,
    shared: Shared,
    handle: Handle,
    queue: mpsc::Receiver<Write>,
    pending: Mutex<Pending>,
    started: Instant,
    /// What TLS was agreed on.
    secured: Option<Secured>,
    /// Whether a whole message came.
    spoke: AtomicBool,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("the peer closed it")]
    PeerClosed,
    #[error("closed in good order")]
    Finished,
    #[error("closed at once")]
    Closed,
    #[error("reading or writing failed: {0}")]
    Failed(io::Error),
    #[error("nothing came or went for too long")]
    Idle,
    #[error("no whole message came in time")]
    Unfinished,
    #[error("the peer does not read")]
    Stalled,
    #[error("what came was no SIP or too large: {0}")]
    Broken(Box<FrameError>),
    #[error("its source was silenced")]
    Silenced,
}

/// Whose connection it is.
pub(super) struct Identity {
    pub(super) id: ConnectionId,
    pub(super) transport: Transport,
    pub(super) listener: ListenerId,
    pub(super) remote: SocketAddr,
    pub(super) stranger: bool,
    pub(super) dialled: Option<DialKey>,
}

impl Connection {
    pub(super) fn new(identity: Identity, shared: Shared) -> (Connection, Handle) {
        let (handle, queue) = Handle::new(&shared.limits);
        let connection = Connection {
            id: identity.id,
            transport: identity.transport,
            listener: identity.listener,
            remote: identity.remote,
            stranger: identity.stranger,
            dialled: identity.dialled,
            shared,
            handle: handle.clone(),
            queue,
            pending: Mutex::default(),
            started: Instant::now(),
            secured: None,
            spoke: AtomicBool::new(false),
        };
        (connection, handle)
    }

    /// Opens the stream with `open`, which ends in time by itself, then serves it to its end.
    pub(super) async fn open<S>(mut self, open: impl Future<Output = Result<Opened<S>, OpenError>>)
    where
        S: AsyncRead + AsyncWrite,
    {
        let opened = tokio::select! {
            opened = open => opened,
            () = self.handle.closed() => Err(OpenError::aborted()),
        };
        match opened {
            Ok(Opened { stream, local, secured }) => {
                self.secured = secured;
                self.serve(stream, local).await;
            }
            Err(error) => {
                self.account_unopened(&error);
                self.tell_owners();
            }
        }
    }

    /// Whether no allowlist names the peer that opened it: who shows its password is one that is named.
    fn is_stranger(&self) -> bool {
        self.stranger && !self.shared.guard.lists(Instant::now().into_std(), self.remote.ip())
    }

    /// Serves the stream to its end, then tells the owners of whatever was left undone.
    pub(super) async fn serve<S: AsyncRead + AsyncWrite>(mut self, stream: S, local: SocketAddr) {
        let source = Source {
            transport: self.transport,
            listener: self.listener,
            local,
            remote: self.remote,
            connection: Some(self.id),
            secured: self.secured,
        };
        self.shared.counters.connections_open.increment();
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (placeholder, no_queue) = mpsc::channel(1);
        drop(placeholder);
        let mut queue = std::mem::replace(&mut self.queue, no_queue);
        let mut half_written = None;
        let end = tokio::select! {
            end = self.read(&mut reader, source) => end,
            end = self.write(&mut writer, &mut queue, &mut half_written) => end,
            () = self.handle.closed() => End::Closed,
        };
        self.queue = queue;
        self.farewell(&mut writer, &end, half_written.is_some()).await;
        self.account(&end);
        self.shared.counters.connections_open.decrement();
        if let Some((owner, shard)) = half_written {
            self.failed(owner, shard);
        }
        self.tell_owners();
    }

    async fn read(&self, reader: &mut (impl AsyncRead + Unpin), source: Source) -> End {
        let limits = &self.shared.limits;
        let mut framer = StreamFramer::new(limits.header_bytes, limits.body_bytes);
        let mut buffer = vec![0; READ_BYTES];
        let in_hand = Arc::new(Semaphore::new(limits.in_hand_bytes));
        // Since when the peer owes us the rest of a message: from the start, where it opened the connection.
        let mut owing_since = self.dialled.is_none().then_some(self.started);
        loop {
            let read = tokio::select! {
                read = reader.read(&mut buffer) => read,
                () = self.overdue(owing_since) => return End::Unfinished,
                () = self.idle() => return End::Idle,
            };
            let bytes = match read {
                Ok(0) => return End::PeerClosed,
                // Without the farewell of TLS. Nothing is lost by it: a message says how long it is.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return End::PeerClosed,
                Ok(length) => buffer.get(..length).unwrap_or_default(),
                Err(error) => return End::Failed(error),
            };
            self.shared.counters.bytes_in.add(bytes.len());
            self.handle.is_active();
            if self.shared.guard.silenced(Instant::now().into_std(), self.remote.ip()) {
                return End::Silenced;
            }
            framer.push(bytes);
            let mut whole = false;
            let mut pings = 0;
            loop {
                match framer.next() {
                    Ok(None) => break,
                    Ok(Some(Frame::Message(message))) => {
                        whole = true;
                        self.spoke();
                        self.shared.counters.messages_in.increment();
                        self.pending().received(&message);
                        let Some(permit) = self.may_go_on(&in_hand, &message).await else {
                            return End::Closed;
                        };
                        self.shared.sink.deliver(source, message, permit).await;
                    }
                    Ok(Some(Frame::Ping)) => {
                        // Enough for a customer's spare connection, not for a stranger.
                        whole |= !self.is_stranger();
                        self.shared.counters.keepalives_in.increment();
                        pings += 1;
                    }
                    Ok(Some(Frame::Pong)) => self.shared.counters.keepalives_in.increment(),
                    Err(error) => return End::Broken(Box::new(error)),
                }
            }
            if pings > 0 {
                self.handle.pong(pings);
            }
            owing_since = match (framer.pending(), owing_since) {
                (0, Some(_)) if whole => None,
                (0, owing) => owing.filter(|_| !whole),
                (_, Some(since)) if !whole => Some(since),
                (_, _) => Some(Instant::now()),
            };
        }
    }

    /// Waits until there is room for a message and for its answer: a peer that asks without taking answers is read no
    /// faster than it takes them.
    async fn may_go_on(&self, in_hand: &Arc<Semaphore>, message: &Message) -> Option<OwnedSemaphorePermit> {
        let limit = self.shared.limits.in_hand_bytes;
        self.handle.drained_to(limit).await;
        let bytes = u32::try_from(message.bytes().len().min(limit)).ok()?;
        in_hand.clone().acquire_many_owned(bytes).await.ok()
    }

    /// - `half_written`: whose message is being written, for the case that this future is dropped.
    async fn write(
        &self,
        writer: &mut (impl AsyncWrite + Unpin),
        queue: &mut mpsc::Receiver<Write>,
        half_written: &mut Option<(Owner, u16)>,
    ) -> End {
        while let Some(write) = queue.recv().await {
            let pongs;
            let bytes = match &write {
                Write::Message { message, owner, shard } => {
                    *half_written = Some((*owner, *shard));
                    message.bytes().as_ref()
                }
                Write::Pong(count) => {
                    pongs = PONG.repeat(*count);
                    &pongs
                }
                Write::Finish => return End::Finished,
            };
            let written = async {
                writer.write_all(bytes).await?;
                writer.flush().await
            };
            match timeout(self.shared.limits.write_timeout, written).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return End::Failed(error),
                Err(_) => return End::Stalled,
            }
            self.shared.counters.bytes_out.add(bytes.len());
            self.handle.is_active();
            if let Write::Message { message, owner, shard } = &write {
                self.shared.counters.messages_out.increment();
                self.handle.written(message.bytes().len());
                self.pending().sent(message, *owner, *shard);
                *half_written = None;
            }
        }
        End::Closed
    }

    async fn overdue(&self, owing_since: Option<Instant>) {
        match owing_since {
            Some(since) => tokio::time::sleep_until(since + self.shared.limits.message_timeout).await,
            None => std::future::pending().await,
        }
    }

    async fn idle(&self) {
        let limits = &self.shared.limits;
        loop {
            let allowed = if self.is_stranger() { limits.stranger_idle_timeout } else { limits.idle_timeout };
            let active = self.handle.active_at();
            if active.elapsed() >= allowed {
                return;
            }
            tokio::time::sleep_until(active + allowed).await;
        }
    }

    /// The last bytes, where there is anything to say and a peer to hear it.
    async fn farewell(&self, writer: &mut (impl AsyncWrite + Unpin), end: &End, half_written: bool) {
        let answer = match end {
            End::Broken(error) if !half_written => {
                error.answer.as_ref().map(|request| self.refusal(request, error))
            }
            End::Finished | End::Idle | End::Unfinished => None,
            _ => return,
        };
        let goodbye = async {
            if let Some(answer) = answer {
                writer.write_all(answer.bytes()).await?;
            }
            writer.shutdown().await
        };
        let _ = timeout(Duration::from_secs(1), goodbye).await;
    }

    fn refusal(&self, request: &Message, error: &FrameError) -> Message {
        let tag = self.shared.ownership.stateless_tag(request.bytes());
        let request = request.with_received(self.remote);
        Builder::reply(&request, error.status, &error.text, Some(&tag))
            .header(Name::from("Connection"), "close")
            .build()
    }

    /// From now on nothing is queued any more; whoever waits for something is told.
    fn tell_owners(&mut self) {
        self.queue.close();
        while let Ok(write) = self.queue.try_recv() {
            if let Write::Message { owner, shard, .. } = write {
                self.failed(owner, shard);
            }
        }
        let pending: Vec<_> = self.pending().drain().collect();
        for (owner, shard) in pending {
            self.failed(owner, shard);
        }
    }

    fn failed(&self, owner: Owner, shard: u16) {
        self.shared.failed(owner, shard);
    }

    /// Only the two halves of one task share it, so the lock is never contended.
    fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    pub(super) fn failed(&self, owner: Owner, shard: u16) {
        self.counters.send_failures.increment();
        if owner != Owner::Stateless {
            self.sink.send_failed(shard, owner);
        }
    }
}

#[cfg(test)]
mod tests;
