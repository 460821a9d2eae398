//! Lines of the log on their way to standard error.
//!
//! Who logs never waits for whoever reads the log: a thread of its own writes, a few times in a second and all that came
//! meanwhile. What finds no room because nobody reads is lost, and counted.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

/// Bytes that may wait.
const ROOM: usize = 1 << 20;

/// So long after the first line those that came meanwhile are written.
const PAUSE: Duration = Duration::from_millis(50);

/// The log of this process. Until [`Lines::start`] each line is written at once.
pub(crate) static LOG: Lines = Lines::new();

/// Lines that wait, and the thread that writes them.
pub(crate) struct Lines {
    waiting: Mutex<Waiting>,
    /// Held by who writes, so that the last one writes after the others.
    writing: Mutex<()>,
    thread: OnceLock<Thread>,
}

struct Waiting {
    bytes: Vec<u8>,
    /// Lines that found no room since the last that did.
    lost: u64,
    /// Whether each line is an object.
    json: bool,
}

impl Lines {
    const fn new() -> Lines {
        let waiting = Mutex::new(Waiting { bytes: Vec::new(), lost: 0, json: false });
        Lines { waiting, writing: Mutex::new(()), thread: OnceLock::new() }
    }

    /// Begins to write by a thread of its own, which has the signal mask of this one.
    ///
    /// # Errors
    /// The system has no thread; each line is still written at once.
    pub(crate) fn start(&'static self) -> io::Result<()> {
        let thread = thread::Builder::new().name("log".to_owned()).spawn(|| {
            loop {
                if self.is_empty() {
                    thread::park();
                }
                thread::sleep(PAUSE);
                self.flush();
            }
        })?;
        let _ = self.thread.set(thread.thread().clone());
        Ok(())
    }

    /// From now on each line is a JSON object.
    pub(crate) fn is_json(&self) {
        self.waiting().json = true;
    }

    /// One more line.
    pub(crate) fn write(&self, line: &[u8]) {
        let Some(thread) = self.thread.get() else { return to_standard_error(line) };
        if self.waiting().take(line) {
            thread.unpark();
        }
    }

    /// Writes what waits, and waits for whoever reads: for the end of the process.
    pub(crate) fn flush(&self) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = std::mem::take(&mut self.waiting().bytes);
        to_standard_error(&bytes);
    }

    fn is_empty(&self) -> bool {
        self.waiting().bytes.is_empty()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Returns whether the line is the first that waits.
    fn take(&mut self, line: &[u8]) -> bool {
        let is_first = self.bytes.is_empty();
        if self.bytes.len() + line.len() > ROOM {
            self.lost += 1;
            return false;
        }
        if self.lost > 0 {
            let lost = std::mem::take(&mut self.lost);
            let told = format!("{lost} lines of the log found nobody to read them");
            let told = match self.json {
                true => format!("{{\"level\":\"WARN\",\"message\":\"{told}\"}}\n"),
                false => told + "\n",
            };
            self.bytes.extend_from_slice(told.as_bytes());
        }
        self.bytes.extend_from_slice(line);
        is_first
    }
}

/// Nobody may be there to read it any more.
fn to_standard_error(bytes: &[u8]) {
    let _ = io::stderr().write_all(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_is_lost_and_counted() {
        let mut waiting = Waiting { bytes: Vec::new(), lost: 0, json: false };
        let line = [b'x'; 1_023];
        assert!(waiting.take(&line));
        let taken = 1 + (0..2_000).take_while(|_| !waiting.take(&line) && waiting.lost == 0).count();
        assert_eq!((taken, waiting.bytes.len()), (1_025, 1_025 * 1_023));
        assert!(!waiting.take(&line));
        assert_eq!(waiting.lost, 2);
        waiting.bytes.clear();
        assert!(waiting.take(b"again\n"));
        assert_eq!(waiting.bytes, b"2 lines of the log found nobody to read them\nagain\n");
        (waiting.lost, waiting.json) = (3, true);
        waiting.bytes.clear();
        waiting.take(b"{}\n");
        for line in String::from_utf8(waiting.bytes).unwrap().lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
}
