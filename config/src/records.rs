//! The table `[records]`.

mod aws;
mod hep;
mod nats;
mod sink;

use std::path::PathBuf;

use crate::read::{Reader, Table};
use crate::value::parse_size;

pub(crate) use aws::keys;
pub use aws::{AwsService, EventBridge, Sns, Sqs};
pub use hep::{Hep, HepTransport};
pub use nats::{Nats, NatsLogin};
pub use sink::{Encryption, RecordClass, S3, Sink, SinkKind, Webhook};

/// The journal is full at so many bytes unless `journal_limit` says otherwise.
const JOURNAL_LIMIT: u64 = 256 << 20;

/// `[records]`: where call records go, and what they survive.
#[derive(Debug, Clone)]
pub struct Records {
    /// CDRs, quality and SIP message logs, laid out as their object names. Default: `records`.
    pub directory: PathBuf,
    /// What an answered call waits for. Default: [`Durability::Kernel`].
    pub durability: Durability,
    /// Bytes at which the journal is full. Default: 256 MiB.
    pub journal_limit: u64,
    /// Where records go beside the directory; no two of one name. Default: nowhere.
    pub sinks: Vec<Sink>,
    /// Who is told SIP messages and RTCP reports as they cross. Default: nobody.
    pub hep: Vec<Hep>,
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
        let journal_limit = table.and_then(|table| table.get("journal_limit")).and_then(|item| {
            let size = item.text(parse_size)?;
            if size < 1 << 20 {
                item.wrong("`journal_limit` has no room for calls", "a size from \"1 MiB\" on");
            }
            Some(size)
        });
        Self {
            journal_limit: journal_limit.unwrap_or(JOURNAL_LIMIT),
            sinks: table.map(sink::read).unwrap_or_default(),
            hep: table.map(hep::read).unwrap_or_default(),
            directory: directory.unwrap_or_else(|| reader.resolve(0, "records")),
            durability: durability.unwrap_or_default(),
        }
    }
}
