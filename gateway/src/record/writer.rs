//! The writer: takes records in, puts them first into the journal and then where they belong.
//!
//! It hands everything to the kernel itself, and never waits for the disk: what has to, it gives away as
//! [`SyncJob`] and [`FlushJob`]. It reads no clock: the thread that drives it does.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use config::Durability;
use tracing::{error, info, warn};

use super::deliveries::Deliveries;
use super::delivery::FlushJob;
use super::directory::Directory;
use super::journal::{Entry, Journal, SyncJob};
use super::lines::Lines;
use super::pressure::{self, Pressure};
use super::recorder::{Ack, Item, Room};
use super::retry::Retry;
use super::sink::{Batch, Outcome, Queue};
use super::{LogGroup, NotJournaled, StreamingNews, milliseconds};
use crate::metrics::{RecordKind, RecordMetrics};

/// While calls are up, the journal is told this often that they are.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// What is in the journal is put on the disk so long after, with all that came meanwhile, where nobody waits for it.
const SYNC_DELAY: Duration = Duration::from_millis(40);

/// How often the journal is looked for in its place.
const LOOK: Duration = Duration::from_secs(1);

/// The journal is written anew no more often than this; so long after a failure.
const COMPACTION_PAUSE: Duration = Duration::from_secs(1);
const COMPACTION_RETRY: Duration = Duration::from_secs(30);

/// A disk that does not answer for so long is said to hang.
const HANGS: Duration = Duration::from_secs(5);

/// An entry that is not in the journal yet.
struct Pending {
    entry: Entry,
    ack: Option<Ack>,
    /// Bytes of the queue's room that it holds.
    cost: usize,
}

/// See the module.
pub struct Writer {
    journal: Journal,
    journal_limit: u64,
    durability: Durability,
    directory: Directory,
    metrics: RecordMetrics,
    room: Room,
    pending: VecDeque<Pending>,
    /// Who waits until the journal is on the disk, and how much of it.
    acks: VecDeque<(u64, Ack)>,
    /// When it is put there, if nobody waits; `None`: it is there, or on its way.
    sync_at: Option<Instant>,
    /// A job of the journal's is being done, since then.
    syncing: Option<Instant>,
    /// It was said that the disk hangs.
    hangs: bool,
    /// When the journal is looked for.
    look_at: Option<Instant>,
    /// It was not found.
    lost: bool,
    deliveries: Deliveries,
    sinks: Vec<Queue>,
    lines: Lines,
    journal_retry: Retry,
    sync_retry: Retry,
    compaction_at: Option<Instant>,
    heartbeat_at: Option<Instant>,
    pressure: Pressure,
    /// It was said that the journal fills up.
    near: bool,
}

