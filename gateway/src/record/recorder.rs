//! The handle by which shards report, and the thread behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{fmt, io, thread};

use config::Durability;
use tracing::{error, info, warn};

use super::delivery::FlushJob;
use super::directory::Directory;
use super::inbox::{Inbox, Outlet, inbox};
use super::journal::{Entry, Journal, JournalError, SyncJob};
use super::pressure::Pressure;
use super::recovery::{Orphan, recover};
use super::sink::{LogFeed, Outcome, Queue, SinkSetup, SinkThread};
use super::writer::Writer;
use super::{
    AnsweredCall, AuditRecord, CallDetail, CallFacts, CallKey, QualityFacts, SipMessageFacts, StreamingNews,
};
use crate::abort::AbortOnPanic;
use crate::metrics::{RecordKind, RecordMetrics};
use crate::pulse::Pulse;
use crate::random::SystemRandom;

/// Items that are written together, at most.
const BATCH: usize = 1_024;

/// Records that are delivered before others who report are heard again.
const DELIVERIES: usize = 16;

/// What a call's record or state takes of the queue's room, roughly.
const CALL_COST: usize = 2_048;

/// What a quality record takes.
const QUALITY_COST: usize = 1_024;

/// What a SIP message, or a call of the API, takes beside its bytes.
const MESSAGE_COST: usize = 256;

/// Where and how much to record.
#[derive(Debug, Clone)]
pub struct RecorderSettings {
    /// `records.directory`; made if need be.
    pub directory: PathBuf,
    /// Size in bytes at which the journal counts as full. Default 256 MiB.
    pub journal_limit: u64,
    /// Bytes of records that may wait in memory. Default 16 MiB.
    pub queue_limit: usize,
    /// What an answered call waits for.
    pub durability: Durability,
}

impl RecorderSettings {
    /// The defaults.
    #[must_use]
    pub fn new(directory: &Path) -> RecorderSettings {
        RecorderSettings {
            directory: directory.to_owned(),
            journal_limit: 256 << 20,
            queue_limit: 16 << 20,
            durability: Durability::default(),
        }
    }
}

/// Something to write down.
#[derive(Debug, Clone)]
pub enum Record {
    /// A call of a connector is over. Never refused.
    CallDetail(Box<CallFacts>),
    /// The same, and its parties have not all heard so: until [`Recorder::released`] its legs are kept, for the next start to
    /// hang them up should this run end before.
    HangingUp(Box<CallFacts>),
    /// A minute of a call.
    Quality(Box<QualityFacts>),
    /// A SIP message.
    SipMessage(Box<SipMessageFacts>),
    /// A call is over: all that is known of it.
    Detail(Box<CallDetail>),
    /// Somebody has asked the API for something.
    Audit(Box<AuditRecord>),
    /// What became of a stream, or of all streams of a call.
    Streaming(Box<StreamingNews>),
}

impl Record {
    fn kind(&self) -> RecordKind {
        match self {
            Record::CallDetail(_) | Record::HangingUp(_) => RecordKind::CallDetail,
            Record::Quality(_) => RecordKind::Quality,
            Record::SipMessage(_) => RecordKind::SipMessage,
            Record::Detail(_) => RecordKind::Detail,
            Record::Audit(_) => RecordKind::Audit,
            Record::Streaming(news) => match **news {
                StreamingNews::Event { .. } => RecordKind::StreamingEvent,
                StreamingNews::Over(_) => RecordKind::StreamingDetail,
            },
        }
    }

    /// With which kind it is given up when room runs out.
    fn given_up_with(&self) -> RecordKind {
        match self {
            Record::Audit(audit) if !audit.changes => RecordKind::SipMessage,
            Record::Streaming(news) if matches!(**news, StreamingNews::Event { is_end: true, .. }) => {
                RecordKind::StreamingDetail
            }
            record => record.kind(),
        }
    }

    fn cost(&self) -> usize {
        match self {
            Record::CallDetail(_) | Record::HangingUp(_) | Record::Detail(_) => CALL_COST,
            Record::Quality(_) => QUALITY_COST,
            Record::SipMessage(facts) => MESSAGE_COST + facts.message.len(),
            Record::Audit(audit) => MESSAGE_COST + audit.body.len(),
            Record::Streaming(news) => match &**news {
                StreamingNews::Event { event, .. } => CALL_COST + event.body.len(),
                StreamingNews::Over(_) => CALL_COST,
            },
        }
    }
}

