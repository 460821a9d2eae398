//! Where the journal is looked for at the next start, and whether it is there.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Journal, JournalError, private_file};
use crate::record::directory::create_private_dirs;

impl Journal {
    /// Whether the file and its lock are where the next start looks for them, and whole. They aren't once somebody has
    /// removed, moved, replaced or cut them.
    pub fn is_in_place(&self) -> bool {
        let whole = self.file.metadata().is_ok_and(|metadata| metadata.len() >= self.length);
        whole && is_at(&self.file, &self.path()) && is_at(&self.lock, &lock_path(&self.directory))
    }

    /// Writes the journal anew where it belongs, with all that is still owed. What another hand has put there is set
    /// aside.
    ///
    /// After an error the next call tries again; meanwhile a crash would lose what is written.
    ///
    /// # Errors
    /// The journal can't be locked or written there.
    pub fn put_back(&mut self) -> Result<(), JournalError> {
        let path = self.path();
        let io = |source| JournalError::Io { path: path.clone(), source };
        if !is_at(&self.lock, &lock_path(&self.directory)) {
            self.lock = lock(&self.directory)?;
        }
        if !is_at(&self.file, &path) {
            match fs::rename(&path, self.directory.join("replaced")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
                _ => {}
            }
        }
        self.begin_anew().map_err(io)?;
        self.adopt().map_err(io)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.join("journal")
    }
}

/// Makes `directory` if need be, and takes its lock for as long as the file is open.
pub(super) fn lock(directory: &Path) -> Result<File, JournalError> {
    let path = lock_path(directory);
    let io = |source| JournalError::Io { path: path.clone(), source };
    create_private_dirs(directory).map_err(io)?;
    let lock = private_file().open(&path).map_err(io)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

fn lock_path(directory: &Path) -> PathBuf {
    directory.join("lock")
}

/// Whether `path` names the file that is open.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: io::Result<fs::Metadata>| metadata.ok().map(|it| (it.dev(), it.ino()));
    let open = identity(file.metadata());
    open.is_some() && open == identity(fs::metadata(path))
}
