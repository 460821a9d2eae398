//! The journal: where a record is before it is anywhere else.
//!
//! One file of checksummed entries in a directory that one process may lock. It holds the answered calls
//! that have not ended, and the records that are not in the records directory yet or that a sink has not; it is
//! written anew without the rest when that has outgrown them. An entry that a crash cut short is dropped,
//! one that the disk damaged is set aside and counted.

mod compaction;
mod entry;
mod error;
mod form_3;
mod form_5;
mod kept;
mod place;
mod replay;
mod sync;
mod version;

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use entry::Entry;
pub use error::JournalError;
pub use replay::peek;
pub use sync::SyncJob;
use tracing::warn;

use super::{AnsweredCall, CallKey, StreamedCall};
use crate::metrics::RecordKind;
use compaction::Successor;
use kept::{Kept, Records};

/// The file is made longer by so much at once, when less than an eighth of it is left.
const GROWTH: u64 = 256 << 10;

/// Room kept for the record of each call that is up.
const RECORD_ROOM: u64 = 1_536;

/// Where an entry stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    offset: u64,
    length: u64,
}

struct OpenCall {
    position: Position,
    orphan: bool,
}

/// An open, locked journal.
pub struct Journal {
    directory: PathBuf,
    file: Arc<File>,
    /// Held for its lock.
    lock: File,
    /// Up to here the file is whole.
    length: u64,
    /// From there up to here it is zeros, to be written over.
    room: u64,
    /// A failed write may have left something behind `length`.
    torn: bool,
    /// How many times something was written that must reach the disk, and how much of that is there.
    written: u64,
    synced: u64,
    /// A sync has failed: what the disk has since is anyone's guess, whatever the next sync says.
    doubtful: bool,
    /// The file has its name, but a crash of the host may give that back to the one before.
    unnamed: bool,
    successor: Option<Successor>,
    calls: HashMap<CallKey, OpenCall>,
    /// How many of them have their record.
    orphans: usize,
    /// The calls that are streamed.
    streamed: HashMap<CallKey, Position>,
    records: Records,
    next_sequence: u64,
    alive_at: Duration,
    /// Bytes of the entries that `calls` and `records` point to.
    live: u64,
    /// Damaged entries found when it was opened.
    damaged: u64,
    /// Of the file. One of an earlier version is read, and nothing is appended.
    version: u32,
}

impl Journal {
    /// Opens or creates the journal in `directory`, which is made if need be.
    ///
    /// # Errors
    /// The directory can't be used, another process has the journal, or it is of a version that is not known.
    pub fn open(directory: &Path) -> Result<Journal, JournalError> {
        let lock = place::lock(directory)?;
        let path = directory.join("journal");
        let io = |source| JournalError::Io { path: path.clone(), source };
        let file = private_file().open(&path).map_err(io)?;
        let mut journal = Journal {
            directory: directory.to_owned(),
            file: Arc::new(file),
            lock,
            length: 0,
            room: 0,
            torn: true,
            written: 0,
            synced: 0,
            doubtful: false,
            unnamed: false,
            successor: None,
            calls: HashMap::new(),
            orphans: 0,
            streamed: HashMap::new(),
            records: Records::default(),
            next_sequence: 0,
            alive_at: Duration::ZERO,
            live: 0,
            damaged: 0,
            version: version::VERSION,
        };
        let version = journal.replay(&path)?;
        match journal.compact() {
            // A full disk must not keep a gateway down that has a journal to go on with.
            Err(error) if version == Some(version::VERSION) => {
                warn!(%error, "records journal could not be compacted")
            }
            result => result.map_err(io)?,
        }
        Ok(journal)
    }

