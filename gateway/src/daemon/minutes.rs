//! The minutes of the day, kept in a file beside the records from one process to the next.
//!
//! A thread of its own writes it each second in which somebody talked, so that a disk that hangs holds nobody up, and a process that
//! is killed loses a second of them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::Now;
use crate::core::Shared;
use crate::minutes::Saved;

/// How often.
const INTERVAL: Duration = Duration::from_secs(1);

/// The thread. Dropping it leaves it alone.
pub(super) struct Keeper {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Takes over what an earlier process has left in `directory`, and keeps it from now on.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(directory: &Path, shared: Arc<Shared>) -> io::Result<Keeper> {
        let file = directory.join(".minutes.json");
        let before = match std::fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Saved::default()),
            Err(error) => Err(error),
        };
        let before = before.unwrap_or_else(|error| {
            let file = file.display();
            tracing::error!(%file, %error, "the minutes of the day can't be read: they begin at none");
            Saved::default()
        });
        shared.minutes.restore(&before);
        let (stop, stopped) = channel();
        let run = move || run(&file, &shared, before, &stopped);
        let thread = std::thread::Builder::new().name("minutes".to_owned()).spawn(run)?;
        Ok(Keeper { stop, thread })
    }

    /// Writes for the last time: no call is up any more.
    pub fn stop(self) {
        drop(self.stop);
        let _ = self.thread.join();
    }
}

fn run(file: &Path, shared: &Shared, mut written: Saved, stopped: &Receiver<()>) {
    let mut failed = false;
    loop {
        let last = stopped.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout);
        let saved = shared.minutes.saved(Now::read());
        if saved != written {
            match write(file, &saved) {
                Ok(()) => (written, failed) = (saved, false),
                Err(error) => {
                    if !failed {
                        let file = file.display();
                        tracing::error!(%file, %error, "the minutes of the day can't be kept: a restart would forget them");
                    }
                    failed = true;
                }
            }
        }
        if last {
            return;
        }
    }
}

/// The whole file or the one before.
fn write(file: &Path, saved: &Saved) -> io::Result<()> {
    let unfinished: PathBuf = file.with_extension("unfinished");
    let mut out = std::fs::File::create(&unfinished)?;
    out.write_all(&serde_json::to_vec(saved)?)?;
    out.sync_data()?;
    std::fs::rename(&unfinished, file)
}
