//! The table `[tls]`.

use std::path::PathBuf;

use crate::read::Table;

/// `[tls]`: how we dial by TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Trust anchors, PEM. Default: none, the system's.
    pub ca: Option<PathBuf>,
}

impl Tls {
    pub(crate) fn read(table: Option<&Table<'_>>) -> Self {
        Self { ca: table.and_then(|table| table.get("ca")).and_then(|item| item.needed_file()) }
    }
}
