//! The writer: takes records in, puts them first into the journal and then where they belong.
//!
//! It does all the disk's work, and reads no clock: the thread that drives it does.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::delivery::Batch;
use super::directory::Directory;
use super::journal::{Entry, Journal};
use super::name;
use super::pressure::Pressure;
use super::recorder::{Ack, Item, Room};
use super::retry::Retry;
use super::{LogGroup, NotJournaled, milliseconds};
use crate::metrics::{RecordKind, RecordMetrics};

/// While calls are up, the journal is told this often that they are.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A record in the journal is put on the disk with the next call that is answered, or after so long: nobody waits for it.
const SYNC_DELAY: Duration = Duration::from_millis(20);

/// Records that are delivered together: so long after the first of them, and so many at most.
const DELIVERY_DELAY: Duration = Duration::from_millis(200);
const BATCH: usize = 64;

/// An entry that is not in the journal yet.
struct Pending {
    entry: Entry,
    ack: Option<Ack>,
    /// Bytes of the queue's room that it holds.
    cost: usize,
}

/// Lines that are not in their files yet.
#[derive(Default)]
struct Lines {
    text: Vec<u8>,
    count: u64,
    cost: usize,
}

/// See the module.
pub struct Writer {
    journal: Journal,
    journal_limit: u64,
    directory: Directory,
    metrics: RecordMetrics,
    room: Room,
    pending: VecDeque<Pending>,
    /// Who waits until the journal is on the disk.
    acks: Vec<Ack>,
    /// When it is put there, if nobody waits; `None`: it is there.
    sync_at: Option<Instant>,
    /// Numbers of the journal's records, in the order in which they will be tried.
    deliveries: VecDeque<u64>,
    /// When they are; `None`: now.
    deliveries_at: Option<Instant>,
    /// Those that are on their way.
    batch: Batch,
    /// By file, in the order of arrival within each.
    lines: BTreeMap<(LogGroup, String), Lines>,
    journal_retry: Retry,
    delivery_retry: Retry,
    lines_retry: Retry,
    compaction_retry: Retry,
    heartbeat_at: Option<Instant>,
    pressure: Pressure,
}

impl Writer {
    /// Goes on with what the journal has.
    pub fn new(
        journal: Journal,
        journal_limit: u64,
        directory: Directory,
        metrics: RecordMetrics,
        room: Room,
    ) -> Writer {
        let deliveries = journal.undelivered_sequences().collect();
        let mut writer = Writer {
            journal,
            journal_limit,
            directory,
            metrics,
            room,
            pending: VecDeque::new(),
            acks: Vec::new(),
            sync_at: None,
            deliveries,
            deliveries_at: None,
            batch: Batch::default(),
            lines: BTreeMap::new(),
            journal_retry: Retry::default(),
            delivery_retry: Retry::default(),
            lines_retry: Retry::default(),
            compaction_retry: Retry::default(),
            heartbeat_at: None,
            pressure: Pressure::None,
        };
        writer.update_pressure();
        writer
    }

    /// Takes what the queue held, then writes all of it that the disk lets it.
    ///
    /// - `unix`: the time since the Unix epoch at `now`.
    pub fn handle_items(&mut self, now: Instant, unix: Duration, items: impl IntoIterator<Item = Item>) {
        for item in items {
            self.take(now, item);
        }
        self.handle_timeout(now, unix);
    }

    fn take(&mut self, now: Instant, item: Item) {
        match item {
            Item::Answered { call, ack, cost } => {
                let entry = Entry::Answered { call, orphan: false };
                if !self.journal_retry.is_due(now) {
                    // The disk is known to be broken: the shard shall not wait for the next attempt.
                    ack(Err(NotJournaled));
                    self.pending.push_back(Pending { entry, ack: None, cost });
                } else {
                    self.pending.push_back(Pending { entry, ack: Some(ack), cost });
                }
            }
            Item::CallDetail { facts, cost } => {
                let entry = Entry::ended(self.journal.take_sequence(), &facts, false);
                self.pending.push_back(Pending { entry, ack: None, cost });
            }
            Item::Detail { detail, cost } => {
                let entry = Entry::Detail { sequence: self.journal.take_sequence(), detail };
                self.pending.push_back(Pending { entry, ack: None, cost });
            }
            Item::Released { key } => {
                self.pending.push_back(Pending { entry: Entry::Released { key }, ack: None, cost: 0 });
            }
            Item::Quality { facts, cost } => {
                let file = (facts.voice_connector_id.as_str(), facts.event_timestamp);
                self.add_line(LogGroup::Media, file, &facts.line(), cost);
            }
            Item::SipMessage { facts, cost } => {
                let file = (facts.voice_connector_id.as_str(), facts.event_timestamp);
                self.add_line(LogGroup::SipMessages, file, &facts.line(), cost);
            }
        }
    }

