//! How far a sink is, and what it gets next. Reads no clock and waits for nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::backoff::Backoff;
use super::{Outcome, SinkRecord, SinkSetup};
use crate::metrics::{RecordKind, SinkMetrics};
use crate::random::Random;
use crate::record::journal::{Entry, Journal};

/// So many records of the journal are looked at for one batch, at most.
const LOOKED_AT: usize = 4_096;

/// So many bytes a batch has, at most, but for one record.
const BATCH_BYTES: usize = 4 << 20;

/// What a sink is to take now.
pub type Batch = Arc<[SinkRecord]>;

/// The records that wait for one sink.
pub struct Queue {
    name: String,
    kinds: Vec<RecordKind>,
    batch: usize,
    must_have: bool,
    metrics: SinkMetrics,
    random: Box<dyn Random>,
    /// The number of the first record that it has not.
    next: u64,
    /// How many of its kinds wait, those with it now included.
    waiting: usize,
    /// When the first of them came to be, since the Unix epoch, where that is known.
    oldest: Option<Duration>,
    /// What it is taking now.
    taking: Option<Taking>,
    /// It refused a batch: so many records are given to it one by one, to find which.
    one_by_one: usize,
    backoff: Backoff,
}

struct Taking {
    batch: Batch,
    /// The number behind the last one.
    next: u64,
}

impl Queue {
    /// Goes on where the journal says; a new sink begins with the next record.
    pub fn new(setup: &SinkSetup, random: Box<dyn Random>, journal: &Journal) -> Queue {
        let next = journal.sinks().get(&setup.name).copied().unwrap_or(journal.next_sequence());
        let mut queue = Queue {
            name: setup.name.clone(),
            kinds: setup.kinds.clone(),
            batch: setup.batch.max(1),
            must_have: setup.must_have,
            metrics: setup.metrics.clone(),
            random,
            next,
            waiting: 0,
            oldest: None,
            taking: None,
            one_by_one: 0,
            backoff: Backoff::default(),
        };
        queue.waiting = journal.records_from(next).filter(|(_, kind)| queue.kinds.contains(kind)).count();
        queue
    }

    /// The entry that tells the journal how far it is.
    pub fn position(&self) -> Entry {
        Entry::Taken { sink: self.name.clone(), next: self.next }
    }

    /// One more is in the journal.
    pub fn added(&mut self, kind: RecordKind) {
        self.waiting += usize::from(self.kinds.contains(&kind));
    }

    /// What it is to take now, if that is due, and whether the journal is to hear of its position: it passes over what it does
    /// not want.
    pub fn poll(&mut self, now: Instant, journal: &Journal) -> (Option<Batch>, bool) {
        if self.taking.is_some() || self.backoff.at().is_some_and(|at| at > now) {
            return (None, false);
        }
        let before = self.next;
        let most = if self.one_by_one > 0 { 1 } else { self.batch };
        let (mut batch, mut behind, mut bytes) = (Vec::new(), self.next, 0);
        for (sequence, kind) in journal.records_from(self.next).take(LOOKED_AT) {
            if batch.len() >= most || bytes >= BATCH_BYTES {
                break;
            }
            if self.kinds.contains(&kind) {
                match read(journal, sequence) {
                    Ok(record) => {
                        bytes += record.body.len();
                        batch.push(record);
                    }
                    Err(error) => {
                        error!(sink = self.name, %error, "a record can't be read from the journal, and is passed over");
                        self.waiting = self.waiting.saturating_sub(1);
                        self.metrics.lost(1);
                    }
                }
            }
            behind = sequence + 1;
        }
        let Some(first) = batch.first() else {
            self.next = behind;
            self.oldest = None;
            return (None, self.next != before);
        };
        self.oldest = Some(first.made);
        let batch: Batch = batch.into();
        self.taking = Some(Taking { batch: batch.clone(), next: behind });
        (Some(batch), false)
    }

    /// What became of the batch. Says whether the journal is to hear of a new position.
    pub fn handle(&mut self, now: Instant, outcome: Outcome) -> bool {
        let Some(Taking { batch, next }) = self.taking.take() else { return false };
        match outcome {
            Outcome::Done => {
                if self.backoff.succeeded() {
                    info!(sink = self.name, waiting = self.waiting, "records go to the sink again");
                }
                self.metrics.taken(batch.len());
                self.pass(next, batch.len());
                true
            }
            Outcome::Later(why) => {
                self.metrics.failed();
                if self.backoff.failed(now, self.random.as_mut()) {
                    warn!(
                        sink = self.name,
                        waiting = self.waiting,
                        why,
                        "records wait for the sink; the journal keeps them"
                    );
                }
                false
            }
            Outcome::Never(why) if batch.len() > 1 => {
                info!(sink = self.name, why, "the sink refused some records; they are sent one by one");
                self.one_by_one = batch.len();
                false
            }
            Outcome::Never(why) => {
                self.metrics.lost(batch.len());
                for record in batch.iter() {
                    error!(
                        sink = self.name,
                        record = record.name(0),
                        why,
                        "the sink refused a record; the directory has it"
                    );
                }
                self.pass(next, batch.len());
                true
            }
        }
    }

    fn pass(&mut self, next: u64, count: usize) {
        // It may have given up more meanwhile.
        self.next = self.next.max(next);
        self.waiting = self.waiting.saturating_sub(count);
        self.one_by_one = self.one_by_one.saturating_sub(count);
        self.oldest = None;
    }

    /// Whether records wait for it that it need not have.
    pub fn holds(&self) -> bool {
        !self.must_have && self.taking.is_none() && self.waiting > 0
    }

    /// The number of the first record that it has not.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The journal has no more room: an eighth of what waits, the oldest, is passed over, if this sink need not have it.
    /// Says whether there was any.
    pub fn give_up(&mut self, journal: &Journal) -> bool {
        if !self.holds() {
            return false;
        }
        let (mut left, mut next) = (self.waiting.div_ceil(8), self.next);
        for (sequence, kind) in journal.records_from(self.next) {
            if left == 0 {
                break;
            }
            left -= usize::from(self.kinds.contains(&kind));
            next = sequence + 1;
        }
        let count = self.waiting.div_ceil(8) - left;
        warn!(
            sink = self.name,
            count,
            "the journal is near its limit: the sink misses its oldest records; the directory has them"
        );
        self.metrics.lost(count);
        self.pass(next, count);
        true
    }

    /// When to ask again for what it is to take; `None`: nothing waits, or it is taking.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        (self.taking.is_none() && self.waiting > 0).then(|| self.backoff.at().unwrap_or(now))
    }

    /// The program ends: what waits is taken up by the next start.
    pub fn tell_end(&self) {
        if self.waiting > 0 {
            info!(
                sink = self.name,
                waiting = self.waiting,
                "records for the sink stay in the journal until the next start"
            );
        }
    }

    /// Tells the metrics how far behind it is.
    ///
    /// - `unix`: the time since the Unix epoch.
    pub fn tell_lag(&self, unix: Duration) {
        let oldest = self.oldest.filter(|_| self.waiting > 0);
        self.metrics
            .set_lag(self.waiting, oldest.map_or(Duration::ZERO, |oldest| unix.saturating_sub(oldest)));
    }
}

fn read(journal: &Journal, sequence: u64) -> std::io::Result<SinkRecord> {
    let gone = || std::io::Error::from(std::io::ErrorKind::NotFound);
    let entry = journal.record(sequence).ok_or_else(gone)??;
    SinkRecord::of(&entry)?.ok_or_else(gone)
}
