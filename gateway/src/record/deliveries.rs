//! The records that are on their way from the journal to the directory: which is next, and which are waited for.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::delivery::{FlushJob, deliver};
use super::directory::Directory;
use super::journal::{Entry, Journal};
use super::retry::Retry;
use crate::metrics::RecordMetrics;

/// Delivered records are waited for together, so long after the first of them.
pub(super) const FLUSH_DELAY: Duration = Duration::from_secs(1);

/// So many of those that wait are at hand; the others are read from the journal when it is their turn.
const AT_HAND: usize = 1_024;

/// A record that is to be delivered.
struct Delivery {
    /// Its number in the journal.
    sequence: u64,
    /// As it is in the journal, if it is at hand.
    entry: Option<Entry>,
    /// What is in the directory of it can't be relied on.
    anew: bool,
}

/// See the module.
pub struct Deliveries {
    /// In the order in which they will be tried.
    waiting: VecDeque<Delivery>,
    /// With the kernel, and not waited for yet.
    unflushed: Option<FlushJob>,
    flush_at: Option<Instant>,
    /// Being waited for.
    flushing: Option<FlushJob>,
    retry: Retry,
}

impl Deliveries {
    /// - `sequences`: the numbers in the journal of those that wait.
    pub fn new(sequences: impl Iterator<Item = u64>) -> Deliveries {
        let waiting = sequences.map(|sequence| Delivery { sequence, entry: None, anew: false }).collect();
        Deliveries { waiting, unflushed: None, flush_at: None, flushing: None, retry: Retry::default() }
    }

    /// One more waits: `entry`, which is in the journal under this number.
    pub fn push(&mut self, sequence: u64, entry: Entry) {
        let entry = Some(entry).filter(|_| self.waiting.len() < AT_HAND);
        self.waiting.push_back(Delivery { sequence, entry, anew: false });
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many are in the directory, and not known to be on the disk.
    pub fn there(&self) -> usize {
        self.unflushed.iter().chain(&self.flushing).map(FlushJob::len).sum()
    }

    /// Hands the next one to the kernel, if that is due. Says whether there was one.
    pub fn deliver_one(
        &mut self,
        now: Instant,
        journal: &Journal,
        directory: &Directory,
        metrics: &RecordMetrics,
    ) -> bool {
        if !self.retry.is_due(now) {
            return false;
        }
        let Some(delivery) = self.waiting.pop_front() else { return false };
        match self.deliver(&delivery, journal, directory, metrics) {
            Ok(()) => {
                self.flush_at.get_or_insert(now + FLUSH_DELAY);
                if self.retry.succeeded() {
                    info!(waiting = self.len(), "call detail records can be delivered again");
                }
            }
            Err(error) => self.not_delivered(now, &error, [delivery], metrics),
        }
        true
    }

    fn deliver(
        &mut self,
        delivery: &Delivery,
        journal: &Journal,
        directory: &Directory,
        metrics: &RecordMetrics,
    ) -> io::Result<()> {
        let read;
        let entry = match &delivery.entry {
            Some(entry) => entry,
            None => {
                let Some(entry) = journal.undelivered(delivery.sequence) else { return Ok(()) };
                read = entry?;
                &read
            }
        };
        let mut unflushed = match self.unflushed.take() {
            Some(unflushed) => unflushed,
            None => FlushJob::new(directory)?,
        };
        let delivered = deliver(directory, entry, delivery.anew);
        if let Ok((path, written)) = &delivered {
            unflushed.push(delivery.sequence, path.clone());
            written.iter().for_each(|kind| metrics.written(*kind, 1));
        }
        self.unflushed = Some(unflushed);
        delivered.map(drop)
    }

    /// They are tried again behind the others, should they be the only ones to fail.
    fn not_delivered(
        &mut self,
        now: Instant,
        error: &io::Error,
        deliveries: impl IntoIterator<Item = Delivery>,
        metrics: &RecordMetrics,
    ) {
        metrics.deliver_error();
        self.waiting.extend(deliveries);
        if self.retry.failed(now) {
            let waiting = self.len();
            warn!(%error, waiting, "call detail records cannot be delivered; the journal keeps them");
        }
    }

    /// Those that are to be waited for, if that is due. [`handle_flushed`](Deliveries::handle_flushed) hears how it went.
    pub fn poll_flush(&mut self, now: Instant) -> Option<FlushJob> {
        if self.flush_due().is_none_or(|at| at > now) {
            return None;
        }
        self.flush_at = None;
        self.flushing = self.unflushed.take().filter(|job| job.len() > 0);
        self.flushing.clone()
    }

    /// Returns those that are on the disk. After an error they are written again.
    pub fn handle_flushed(
        &mut self,
        now: Instant,
        result: io::Result<()>,
        metrics: &RecordMetrics,
    ) -> Option<FlushJob> {
        let job = self.flushing.take()?;
        let Err(error) = result else { return Some(job) };
        let again = job.sequences().map(|sequence| Delivery { sequence, entry: None, anew: true });
        self.not_delivered(now, &error, again, metrics);
        None
    }

    /// The program ends: those that nobody has waited for yet.
    pub fn take_unflushed(&mut self) -> impl Iterator<Item = FlushJob> + use<> {
        [self.flushing.take(), self.unflushed.take()].into_iter().flatten()
    }

    /// When to deliver the next one; `None`: none waits.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        (!self.waiting.is_empty()).then(|| self.retry.at().unwrap_or(now))
    }

    /// When to ask for those that are to be waited for; `None`: there are none, or others are waited for.
    pub fn flush_due(&self) -> Option<Instant> {
        self.flush_at.filter(|_| self.flushing.is_none())
    }

    /// Lets the next one be delivered now.
    pub fn hurry(&mut self, now: Instant) {
        self.retry.hurry(now);
    }
}
