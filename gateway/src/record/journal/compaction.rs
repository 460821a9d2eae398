//! The file without what is dead.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tracing::error;

use super::{Entry, Journal, OpenCall, Position, private_file, version};
use crate::record::CallKey;

/// Bytes that are read, and written, at once.
const CHUNK: usize = 64 << 10;

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
    streamed: HashMap<CallKey, Position>,
    records: BTreeMap<u64, Position>,
}

/// The beginning of a [`Successor`]: what is alive.
struct Draft {
    new: Successor,
    /// Not written yet.
    bytes: Vec<u8>,
}

impl Draft {
    fn entry(&mut self, entry: &Entry) -> io::Result<Position> {
        let mut frame = Vec::new();
        entry.encode(&mut frame);
        self.frame(&frame)
    }

    fn frame(&mut self, frame: &[u8]) -> io::Result<Position> {
        let offset = self.new.length + self.bytes.len() as u64;
        self.bytes.extend_from_slice(frame);
        if self.bytes.len() >= CHUNK {
            self.write()?;
        }
        Ok(Position { offset, length: frame.len() as u64 })
    }

    fn write(&mut self) -> io::Result<()> {
        self.new.follow(&self.bytes)?;
        self.bytes.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<Successor> {
        self.write()?;
        self.new.begun_at.1 = self.new.length;
        Ok(self.new)
    }
}

/// What is read of the old file. What is alive lies close together mostly, and is asked for from front to back.
struct Window<'a> {
    file: &'a File,
    offset: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    fn read(&mut self, Position { offset, length }: Position) -> io::Result<&[u8]> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let from = offset.checked_sub(self.offset).and_then(|from| usize::try_from(from).ok());
        let from = match from.filter(|from| from.saturating_add(length) <= self.bytes.len()) {
            Some(from) => from,
            None => {
                self.bytes.resize(length.max(CHUNK), 0);
                let there = self.file.read_at(&mut self.bytes, offset)?;
                self.bytes.truncate(there.max(length));
                self.offset = offset;
                if there < length {
                    self.file.read_exact_at(&mut self.bytes, offset)?;
                }
                0
            }
        };
        self.bytes.get(from..from + length).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Successor {
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
        let new = Successor {
            file: Arc::new(file),
            length: 0,
            begun_at: (self.length, 0),
            calls: HashMap::with_capacity(self.calls.len()),
            streamed: HashMap::with_capacity(self.streamed.len()),
            records: BTreeMap::new(),
        };
        let mut draft = Draft { new, bytes: version::first_line() };
        let mut old = Window { file: &self.file, offset: 0, bytes: Vec::new() };
        draft.entry(&Entry::Alive { unix_ms: crate::record::milliseconds(self.alive_at) })?;
        let mut calls: Vec<_> = self.calls.iter().collect();
        calls.sort_unstable_by_key(|(_, call)| call.position.offset);
        for (key, call) in calls {
            let position = match call.orphan {
                // It may have become one after it was written.
                true => match salvaged(self.read(call.position), call.position)? {
                    Some(Entry::Answered { call, .. }) => {
                        Some(draft.entry(&Entry::Answered { call, orphan: true })?)
                    }
                    _ => None,
                },
                false => self.carry(&mut old, call.position, &mut draft)?,
            };
            if let Some(position) = position {
                draft.new.calls.insert(key.clone(), position);
            }
        }
        for (key, position) in &self.streamed {
            if let Some(position) = self.carry(&mut old, *position, &mut draft)? {
                draft.new.streamed.insert(key.clone(), position);
            }
        }
        // The sinks first: whoever reads the file knows by them what is still needed of what follows.
        for (sink, &next) in self.sinks() {
            draft.entry(&Entry::Taken { sink: sink.clone(), next })?;
        }
        for (sequence, kept) in self.records.from(0) {
            if let Some(position) = self.carry(&mut old, kept.position, &mut draft)? {
                draft.new.records.insert(sequence, position);
                if kept.there {
                    draft.entry(&Entry::Delivered { sequence })?;
                }
            }
        }
        self.successor = Some(draft.finish()?);
        Ok(())
    }

    /// Copies an entry as it stands; one of an earlier version is read and written anew. Returns where it is then.
    fn carry(
        &self,
        old: &mut Window<'_>,
        position: Position,
        draft: &mut Draft,
    ) -> io::Result<Option<Position>> {
        if self.version != version::VERSION {
            let entry = salvaged(self.read(position), position)?;
            return entry.map(|entry| draft.entry(&entry)).transpose();
        }
        let frame = old.read(position).and_then(|frame| match Entry::is_sound(frame) {
            true => Ok(frame),
            false => Err(super::damaged()),
        });
        salvaged(frame, position)?.map(|frame| draft.frame(frame)).transpose()
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
        self.orphans = self.calls.values().filter(|call| call.orphan).count();
        self.records.move_to(|sequence, old| new.position(old, new.records.get(&sequence)));
        let streamed = std::mem::take(&mut self.streamed).into_iter();
        self.streamed = streamed
            .filter_map(|(key, old)| {
                new.position(old, new.streamed.get(&key)).map(|position| (key, position))
            })
            .collect();
        let calls: u64 = self.calls.values().map(|call| call.position.length).sum();
        let streamed: u64 = self.streamed.values().map(|position| position.length).sum();
        self.live = calls + streamed + self.records.bytes();
        (self.file, self.length, self.room) = (new.file, new.length, new.length);
        (self.torn, self.doubtful, self.unnamed) = (false, false, true);
        self.version = version::VERSION;
        Ok(())
    }
}

/// What was read, unless it was damaged or cut off meanwhile: then it is lost, and must not stop the others.
fn salvaged<T>(read: io::Result<T>, position: Position) -> io::Result<Option<T>> {
    match read {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
            error!(offset = position.offset, "records journal: an entry was damaged after it was written");
            Ok(None)
        }
        result => result.map(Some),
    }
}
