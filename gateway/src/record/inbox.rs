//! What waits for the writer's thread, and how that is woken: not while it is awake, for then it looks by itself.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst, fence};
use std::sync::mpsc::{self, Receiver, SendError, TryRecvError};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Instant;

/// Puts messages into an [`Inbox`]. A clone leads to the same.
pub(super) struct Outlet<M> {
    messages: mpsc::Sender<M>,
    reader: Arc<Reader>,
}

/// Messages in the order in which they came. Read by one thread, which [`Inbox::adopt`] makes it of.
pub(super) struct Inbox<M> {
    messages: Receiver<M>,
    reader: Arc<Reader>,
}

#[derive(Debug, Default)]
struct Reader {
    /// It is about to sleep, or sleeps.
    sleeps: AtomicBool,
    thread: OnceLock<Thread>,
}

/// Both ends.
pub(super) fn inbox<M>() -> (Outlet<M>, Inbox<M>) {
    let ((sender, receiver), reader) = (mpsc::channel(), Arc::<Reader>::default());
    (Outlet { messages: sender, reader: reader.clone() }, Inbox { messages: receiver, reader })
}

impl<M> Clone for Outlet<M> {
    fn clone(&self) -> Outlet<M> {
        Outlet { messages: self.messages.clone(), reader: self.reader.clone() }
    }
}

impl<M> fmt::Debug for Outlet<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").finish_non_exhaustive()
    }
}

impl<M> Outlet<M> {
    /// Puts in a message and wakes the reader.
    ///
    /// # Errors
    /// The message, where nobody reads any more.
    pub(super) fn send(&self, message: M) -> Result<(), SendError<M>> {
        self.send_before_another(message)?;
        // The message before the look at the reader, as that says first that it sleeps and looks for messages then: one of the
        // two sees the other.
        fence(SeqCst);
        if self.reader.sleeps.swap(false, SeqCst)
            && let Some(thread) = self.reader.thread.get()
        {
            thread.unpark();
        }
        Ok(())
    }

    /// Puts in a message that another one follows at once, which wakes the reader for both.
    pub(super) fn send_before_another(&self, message: M) -> Result<(), SendError<M>> {
        self.messages.send(message)
    }
}

impl<M> Inbox<M> {
    /// From now on this thread reads, and no other.
    pub(super) fn adopt(&self) {
        let _ = self.reader.thread.set(thread::current());
    }

    /// The next message.
    pub(super) fn next_now(&self) -> Result<M, TryRecvError> {
        self.messages.try_recv()
    }

    /// The same, waited for until then; [`TryRecvError::Empty`] when none has come.
    pub(super) fn next(&self, until: Instant) -> Result<M, TryRecvError> {
        loop {
            match self.messages.try_recv() {
                Err(TryRecvError::Empty) => {}
                result => return result,
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(TryRecvError::Empty);
            }
            self.reader.sleeps.store(true, SeqCst);
            fence(SeqCst);
            let result = self.messages.try_recv();
            if let Err(TryRecvError::Empty) = result {
                thread::park_timeout(left);
            }
            self.reader.sleeps.store(false, SeqCst);
            if !matches!(result, Err(TryRecvError::Empty)) {
                return result;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Who sleeps for a minute is woken for each message: a lost one would take that long.
    #[test]
    fn no_message_waits_for_a_reader_that_sleeps() {
        const MESSAGES: u32 = 20_000;
        let ((outlet, inbox), (echo, echoes)) = (inbox(), mpsc::channel());
        let reader = thread::spawn(move || {
            inbox.adopt();
            for _ in 0..MESSAGES {
                let began = Instant::now();
                let message: u32 = inbox.next(began + Duration::from_secs(60)).unwrap();
                assert!(began.elapsed() < Duration::from_secs(30));
                echo.send(message).unwrap();
            }
        });
        // One by one, so that the reader is about to sleep each time, at another moment of it.
        for message in 0..MESSAGES {
            (0..message % 64).for_each(|_| std::hint::spin_loop());
            outlet.send(message).unwrap();
            assert_eq!(echoes.recv(), Ok(message));
        }
        reader.join().unwrap();
    }

    #[test]
    fn what_another_message_follows_comes_before_it() {
        let (outlet, inbox) = inbox();
        inbox.adopt();
        outlet.send_before_another(1).unwrap();
        outlet.send(2).unwrap();
        let soon = Instant::now() + Duration::from_millis(1);
        assert_eq!([inbox.next(soon), inbox.next(soon)], [Ok(1), Ok(2)]);
        assert_eq!(inbox.next(soon), Err(TryRecvError::Empty));
        drop(outlet);
        assert_eq!(inbox.next(soon + Duration::from_secs(60)), Err(TryRecvError::Disconnected));
    }
}
