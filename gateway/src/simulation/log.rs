//! What the log says while a scenario runs.
//!
//! One subscriber for all tests, which listens only where a test of its thread does: whether a line of the log is of
//! interest at all is remembered for the whole process, so a subscriber of one test alone would miss lines that another
//! test was first to reach.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use tracing::Level;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use super::trunk::{Change, Trunk, over_udp};

thread_local! {
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

static SUBSCRIBED: Once = Once::new();

/// Writes where the thread's test listens.
struct Writer;

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.iter_mut().for_each(|lines| lines.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log of a scenario over UDP, line by line, from INFO up and without times.
pub(super) fn log_of(changes: &[Change], scenario: impl Fn(&mut Trunk)) -> Vec<String> {
    SUBSCRIBED.call_once(|| {
        let listens = dynamic_filter_fn(|metadata, _| {
            *metadata.level() <= Level::INFO && LINES.with_borrow(Option::is_some)
        });
        let lines = fmt::layer().with_ansi(false).without_time().with_writer(|| Writer).with_filter(listens);
        let subscriber = tracing_subscriber::registry().with(lines);
        tracing::subscriber::set_global_default(subscriber).expect("nobody else subscribes");
    });
    LINES.set(Some(Vec::new()));
    over_udp(changes, scenario);
    let text = String::from_utf8(LINES.take().unwrap_or_default()).unwrap();
    text.lines().map(|line| line.trim_start().to_owned()).collect()
}
