//! Sinks: where records go beside the directory.
//!
//! The journal keeps a record until each sink that wants it has it, and remembers how far each one is: a sink that was away,
//! or a gateway that was, goes on where it stopped. What a sink is given it may be given again, under the same name and id:
//! it has to see to it that a repeat changes nothing. Each sink has a thread of its own, and the writer waits for none.

mod backoff;
mod events;
mod feed;
pub mod http;
mod logs;
#[cfg(feature = "nats")]
mod nats;
mod queue;
mod record;
#[cfg(feature = "s3")]
pub mod s3;
mod setup;
#[cfg(test)]
pub(crate) mod testing;
mod thread;
pub mod webhook;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::metrics::{RecordKind, SinkMetrics};

pub(super) use feed::LogFeed;
use logs::Logs;
pub(super) use queue::{Batch, Queue};
pub use record::SinkRecord;
#[cfg(feature = "s3")]
pub use setup::bucket;
pub use setup::{SinkError, of};
pub(super) use thread::SinkThread;

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is where it belongs, and safe there.
    Done,
    /// Not now: the sink is away, has no room, or does not let us in. Why.
    Later(String),
    /// It will not take one of these records, whenever it is asked: told by a batch of one. Why.
    Never(String),
}

/// The future of a batch.
pub type Taking<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// Where records go beside the directory.
pub trait Sink: Send + Sync + 'static {
    /// Takes the records of a batch, in their order. The same ones may come again, in other batches: by their names or ids that
    /// must change nothing.
    fn take<'a>(&'a self, batch: &'a [SinkRecord]) -> Taking<'a>;
}

/// A sink, and what it gets.
#[derive(Clone)]
pub struct SinkSetup {
    /// Under which the journal keeps how far it is, and metrics count.
    pub name: String,
    /// The kinds of records that it gets; lines of logs when their hour is over.
    pub kinds: Vec<RecordKind>,
    /// Most records of a batch.
    pub batch: usize,
    /// Whether the journal rather fills up, until no calls are taken, than that this sink misses a record.
    pub must_have: bool,
    /// What is counted of it.
    pub metrics: SinkMetrics,
    /// The sink.
    pub sink: Arc<dyn Sink>,
}

impl fmt::Debug for SinkSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkSetup").field("name", &self.name).finish_non_exhaustive()
    }
}
