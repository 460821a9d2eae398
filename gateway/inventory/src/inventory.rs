//! The inventory: objects of store and files, and one change after another.

use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use config::Config;

use crate::codec::SEAL_MARK;
use crate::files::Files;
use crate::limits::Limits;
use crate::object::{Object, Revision};
use crate::page::{self, Page, Paging};
use crate::pool::Pool;
use crate::seal::{SEAL_KEY, Seal};
use crate::snapshot::{Composed, Told};
use crate::state::{Objects, Shelf, State};
use crate::store::{Store, StoreError, Write};
use crate::transaction::{Random, Transaction, When};
use crate::{Error, Timestamp};

/// What an inventory is opened with.
pub struct Setup {
    /// Where objects are kept.
    pub store: Box<dyn Store>,
    /// The key of the secrets: the one that the store was made with.
    pub seal: [u8; SEAL_KEY],
    /// Random bytes.
    pub random: Random,
    /// How many there may be of each.
    pub limits: Limits,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// See the module. Shared by threads; each operation is one transaction.
///
/// A change is in the store when its operation returns, and not before can it be said to have happened. Operations that come while
/// one is being written are written together.
pub struct Inventory {
    pub(crate) seal: Seal,
    pub(crate) limits: Limits,
    store: Box<dyn Store>,
    working: Mutex<Working>,
    /// Told when somebody has written.
    written: Condvar,
    taker: Mutex<Option<Told>>,
}

impl fmt::Debug for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inventory(***)")
    }
}

/// Everything as it is after the last operation, written or not.
pub(crate) struct Working {
    pub state: State,
    pub files: Arc<Files>,
    pub pool: Arc<Pool>,
    pub composed: Composed,
    random: Random,
    /// What is not written yet.
    pending: Vec<Write>,
    /// Somebody writes what was pending.
    writing: bool,
    /// The change that the store knows of.
    stored: Revision,
    /// A write failed, and the store could not be read since: what is here may never have happened.
    doubtful: bool,
    /// Grows when a write fails: what was not written by then never happened.
    failures: u64,
}

/// The key under which the store keeps the number of its last change.
const REVISION: &str = "meta/revision";

impl Inventory {
    /// Reads the store.
    ///
    /// - `files`: the operator's configuration, without anything of the store.
    ///
    /// # Errors
    /// The store's; files and store that don't go together; secrets that are sealed under another key; objects that can't be read.
    pub fn open(setup: Setup, files: Arc<Config>, now: Timestamp) -> Result<Self, Error> {
        let Setup { store, seal, mut random, limits } = setup;
        let seal = Seal::new(&seal).map_err(|_| StoreError::OtherKey)?;
        check_key(store.as_ref(), &seal, &mut random)?;
        let mut state = State::read(store.as_ref(), &seal)?;
        let stored = store.get(REVISION)?.map_or(Revision(0), |stored| stored.revision);
        state.revision = state.revision.max(stored);
        let files = Arc::new(Files::new(files, now));
        let (pool, composed) = (Arc::default(), Composed::default());
        let working = Working {
            state,
            files,
            pool,
            composed,
            random,
            pending: Vec::new(),
            writing: false,
            stored,
            doubtful: false,
            failures: 0,
        };
        let (working, written, taker) = (Mutex::new(working), Condvar::new(), Mutex::default());
        let inventory = Self { seal, limits, store, working, written, taker };
        inventory.snapshot()?;
        inventory.working().composed.told = true;
        Ok(inventory)
    }

    /// The last change.
    pub fn revision(&self) -> Revision {
        self.working().state.revision
    }

    pub(crate) fn working(&self) -> MutexGuard<'_, Working> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does all of an operation or nothing, and returns when that is in the store.
    pub(crate) fn change<T>(
        &self,
        when: impl Into<When>,
        operation: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut working = self.working();
        let it = &mut *working;
        if it.doubtful {
            it.read_again(self.store.as_ref(), &self.seal)?;
        }
        let mut transaction = Transaction::begin(
            &mut it.state,
            &it.files,
            &self.limits,
            &self.seal,
            &mut it.random,
            when.into(),
        );
        transaction.expire();
        let done = match operation(&mut transaction) {
            Ok(done) => done,
            Err(error) => {
                transaction.roll_back();
                return Err(error);
            }
        };
        let writes = transaction.finish();
        if writes.is_empty() {
            return Ok(done);
        }
        it.composed.note(&writes);
        it.pending.extend(writes);
        let (revision, failures) = (it.state.revision, it.failures);
        drop(working);
        self.write(revision, failures)?;
        Ok(done)
    }

