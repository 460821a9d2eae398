//! Where objects are kept: a small interface, which an external key-value store can serve as well as a file.

mod embedded;
mod memory;

use std::path::PathBuf;
use std::sync::mpsc;

use crate::Revision;

pub use embedded::Embedded;
pub use memory::Memory;

/// Keys in order, each with a value and the change that wrote it.
pub trait Store: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// The store's.
    fn get(&self, key: &str) -> Result<Option<Versioned>, StoreError>;

    /// The first keys that begin with `prefix` and stand behind `after`, in order.
    ///
    /// # Errors
    /// The store's.
    fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned)>, StoreError>;

    /// Writes all of it or nothing, on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where a key has another revision than is expected; then nothing is written.
    fn commit(&self, writes: &[Write]) -> Result<(), StoreError>;

    /// Every change from now on of keys that begin with `prefix`. A watcher that does not keep up is cut off: its channel ends, and
    /// it has to read anew.
    fn watch(&self, prefix: &str) -> mpsc::Receiver<Change>;
}

/// A value and the change that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// Of this key, not of the store.
    pub revision: Revision,
    /// As it was written.
    pub value: Vec<u8>,
}

/// One key of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// What is written.
    pub key: String,
    /// What the key has now; 0: it is not there.
    pub expected: Revision,
    /// What it has then.
    pub revision: Revision,
    /// None: the key goes.
    pub value: Option<Vec<u8>>,
}

/// What a commit did to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: String,
    /// Its revision, or that of its removal.
    pub revision: Revision,
    /// None: it is gone.
    pub value: Option<Vec<u8>>,
}

/// Why the store can't be had, or did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has it.
    #[error("{}: another process has this store open; one gateway has one store", .0.display())]
    InUse(PathBuf),
    /// It is no store, or damaged.
    #[error("{}: this is no store, or it is damaged ({reason}); put a copy back, or move it away to begin anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A newer gateway wrote it.
    #[error(
        "the store holds {key} in version {version}, which this gateway does not know: a newer one wrote it"
    )]
    Newer {
        /// The object's key.
        key: String,
        /// Its version.
        version: u8,
    },
    /// An object can't be read.
    #[error("the store holds {0} in a form that can't be read: it is damaged")]
    Unreadable(String),
    /// An object that this gateway would not take.
    #[error("the store holds {key}, which this gateway refuses: {reason}")]
    Refused {
        /// The object's key.
        key: String,
        /// Why.
        reason: String,
    },
    /// The secrets are sealed under another key.
    #[error("the store's secrets are sealed under another key: put the key back that it was made with")]
    OtherKey,
    /// A key was changed by somebody else.
    #[error("{0} was changed by somebody else")]
    Conflict(String),
    /// The system's.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: std::io::Error,
    },
    /// The disk failed before, and what it holds is not known.
    #[error("the store failed before ({0})")]
    Failed(String),
}

/// So many changes may wait for a watcher.
const WAITING: usize = 1024;

/// Who is told of changes.
#[derive(Debug, Default)]
struct Watchers(Vec<(String, mpsc::SyncSender<Change>)>);

impl Watchers {
    fn add(&mut self, prefix: &str) -> mpsc::Receiver<Change> {
        let (sender, receiver) = mpsc::sync_channel(WAITING);
        self.0.push((prefix.to_owned(), sender));
        receiver
    }

    fn tell(&mut self, writes: &[Write]) {
        self.0.retain(|(prefix, sender)| {
            let theirs = writes.iter().filter(|write| write.key.starts_with(prefix.as_str()));
            let change = |write: &Write| Change {
                key: write.key.clone(),
                revision: write.revision,
                value: write.value.clone(),
            };
            theirs.map(change).all(|change| sender.try_send(change).is_ok())
        });
    }
}
