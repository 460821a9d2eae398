//! Call detail records, quality records and the SIP message log.
//!
//! Shards report through a [`Recorder`], which never makes them wait; one thread writes. Everything is
//! below `records.directory`:
//!
//! ```text
//! Amazon-Chime-Voice-Connector-CDRs/json/<connector>/<yyyy>/<mm>/<dd>/<HH.MM.SS.mmm>_<transaction id>
//! voice-connector-calls/<yyyy>/<mm>/<dd>/<HH.MM.SS.mmm>_<transaction id>.json    all of one call: [`WideRecord`]
//! voice-connector-audit/<yyyy>/<mm>/<dd>/<HH.MM.SS.mmm>_<event id>.json          a call of the API: [`AuditRecord`]
//! Amazon-Chime-Voice-Connector-SDRs/json/<connector>/<yyyy>/<mm>/<dd>/<HH.MM.SS.mmm>_<transaction id>
//! voice-connector-events/<connector>/<yyyy>/<mm>/<dd>/<HH.MM.SS.mmm>_<event id>.json    of a stream: [`StreamingEvent`]
//! aws/ChimeVoiceConnectorLogs/<connector>/<yyyy>/<mm>/<dd>/<HH>.jsonl           quality, a line a call and minute
//! aws/ChimeVoiceConnectorSipMessages/<connector>/<yyyy>/<mm>/<dd>/<HH>.jsonl    SIP messages, a line each
//! .journal/                                                                     what is on its way; ours
//! ```
//!
//! All times in names are UTC. A call detail record is in the journal before it is anywhere else, and
//! leaves it when it is safe in the directory and with every [`sink`], so that neither a crash nor a full disk loses one; a repeat
//! changes nothing. An answered call is in the journal before its 200 leaves. Lines of the two logs are appended to their
//! files directly: they are the first to be given up when room runs out.
//!
//! ```
//! use gateway::direction::Direction;
//! use gateway::metrics::Metrics;
//! use gateway::record::{CallFacts, Party, Record, RecorderSettings, open};
//! use std::time::Duration;
//!
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! let metrics = Metrics::new("us-east-1");
//! let opened = open(&RecorderSettings::new(directory), metrics.records())?;
//! for orphan in &opened.orphans {
//!     // Send a BYE on both legs; once they are answered, `opened.recorder.released(orphan.call.facts.key())`.
//! }
//! let busy = CallFacts {
//!     account: "".into(),
//!     region: "us-east-1".into(),
//!     transaction_id: "0f8fad5b-d9cb-469f-a165-70867728950e".into(),
//!     call_id: "a84b4c76e66710@pbx.example.com".into(),
//!     voice_connector_id: "abcdef1ghij2klmno3pqr4".into(),
//!     direction: Direction::Outbound,
//!     status_message: "Busy Here".into(),
//!     sip_auth_user: None,
//!     source: Party { number: "+12065550100".into(), ..Party::default() },
//!     destination: Party { number: "+16285551212".into(), ..Party::default() },
//!     started_at: Duration::from_millis(1_565_399_625_042),
//!     answered_at: None,
//!     ended_at: Duration::from_millis(1_565_399_629_000),
//!     streaming: false,
//!     is_proxy_call: false,
//! };
//! opened.recorder.record(Record::CallDetail(Box::new(busy)))?;
//! opened.writer.close();
//! let day = "Amazon-Chime-Voice-Connector-CDRs/json/abcdef1ghij2klmno3pqr4/2019/08/10";
//! let name = "01.13.45.042_0f8fad5b-d9cb-469f-a165-70867728950e";
//! assert!(std::fs::read_to_string(directory.join(day).join(name))?.contains("\"Status\":\"Failed\""));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attempt;
mod audit;
mod cdr;
mod deliveries;
mod delivery;
mod detail;
mod directory;
mod facts;
mod inbox;
mod journal;
mod leg;
mod lines;
mod mask;
mod media;
mod name;
mod pressure;
mod quality;
pub mod read;
mod recorder;
mod recovery;
mod retry;
mod settled;
pub mod sink;
mod sip_log;
mod streamed;
mod usage;
mod verdict;
mod wide;
mod writer;

#[cfg(test)]
pub(crate) mod testing;

use std::time::Duration;

pub use attempt::{AttemptDetail, EndedBy};
pub use audit::AuditRecord;
pub use cdr::{CallDetailRecord, Status};
pub use detail::{CallDetail, DetailDirection, DetailTimes};
pub use facts::{AnsweredCall, CallFacts, CallKey, Party};
pub use journal::JournalError;
pub use leg::LegDetail;
pub use mask::mask;
pub use media::{LossDetail, MediaDetail, Opinion, PartyMedia, Share, StreamDetail};
pub use name::AUDIT;
pub use name::{
    LogGroup, audit, call, call_detail, day_of, hourly, recording_name, recordings_of, rfc3339,
    streaming_detail, streaming_event,
};
pub use quality::{FlowFacts, Lost, Minute, PathFacts, QualityFacts, quality};
pub use recorder::{
    Ack, Full, NotJournaled, Opened, Record, RecordWriter, Recorder, RecorderSettings, open, open_with,
};
pub use recovery::Orphan;
pub use settled::{Account, Forward, Settled, Times, transaction_id};
pub use sip_log::SipMessageFacts;
pub use streamed::{StreamedCall, StreamingEvent, StreamingNews, StreamingRecord};
pub use usage::{region_code, usage_type};
pub use verdict::verdict;
pub use wide::{FailureClass, WideRecord};

/// Whole milliseconds, as the logs count time.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
