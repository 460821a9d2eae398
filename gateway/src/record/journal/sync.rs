//! From the kernel to the disk, by a thread that may wait for it.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Journal;
use crate::record::directory::sync_directory;

/// What is to be waited for so that the journal, as it was when this was made, is on the disk. One at a time.
pub struct SyncJob {
    /// The journal's file.
    file: Arc<File>,
    /// Whether its content is worth waiting for.
    sound: bool,
    successor: Option<Arc<File>>,
    /// Where the file's name is not safe yet.
    directory: Option<PathBuf>,
    /// [`Journal::written`] then.
    written: u64,
}

impl SyncJob {
    /// Waits for the disk.
    ///
    /// # Errors
    /// The disk has not what was written: all of it must be written again.
    pub fn run(&self) -> io::Result<()> {
        if self.sound {
            self.file.sync_data()?;
        }
        if let Some(successor) = &self.successor {
            successor.sync_data()?;
        }
        self.directory.as_ref().map_or(Ok(()), |directory| sync_directory(directory))
    }
}

impl Journal {
    /// How many times something was written that must reach the disk.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// How much of that is there.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// Whether something is only with the kernel that must reach the disk.
    pub fn is_unsynced(&self) -> bool {
        self.written > self.synced || self.unnamed
    }

    /// Whether the file has its name for good, and what was synced is known to be there.
    pub fn is_sound(&self) -> bool {
        !self.doubtful && !self.unnamed
    }

    /// What to wait for; `None`: all is on the disk. [`handle_synced`](Journal::handle_synced) hears how it went, before
    /// the next is asked for.
    ///
    /// After a failed sync the file is written anew: a kernel tells of a failed write once, and then takes the pages
    /// for written. An error is that of beginning so.
    ///
    /// # Errors
    /// After a failed sync the new file can't be begun.
    pub fn sync_job(&mut self) -> io::Result<Option<SyncJob>> {
        if self.doubtful && self.successor.is_none() {
            self.begin_anew()?;
        }
        if !self.is_unsynced() && self.successor.is_none() {
            return Ok(None);
        }
        Ok(Some(SyncJob {
            file: self.file.clone(),
            sound: !self.doubtful,
            successor: self.successor.as_ref().map(|successor| successor.file.clone()),
            directory: self.unnamed.then(|| self.directory.clone()),
            written: self.written,
        }))
    }

    /// A job is done. After an error nothing that was written since the last success can be relied on.
    ///
    /// # Errors
    /// The sync failed: the journal has to be written anew.
    pub fn handle_synced(&mut self, job: &SyncJob, result: io::Result<()>) -> io::Result<()> {
        if !Arc::ptr_eq(&job.file, &self.file) {
            return Ok(()); // It was put back meanwhile: another job is due.
        }
        if result.is_err() {
            (self.doubtful, self.successor) = (true, None);
            return result;
        }
        if job.sound {
            self.synced = job.written;
            self.unnamed &= job.directory.is_none();
        }
        let same = |new: &super::compaction::Successor| {
            job.successor.as_ref().is_some_and(|file| Arc::ptr_eq(file, &new.file))
        };
        if self.successor.as_ref().is_some_and(same) { self.adopt() } else { Ok(()) }
    }

    /// Puts everything on the disk and waits for it: for the beginning and the end of the program.
    ///
    /// # Errors
    /// The disk has not what was written.
    pub fn sync(&mut self) -> io::Result<()> {
        while let Some(job) = self.sync_job()? {
            let result = job.run();
            self.handle_synced(&job, result)?;
        }
        Ok(())
    }
}
