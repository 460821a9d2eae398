//! Records on their way from the journal to the directory.
//!
//! A record is handed to the kernel under its name, and nobody waits. The journal keeps it until a thread that may
//! wait has seen it on the disk, some at a time: so no crash of the host loses a record that the journal had.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::syncfs;

use super::directory::{Directory, sync_directory};
use super::journal::Entry;
use super::sink::SinkRecord;
use crate::metrics::RecordKind;

/// So many files are waited for one by one; more by their file system, which others write to as well.
const FEW: usize = 8;

/// Hands a record of the journal to the kernel under its name. Returns its path, and its kind if it was written now.
///
/// - `entry`: one with a record that is on its way.
/// - `anew`: what is there of it can't be relied on.
pub fn deliver(
    directory: &Directory,
    entry: &Entry,
    anew: bool,
) -> io::Result<(PathBuf, Option<RecordKind>)> {
    let Some(record) = SinkRecord::of(entry)? else {
        return Err(ErrorKind::InvalidData.into()); // The index points to records only.
    };
    let kind = record.kind;
    let (path, written) = directory.deliver(|nudge| record.name(nudge), &record.body, anew)?;
    Ok((path, written.then_some(kind)))
}

/// Records that are with the kernel, and that are to be waited for.
#[derive(Debug, Clone)]
pub struct FlushJob {
    /// `records.directory`, opened before the first of them was written: its file system tells of failures since then.
    root: Arc<File>,
    path: PathBuf,
    /// Their numbers in the journal, and where they are.
    records: Vec<(u64, PathBuf)>,
}

impl FlushJob {
    /// Nothing yet.
    ///
    /// # Errors
    /// The directory can't be opened.
    pub fn new(directory: &Directory) -> io::Result<FlushJob> {
        let path = directory.root().to_owned();
        Ok(FlushJob { root: Arc::new(File::open(&path)?), path, records: Vec::new() })
    }

    /// One more is with the kernel.
    pub fn push(&mut self, sequence: u64, path: PathBuf) {
        self.records.push((sequence, path));
    }

    /// Their numbers in the journal.
    pub fn sequences(&self) -> impl Iterator<Item = u64> {
        self.records.iter().map(|(sequence, _)| *sequence)
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether they are few enough for a program that is about to end.
    pub fn is_small(&self) -> bool {
        self.len() <= FEW
    }

    /// Waits for the disk: for the records and their names.
    ///
    /// # Errors
    /// The disk has not what was delivered.
    pub fn run(&self) -> io::Result<()> {
        if !self.is_small() {
            return Ok(syncfs(&self.root)?);
        }
        let mut directories = BTreeSet::new();
        for (_, path) in &self.records {
            unless_gone(File::open(path).and_then(|file| file.sync_all()))?;
            // A new directory is an entry of the one above.
            let above = path.ancestors().skip(1).take_while(|directory| directory.starts_with(&self.path));
            directories.extend(above.map(Path::to_owned));
        }
        directories.iter().try_for_each(|directory| unless_gone(sync_directory(directory)))
    }
}

/// Who reads the records may have taken them away already.
fn unless_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