    /// Hands entries to the kernel, all or none of them: a crash of the program leaves them there, one of the host only
    /// what was synced ([`sync_job`](Journal::sync_job)).
    ///
    /// After an error none of them counts, and the next call begins where this one did.
    ///
    /// # Errors
    /// The kernel does not take the entries.
    pub fn append<'a>(&mut self, entries: impl IntoIterator<Item = &'a Entry> + Clone) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut positions = Vec::new();
        if entries.clone().into_iter().next().is_none() {
            return Ok(());
        }
        for entry in entries.clone() {
            let start = bytes.len() as u64;
            entry.encode(&mut bytes);
            positions.push(Position { offset: self.length + start, length: bytes.len() as u64 - start });
        }
        if self.torn {
            self.file.set_len(self.length)?;
            self.room = self.length;
        }
        self.torn = true;
        self.file.write_all_at(&bytes, self.length)?;
        self.torn = false;
        self.written += u64::from(entries.clone().into_iter().any(Entry::must_be_synced));
        if self.successor.as_mut().is_some_and(|successor| successor.follow(&bytes).is_err()) {
            self.successor = None; // No room for two files: this one goes on.
        }
        self.length += bytes.len() as u64;
        for (entry, position) in entries.into_iter().zip(positions) {
            self.apply(entry, position);
        }
        self.make_room();
        Ok(())
    }

    /// An entry that is written over zeros is on the disk after one write; one that makes the file longer, after two
    /// or three. To whoever reads the file the zeros are its end.
    fn make_room(&mut self) {
        if self.room >= self.length + GROWTH / 8 {
            return;
        }
        let zeros = vec![0; usize::try_from(GROWTH).unwrap_or_default()];
        self.room = match self.file.write_all_at(&zeros, self.length) {
            Ok(()) => self.length + GROWTH,
            // What little a full disk has left is for records.
            Err(_) => {
                self.torn = self.file.set_len(self.length).is_err();
                self.length
            }
        };
    }

    fn apply(&mut self, entry: &Entry, position: Position) {
        match entry {
            // Also backwards: the clock may have been corrected.
            Entry::Alive { unix_ms } => self.alive_at = Duration::from_millis(*unix_ms),
            other => self.alive_at = self.alive_at.max(other.alive_at().unwrap_or_default()),
        }
        match entry {
            Entry::Alive { .. } => {}
            Entry::Answered { call, orphan } => {
                self.remove_call(&call.facts.key());
                self.live += position.length;
                self.orphans += usize::from(*orphan);
                self.calls.insert(call.facts.key(), OpenCall { position, orphan: *orphan });
            }
            Entry::Ended { sequence, key, orphan, .. } => {
                self.keep(*sequence, position, RecordKind::CallDetail);
                match self.calls.get_mut(key) {
                    Some(call) if *orphan => {
                        self.orphans += usize::from(!std::mem::replace(&mut call.orphan, true));
                    }
                    _ => self.remove_call(key),
                }
            }
            Entry::Detail { sequence, .. } => {
                self.keep(*sequence, position, RecordKind::Detail);
            }
            Entry::Audit { sequence, .. } => {
                self.keep(*sequence, position, RecordKind::Audit);
            }
            Entry::Streamed { call } => {
                let before = self.streamed.insert(call.key(), position);
                self.live += position.length;
                self.live = self.live.saturating_sub(before.map_or(0, |before| before.length));
            }
            Entry::StreamingEvent { sequence, .. } => {
                self.keep(*sequence, position, RecordKind::StreamingEvent);
            }
            Entry::StreamingDetail { sequence, record } => {
                self.keep(*sequence, position, RecordKind::StreamingDetail);
                let before = self.streamed.remove(&record.key);
                self.live = self.live.saturating_sub(before.map_or(0, |before| before.length));
            }
            Entry::Delivered { sequence } => {
                self.live = self.live.saturating_sub(self.records.delivered(*sequence));
            }
            Entry::Released { key } => self.remove_call(key),
            Entry::Taken { sink, next } => {
                // A number is given once, also where the records before it are gone.
                self.next_sequence = self.next_sequence.max(*next);
                self.live = self.live.saturating_sub(self.records.taken(sink, *next));
            }
            Entry::SinkGone { sink } => {
                self.live = self.live.saturating_sub(self.records.forget_sink(sink));
            }
        }
    }

    fn keep(&mut self, sequence: u64, position: Position, kind: RecordKind) {
        self.next_sequence = self.next_sequence.max(sequence.saturating_add(1));
        self.live += position.length;
        self.records.insert(sequence, position, kind);
    }

    fn remove_call(&mut self, key: &CallKey) {
        if let Some(call) = self.calls.remove(key) {
            self.live = self.live.saturating_sub(call.position.length);
            self.orphans -= usize::from(call.orphan);
        }
    }

    /// A number for the next record.
    pub fn take_sequence(&mut self) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        sequence
    }

    fn read(&self, position: Position) -> io::Result<Entry> {
        let mut frame = vec![0; usize::try_from(position.length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut frame, position.offset)?;
        version::decode(self.version, frame).ok_or_else(damaged)
    }

    /// The record numbered `sequence`, `None` where the directory has it or it was never there.
    pub fn undelivered(&self, sequence: u64) -> Option<io::Result<Entry>> {
        let kept = self.records.get(sequence).filter(|kept| !kept.there)?;
        Some(self.read(kept.position))
    }

    /// The numbers of the records that the directory has not, oldest first.
    pub fn undelivered_sequences(&self) -> impl Iterator<Item = u64> {
        self.records.from(0).filter(|(_, kept)| !kept.there).map(|(sequence, _)| sequence)
    }

    /// How many records the directory has not.
    pub fn undelivered_len(&self) -> usize {
        self.records.undelivered()
    }

    /// How many records the directory has, and some sink has not.
    pub fn held_len(&self) -> usize {
        self.records.held()
    }

    /// The number and kind of each record from `first` on, in their order, whoever waits for it.
    pub fn records_from(&self, first: u64) -> impl Iterator<Item = (u64, RecordKind)> {
        self.records.from(first).map(|(sequence, kept)| (sequence, kept.kind))
    }

    /// The record numbered `sequence`, whoever waits for it.
    pub fn record(&self, sequence: u64) -> Option<io::Result<Entry>> {
        self.records.get(sequence).map(|&Kept { position, .. }| self.read(position))
    }

    /// The sinks that are known, each with the number of the first record that it has not.
    pub fn sinks(&self) -> &BTreeMap<String, u64> {
        self.records.sinks()
    }

    /// The number that the next record gets.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// The calls that have no end yet, or whose parties may not know it: whether each has its record already. In no order.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn open_calls(&self) -> io::Result<Vec<(AnsweredCall, bool)>> {
        let mut calls = Vec::new();
        for call in self.calls.values() {
            if let Entry::Answered { call: answered, .. } = self.read(call.position)? {
                calls.push((*answered, call.orphan));
            }
        }
        Ok(calls)
    }

    /// The calls that are streamed, as far as is known. In no order.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn streamed_calls(&self) -> io::Result<Vec<StreamedCall>> {
        let mut calls = Vec::new();
        for position in self.streamed.values() {
            if let Entry::Streamed { call } = self.read(*position)? {
                calls.push(*call);
            }
        }
        Ok(calls)
    }

    /// Calls without an end: answered ones, and those that ring.
    pub fn open_calls_len(&self) -> usize {
        self.calls.len() - self.orphans
    }

    /// Calls that have their record, while their parties have not all heard that they are over.
    pub fn orphans_len(&self) -> usize {
        self.orphans
    }

    /// When the gateway was last known to run, since the Unix epoch.
    pub fn alive_at(&self) -> Duration {
        self.alive_at
    }

    /// Bytes that are spoken for: what is alive, and the records still to come for the calls that are up.
    pub fn pledged(&self) -> u64 {
        self.live + self.open_calls_len() as u64 * RECORD_ROOM
    }

    /// Size of the file in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Damaged entries found when it was opened; they are in the file `damaged` beside it.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Makes every later write fail, as a broken disk does.
    #[cfg(test)]
    pub fn break_disk(&mut self) {
        self.file = Arc::new(File::open(self.path()).unwrap());
    }

    /// Undoes [`break_disk`](Journal::break_disk).
    #[cfg(test)]
    pub fn mend_disk(&mut self) {
        self.file = Arc::new(private_file().open(self.path()).unwrap());
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "damaged entry")
}

/// Numbers and call state are nobody else's business.
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

#[cfg(test)]
mod tests;
