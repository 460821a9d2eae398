//! Which refused calls have a line of their own in the log.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Now;

/// So many of one source in a second, by one shard; the others are counted in one line.
const LINES_A_SECOND: u64 = 10;

/// See the module.
#[derive(Default)]
pub(super) struct RefusalLines {
    /// Since the Unix epoch.
    second: u64,
    /// Refusals in this second, by source.
    refused: HashMap<IpAddr, u64>,
}

impl RefusalLines {
    /// Whether one more refused call of `source` has its line.
    pub(super) fn take(&mut self, now: Now, source: IpAddr) -> bool {
        let second = now.unix.as_secs();
        if second != self.second {
            for (source, refused) in self.refused.drain().filter(|(_, refused)| *refused > LINES_A_SECOND) {
                let left_out = refused - LINES_A_SECOND;
                tracing::warn!(%source, left_out, "more calls were refused");
            }
            self.second = second;
        }
        let refused = self.refused.entry(source).or_default();
        *refused += 1;
        *refused <= LINES_A_SECOND
    }
}
