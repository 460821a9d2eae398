//! Records on their way from the journal to the directory, some at a time.
//!
//! A disk takes a whole batch in little more than the time of one: all are written first, then each is waited for and
//! gets its name, then the names themselves are made safe. Until that is done the journal keeps them all.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::directory::{Directory, Place, Staged};
use super::journal::Entry;
use super::name;
use crate::metrics::RecordKind;

/// One batch, worked off by [`step`](Batch::step).
#[derive(Debug, Default)]
pub struct Batch {
    /// By their numbers in the journal.
    staged: VecDeque<(u64, RecordKind, Staged)>,
    /// Where names are not safe yet.
    directories: BTreeSet<PathBuf>,
    /// What is, or will be once the directories are safe, in the directory.
    pub delivered: Vec<u64>,
    /// The kinds of those that were not there before.
    pub written: Vec<RecordKind>,
    /// Why others are not.
    pub failure: Option<io::Error>,
}

impl Batch {
    /// Writes a record beside its place. `false`: it must wait for the next batch, for one of its name is in this.
    ///
    /// - `entry`: of the journal, with a record that is on its way.
    pub fn stage(&mut self, directory: &Directory, sequence: u64, entry: &Entry) -> io::Result<bool> {
        let (kind, body, place) = match entry {
            Entry::Ended { record, started_ms, .. } => {
                let body = serde_json::to_vec(record)?;
                let named = |at| name::call_detail(&record.voice_connector_id, at, &record.transaction_id);
                let place = directory.place(named, Duration::from_millis(*started_ms), &body)?;
                (RecordKind::CallDetail, body, place)
            }
            Entry::Detail { detail, .. } => {
                let body = serde_json::to_vec(detail)?;
                let named = |at| name::call(at, &detail.transaction_id);
                let place = directory.place(named, Duration::from_millis(detail.times.invite), &body)?;
                (RecordKind::Detail, body, place)
            }
            _ => return Err(io::ErrorKind::InvalidData.into()), // The index points to these two only.
        };
        match place {
            Place::Taken(path) => {
                self.directories.insert(directory.parent(&path));
                self.delivered.push(sequence);
            }
            Place::Free(path) if self.staged.iter().any(|(_, _, staged)| *staged.path() == path) => {
                return Ok(false);
            }
            Place::Free(path) => self.staged.push_back((sequence, kind, directory.stage(path, &body)?)),
        }
        Ok(true)
    }

    /// Waits for the disk once. An error comes with the records that are not delivered because of it.
    pub fn step(&mut self, directory: &Directory) -> Result<(), (io::Error, Vec<u64>)> {
        if let Some((sequence, kind, staged)) = self.staged.pop_front() {
            let parent = directory.settle(&staged).map_err(|error| (error, vec![sequence]))?;
            self.directories.insert(parent);
            self.delivered.push(sequence);
            self.written.push(kind);
        } else if let Some(parent) = self.directories.pop_first()
            && let Err(error) = directory.sync(&parent)
        {
            // They will be found there, and their names made safe.
            return Err((error, std::mem::take(&mut self.delivered)));
        }
        Ok(())
    }

    /// How many are on their way.
    pub fn len(&self) -> usize {
        self.staged.len()
    }

    /// Whether no step is left.
    pub fn is_empty(&self) -> bool {
        self.staged.is_empty() && self.directories.is_empty()
    }
}
