//! Who asked what is being served: no source may fill the memory.
//!
//! What waits for its answer counts against its source. What is answered and only kept for repeats is no load: it keeps
//! nobody out, but makes room for what is answered after it ([`Kept`]).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use sip::transaction::ServerId;

use super::kept::Kept;

/// What an unanswered request costs beside its message: the transaction, and mostly a call with both its legs.
const WAITING: u64 = 24 << 10;

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
    /// The request calls for help, or is inside a call.
    Urgent,
}

/// See the module. Bytes are estimates.
pub(super) struct PerSource {
    memory: u64,
    /// What waits for its answer.
    asked: HashMap<ServerId, Asked>,
    /// Bytes that each source's unanswered requests use up, and all together.
    by_source: HashMap<IpAddr, u64>,
    waiting: u64,
    kept: Kept<ServerId>,
}

/// A request without its final answer, and an INVITE that was answered and began a call which is up.
struct Asked {
    source: IpAddr,
    /// Some copies of what the peer wrote are in the answer and in the requests that go on. None once it is answered.
    cost: u64,
}

impl PerSource {
    /// - `memory`: bytes that this shard may call its own.
    pub(super) fn new(memory: u64) -> PerSource {
        let kept = Kept::new(memory / KEPT_SHARE);
        PerSource { memory, asked: HashMap::new(), by_source: HashMap::new(), waiting: 0, kept }
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
        let cost = WAITING + 4 * u64::try_from(length).unwrap_or(u64::MAX / 8);
        self.waiting += cost;
        *self.by_source.entry(source).or_default() += cost;
        self.asked.insert(id, Asked { source, cost });
    }

    /// It has its final answer, and began a call: as long as that is up nobody may take it for a new one.
    pub(super) fn accepted(&mut self, id: ServerId) {
        if let Some(asked) = self.asked.get_mut(&id) {
            let (source, cost) = (asked.source, std::mem::take(&mut asked.cost));
            self.give_back(source, cost);
        }
    }

    /// It has its final answer, and is kept for repeats alone.
    ///
    /// - `length`: bytes of the answer.
    pub(super) fn answered(&mut self, id: ServerId, length: usize) {
        if let Some(asked) = self.asked.remove(&id) {
            self.give_back(asked.source, asked.cost);
            self.kept.add(id, asked.source, length);
        }
    }

    /// The call that it began is over.
    pub(super) fn call_is_over(&mut self, id: ServerId) {
        // One that waits for its answer all the same is kept when it has that.
        if self.asked.get(&id).is_some_and(|asked| asked.cost == 0) {
            self.answered(id, 0);
        }
    }

    /// One that there is no room for any more: it is to be forgotten, and ends by that.
    pub(super) fn too_old(&self) -> Option<ServerId> {
        self.kept.too_old()
    }

    /// The transaction is over.
    pub(super) fn end(&mut self, id: ServerId) {
        match self.asked.remove(&id) {
            Some(asked) => self.give_back(asked.source, asked.cost),
            None => self.kept.remove(id),
        }
    }

    fn give_back(&mut self, source: IpAddr, cost: u64) {
        self.waiting -= cost;
        let Entry::Occupied(mut own) = self.by_source.entry(source) else { return };
        *own.get_mut() -= cost;
        if *own.get() == 0 {
            own.remove();
        }
    }
}
