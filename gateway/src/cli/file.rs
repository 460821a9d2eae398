//! The configuration's name on the command line: with `--config` or without.

use std::path::{Path, PathBuf};

use clap::Args;

/// The configuration, or the embedded example.
#[derive(Args)]
#[group(multiple = false)]
pub(super) struct File {
    /// The configuration.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The configuration, too.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The configuration, which must be named.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct NeededFile {
    /// The configuration.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The configuration, too.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl File {
    /// `None`: the embedded example.
    pub(super) fn path(&self) -> Option<&Path> {
        self.file.as_deref().or(self.config.as_deref())
    }
}

impl NeededFile {
    pub(super) fn path(&self) -> &Path {
        // One of the two is there: clap sees to it.
        self.file.as_deref().or(self.config.as_deref()).unwrap_or(Path::new(""))
    }
}