/// There is no room for a record of this kind. It was counted as dropped; nothing else needs to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no room for the record")]
pub struct Full;

/// The journal could not be written, so that a crash would lose the call: one of the program, or with
/// [`Durability::Disk`] one of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call is not in the journal")]
pub struct NotJournaled;

/// Called on the recorder's thread, once; it should only pass the news on.
///
/// With an error the entry waits for the disk to recover, and the caller decides about the call.
pub type Ack = Box<dyn FnOnce(Result<(), NotJournaled>) + Send>;

/// What travels to the writer. Costs are bytes of the queue's room.
pub(super) enum Item {
    Answered { call: Box<AnsweredCall>, ack: Ack, cost: usize },
    Rings { call: Box<AnsweredCall>, cost: usize },
    CallDetail { facts: Box<CallFacts>, hanging_up: bool, cost: usize },
    Quality { facts: Box<QualityFacts>, cost: usize },
    SipMessage { facts: Box<SipMessageFacts>, cost: usize },
    Detail { detail: Box<CallDetail>, cost: usize },
    Audit { audit: Box<AuditRecord>, cost: usize },
    Streaming { news: Box<StreamingNews>, cost: usize },
    Released { key: CallKey },
}

enum Message {
    Item(Item),
    /// Answered when all that came before is written, as far as the disk lets it.
    Flush(Sender<()>),
    /// The disk has been waited for.
    Synced(SyncJob, io::Result<()>),
    Flushed(io::Result<()>),
    /// What became of the batch of a sink.
    Taken(usize, Outcome),
    Stop,
}

/// The room that is left, shared by the handles and the writer.
#[derive(Clone)]
pub(super) struct Room(Arc<RoomState>);

struct RoomState {
    metrics: RecordMetrics,
    limit: usize,
    used: AtomicUsize,
    /// Of the journal, as [`Pressure::level`].
    pressure: AtomicU8,
    /// The journal is nearly full.
    near: AtomicBool,
}

impl Room {
    pub(super) fn new(limit: usize, metrics: RecordMetrics) -> Room {
        let (used, pressure) = (AtomicUsize::new(0), AtomicU8::new(0));
        Room(Arc::new(RoomState { metrics, limit, used, pressure, near: AtomicBool::new(false) }))
    }

    /// Takes `cost` bytes for a record of this kind, if it is still admitted.
    fn take(&self, kind: RecordKind, cost: usize) -> Result<(), Full> {
        let used = self.0.used.fetch_add(cost, Ordering::Relaxed).saturating_add(cost);
        self.0.metrics.queue_taken(cost);
        if self.pressure().max(self.queue_pressure(used)).admits(kind) {
            return Ok(());
        }
        self.release(cost);
        Err(Full)
    }

    fn queue_pressure(&self, used: usize) -> Pressure {
        Pressure::of_memory(used as u64, self.0.limit as u64)
    }

    pub(super) fn release(&self, cost: usize) {
        self.0.used.fetch_sub(cost, Ordering::Relaxed);
        self.0.metrics.queue_released(cost);
    }

    pub(super) fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    fn pressure(&self) -> Pressure {
        Pressure::from_level(self.0.pressure.load(Ordering::Relaxed))
    }

    pub(super) fn set_near(&self, near: bool) {
        self.0.near.store(near, Ordering::Relaxed);
    }

    pub(super) fn set_pressure(&self, pressure: Pressure) {
        self.0.pressure.store(pressure.level(), Ordering::Relaxed);
    }
}

/// Takes records in. A clone is the same recorder. No method but [`flush`](Recorder::flush) waits.
#[derive(Clone)]
pub struct Recorder {
    messages: Outlet<Message>,
    room: Room,
    metrics: RecordMetrics,
}

