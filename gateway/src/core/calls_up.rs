//! Which sources have calls up, in any shard: half of every limit is theirs.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Counts by a hash of the address. Two addresses may share one, which only gives the one the other's good name.
const COUNTS: usize = 8_192;

/// See the module.
pub struct CallsUp(Box<[AtomicU32]>);

impl Default for CallsUp {
    fn default() -> CallsUp {
        CallsUp((0..COUNTS).map(|_| AtomicU32::new(0)).collect())
    }
}

impl CallsUp {
    /// A call with `party` is up.
    pub fn begin(&self, party: IpAddr) {
        self.change(party, |count| count.saturating_add(1));
    }

    /// The call is over.
    pub fn end(&self, party: IpAddr) {
        self.change(party, |count| count.saturating_sub(1));
    }

    /// Whether a call with `party` is up.
    pub fn has(&self, party: IpAddr) -> bool {
        self.count(party).is_some_and(|count| count.load(Relaxed) > 0)
    }

    fn change(&self, party: IpAddr, change: impl Fn(u32) -> u32) {
        if let Some(count) = self.count(party) {
            let _ = count.fetch_update(Relaxed, Relaxed, |value| Some(change(value)));
        }
    }

    fn count(&self, party: IpAddr) -> Option<&AtomicU32> {
        let mut hasher = DefaultHasher::new();
        party.to_canonical().hash(&mut hasher);
        self.0.get(usize::try_from(hasher.finish() % COUNTS as u64).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_calls_up_until_the_last_is_over() {
        let calls = CallsUp::default();
        let [party, mapped, other] =
            ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"].map(|a| a.parse().unwrap());
        calls.begin(party);
        calls.begin(mapped);
        calls.end(party);
        assert!(calls.has(party) && calls.has(mapped) && !calls.has(other));
        calls.end(party);
        calls.end(party);
        assert!(!calls.has(party));
        calls.begin(party);
        assert!(calls.has(party));
    }
}
