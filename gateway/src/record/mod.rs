//! Call detail records, quality records and the SIP message log.
//!
//! Shards report through a [`Recorder`], which never makes them wait; one thread writes. Everything is
//! below `records.directory`:
//!
//! ```text
//! Amazon-Chime-Voice-Connector-CDRs/json/<connector>/<yyyy>/<mm>/<dd>/<HH.MM.SS.mmm>_<transaction id>
//! aws/ChimeVoiceConnectorLogs/<connector>/<yyyy>/<mm>/<dd>/<HH>.jsonl           quality, a line a call and minute
//! aws/ChimeVoiceConnectorSipMessages/<connector>/<yyyy>/<mm>/<dd>/<HH>.jsonl    SIP messages, a line each
//! .journal/                                                                     what is on its way; ours
//! ```
//!
//! All times in names are UTC. A call detail record is in the journal before it is anywhere else, and
//! leaves it when it is in the directory, so that neither a crash nor a full disk loses one; a repeat
//! changes nothing. An answered call is in the journal before its 200 leaves. Lines of the two logs are
//! appended to their files directly: they are the first to be given up when room runs out.

mod cdr;
mod directory;
mod facts;
mod journal;
mod mask;
mod name;
mod pressure;
mod quality;
mod recorder;
mod recovery;
mod retry;
mod sip_log;
mod usage;
mod writer;

#[cfg(test)]
pub(crate) mod testing;

use std::time::Duration;

pub use cdr::{CallDetailRecord, Status};
pub use facts::{AnsweredCall, CallFacts, CallKey, Direction, Party};
pub use journal::JournalError;
pub use mask::mask;
pub use name::{LogGroup, call_detail, hourly, rfc3339};
pub use quality::{FlowFacts, PathFacts, QualityFacts};
pub use recorder::{Ack, Full, NotJournaled, Opened, Record, RecordWriter, Recorder, RecorderSettings, open};
pub use recovery::Orphan;
pub use sip_log::SipMessageFacts;
pub use usage::{region_code, usage_type};

/// Whole milliseconds, as the logs count time.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