impl Recorder {
    /// Reports something. SIP messages are refused when half of the room in memory or nine tenths of the journal's are
    /// taken, and with them calls of the API that only read; quality records, wide records and events of streams that begin when three
    /// quarters or 95 % are; calls of the API that change something when no call is taken any more; call and streaming detail
    /// records, and that a stream is over, never.
    ///
    /// # Errors
    /// There is no room: the record is lost, and counted.
    pub fn record(&self, record: Record) -> Result<(), Full> {
        let (kind, cost) = (record.kind(), record.cost());
        if let Err(full) = self.room.take(record.given_up_with(), cost) {
            self.metrics.dropped(kind, 1);
            return Err(full);
        }
        // The call's records for its connectors follow.
        let more = matches!(record, Record::Detail(_));
        let item = match record {
            Record::CallDetail(facts) => Item::CallDetail { facts, hanging_up: false, cost },
            Record::HangingUp(facts) => Item::CallDetail { facts, hanging_up: true, cost },
            Record::Quality(facts) => Item::Quality { facts, cost },
            Record::SipMessage(facts) => Item::SipMessage { facts, cost },
            Record::Detail(detail) => Item::Detail { detail, cost },
            Record::Audit(audit) => Item::Audit { audit, cost },
            Record::Streaming(news) => Item::Streaming { news, cost },
        };
        let message = Message::Item(item);
        let sent = match more {
            true => self.messages.send_before_another(message),
            false => self.messages.send(message),
        };
        if sent.is_err() {
            self.closed();
            self.metrics.dropped(kind, 1);
            return Err(Full);
        }
        Ok(())
    }

    /// A call was answered, and shall be in the journal before its 200 leaves: `ack` says when it is.
    ///
    /// Again for the same call when its state changes (a re-INVITE's target, CSeq): the last one counts.
    /// [`Record::CallDetail`] with the same [`CallKey`] ends it; after that nothing more may be said of it.
    pub fn answered(&self, call: AnsweredCall, ack: Ack) {
        let cost = CALL_COST;
        let _ = self.room.take(RecordKind::CallDetail, cost); // Always admitted.
        let item = Item::Answered { call: Box::new(call), ack, cost };
        if let Err(mpsc::SendError(Message::Item(Item::Answered { ack, .. }))) =
            self.messages.send(Message::Item(item))
        {
            self.closed();
            ack(Err(NotJournaled));
        }
    }

    /// A call may ring, and shall be in the journal, so that the next start ends it on both sides: nobody waits for it. Left
    /// out where there is room for what matters more alone, unless it is a call for help.
    ///
    /// Again when it rings elsewhere; [`answered`](Recorder::answered) or [`Record::CallDetail`] with the same [`CallKey`]
    /// replaces it.
    pub fn rings(&self, call: AnsweredCall, emergency: bool) {
        let cost = CALL_COST;
        let kind = if emergency { RecordKind::CallDetail } else { RecordKind::SipMessage };
        if self.room.take(kind, cost).is_err() {
            return;
        }
        let message = Message::Item(Item::Rings { call: Box::new(call), cost });
        // The writer looks every second by itself, and for every call that is answered or over.
        let _ = match emergency {
            true => self.messages.send(message),
            false => self.messages.send_before_another(message),
        };
    }

    /// Nobody writes any more: the program is going down, or the writer has died.
    fn closed(&self) {
        self.room.set_pressure(Pressure::Calls);
    }

    /// The parties of an [`Orphan`], or of a [`Record::HangingUp`], have answered their BYE, or will not: it need not be
    /// returned at the next start.
    pub fn released(&self, key: CallKey) {
        // Nobody waits for it, so the writer is not woken: it looks every second. Without a writer the call will be returned
        // once more, which is harmless.
        let _ = self.messages.send_before_another(Message::Item(Item::Released { key }));
    }

    /// Whether four fifths of the journal are spoken for: somebody should look.
    #[must_use]
    pub fn fills_up(&self) -> bool {
        self.room.0.near.load(Ordering::Relaxed)
    }

    /// Whether new calls may be taken. If not, the journal is full or broken: only emergency calls may.
    #[must_use]
    pub fn accepts_calls(&self) -> bool {
        self.room.pressure().max(self.room.queue_pressure(self.room.used())) < Pressure::Calls
    }

