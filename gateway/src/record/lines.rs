//! Lines of the logs (quality, SIP messages) on their way to their files.
//!
//! All of one file that have come meanwhile are written at once. What the disk does not take waits, in the queue's room.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::directory::Directory;
use super::recorder::Room;
use super::retry::Retry;
use super::{LogGroup, name};
use crate::metrics::RecordMetrics;

/// Lines that are not in their files yet.
#[derive(Default)]
pub struct Lines {
    /// By file, in the order of arrival within each.
    files: BTreeMap<(LogGroup, String), Waiting>,
    retry: Retry,
}

/// The lines of one file.
#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    count: u64,
    /// Bytes of the queue's room that they hold.
    cost: usize,
}

impl Lines {
    /// One more line.
    ///
    /// - `file`: connector and time, since the Unix epoch.
    /// - `line`: without its line end.
    /// - `cost`: bytes of the queue's room that it holds.
    pub fn add(&mut self, group: LogGroup, file: (&str, Duration), line: &str, cost: usize) {
        let waiting = self.files.entry((group, name::hourly(group, file.0, file.1))).or_default();
        waiting.text.extend_from_slice(line.as_bytes());
        waiting.text.push(b'\n');
        waiting.count += 1;
        waiting.cost += cost;
    }

    /// Writes what waits, if that is due.
    pub fn write(&mut self, now: Instant, directory: &Directory, metrics: &RecordMetrics, room: &Room) {
        if !self.retry.is_due(now) {
            return;
        }
        let mut failure = None;
        for ((group, file), waiting) in std::mem::take(&mut self.files) {
            match directory.append(&file, &waiting.text) {
                Ok(()) => {
                    metrics.written(group.kind(), waiting.count);
                    room.release(waiting.cost);
                }
                Err(error) => {
                    metrics.append_error();
                    self.files.insert((group, file), waiting);
                    failure = Some(error);
                }
            }
        }
        match failure {
            Some(error) => {
                if self.retry.failed(now) {
                    warn!(%error, files = self.files.len(), "log lines cannot be written; they wait");
                }
            }
            None => {
                if self.retry.succeeded() {
                    info!("log lines can be written again");
                }
            }
        }
    }

    /// When to write; `None`: nothing waits.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        (!self.files.is_empty()).then(|| self.retry.at().unwrap_or(now))
    }

    /// Lets them be written now.
    pub fn hurry(&mut self, now: Instant) {
        self.retry.hurry(now);
    }

    /// The program ends: what still waits is lost, and said to be.
    pub fn give_up(&self, metrics: &RecordMetrics) {
        for ((group, file), waiting) in &self.files {
            metrics.dropped(group.kind(), waiting.count);
            error!(file, count = waiting.count, "log lines lost: the disk does not take them");
        }
    }
}
