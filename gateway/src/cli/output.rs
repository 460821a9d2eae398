//! Standard output and the log, for a program that outlives its terminal.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use crate::lines::LOG;

/// Prints to standard output. Nobody may be there to read it any more, and `print!` would panic then.
pub(super) fn say(text: impl std::fmt::Display) {
    let _ = write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush());
}

/// [`say`] of a text.
pub(super) fn say_text(text: &str) {
    say(text);
}

/// Each line of a text as a line of the log, for programs that read nothing else.
pub(super) fn log_lines(text: &str) {
    text.lines().for_each(|line| tracing::info!("{}", line.trim()));
}

/// A line on standard error, likewise.
pub(super) fn tell(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Standard error as the log knows it, which takes each line at once: what can't be written is lost. Where the log itself fails, the subscriber would
/// print that to standard error, and panic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        Log
    }
}

/// How many lines of one kind are printed at the start.
const FEW: usize = 5;

/// The first few of `lines`, and what `rest` says of the number of those that are left out.
pub(super) fn few(lines: impl IntoIterator<Item = String>, rest: impl Fn(usize) -> String) -> Vec<String> {
    let mut lines = lines.into_iter();
    let mut shown: Vec<String> = lines.by_ref().take(FEW).collect();
    let more = lines.count();
    if more > 0 {
        shown.push(rest(more));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_lines_stand_for_many() {
        let few = |count: usize| few((0..count).map(|n| n.to_string()), |more| format!("{more} more"));
        assert_eq!(few(0), [""; 0]);
        assert_eq!(few(5), ["0", "1", "2", "3", "4"]);
        assert_eq!(few(5_000).last().unwrap(), "4995 more");
        assert_eq!(few(5_000).len(), 6);
    }
}
