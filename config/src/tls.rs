use std::path::PathBuf;

/// `[tls]`: how we dial by TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Trust anchors, PEM. Default: none, the system's.
    pub ca: Option<PathBuf>,
}
