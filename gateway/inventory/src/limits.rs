//! How many there may be of each.

/// Limits of one inventory. Those of the public service are quotas of an account and far lower; these keep memory and start-up in
/// bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Voice connectors. Default: 20,000.
    pub connectors: usize,
    /// Voice connector groups. Default: 10,000.
    pub groups: usize,
    /// Connectors of one group. Default: 3.
    pub group_items: usize,
    /// Phone numbers. Default: 500,000.
    pub numbers: usize,
    /// Numbers of one order, or of one request that does something with many. Default: 100.
    pub batch: usize,
    /// Routes of one connector. Default: 20.
    pub routes: usize,
    /// Digest users of one connector. Default: 100.
    pub credentials: usize,
    /// Tags of one resource. Default: 50.
    pub tags: usize,
    /// Access keys, and policies. Default: 1,000.
    pub access: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connectors: 20_000,
            groups: 10_000,
            group_items: 3,
            numbers: 500_000,
            batch: 100,
            routes: 20,
            credentials: 100,
            tags: 50,
            access: 1_000,
        }
    }
}