    /// Writes what is pending, unless whoever wrote before has written this change too. Who waits for that and has it does not
    /// wait for the next writer.
    fn write(&self, revision: Revision, failures: u64) -> Result<(), Error> {
        let mut working = self.working();
        let mut turn = loop {
            if working.failures != failures {
                let why = "a change before this one could not be written".to_owned();
                return Err(StoreError::Failed(why).into());
            }
            if working.stored >= revision {
                return Ok(());
            }
            if !working.writing {
                working.writing = true;
                break Turn { of: self, over: false };
            }
            working = self.written.wait(working).unwrap_or_else(PoisonError::into_inner);
        };
        let mut writes = std::mem::take(&mut working.pending);
        let last = working.state.revision;
        writes.push(Write {
            key: REVISION.to_owned(),
            expected: working.stored,
            revision: last,
            value: Some(Vec::new()),
        });
        drop(working);
        let written = self.store.commit(&writes);
        let mut working = self.working();
        turn.over(&mut working);
        match written {
            Ok(()) => {
                working.stored = last;
                self.publish(&mut working);
                Ok(())
            }
            Err(error) => {
                working.failures += 1;
                working.pending.clear();
                working.doubtful = true;
                working.read_again(self.store.as_ref(), &self.seal)?;
                self.publish(&mut working);
                Err(error.into())
            }
        }
    }

    /// Waits until nobody writes; nobody begins to while this is held.
    pub(crate) fn at_rest(&self) -> MutexGuard<'_, Working> {
        let mut working = self.working();
        while working.writing {
            working = self.written.wait(working).unwrap_or_else(PoisonError::into_inner);
        }
        working
    }

    pub(crate) fn taker(&self) -> MutexGuard<'_, Option<Told>> {
        self.taker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who writes. Others wait for its end, which comes even where writing panics.
struct Turn<'i> {
    of: &'i Inventory,
    over: bool,
}

impl Turn<'_> {
    /// The store has answered; who waits goes on when `working` is let go.
    fn over(&mut self, working: &mut Working) {
        self.over = true;
        working.writing = false;
        self.of.written.notify_all();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.of.working().writing = false;
            self.of.written.notify_all();
        }
    }
}

/// Whether the secrets are under this key; a new store gets a mark of it.
fn check_key(store: &dyn Store, seal: &Seal, random: &mut Random) -> Result<(), StoreError> {
    if let Some(mark) = store.get(SEAL_MARK)? {
        let sealed =
            postcard::from_bytes(&mark.value).map_err(|_| StoreError::Unreadable(SEAL_MARK.to_owned()))?;
        return seal.open(SEAL_MARK, &sealed).map(|_| ()).map_err(|_| StoreError::OtherKey);
    }
    let mut nonce = [0; 12];
    random(&mut nonce);
    let sealed = seal.seal(SEAL_MARK, nonce, SEAL_MARK.as_bytes()).map_err(|_| StoreError::OtherKey)?;
    let value = postcard::to_allocvec(&sealed).map_err(|_| StoreError::Unreadable(SEAL_MARK.to_owned()))?;
    let mark =
        Write { key: SEAL_MARK.to_owned(), expected: Revision(0), revision: Revision(1), value: Some(value) };
    store.commit(&[mark])
}

impl Working {
    /// Goes back to what the store has.
    fn read_again(&mut self, store: &dyn Store, seal: &Seal) -> Result<(), StoreError> {
        let state = State::read(store, seal).map_err(|error| StoreError::Failed(error.to_string()))?;
        self.stored = store.get(REVISION)?.map_or(Revision(0), |stored| stored.revision);
        self.state = state;
        self.state.revision = self.state.revision.max(self.stored);
        self.doubtful = false;
        self.composed.forget();
        Ok(())
    }

    /// An object of store or files.
    pub fn find<'w, T: Shelf>(&'w self, of_files: &'w Objects<T>, id: &str) -> Result<Arc<Object<T>>, Error> {
        let found = T::shelf(&self.state).get(id).or_else(|| of_files.get(id));
        found.cloned().ok_or_else(|| Error::NotFound { kind: T::NAME, id: id.to_owned() })
    }
}

/// A page of two shelves that have no id in common.
///
/// - `name`: of the list and its filter.
pub(crate) fn list<T>(
    seal: &Seal,
    name: &str,
    paging: Paging<'_>,
    one: &Objects<T>,
    other: &Objects<T>,
) -> Result<Page<Arc<Object<T>>>, Error> {
    let after = paging.after.map(|cursor| page::key_of(seal, name, cursor)).transpose()?;
    let start = match after.as_deref() {
        Some(after) => Bound::Excluded(after),
        None => Bound::Unbounded,
    };
    let mut one = one.range::<str, _>((start, Bound::Unbounded)).peekable();
    let mut other = other.range::<str, _>((start, Bound::Unbounded)).peekable();
    let mut next = || match (one.peek(), other.peek()) {
        (Some((first, _)), Some((second, _))) if second < first => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    };
    let limit = paging.limit.max(1);
    let mut items = Vec::new();
    let mut last = None;
    while items.len() < limit
        && let Some((id, object)) = next()
    {
        items.push(Arc::clone(object));
        last = Some(id);
    }
    let more = next().is_some();
    let next = last.filter(|_| more).map(|last| page::cursor(seal, name, last));
    Ok(Page { items, next })
}
