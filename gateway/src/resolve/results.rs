//! What became of look-ups, counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::ResolveError;

/// A word for each outcome.
const LABELS: [&str; 7] =
    ["found", "not_found", "not_offered", "timed_out", "no_name_server", "failed", "busy"];

/// Look-ups by what became of them; one counts once, however many asked for it.
#[derive(Debug, Default)]
pub struct Results([AtomicU64; LABELS.len()]);

impl Results {
    pub(super) fn count(&self, error: Option<&ResolveError>) {
        let label = match error {
            None => "found",
            Some(ResolveError::NotFound(_)) => "not_found",
            Some(ResolveError::NotOffered(_)) => "not_offered",
            Some(ResolveError::TimedOut(_)) => "timed_out",
            Some(ResolveError::NoNameServer(_)) => "no_name_server",
            Some(ResolveError::Failed { .. }) => "failed",
            Some(ResolveError::Busy(_)) => "busy",
        };
        let counters = LABELS.iter().zip(&self.0);
        counters.filter(|(known, _)| **known == label).for_each(|(_, counter)| {
            counter.fetch_add(1, Relaxed);
        });
    }

    /// A question was not asked, for want of room.
    pub(super) fn busy(&self) {
        self.count(Some(&ResolveError::Busy(Default::default())));
    }

    /// Each outcome in a word, and how often it came.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        LABELS.into_iter().zip(self.0.iter().map(|counter| counter.load(Relaxed)))
    }
}
