use std::path::PathBuf;

use crate::read::{Reader, Table};

/// `[records]`: where call records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// CDRs, quality and SIP message logs, laid out as their object names. Default: `records`.
    pub directory: PathBuf,
}

impl Records {
    pub(crate) fn read(reader: &Reader<'_>, table: Option<&Table<'_>>) -> Self {
        let directory = table.and_then(|table| table.get("directory")).and_then(|item| item.path());
        Self { directory: directory.unwrap_or_else(|| reader.resolve(0, "records")) }
    }
}
