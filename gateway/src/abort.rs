//! What a panic on a thread that everybody depends on does: it ends the process.
//!
//! A gateway that goes on with a part of its calls, or without its connections, is worse than one that its
//! supervisor starts again.

use std::io::Write;

/// Held by a thread, and by each task whose panics the runtime would otherwise keep to itself.
pub(crate) struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("?");
            tracing::error!(thread = name, "a thread panicked; ending the process");
            crate::lines::LOG.flush();
            // The log may be buffered or filtered; the supervisor reads this.
            let text = format!("voice-connector: thread {name} panicked; ending the process\n");
            let _ = std::io::stderr().write_all(text.as_bytes()); // Nobody may be there to read it.
            std::process::abort();
        }
    }
}