    /// - `file`: connector and time.
    fn add_line(&mut self, group: LogGroup, file: (&str, Duration), line: &str, cost: usize) {
        let lines = self.lines.entry((group, name::hourly(group, file.0, file.1))).or_default();
        lines.text.extend_from_slice(line.as_bytes());
        lines.text.push(b'\n');
        lines.count += 1;
        lines.cost += cost;
    }

    /// Writes what is due: the journal first, then lines. Records are delivered by
    /// [`deliver_one`](Writer::deliver_one), so that the queue is looked at between two steps.
    pub fn handle_timeout(&mut self, now: Instant, unix: Duration) {
        self.beat(now, unix);
        self.write_journal(now);
        self.write_lines(now);
        self.compact(now);
        self.update_pressure();
    }

    fn beat(&mut self, now: Instant, unix: Duration) {
        if self.journal.open_calls_len() == 0 {
            self.heartbeat_at = None;
        } else if self.heartbeat_at.is_none_or(|at| at <= now) {
            if self.journal_retry.is_due(now) {
                let entry = Entry::Alive { unix_ms: milliseconds(unix) };
                self.pending.push_back(Pending { entry, ack: None, cost: 0 });
            }
            self.heartbeat_at = Some(now + HEARTBEAT);
        }
    }

    /// What is pending goes to the kernel at once, and to the disk as soon as anybody waits for it.
    fn write_journal(&mut self, now: Instant) {
        if !self.journal_retry.is_due(now) {
            return;
        }
        let sync = |writer: &mut Writer| {
            let wanted = !writer.acks.is_empty() || writer.sync_at.is_some_and(|at| at <= now);
            if wanted { writer.journal.sync() } else { Ok(()) }
        };
        match self.append(now).and_then(|()| sync(self)) {
            Ok(()) => {
                if self.journal_retry.succeeded() {
                    info!("records journal can be written again");
                }
                if !self.journal.is_unsynced() {
                    self.sync_at = None;
                    self.acks.drain(..).for_each(|ack| ack(Ok(())));
                }
            }
            Err(error) => {
                self.metrics.journal_error();
                if self.journal_retry.failed(now) {
                    let waiting = self.pending.len();
                    error!(%error, waiting, "records journal cannot be written; only emergency calls are taken");
                }
                let pending = self.pending.iter_mut().filter_map(|pending| pending.ack.take());
                self.acks.drain(..).chain(pending).for_each(|ack| ack(Err(NotJournaled)));
            }
        }
    }

    fn append(&mut self, now: Instant) -> io::Result<()> {
        self.journal.append(self.pending.iter().map(|pending| &pending.entry))?;
        for Pending { entry, ack, cost } in self.pending.drain(..) {
            if let Some(sequence) = entry.undelivered() {
                if self.deliveries.is_empty() {
                    self.deliveries_at = Some(now + DELIVERY_DELAY);
                }
                self.deliveries.push_back(sequence);
            }
            self.room.release(cost);
            self.acks.extend(ack);
        }
        if self.journal.is_unsynced() {
            self.sync_at.get_or_insert(now + SYNC_DELAY);
        }
        Ok(())
    }

    fn write_lines(&mut self, now: Instant) {
        if !self.lines_retry.is_due(now) {
            return;
        }
        let mut failure = None;
        for ((group, file), lines) in std::mem::take(&mut self.lines) {
            match self.directory.append(&file, &lines.text) {
                Ok(()) => {
                    self.metrics.written(kind_of(group), lines.count);
                    self.room.release(lines.cost);
                }
                Err(error) => {
                    self.metrics.append_error();
                    self.lines.insert((group, file), lines);
                    failure = Some(error);
                }
            }
        }
        match failure {
            Some(error) => {
                if self.lines_retry.failed(now) {
                    warn!(%error, files = self.lines.len(), "log lines cannot be written; they wait");
                }
            }
            None => {
                if self.lines_retry.succeeded() {
                    info!("log lines can be written again");
                }
            }
        }
    }

    /// Makes everything due that only waits for company.
    pub fn hurry(&mut self, now: Instant) {
        self.sync_at = self.sync_at.map(|_| now);
        self.deliveries_at = None;
    }

    /// Does the next step of what is to be delivered, if one is due; waits for the disk once at most. Says whether
    /// another may be.
    pub fn deliver_one(&mut self, now: Instant) -> bool {
        if self.batch.is_empty() {
            return self.begin_batch(now);
        }
        if let Err((error, undelivered)) = self.batch.step(&self.directory) {
            self.not_delivered(error, undelivered);
        }
        if self.batch.is_empty() {
            self.end_batch(now);
        }
        true
    }

    fn begin_batch(&mut self, now: Instant) -> bool {
        let due = self.delivery_retry.is_due(now) && self.deliveries_at.is_none_or(|at| at <= now);
        if !due || self.deliveries.is_empty() {
            return false;
        }
        self.deliveries_at = None;
        while self.batch.len() < BATCH
            && let Some(sequence) = self.deliveries.pop_front()
        {
            let result = match self.journal.undelivered(sequence) {
                None => continue, // Delivered already.
                Some(Ok(entry)) => self.batch.stage(&self.directory, sequence, &entry),
                Some(Err(error)) => Err(error),
            };
            match result {
                Ok(true) => {}
                // A namesake is on its way, and must be there first.
                Ok(false) => {
                    self.deliveries.push_front(sequence);
                    break;
                }
                Err(error) => {
                    self.not_delivered(error, vec![sequence]);
                    break;
                }
            }
        }
        if self.batch.is_empty() {
            self.end_batch(now);
        }
        true
    }

