use std::path::PathBuf;

/// `[records]`: where call records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// CDRs, quality and SIP message logs, laid out as their object names. Default: `records`.
    pub directory: PathBuf,
}
