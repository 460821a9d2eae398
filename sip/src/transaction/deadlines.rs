use std::collections::BTreeSet;
use std::time::Instant;

/// The timer queue: which transaction is due next.
///
/// Every transaction has at most one entry, its earliest deadline, so the queue is never longer than the table and
/// holds nothing of transactions that ended. Moving an entry costs O(log n).
#[derive(Debug)]
pub(super) struct Deadlines<K> {
    queue: BTreeSet<(Instant, K)>,
}

impl<K: Copy + Ord> Deadlines<K> {
    pub(super) fn new() -> Self {
        Deadlines { queue: BTreeSet::new() }
    }

    /// Moves the deadline of `key` from what it was (`held`, updated) to `next`.
    pub(super) fn schedule(&mut self, key: K, held: &mut Option<Instant>, next: Option<Instant>) {
        if *held == next {
            return;
        }
        if let Some(held) = *held {
            self.queue.remove(&(held, key));
        }
        if let Some(next) = next {
            self.queue.insert((next, key));
        }
        *held = next;
    }

    /// The earliest deadline.
    pub(super) fn first(&self) -> Option<Instant> {
        self.queue.first().map(|(deadline, _)| *deadline)
    }

    /// A key whose deadline has come; it stays in the queue until it is scheduled anew.
    pub(super) fn due(&self, now: Instant) -> Option<K> {
        self.queue.first().filter(|(deadline, _)| *deadline <= now).map(|(_, key)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a starting instant")]
    fn a_moved_deadline_leaves_nothing_behind() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut deadlines = Deadlines::new();
        let (mut one, mut two) = (None, None);
        deadlines.schedule(1, &mut one, Some(start));
        deadlines.schedule(2, &mut two, Some(start));
        deadlines.schedule(1, &mut one, Some(later));
        assert_eq!((deadlines.due(start), deadlines.first()), (Some(2), Some(start)));
        deadlines.schedule(2, &mut two, None);
        assert_eq!((deadlines.due(start), deadlines.first()), (None, Some(later)));
        deadlines.schedule(1, &mut one, None);
        assert_eq!(deadlines.first(), None);
    }
}