    /// They are tried again behind the others, should they be the only ones to fail.
    fn not_delivered(&mut self, error: io::Error, sequences: Vec<u64>) {
        self.metrics.deliver_error();
        self.batch.failure = Some(error);
        self.deliveries.extend(sequences);
    }

    /// The journal hears what has been delivered.
    fn end_batch(&mut self, now: Instant) {
        let Batch { delivered, written, failure, .. } = std::mem::take(&mut self.batch);
        if !delivered.is_empty() && self.delivery_retry.succeeded() {
            info!(waiting = self.deliveries.len(), "call detail records can be delivered again");
        }
        for kind in written {
            self.metrics.written(kind, 1);
        }
        for sequence in delivered {
            let entry = Entry::Delivered { sequence };
            self.pending.push_back(Pending { entry, ack: None, cost: 0 });
        }
        if let Some(error) = failure
            && self.delivery_retry.failed(now)
        {
            let waiting = self.deliveries.len();
            warn!(%error, waiting, "call detail records cannot be delivered; the journal keeps them");
        }
    }

    fn compact(&mut self, now: Instant) {
        if !self.journal.wants_compaction() || !self.compaction_retry.is_due(now) {
            return;
        }
        match self.journal.compact() {
            Ok(()) => {
                self.compaction_retry.succeeded();
            }
            Err(error) => {
                self.metrics.journal_error();
                if self.compaction_retry.failed(now) {
                    warn!(%error, "records journal cannot be compacted");
                }
            }
        }
    }

    fn update_pressure(&mut self) {
        let broken = self.journal_retry.at().is_some();
        let pledged = self.journal.pledged();
        let pressure = if broken { Pressure::Calls } else { Pressure::of(pledged, self.journal_limit) };
        if pressure > self.pressure && !broken {
            warn!(?pressure, used = pledged, limit = self.journal_limit, "records journal fills up");
        }
        self.pressure = pressure;
        self.room.set_pressure(pressure);
        self.metrics.set_journal(
            self.journal.length(),
            self.journal_limit,
            self.journal.undelivered_len(),
            self.journal.open_calls_len(),
        );
    }

    /// When to call [`handle_timeout`](Writer::handle_timeout) and [`deliver_one`](Writer::deliver_one)
    /// again, `None` when there is nothing to do.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let wanted = |wanted: bool, retry: &Retry| wanted.then(|| retry.at().unwrap_or(now));
        let beat = (self.journal.open_calls_len() > 0).then(|| self.heartbeat_at.unwrap_or(now));
        let deliveries = wanted(!self.deliveries.is_empty(), &self.delivery_retry);
        [
            wanted(!self.pending.is_empty(), &self.journal_retry),
            self.sync_at.map(|at| self.journal_retry.at().map_or(at, |retry| at.max(retry))),
            (!self.batch.is_empty()).then_some(now),
            deliveries.map(|retry| self.deliveries_at.map_or(retry, |at| at.max(retry))),
            wanted(!self.lines.is_empty(), &self.lines_retry),
            beat,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The last attempt at everything. What then still is not in the journal is lost, and said to be.
    pub fn finish(mut self, now: Instant, unix: Duration) {
        for retry in [&mut self.journal_retry, &mut self.delivery_retry, &mut self.lines_retry] {
            retry.hurry(now);
        }
        self.handle_timeout(now, unix);
        self.hurry(now);
        while self.deliver_one(now) {}
        self.journal_retry.hurry(now);
        self.write_journal(now);
        let undelivered = self.journal.undelivered_len();
        if undelivered > 0 {
            warn!(undelivered, "call detail records stay in the journal until the next start");
        }
        for pending in &self.pending {
            if let Entry::Detail { .. } = &pending.entry {
                self.metrics.dropped(RecordKind::Detail, 1);
            }
            if let Entry::Ended { key, .. } = &pending.entry {
                self.metrics.dropped(RecordKind::CallDetail, 1);
                error!(
                    transaction_id = key.transaction_id,
                    "call detail record lost: the disk does not take it"
                );
            }
        }
        for ((group, file), lines) in &self.lines {
            self.metrics.dropped(kind_of(*group), lines.count);
            error!(file, count = lines.count, "log lines lost: the disk does not take them");
        }
        self.update_pressure();
    }

    #[cfg(test)]
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }
}

fn kind_of(group: LogGroup) -> RecordKind {
    match group {
        LogGroup::Media => RecordKind::Quality,
        LogGroup::SipMessages => RecordKind::SipMessage,
    }
}

#[cfg(test)]
mod tests;
