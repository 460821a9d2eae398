//! Which calls that were refused are written down: a flood of them must not fill the disk.

use std::collections::HashMap;

use crate::clock::Now;

/// So many refused calls of one connector are written down in a second, by one shard: whoever may call could fill the
/// disk with calls that never were.
const REFUSALS_A_SECOND: u32 = 50;

/// Which refused calls are written down.
#[derive(Default)]
pub(super) struct RefusalRecords {
    /// Since the Unix epoch.
    second: u64,
    /// In this second, by connector.
    written: HashMap<String, u32>,
    left_out: u64,
}

impl RefusalRecords {
    /// Whether one more refused call of `connector` is written down.
    pub(super) fn take(&mut self, now: Now, connector: &str) -> bool {
        let second = now.unix.as_secs();
        if second != self.second {
            if self.left_out > 0 {
                tracing::warn!(left_out = self.left_out, "refused calls were not written down");
            }
            *self = RefusalRecords { second, ..RefusalRecords::default() };
        }
        let written = self.written.entry(connector.to_owned()).or_default();
        let taken = *written < REFUSALS_A_SECOND;
        *written += u32::from(taken);
        self.left_out += u64::from(!taken);
        taken
    }
}
