//! A store that is gone with its process: for tests, and for a gateway without a state directory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use super::{Change, Store, StoreError, Versioned, Watchers, Write};
use crate::Revision;

/// See the module.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    values: BTreeMap<String, Versioned>,
    watchers: Watchers,
}

impl Memory {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    fn get(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        Ok(self.kept().values.get(key).cloned())
    }

    fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned)>, StoreError> {
        let kept = self.kept();
        let start = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let found = kept.values.range::<str, _>((start, Bound::Unbounded));
        let found = found.take_while(|(key, _)| key.starts_with(prefix)).take(limit);
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn commit(&self, writes: &[Write]) -> Result<(), StoreError> {
        let mut kept = self.kept();
        let kept = &mut *kept;
        let mut now: BTreeMap<&str, Revision> = BTreeMap::new();
        for write in writes {
            let known = kept.values.get(&write.key).map_or(Revision(0), |known| known.revision);
            let known = now.get(write.key.as_str()).copied().unwrap_or(known);
            if known != write.expected {
                return Err(StoreError::Conflict(write.key.clone()));
            }
            let after = if write.value.is_some() { write.revision } else { Revision(0) };
            now.insert(&write.key, after);
        }
        for write in writes {
            match &write.value {
                Some(value) => {
                    let versioned = Versioned { revision: write.revision, value: value.clone() };
                    kept.values.insert(write.key.clone(), versioned);
                }
                None => {
                    kept.values.remove(&write.key);
                }
            }
        }
        kept.watchers.tell(writes);
        Ok(())
    }

    fn watch(&self, prefix: &str) -> mpsc::Receiver<Change> {
        self.kept().watchers.add(prefix)
    }
}