    /// Waits until all that was reported before is written, as far as the disk lets it. Not for a shard.
    pub fn flush(&self) {
        let (done, wait) = mpsc::channel();
        if self.messages.send(Message::Flush(done)).is_ok() {
            let _ = wait.recv(); // Closed without an answer: nothing more will be written.
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("queued_bytes", &self.room.used()).finish_non_exhaustive()
    }
}

/// Keeps the writer's thread; when it is dropped or closed, what was reported is written first.
#[derive(Debug)]
pub struct RecordWriter {
    /// The thread's sign of life.
    pub pulse: Pulse,
    messages: Outlet<Message>,
    thread: Option<JoinHandle<()>>,
}

impl RecordWriter {
    /// Writes what was reported so far and stops. Waits for the disk. What is reported meanwhile may be
    /// lost: stop the shards first.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for RecordWriter {
    fn drop(&mut self) {
        let _ = self.messages.send(Message::Stop); // It may have stopped already.
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the recorder's thread panicked");
        }
    }
}

/// A recorder that has just been opened.
#[derive(Debug)]
pub struct Opened {
    /// For those who report.
    pub recorder: Recorder,
    /// For whoever ends the program.
    pub writer: RecordWriter,
    /// The calls that were up when the gateway last stopped.
    pub orphans: Vec<Orphan>,
}

/// Opens the records directory, with its journal in `.journal` below it, and starts the writer's thread.
///
/// Records that the last run could not deliver are delivered now; calls that it left up get a record,
/// and are returned.
///
/// # Errors
/// The records directory or its journal can't be used.
pub fn open(settings: &RecorderSettings, metrics: RecordMetrics) -> Result<Opened, JournalError> {
    open_with(settings, &[], metrics)
}

/// The same, with sinks beside the directory. Each goes on where the journal says that it stopped.
///
/// # Errors
/// The records directory or its journal can't be used.
pub fn open_with(
    settings: &RecorderSettings,
    sinks: &[SinkSetup],
    metrics: RecordMetrics,
) -> Result<Opened, JournalError> {
    open_before(settings, sinks, metrics, || {})
}

/// - `disk`: called on threads that wait for the disk, before they do.
fn open_before(
    settings: &RecorderSettings,
    sinks: &[SinkSetup],
    metrics: RecordMetrics,
    disk: impl Fn() + Clone + Send + 'static,
) -> Result<Opened, JournalError> {
    let path = settings.directory.join(".journal");
    let io = |source| JournalError::Io { path: path.clone(), source };
    let mut journal = Journal::open(&path)?;
    let damaged = journal.damaged();
    if damaged > 0 {
        error!(damaged, path = %path.join("damaged").display(), "records journal had damaged lines");
    }
    let orphans = recover(&mut journal, unix_now()).map_err(io)?;
    let undelivered = journal.undelivered_len();
    if undelivered > 0 || !orphans.is_empty() {
        info!(undelivered, orphans = orphans.len(), "records journal has work from the last run");
    }
    let room = Room::new(settings.queue_limit, metrics.clone());
    let directory = Directory::new(&settings.directory);
    let (limit, durability) = (settings.journal_limit, settings.durability);
    let queues = queues(&mut journal, sinks).map_err(io)?;
    let writer = Writer::new(journal, limit, durability, directory, queues, metrics.clone(), room.clone());
    let (messages, inbox) = inbox();
    let sinks = sink_threads(&settings.directory, sinks, &messages).map_err(io)?;
    let waits = disk.clone();
    let sync = waiting("records-sync", messages.clone(), move |job: SyncJob| {
        waits();
        let result = job.run();
        Message::Synced(job, result)
    })
    .map_err(io)?;
    let flush = waiting("records-flush", messages.clone(), move |job: FlushJob| {
        disk();
        Message::Flushed(job.run())
    })
    .map_err(io)?;
    let pulse = Pulse::new("records");
    let driver = Driver { writer, sync, flush, sinks, pulse: pulse.clone() };
    let thread =
        thread::Builder::new().name("records".to_owned()).spawn(move || driver.run(&inbox)).map_err(io)?;
    Ok(Opened {
        recorder: Recorder { messages: messages.clone(), room, metrics },
        writer: RecordWriter { pulse, messages, thread: Some(thread) },
        orphans,
    })
}

/// What waits for each sink. The journal hears of new ones, which begin here, and of those that are no more.
pub(super) fn queues(journal: &mut Journal, sinks: &[SinkSetup]) -> io::Result<Vec<Queue>> {
    let queue = |setup: &SinkSetup| Queue::new(setup, Box::new(SystemRandom::new()), journal);
    let queues: Vec<Queue> = sinks.iter().map(queue).collect();
    let gone = journal.sinks().keys().filter(|name| sinks.iter().all(|setup| setup.name != **name));
    let gone: Vec<Entry> = gone.map(|sink| Entry::SinkGone { sink: sink.clone() }).collect();
    let entries: Vec<Entry> = queues.iter().map(Queue::position).chain(gone).collect();
    journal.append(&entries)?;
    Ok(queues)
}

