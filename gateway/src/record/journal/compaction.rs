//! The file without what is dead.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tracing::error;

use super::{Entry, Journal, OpenCall, Position, private_file, version};
use crate::record::CallKey;

/// Dead bytes that are always tolerated, so that a small journal is not written anew all the time.
pub(super) const SLACK: u64 = 1 << 20;

/// The file that will take the journal's place as soon as it is on the disk: what was alive when it was begun, and all
/// that was appended since. Until then both are written, so that neither has what the other lacks.
pub(super) struct Successor {
    pub(super) file: Arc<File>,
    length: u64,
    /// How long the old file was when this one was begun, and how long this one.
    begun_at: (u64, u64),
    calls: HashMap<CallKey, Position>,
    undelivered: BTreeMap<u64, Position>,
}

impl Successor {
    /// Writes entries; the position is that of all of them together.
    fn write(&mut self, entries: &[Entry]) -> io::Result<Position> {
        let mut bytes = Vec::new();
        for entry in entries {
            entry.encode(&mut bytes);
        }
        let position = Position { offset: self.length, length: bytes.len() as u64 };
        self.follow(&bytes)?;
        Ok(position)
    }

    /// Writes what was appended to the old file.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.length)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Where an entry of the old file is in this one; `known`: if it was there at the beginning.
    fn position(&self, old: Position, known: Option<&Position>) -> Option<Position> {
        let (old_length, length) = self.begun_at;
        match old.offset.checked_sub(old_length) {
            Some(behind) => Some(Position { offset: length + behind, ..old }),
            None => known.copied(),
        }
    }
}

impl Journal {
    /// Whether more of the file is dead than alive, and nothing is done about it yet.
    pub fn wants_compaction(&self) -> bool {
        self.successor.is_none() && self.length > self.live.saturating_mul(2).saturating_add(SLACK)
    }

    /// Begins a file with only what is alive. It takes the place of the old one as soon as it is on the disk
    /// ([`sync_job`](Journal::sync_job)).
    ///
    /// # Errors
    /// The new file can't be made or written; the old one is still there.
    pub fn begin_anew(&mut self) -> io::Result<()> {
        let file = private_file().truncate(true).open(self.directory.join("journal.new"))?;
        let mut new = Successor {
            file: Arc::new(file),
            length: 0,
            begun_at: (self.length, 0),
            calls: HashMap::with_capacity(self.calls.len()),
            undelivered: BTreeMap::new(),
        };
        let alive = Entry::Alive { unix_ms: crate::record::milliseconds(self.alive_at) };
        new.follow(&version::first_line())?;
        new.write(&[alive])?;
        for (key, call) in &self.calls {
            if let Some(Entry::Answered { call: answered, .. }) = self.salvage(call.position)? {
                let position = new.write(&[Entry::Answered { call: answered, orphan: call.orphan }])?;
                new.calls.insert(key.clone(), position);
            }
        }
        for (&sequence, &position) in &self.undelivered {
            if let Some(entry) = self.salvage(position)? {
                let position = new.write(&[entry])?;
                new.undelivered.insert(sequence, position);
            }
        }
        new.begun_at.1 = new.length;
        self.successor = Some(new);
        Ok(())
    }

    /// Writes the file anew and waits for the disk. After an error the old file stays in use.
    ///
    /// # Errors
    /// The new file can't be written, or the disk has it not.
    pub fn compact(&mut self) -> io::Result<()> {
        self.begin_anew()?;
        self.sync()
    }

    /// The successor becomes the journal; its name is not safe yet.
    pub(super) fn adopt(&mut self) -> io::Result<()> {
        let Some(new) = self.successor.take() else { return Ok(()) };
        fs::rename(self.directory.join("journal.new"), self.path())?;
        let calls =
            std::mem::take(&mut self.calls).into_iter().filter_map(|(key, OpenCall { position, orphan })| {
                let position = new.position(position, new.calls.get(&key))?;
                Some((key, OpenCall { position, orphan }))
            });
        self.calls = calls.collect();
        let undelivered =
            std::mem::take(&mut self.undelivered).into_iter().filter_map(|(sequence, position)| {
                Some((sequence, new.position(position, new.undelivered.get(&sequence))?))
            });
        self.undelivered = undelivered.collect();
        let positions =
            self.calls.values().map(|call| call.position).chain(self.undelivered.values().copied());
        self.live = positions.map(|position| position.length).sum();
        (self.file, self.length, self.room) = (new.file, new.length, new.length);
        (self.torn, self.doubtful, self.unnamed, self.lines) = (false, false, true, false);
        Ok(())
    }

    /// The entry, unless it was damaged or cut off meanwhile: then it is lost, and must not stop the others.
    fn salvage(&self, position: Position) -> io::Result<Option<Entry>> {
        match self.read(position) {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                error!(
                    offset = position.offset,
                    "records journal: an entry was damaged after it was written"
                );
                Ok(None)
            }
            result => result.map(Some),
        }
    }
}
