//! The store in a file of its own, on redb.

use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, Table, TableDefinition};

use super::{Change, Store, StoreError, Versioned, Watchers, Write};
use crate::Revision;

/// Every key with its revision and value.
const OBJECTS: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("objects");

/// Memory for pages: what a gateway holds of the store is in the inventory already.
const CACHE: usize = 16 << 20;

/// A file that one process has open. Each commit is on the disk when it returns, and no crash leaves half of one.
#[derive(Debug)]
pub struct Embedded {
    path: PathBuf,
    /// None: the disk failed. Then it is opened again when it is needed: redb itself goes on with nothing after a failed write.
    database: Mutex<Option<Database>>,
    watchers: Mutex<Watchers>,
}

impl Embedded {
    /// Opens the store at `path`, or makes one where nothing is.
    ///
    /// # Errors
    /// Another process has it; it is damaged, or no store; the system's.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !is_there(path)? {
            make(path)?;
        }
        let database = Mutex::new(Some(reopen(path)?));
        Ok(Self { path: path.to_path_buf(), database, watchers: Mutex::default() })
    }

    /// Does something with the database, and lets go of it where the disk fails.
    fn with<T>(&self, act: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut kept = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let database = match kept.take() {
            Some(database) => database,
            None => reopen(&self.path)?,
        };
        let done = act(&database);
        if !matches!(done, Err(StoreError::Io { .. } | StoreError::Failed(_))) {
            *kept = Some(database);
        }
        done
    }

    fn failed(&self, error: impl Into<redb::Error>) -> StoreError {
        match error.into() {
            redb::Error::Io(error) => StoreError::Io { path: self.path.clone(), error },
            redb::Error::PreviousIo => StoreError::Failed("a write to the disk failed".to_owned()),
            other => StoreError::Damaged { path: self.path.clone(), reason: other.to_string() },
        }
    }

    fn watchers(&self) -> MutexGuard<'_, Watchers> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, table: &mut Table<'_, &str, (u64, &[u8])>, write: &Write) -> Result<(), StoreError> {
        let known = table.get(write.key.as_str()).map_err(|error| self.failed(error))?;
        let known = known.map_or(0, |known| known.value().0);
        if known != write.expected.0 {
            return Err(StoreError::Conflict(write.key.clone()));
        }
        match &write.value {
            Some(value) => table.insert(write.key.as_str(), (write.revision.0, value.as_slice())).map(|_| ()),
            None => table.remove(write.key.as_str()).map(|_| ()),
        }
        .map_err(|error| self.failed(error))
    }
}

fn reopen(path: &Path) -> Result<Database, StoreError> {
    Database::builder().set_cache_size(CACHE).open(path).map_err(|error| opening(path, error))
}

/// The bytes that a file of redb begins with. Redb itself takes an empty file for one to begin in.
const MAGIC: [u8; 9] = [b'r', b'e', b'd', b'b', 0x1A, 0x0A, 0xA9, 0x0D, 0x0A];

/// Whether a file is there that may be a store.
fn is_there(path: &Path) -> Result<bool, StoreError> {
    let damaged = |reason: &str| StoreError::Damaged { path: path.to_path_buf(), reason: reason.to_owned() };
    let mut start = [0; MAGIC.len()];
    match std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)) {
        Ok(()) if start == MAGIC => Ok(true),
        Ok(()) => Err(damaged("it begins with other bytes")),
        Err(error) => match error.kind() {
            ErrorKind::NotFound => Ok(false),
            ErrorKind::UnexpectedEof => Err(damaged("it is cut off")),
            _ => Err(StoreError::Io { path: path.to_path_buf(), error }),
        },
    }
}

/// Makes an empty store beside `path`, and gives it the name when it is whole: a crash leaves none or an empty one.
fn make(path: &Path) -> Result<(), StoreError> {
    let unfinished = path.with_extension("unfinished");
    let io = |error| StoreError::Io { path: unfinished.clone(), error };
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let options =
        std::fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&unfinished);
    let database =
        FileBackend::new(options.map_err(io)?).and_then(|file| Database::builder().create_with_backend(file));
    let store = Embedded {
        path: unfinished.clone(),
        database: Mutex::new(Some(database.map_err(|error| opening(&unfinished, error))?)),
        watchers: Mutex::default(),
    };
    store.commit(&[])?;
    drop(store);
    std::fs::rename(&unfinished, path).map_err(io)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)
}

fn opening(path: &Path, error: DatabaseError) -> StoreError {
    let path = path.to_path_buf();
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(path),
        DatabaseError::Storage(StorageError::Io(error)) => StoreError::Io { path, error },
        other => StoreError::Damaged { path, reason: other.to_string() },
    }
}

impl Store for Embedded {
    fn get(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        self.with(|database| {
            let reading = database.begin_read().map_err(|error| self.failed(error))?;
            let table = reading.open_table(OBJECTS).map_err(|error| self.failed(error))?;
            let found = table.get(key).map_err(|error| self.failed(error))?;
            Ok(found.map(|found| versioned(found.value())))
        })
    }

    fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned)>, StoreError> {
        self.with(|database| {
            let reading = database.begin_read().map_err(|error| self.failed(error))?;
            let table = reading.open_table(OBJECTS).map_err(|error| self.failed(error))?;
            let start = after.filter(|after| *after >= prefix).unwrap_or(prefix);
            let mut found = Vec::new();
            for entry in table.range(start..).map_err(|error| self.failed(error))? {
                let (key, value) = entry.map_err(|error| self.failed(error))?;
                let key = key.value();
                if !key.starts_with(prefix) || found.len() >= limit {
                    break;
                }
                if after != Some(key) {
                    found.push((key.to_owned(), versioned(value.value())));
                }
            }
            Ok(found)
        })
    }

    fn commit(&self, writes: &[Write]) -> Result<(), StoreError> {
        self.with(|database| {
            let writing = database.begin_write().map_err(|error| self.failed(error))?;
            {
                let mut table = writing.open_table(OBJECTS).map_err(|error| self.failed(error))?;
                writes.iter().try_for_each(|write| self.write(&mut table, write))?;
            }
            writing.commit().map_err(|error| self.failed(error))
        })?;
        self.watchers().tell(writes);
        Ok(())
    }

    fn watch(&self, prefix: &str) -> mpsc::Receiver<Change> {
        self.watchers().add(prefix)
    }
}

fn versioned((revision, value): (u64, &[u8])) -> Versioned {
    Versioned { revision: Revision(revision), value: value.to_vec() }
}
