//! Who asked what is being served: no source may fill the table of transactions.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use sip::transaction::ServerId;

/// How many server transactions each source has begun that are not over.
#[derive(Default)]
pub(super) struct Askers {
    by_id: HashMap<ServerId, IpAddr>,
    counts: HashMap<IpAddr, usize>,
}

impl Askers {
    /// A transaction begins.
    pub(super) fn begin(&mut self, id: ServerId, source: IpAddr) {
        self.by_id.insert(id, source);
        *self.counts.entry(source).or_default() += 1;
    }

    /// It is over.
    pub(super) fn end(&mut self, id: ServerId) {
        let Some(source) = self.by_id.remove(&id) else { return };
        let Entry::Occupied(mut count) = self.counts.entry(source) else { return };
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }

    /// How many `source` has.
    pub(super) fn count(&self, source: IpAddr) -> usize {
        self.counts.get(&source).copied().unwrap_or_default()
    }
}
