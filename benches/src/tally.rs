//! What went wrong with calls, counted.

use std::collections::BTreeMap;
use std::fmt;

/// Failures and repeats of the calls of two phones.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    /// Calls and ends that were refused, by status; 0: nobody answered.
    pub failed: BTreeMap<u16, usize>,
    /// Messages that the phones said again, having no answer for half a second.
    pub repeated: usize,
    /// Messages that came to the phones once more.
    pub heard_again: usize,
}

impl Tally {
    pub fn failures(&self) -> usize {
        self.failed.values().sum()
    }

    /// Whether anything was not as it should be.
    pub fn is_clean(&self) -> bool {
        self.failures() + self.repeated + self.heard_again == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = self.failed.get(&503).copied().unwrap_or(0);
        let others = self.failures() - refused;
        write!(f, "503: {refused}, other failures: {others}")?;
        for (status, count) in self.failed.iter().filter(|(status, _)| **status != 503) {
            let name = if *status == 0 { "no answer".to_owned() } else { status.to_string() };
            write!(f, " ({name}: {count})")?;
        }
        write!(f, ", repeated by the phones: {}, to them: {}", self.repeated, self.heard_again)
    }
}
