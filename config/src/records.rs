//! The table `[records]`.

use std::path::PathBuf;

use crate::read::{Reader, Table};

/// `[records]`: where call records go, and what they survive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// CDRs, quality and SIP message logs, laid out as their object names. Default: `records`.
    pub directory: PathBuf,
    /// What an answered call waits for. Default: [`Durability::Kernel`].
    pub durability: Durability,
}

/// `records.durability`: where an answered call is written down before its 200 leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// With the kernel: no crash of the program loses it. The disk has it some 50 ms later; a power cut may take what
    /// was answered or ended since.
    #[default]
    Kernel,
    /// On the disk: a power cut does not lose it either. A slow disk makes callers wait, for a second at most.
    Disk,
}

impl Durability {
    const CHOICES: &[(&'static str, Self)] = &[("kernel", Durability::Kernel), ("disk", Durability::Disk)];
}

impl Records {
    pub(crate) fn read(reader: &Reader<'_>, table: Option<&Table<'_>>) -> Self {
        let directory = table.and_then(|table| table.get("directory")).and_then(|item| item.path());
        let durability =
            table.and_then(|table| table.get("durability")).and_then(|item| item.choice(Durability::CHOICES));
        Self {
            directory: directory.unwrap_or_else(|| reader.resolve(0, "records")),
            durability: durability.unwrap_or_default(),
        }
    }
}
