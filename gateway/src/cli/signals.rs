//! The signals of the process: which end it, which mean something else, and that no other costs a call.

use std::sync::mpsc::{self, Receiver, RecvError, Sender, TryRecvError};
use std::{io, thread};

use nix::sys::signal::{SigSet, Signal};

/// All whose default is to end or to stop the process, but for the faults of a program (SIGSEGV and its like, SIGABRT)
/// and those that nobody can catch.
///
/// SIGXFSZ and SIGTTOU come from writing: as long as they are blocked the write fails or goes through instead.
const HEARD: [Signal; 18] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGPIPE,
    Signal::SIGALRM,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGIO,
    Signal::SIGPWR,
    Signal::SIGXCPU,
    Signal::SIGXFSZ,
    Signal::SIGSTKFLT,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];

/// What the system or the operator wants of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Drain and end; a second time: hang up and end.
    End,
    /// Read the configuration again with all that it names.
    Reload,
}

/// Hears the signals from the moment it is made.
pub(super) struct Signals(Receiver<Wish>, Sender<Wish>);

impl Signals {
    /// Takes the signals of all threads that are started from now on: to be called before any is.
    ///
    /// # Errors
    /// The system gives no thread, or does not let signals be blocked.
    pub(super) fn listen() -> io::Result<Signals> {
        let heard: SigSet = HEARD.into_iter().collect();
        heard.thread_block()?;
        let (wishes, receiver) = mpsc::channel();
        let others = wishes.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            // Fails only for a set that is none.
            while let Ok(signal) = heard.wait() {
                if let Some(wish) = wish(signal)
                    && wishes.send(wish).is_err()
                {
                    return;
                }
            }
        })?;
        Ok(Signals(receiver, others))
    }

    /// Where wishes that come by another way are told.
    pub(super) fn wishes(&self) -> Sender<Wish> {
        self.1.clone()
    }

    /// Waits for the next wish.
    pub(super) fn next(&self) -> Result<Wish, RecvError> {
        self.0.recv()
    }

    /// A wish that has come already.
    pub(super) fn come(&self) -> Result<Wish, TryRecvError> {
        self.0.try_recv()
    }
}

fn wish(signal: Signal) -> Option<Wish> {
    match signal {
        // SIGQUIT is the terminal's Ctrl-\: whoever wants a core takes SIGABRT.
        Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT => Some(Wish::End),
        Signal::SIGHUP => Some(Wish::Reload),
        // What was written to is gone, or full: who wrote is told so.
        Signal::SIGPIPE | Signal::SIGXFSZ | Signal::SIGTTOU => None,
        other => {
            tracing::warn!(signal = %other, "this signal means nothing here; nothing is done");
            None
        }
    }
}
