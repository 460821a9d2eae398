//! The table's end of a connection: a queue that never makes anybody wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use sip::Message;
use sip::transaction::Owner;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::limits::StreamLimits;

/// What is written to a connection.
#[derive(Debug)]
pub(super) enum Write {
    Message {
        message: Message,
        owner: Owner,
        shard: u16,
    },
    /// Answers to so many pings, by one write: pings are cheap to send.
    Pong(usize),
    /// Close when everything before this is written.
    Finish,
}

/// The table's end of a connection, and the connection's.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    queue: mpsc::Sender<Write>,
    queued_bytes: Arc<AtomicUsize>,
    /// Something has left the queue.
    left: Arc<Notify>,
    close: Arc<Notify>,
    started: Instant,
    /// Milliseconds after `started` of the latest sign of life, either way.
    active_ms: Arc<AtomicU64>,
}

/// Why a message was not taken.
pub(super) enum Refused {
    /// The connection ended.
    Gone(Message),
    /// The peer reads too slowly.
    Overflow,
}

impl Handle {
    /// A handle, and the queue that it fills.
    pub(super) fn new(limits: &StreamLimits) -> (Handle, mpsc::Receiver<Write>) {
        // Bounded by bytes as well; a SIP message is rarely below 256 of them.
        let (queue, receiver) = mpsc::channel((limits.queue_bytes / 256).max(1));
        (
            Handle {
                queue,
                queued_bytes: Arc::default(),
                left: Arc::default(),
                close: Arc::default(),
                started: Instant::now(),
                active_ms: Arc::default(),
            },
            receiver,
        )
    }

    /// Queues a message, never waits.
    pub(super) fn send(
        &self,
        message: Message,
        owner: Owner,
        shard: u16,
        limit: usize,
    ) -> Result<(), Refused> {
        let length = message.bytes().len();
        if self.queued_bytes.load(Relaxed) + length > limit {
            return Err(Refused::Overflow);
        }
        self.queued_bytes.fetch_add(length, Relaxed);
        match self.queue.try_send(Write::Message { message, owner, shard }) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(Write::Message { message, .. })) => {
                Err(Refused::Gone(message))
            }
            Err(_) => Err(Refused::Overflow),
        }
    }

    /// Closes without writing what is queued; its owners are told.
    pub(super) fn close(&self) {
        self.close.notify_one();
    }

    /// Closes once what is queued is written.
    pub(super) fn finish(&self) {
        if self.queue.try_send(Write::Finish).is_err() {
            self.close();
        }
    }

    /// Something came or went.
    pub(super) fn is_active(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.active_ms.store(elapsed, Relaxed);
    }

    /// When something came or went last; when it began, where nothing has.
    pub(super) fn active_at(&self) -> Instant {
        self.started + Duration::from_millis(self.active_ms.load(Relaxed))
    }

    /// Queues the answers to so many pings. A full queue is a sign of life by itself.
    pub(super) fn pong(&self, pings: usize) {
        let _ = self.queue.try_send(Write::Pong(pings));
    }

    /// A message of so many bytes has left the queue.
    pub(super) fn written(&self, bytes: usize) {
        self.queued_bytes.fetch_sub(bytes, Relaxed);
        self.left.notify_one();
    }

    /// Waits until no more than so many bytes wait to be written. For one task at a time.
    pub(super) async fn drained_to(&self, bytes: usize) {
        while self.queued_bytes.load(Relaxed) > bytes {
            self.left.notified().await;
        }
    }

    /// Waits for [`Handle::close`].
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }
}