fn sink_threads(
    directory: &Path,
    sinks: &[SinkSetup],
    messages: &Outlet<Message>,
) -> io::Result<Vec<SinkThread>> {
    let start = |(index, setup): (usize, &SinkSetup)| {
        let messages = messages.clone();
        let logs = LogFeed::new(directory, setup, Box::new(SystemRandom::new()));
        SinkThread::start(&setup.name, setup.sink.clone(), logs, move |outcome| {
            let _ = messages.send(Message::Taken(index, outcome)); // The writer may have ended meanwhile.
        })
    };
    sinks.iter().enumerate().map(start).collect()
}

/// A thread that waits for the disk, one job after another, until nobody has any for it.
fn waiting<J: Send + 'static>(
    name: &str,
    messages: Outlet<Message>,
    wait: impl Fn(J) -> Message + Send + 'static,
) -> io::Result<Sender<J>> {
    let (jobs, inbox) = mpsc::channel();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _abort = AbortOnPanic;
        while let Ok(job) = inbox.recv() {
            let _ = messages.send(wait(job)); // The writer may have ended meanwhile.
        }
    })?;
    Ok(jobs)
}

/// The thread that writes.
struct Driver {
    writer: Writer,
    sync: Sender<SyncJob>,
    flush: Sender<FlushJob>,
    sinks: Vec<SinkThread>,
    pulse: Pulse,
}

impl Driver {
    fn run(mut self, messages: &Inbox<Message>) {
        messages.adopt();
        let mut flushes: Vec<Sender<()>> = Vec::new();
        loop {
            let now = Instant::now();
            let first = messages.next(self.writer.poll_timeout(now));
            self.pulse.beat();
            let mut items = Vec::new();
            let mut stop = false;
            for message in batch(first, messages) {
                match message {
                    Ok(Message::Item(item)) => items.push(item),
                    Ok(Message::Flush(done)) => flushes.push(done),
                    Ok(Message::Synced(job, result)) => {
                        self.writer.handle_synced(Instant::now(), &job, result);
                    }
                    Ok(Message::Flushed(result)) => self.writer.handle_flushed(Instant::now(), result),
                    Ok(Message::Taken(sink, outcome)) => {
                        self.writer.handle_taken(Instant::now(), sink, outcome);
                    }
                    Ok(Message::Stop) | Err(TryRecvError::Disconnected) => stop = true,
                    // The first of a batch, too, when a deadline of the writer has come.
                    Err(TryRecvError::Empty) => break,
                }
            }
            let now = Instant::now();
            self.writer.handle_items(now, unix_now(), items);
            if stop {
                self.writer.finish(now, unix_now());
                return;
            }
            self.give_away(now);
            // Some at a time while others report: an answered call waits for these at most.
            let most = if flushes.is_empty() { DELIVERIES } else { usize::MAX };
            (0..most).take_while(|_| self.writer.deliver_one(now)).for_each(drop);
            flushes.clear(); // A closed channel is the answer.
        }
    }

    /// What has to wait for the disk or for a sink. The threads end with this one only.
    fn give_away(&mut self, now: Instant) {
        if let Some(job) = self.writer.poll_sync(now) {
            let _ = self.sync.send(job);
        }
        if let Some(job) = self.writer.poll_flush(now) {
            let _ = self.flush.send(job);
        }
        while let Some((sink, batch)) = self.writer.poll_sinks(now) {
            self.sinks.get(sink).into_iter().for_each(|thread| thread.send(batch.clone()));
        }
    }
}

/// The first message and those that wait behind it, [`BATCH`] at most. Takes none that it does not hand out, so
/// that whoever stops early loses none.
fn batch(
    first: Result<Message, TryRecvError>,
    messages: &Inbox<Message>,
) -> impl Iterator<Item = Result<Message, TryRecvError>> {
    std::iter::once(first).chain(std::iter::repeat_with(|| messages.next_now())).take(BATCH)
}

fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_else(|_| {
        warn!("the clock is before 1970");
        Duration::ZERO
    })
}

#[cfg(test)]
mod tests;