impl Writer {
    /// Goes on with what the journal has.
    pub fn new(
        journal: Journal,
        journal_limit: u64,
        durability: Durability,
        directory: Directory,
        sinks: Vec<Queue>,
        metrics: RecordMetrics,
        room: Room,
    ) -> Writer {
        let deliveries = Deliveries::new(journal.undelivered_sequences());
        let mut writer = Writer {
            journal,
            journal_limit,
            durability,
            directory,
            metrics,
            room,
            pending: VecDeque::new(),
            acks: VecDeque::new(),
            sync_at: None,
            syncing: None,
            hangs: false,
            look_at: None,
            lost: false,
            deliveries,
            sinks,
            lines: Lines::default(),
            journal_retry: Retry::default(),
            sync_retry: Retry::default(),
            compaction_at: None,
            heartbeat_at: None,
            pressure: Pressure::None,
            near: false,
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
                let waits_for = match self.durability {
                    Durability::Kernel => self.journal_retry.at(),
                    Durability::Disk => self.journal_retry.at().max(self.sync_retry.at()),
                };
                if waits_for.is_some_and(|at| at > now) {
                    // The disk is known to be broken: the shard shall not wait for the next attempt.
                    ack(Err(NotJournaled));
                    self.pending.push_back(Pending { entry, ack: None, cost });
                } else {
                    self.pending.push_back(Pending { entry, ack: Some(ack), cost });
                }
            }
            Item::Rings { call, cost } => {
                let entry = Entry::Answered { call, orphan: false };
                self.pending.push_back(Pending { entry, ack: None, cost });
            }
            Item::CallDetail { facts, hanging_up, cost } => {
                let entry = Entry::ended(self.journal.take_sequence(), &facts, hanging_up);
                self.pending.push_back(Pending { entry, ack: None, cost });
            }
            Item::Detail { detail, cost } => {
                let entry = Entry::Detail { sequence: self.journal.take_sequence(), detail };
                self.pending.push_back(Pending { entry, ack: None, cost });
            }
            Item::Audit { audit, cost } => {
                let entry = Entry::Audit { sequence: self.journal.take_sequence(), audit };
                self.pending.push_back(Pending { entry, ack: None, cost });
            }
            Item::Streaming { news, cost } => match *news {
                // Both are handed to the kernel at once: the call first, so that no event is without an end.
                StreamingNews::Event { call, event, is_end } => {
                    let call = Entry::Streamed { call: Box::new(call) };
                    let event = Box::new(event);
                    let event = Entry::StreamingEvent { sequence: self.journal.take_sequence(), event };
                    let [first, second] = if is_end { [event, call] } else { [call, event] };
                    self.pending.push_back(Pending { entry: first, ack: None, cost });
                    self.pending.push_back(Pending { entry: second, ack: None, cost: 0 });
                }
                StreamingNews::Over(record) => {
                    let sequence = self.journal.take_sequence();
                    let entry = Entry::StreamingDetail { sequence, record: Box::new(record) };
                    self.pending.push_back(Pending { entry, ack: None, cost });
                }
            },
            Item::Released { key } => {
                self.pending.push_back(Pending { entry: Entry::Released { key }, ack: None, cost: 0 });
            }
            Item::Quality { facts, cost } => {
                let file = (facts.voice_connector_id.as_str(), facts.event_timestamp);
                self.lines.add(LogGroup::Media, file, &facts.line(), cost);
            }
            Item::SipMessage { facts, cost } => {
                let file = (facts.voice_connector_id.as_str(), facts.event_timestamp);
                self.lines.add(LogGroup::SipMessages, file, &facts.line(), cost);
            }
        }
    }

    /// Writes what is due: the journal first, then lines. Records are delivered by
    /// [`deliver_one`](Writer::deliver_one), so that the queue is looked at between two steps.
    pub fn handle_timeout(&mut self, now: Instant, unix: Duration) {
        self.beat(now, unix);
        self.relieve();
        self.write_journal(now);
        self.lines.write(now, &self.directory, &self.metrics, &self.room);
        self.compact(now);
        self.tell_if_disk_hangs(now);
        self.update_pressure();
        self.sinks.iter().for_each(|sink| sink.tell_lag(unix));
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

    /// What is pending goes to the kernel.
    fn write_journal(&mut self, now: Instant) {
        if !self.journal_retry.is_due(now) {
            return;
        }
        match self.find_journal(now).and_then(|()| self.append(now)) {
            Ok(()) => {
                if self.journal_retry.succeeded() {
                    info!("records journal can be written again");
                }
            }
            Err(error) => {
                self.metrics.journal_error();
                if self.journal_retry.failed(now) {
                    let waiting = self.pending.len();
                    error!(%error, waiting, "records journal cannot be written; only emergency calls are taken");
                }
                let pending = self.pending.iter_mut().filter_map(|pending| pending.ack.take());
                pending.for_each(|ack| ack(Err(NotJournaled)));
            }
        }
    }

    /// Looks now and then whether the journal is where the next start will look for it.
    fn find_journal(&mut self, now: Instant) -> io::Result<()> {
        if self.look_at.is_none_or(|at| at <= now) {
            self.look_at = Some(now + LOOK);
            self.lost |= !self.journal.is_in_place();
        }
        if self.lost {
            self.journal.put_back().map_err(io::Error::other)?;
            self.lost = false;
            self.sync_at = Some(now);
            let (calls, records) = (self.journal.open_calls_len(), self.journal.undelivered_len());
            warn!(calls, records, "records journal was removed, replaced or cut: it was written anew");
        }
        Ok(())
    }

    fn append(&mut self, now: Instant) -> io::Result<()> {
        self.journal.append(self.pending.iter().map(|pending| &pending.entry))?;
        for Pending { entry, ack, cost } in self.pending.drain(..) {
            if let Some((sequence, kind)) = entry.undelivered() {
                self.deliveries.push(sequence, entry);
                self.sinks.iter_mut().for_each(|sink| sink.added(kind));
            }
            self.room.release(cost);
            match (ack, self.durability) {
                (Some(ack), Durability::Kernel) => ack(Ok(())),
                (Some(ack), Durability::Disk) => self.acks.push_back((self.journal.written(), ack)),
                (None, _) => {}
            }
        }
        if self.journal.is_unsynced() {
            self.sync_at.get_or_insert(now + SYNC_DELAY);
        }
        Ok(())
    }

    /// What is to be waited for so that the journal is on the disk, if that is due.
    /// [`handle_synced`](Writer::handle_synced) hears how it went.
    pub fn poll_sync(&mut self, now: Instant) -> Option<SyncJob> {
        if self.sync_due(now).is_none_or(|at| at > now) {
            return None;
        }
        self.sync_at = None;
        match self.journal.sync_job() {
            Ok(job) => {
                self.syncing = job.is_some().then_some(now);
                job
            }
            Err(error) => {
                self.sync_failed(now, &error);
                None
            }
        }
    }

    fn sync_due(&self, now: Instant) -> Option<Instant> {
        let wanted = if self.acks.is_empty() { self.sync_at? } else { now };
        let due = self.sync_retry.at().map_or(wanted, |retry| wanted.max(retry));
        self.syncing.is_none().then_some(due)
    }

    /// The journal is on the disk, as it was when the job was made, or could not be put there.
    pub fn handle_synced(&mut self, now: Instant, job: &SyncJob, result: io::Result<()>) {
        self.syncing = None;
        if std::mem::take(&mut self.hangs) {
            info!("the disk has answered");
        }
        if let Err(error) = self.journal.handle_synced(job, result) {
            return self.sync_failed(now, &error);
        }
        while self.acks.front().is_some_and(|(written, _)| *written <= self.journal.synced()) {
            self.acks.pop_front().into_iter().for_each(|(_, ack)| ack(Ok(())));
        }
        if !self.journal.is_sound() {
            self.sync_at = Some(now); // One more step of writing it anew.
        } else if self.sync_retry.succeeded() {
            info!("records journal reaches the disk again");
        }
        self.update_pressure();
    }

    fn sync_failed(&mut self, now: Instant, error: &io::Error) {
        self.metrics.journal_error();
        if self.sync_retry.failed(now) {
            error!(%error, "records journal does not reach the disk; only emergency calls are taken");
        }
        self.sync_at = Some(now);
        self.acks.drain(..).for_each(|(_, ack)| ack(Err(NotJournaled)));
        self.update_pressure();
    }

    /// A disk that hangs keeps nobody waiting, and must not go unnoticed for that.
    fn tell_if_disk_hangs(&mut self, now: Instant) {
        if !self.hangs && self.syncing.is_some_and(|since| since + HANGS <= now) {
            self.hangs = true;
            warn!("the disk does not answer: a power cut would lose what was recorded since");
        }
    }

    /// Delivers the next record that is due, to the kernel. Says whether there was one.
    pub fn deliver_one(&mut self, now: Instant) -> bool {
        self.deliveries.deliver_one(now, &self.journal, &self.directory, &self.metrics)
    }

    /// The delivered records that are to be waited for, if that is due. [`handle_flushed`](Writer::handle_flushed) hears
    /// how it went.
    pub fn poll_flush(&mut self, now: Instant) -> Option<FlushJob> {
        self.deliveries.poll_flush(now)
    }

    /// The records are on the disk, and the journal hears it; or they are written again.
    pub fn handle_flushed(&mut self, now: Instant, result: io::Result<()>) {
        if let Some(job) = self.deliveries.handle_flushed(now, result, &self.metrics) {
            self.delivered(&job);
        }
    }

    fn delivered(&mut self, job: &FlushJob) {
        for sequence in job.sequences() {
            let entry = Entry::Delivered { sequence };
            self.pending.push_back(Pending { entry, ack: None, cost: 0 });
        }
    }

    /// What some sink is to take now, and which; [`handle_taken`](Writer::handle_taken) hears what became of it.
    pub fn poll_sinks(&mut self, now: Instant) -> Option<(usize, Batch)> {
        for (index, sink) in self.sinks.iter_mut().enumerate() {
            let (batch, moved) = sink.poll(now, &self.journal);
            if moved {
                self.pending.push_back(Pending { entry: sink.position(), ack: None, cost: 0 });
            }
            if let Some(batch) = batch {
                return Some((index, batch));
            }
        }
        None
    }

    /// What became of the batch that the sink was given.
    pub fn handle_taken(&mut self, now: Instant, index: usize, outcome: Outcome) {
        let Some(sink) = self.sinks.get_mut(index) else { return };
        if sink.handle(now, outcome) {
            self.pending.push_back(Pending { entry: sink.position(), ack: None, cost: 0 });
        }
    }

    /// Before anything else that the journal has no room for, what the directory has and only sinks wait for goes.
    fn relieve(&mut self) {
        if Pressure::of_journal(self.journal.pledged(), self.journal_limit) == Pressure::None
            || self.journal.held_len() == 0
        {
            return;
        }
        // Who is furthest behind holds the most.
        let behind = self.sinks.iter_mut().filter(|sink| sink.holds()).min_by_key(|sink| sink.next());
        if let Some(sink) = behind
            && sink.give_up(&self.journal)
        {
            self.pending.push_back(Pending { entry: sink.position(), ack: None, cost: 0 });
        }
    }

    fn compact(&mut self, now: Instant) {
        if !self.journal.wants_compaction() || self.compaction_at.is_some_and(|at| at > now) {
            return;
        }
        let pause = match self.journal.begin_anew() {
            Ok(()) => {
                self.sync_at.get_or_insert(now);
                COMPACTION_PAUSE
            }
            Err(error) => {
                self.metrics.journal_error();
                warn!(%error, "records journal cannot be compacted");
                COMPACTION_RETRY
            }
        };
        self.compaction_at = Some(now + pause);
    }

    fn update_pressure(&mut self) {
        let broken = self.journal_retry.at().or(self.sync_retry.at()).is_some();
        let pledged = self.journal.pledged();
        let pressure =
            if broken { Pressure::Calls } else { Pressure::of_journal(pledged, self.journal_limit) };
        if pressure > self.pressure && !broken {
            let given_up = pressure.given_up();
            warn!(used = pledged, limit = self.journal_limit, given_up, "the records journal has no room");
        }
        let near = pressure::is_near(pledged, self.journal_limit);
        if near && !self.near {
            let (used, limit) = (pledged, self.journal_limit);
            warn!(
                used,
                limit, "the records journal fills up: a sink or the directory does not take what it holds"
            );
        }
        self.near = near;
        self.room.set_near(near);
        self.pressure = pressure;
        self.room.set_pressure(pressure);
        self.metrics.set_journal(
            self.journal.length(),
            self.journal_limit,
            self.journal.undelivered_len().saturating_sub(self.deliveries.there()),
            (self.journal.open_calls_len(), self.journal.orphans_len()),
        );
    }

    /// When to do what is due again: [`handle_timeout`](Writer::handle_timeout), [`deliver_one`](Writer::deliver_one),
    /// [`poll_sync`](Writer::poll_sync), [`poll_flush`](Writer::poll_flush).
    pub fn poll_timeout(&self, now: Instant) -> Instant {
        let pending = (!self.pending.is_empty()).then(|| self.journal_retry.at().unwrap_or(now));
        let beat = (self.journal.open_calls_len() > 0).then(|| self.heartbeat_at.unwrap_or(now));
        [
            pending,
            self.deliveries.due(now),
            self.lines.due(now),
            self.sync_due(now),
            self.deliveries.flush_due(),
            beat,
        ]
        .into_iter()
        .flatten()
        .chain(self.sinks.iter().filter_map(|sink| sink.due(now)))
        .fold(self.look_at.unwrap_or(now), Instant::min)
    }

    /// The last attempt at everything; waits for the disk. What then still is not in the journal is lost, and said to
    /// be.
    pub fn finish(mut self, now: Instant, unix: Duration) {
        self.journal_retry.hurry(now);
        self.deliveries.hurry(now);
        self.lines.hurry(now);
        self.handle_timeout(now, unix);
        while self.deliver_one(now) {}
        for job in self.deliveries.take_unflushed() {
            // Others stay in the journal, and are found in the directory by the next start.
            if job.is_small() && job.run().is_ok() {
                self.delivered(&job);
            }
        }
        self.journal_retry.hurry(now);
        self.write_journal(now);
        if let Err(error) = self.journal.sync() {
            error!(%error, "records journal does not reach the disk");
        }
        let undelivered = self.deliveries.len();
        if undelivered > 0 {
            warn!(undelivered, "call detail records stay in the journal until the next start");
        }
        self.sinks.iter().for_each(Queue::tell_end);
        for pending in &self.pending {
            if let Entry::Detail { .. } = &pending.entry {
                self.metrics.dropped(RecordKind::Detail, 1);
            }
            if let Entry::StreamingEvent { .. } = &pending.entry {
                self.metrics.dropped(RecordKind::StreamingEvent, 1);
            }
            if let Entry::StreamingDetail { record, .. } = &pending.entry {
                self.metrics.dropped(RecordKind::StreamingDetail, 1);
                let transaction_id = record.key.transaction_id.as_str();
                error!(transaction_id, "streaming detail record lost: the disk does not take it");
            }
            if let Entry::Audit { audit, .. } = &pending.entry {
                self.metrics.dropped(RecordKind::Audit, 1);
                error!(record = audit.body, "record of an API call lost: the disk does not take it");
            }
            if let Entry::Ended { key, .. } = &pending.entry {
                self.metrics.dropped(RecordKind::CallDetail, 1);
                error!(
                    transaction_id = key.transaction_id.as_str(),
                    "call detail record lost: the disk does not take it"
                );
            }
        }
        self.lines.give_up(&self.metrics);
        self.update_pressure();
    }

    #[cfg(test)]
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }
}

#[cfg(test)]
mod tests;
