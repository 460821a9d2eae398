//! A record, or lines of a log, on their way to a sink.

use std::hash::Hasher;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use siphasher::sip::SipHasher24;
use smol_str::SmolStr;

use crate::metrics::RecordKind;
use crate::record::journal::Entry;
use crate::record::{LogGroup, WideRecord, name};

/// Room for most records.
const ORDINARY: usize = 2_048;

/// One record, as it is delivered; or lines of a log, which come when their hour is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkRecord {
    /// What it is.
    pub kind: RecordKind,
    /// The gateway's UUID of the call, or that of a call of the API or of an event; empty: lines of a log.
    pub transaction_id: SmolStr,
    /// The connector that it belongs to; `None`: all of the call's, or a call of the API.
    pub voice_connector_id: Option<SmolStr>,
    /// Start of the call, of its first stream or of the hour, or when the event was, since the Unix epoch.
    pub started: Duration,
    /// When it came to be, since the Unix epoch.
    pub made: Duration,
    /// The JSON, as in the directory; lines of it.
    pub body: Bytes,
    /// Its number in the journal; bytes of the log before it.
    pub(in crate::record) sequence: u64,
}

impl SinkRecord {
    /// The record of a journal's entry; `None`: it holds none.
    pub(in crate::record) fn of(entry: &Entry) -> serde_json::Result<Option<SinkRecord>> {
        Ok(match entry {
            Entry::Ended { sequence, started_ms, record, .. } => Some(SinkRecord {
                kind: RecordKind::CallDetail,
                transaction_id: record.transaction_id.clone(),
                voice_connector_id: Some(record.voice_connector_id.clone()),
                started: Duration::from_millis(*started_ms),
                made: Duration::from_secs(record.end_time_epoch_seconds),
                body: json(record)?,
                sequence: *sequence,
            }),
            Entry::Detail { sequence, detail } => Some(SinkRecord {
                kind: RecordKind::Detail,
                transaction_id: detail.transaction_id.clone(),
                voice_connector_id: None,
                started: Duration::from_millis(detail.times.invite),
                made: Duration::from_millis(detail.times.end),
                body: json(&WideRecord::of(detail))?,
                sequence: *sequence,
            }),
            Entry::Audit { sequence, audit } => Some(SinkRecord {
                kind: RecordKind::Audit,
                transaction_id: audit.event_id.clone(),
                voice_connector_id: None,
                started: audit.at(),
                made: audit.at(),
                body: audit.body.clone().into(),
                sequence: *sequence,
            }),
            Entry::StreamingEvent { sequence, event } => Some(SinkRecord {
                kind: RecordKind::StreamingEvent,
                transaction_id: event.event_id.clone(),
                voice_connector_id: Some(event.voice_connector_id.clone()),
                started: event.at(),
                made: event.at(),
                body: event.body.clone().into(),
                sequence: *sequence,
            }),
            Entry::StreamingDetail { sequence, record } => Some(SinkRecord {
                kind: RecordKind::StreamingDetail,
                transaction_id: record.key.transaction_id.clone(),
                voice_connector_id: Some(record.key.voice_connector_id.clone()),
                started: record.started(),
                made: record.ended(),
                body: json(&record.record)?,
                sequence: *sequence,
            }),
            _ => None,
        })
    }

    /// Lines of a log.
    ///
    /// - `hour`: theirs, since the Unix epoch.
    /// - `offset`: bytes of their file before them.
    pub(super) fn of_log(
        group: LogGroup,
        connector: SmolStr,
        hour: Duration,
        offset: u64,
        body: Bytes,
    ) -> SinkRecord {
        SinkRecord {
            kind: group.kind(),
            transaction_id: SmolStr::default(),
            voice_connector_id: Some(connector),
            started: hour,
            made: hour,
            body,
            sequence: offset,
        }
    }

    /// Its object name, as in the directory. Lines that do not begin their file have the bytes before them in it.
    ///
    /// - `nudge`: so many others have that name: it goes by a later millisecond, lines by a further number.
    #[must_use]
    pub fn name(&self, nudge: u32) -> String {
        let started = self.started + Duration::from_millis(nudge.into());
        match (&self.voice_connector_id, LogGroup::of(self.kind)) {
            (Some(connector), Some(group)) => {
                let file = name::hourly(group, connector, self.started);
                let stem = file.strip_suffix(".jsonl").unwrap_or(&file);
                match (self.sequence, nudge) {
                    (0, 0) => file,
                    (offset, 0) => format!("{stem}-{offset}.jsonl"),
                    (offset, nudge) => format!("{stem}-{offset}-{nudge}.jsonl"),
                }
            }
            (Some(connector), None) => match self.kind {
                RecordKind::StreamingEvent => name::streaming_event(connector, started, &self.transaction_id),
                RecordKind::StreamingDetail => {
                    name::streaming_detail(connector, started, &self.transaction_id)
                }
                _ => name::call_detail(connector, started, &self.transaction_id),
            },
            (None, _) if self.kind == RecordKind::Audit => name::audit(started, &self.transaction_id),
            (None, _) => name::call(started, &self.transaction_id),
        }
    }

    /// What no other record has, and the same one has whenever it comes.
    #[must_use]
    pub fn id(&self) -> String {
        match LogGroup::of(self.kind) {
            None => format!("{}-{}", self.transaction_id, self.sequence),
            // Another gateway may have lines of the same connector and hour.
            Some(_) => {
                let mut hasher = SipHasher24::new();
                hasher.write(&self.body);
                format!("{}-{:016x}", self.name(0), hasher.finish())
            }
        }
    }
}

fn json(record: &impl Serialize) -> serde_json::Result<Bytes> {
    let mut body = Vec::with_capacity(ORDINARY);
    serde_json::to_writer(&mut body, record)?;
    Ok(body.into())
}
