//! Who asked what is being served: no source may fill the memory.
//!
//! What waits for its answer counts against its source; what is answered and only kept for repeats counts against
//! nobody, and is not kept where there is no room ([`Core::answer`](super::Core::answer)).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use sip::transaction::ServerId;

/// What an unanswered request costs beside its message: the transaction, and mostly a call with both its legs.
const WAITING: u64 = 24 << 10;

/// What an answered one costs: the transaction with its response.
const KEPT: u64 = 2 << 10;

/// Of the memory, what newcomers and callers may use up together; calls for help and calls that are up, twice as much.
const WAITING_SHARE: u64 = 4;

/// Of the memory, what answered requests may use up.
const KEPT_SHARE: u64 = 8;

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// A new call of a source that has none up. The other half of every limit is not for such.
    Newcomer,
    /// A new call of a source that has calls up.
    Caller,
    /// It calls for help, or is inside a call.
    Urgent,
}

/// See the module. Bytes are estimates.
pub(super) struct PerSource {
    memory: u64,
    asked: HashMap<ServerId, Asked>,
    /// Bytes that each source's unanswered requests use up, and all together.
    by_source: HashMap<IpAddr, u64>,
    waiting: u64,
    /// Bytes that answered requests use up.
    kept: u64,
}

struct Asked {
    source: IpAddr,
    /// Bytes of the request.
    length: u64,
    answered: bool,
}

impl Asked {
    /// Some copies of what the peer wrote are in the answer and in the requests that go on.
    fn cost(&self) -> u64 {
        if self.answered { KEPT + 2 * self.length } else { WAITING + 4 * self.length }
    }
}

impl PerSource {
    /// - `memory`: bytes that this shard may call its own.
    pub(super) fn new(memory: u64) -> PerSource {
        PerSource { memory, asked: HashMap::new(), by_source: HashMap::new(), waiting: 0, kept: 0 }
    }

    /// Whether there is room for one more request of `source`, who may have half of what there is for its like.
    pub(super) fn has_room(&self, source: IpAddr, claim: Claim) -> bool {
        let halves = match claim {
            Claim::Newcomer => 1,
            Claim::Caller => 2,
            Claim::Urgent => 4,
        };
        let all = self.memory / WAITING_SHARE / 2 * halves;
        let own = self.by_source.get(&source).copied().unwrap_or_default();
        self.waiting < all && own < all / 2
    }

    /// A transaction begins.
    ///
    /// - `length`: bytes of the request.
    pub(super) fn begin(&mut self, id: ServerId, source: IpAddr, length: usize) {
        let asked = Asked { source, length: u64::try_from(length).unwrap_or(u64::MAX / 8), answered: false };
        self.waiting += asked.cost();
        *self.by_source.entry(source).or_default() += asked.cost();
        self.asked.insert(id, asked);
    }

    /// It has its final answer. Whether there is room to keep that for repeats.
    pub(super) fn answered(&mut self, id: ServerId) -> bool {
        let Some(mut asked) = self.asked.remove(&id) else { return true };
        self.forget(&asked);
        asked.answered = true;
        self.kept += asked.cost();
        self.asked.insert(id, asked);
        self.kept <= self.memory / KEPT_SHARE
    }

    /// It is over.
    pub(super) fn end(&mut self, id: ServerId) {
        if let Some(asked) = self.asked.remove(&id) {
            self.forget(&asked);
        }
    }

    fn forget(&mut self, asked: &Asked) {
        if asked.answered {
            self.kept -= asked.cost();
            return;
        }
        self.waiting -= asked.cost();
        let Entry::Occupied(mut own) = self.by_source.entry(asked.source) else { return };
        *own.get_mut() -= asked.cost();
        if *own.get() == 0 {
            own.remove();
        }
    }
}
