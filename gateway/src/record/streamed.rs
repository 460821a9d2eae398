//! What is streamed of a call: its events, and its streaming detail record.
//!
//! The journal has a [`StreamedCall`] from the first event to the record, so that a stream which was told to have started is told to
//! be over, whatever becomes of the program meanwhile.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, ToSmolStr};
use streaming::Call;
use streaming::detail::StreamingDetail;
use streaming::event::{Event, Headers, Place, SOURCE, Status, Stream, milliseconds};
use time::OffsetDateTime;

use super::{CallKey, region_code};
use crate::direction::Direction;

/// An event of a stream on its way to the directory and the sinks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamingEvent {
    /// Its `id`, a UUID.
    pub event_id: SmolStr,
    /// The connector.
    pub voice_connector_id: SmolStr,
    /// When it happened, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// JSON, with its envelope. Source: reference §9.
    pub body: String,
}

/// A streaming detail record on its way to the directory and the sinks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamingRecord {
    /// What it ends.
    pub key: CallKey,
    /// When the first stream began, in milliseconds since the Unix epoch: it is in the object's name.
    pub started_ms: u64,
    /// When the last one ended.
    pub ended_ms: u64,
    /// The record. Source: reference §10.
    pub record: StreamingDetail,
}

/// A call that is streamed, as one connector has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamedCall {
    /// The call.
    pub call: Call,
    account: SmolStr,
    region: SmolStr,
    /// When the first event was, in milliseconds since the Unix epoch.
    began_ms: Option<u64>,
    /// So many events were made.
    events: u32,
    /// So many streams are told to have started, and not to be over.
    pub live: u32,
}

/// What is to be written down of a call that is streamed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamingNews {
    /// Something happened.
    Event {
        /// The call as it is from now on.
        call: StreamedCall,
        /// The event.
        event: StreamingEvent,
        /// A stream is over that was told to have started: never refused.
        is_end: bool,
    },
    /// It is streamed no more. Never refused.
    Over(StreamingRecord),
}

impl StreamingEvent {
    /// When it happened, since the Unix epoch.
    pub(super) fn at(&self) -> Duration {
        Duration::from_millis(self.at_ms)
    }
}

impl StreamingRecord {
    /// When the first stream began, since the Unix epoch.
    pub(super) fn started(&self) -> Duration {
        Duration::from_millis(self.started_ms)
    }

    /// When the last one ended.
    pub(super) fn ended(&self) -> Duration {
        Duration::from_millis(self.ended_ms)
    }
}

impl StreamedCall {
    /// Nothing of it is streamed yet.
    ///
    /// - `account`, `region`: as `gateway.account` and `gateway.region` have them.
    #[must_use]
    pub fn new(call: Call, account: &str, region: &str) -> Self {
        let (account, region) = (account.into(), region.into());
        Self { call, account, region, began_ms: None, events: 0, live: 0 }
    }

    /// By which the journal pairs it with its record.
    #[must_use]
    pub fn key(&self) -> CallKey {
        CallKey {
            transaction_id: self.call.transaction_id.to_smolstr(),
            voice_connector_id: self.call.connector.clone(),
            direction: match self.call.direction {
                streaming::Direction::Inbound => Direction::Inbound,
                streaming::Direction::Outbound => Direction::Outbound,
            },
        }
    }

    /// Whether there is anything to be written down at its end.
    #[must_use]
    pub fn has_events(&self) -> bool {
        self.began_ms.is_some()
    }

    /// STARTED.
    ///
    /// - `at_ms`: since the Unix epoch, here and below.
    pub fn started(&mut self, stream: Stream, at_ms: u64) -> StreamingEvent {
        self.live += 1;
        self.event(Status::Started(stream), at_ms)
    }

    /// UPDATED.
    pub fn updated(
        &mut self,
        update_headers: Headers,
        metadata: Option<String>,
        at_ms: u64,
    ) -> StreamingEvent {
        self.event(Status::Updated { update_headers, siprec_metadata: metadata }, at_ms)
    }

    /// ENDED, of a stream that started.
    pub fn ended(&mut self, stream: Stream, at_ms: u64) -> StreamingEvent {
        self.live = self.live.saturating_sub(1);
        self.event(Status::Ended { stream, end_time: milliseconds(time(at_ms)) }, at_ms)
    }

    /// FAILED, of a stream that started.
    pub fn lost(&mut self, why: &str, at_ms: u64) -> StreamingEvent {
        self.live = self.live.saturating_sub(1);
        self.failed(why, at_ms)
    }

    /// FAILED, of a stream that never started.
    pub fn failed(&mut self, why: &str, at_ms: u64) -> StreamingEvent {
        let status = Status::Failed {
            direction: self.call.direction,
            fail_time: milliseconds(time(at_ms)),
            failure_reason: why.to_owned(),
        };
        self.event(status, at_ms)
    }

    /// The program has started again. An event that was written while the call was not has an id: none that is made now may have the same.
    pub(super) fn restarted(&mut self) {
        self.events |= 1 << 31;
    }

    fn event(&mut self, status: Status, at_ms: u64) -> StreamingEvent {
        self.began_ms.get_or_insert(at_ms);
        let place =
            Place { source: SOURCE.into(), account: self.account.clone(), region: self.region.clone() };
        let event = Event::new(&place, &self.call, status, self.events, time(at_ms));
        self.events += 1;
        StreamingEvent {
            event_id: event.id.to_smolstr(),
            voice_connector_id: self.call.connector.clone(),
            at_ms,
            // Maps have string keys: cannot fail.
            body: serde_json::to_string(&event).unwrap_or_default(),
        }
    }

    /// Its record.
    ///
    /// - `failure`: why it was not streamed to the end, if so.
    #[must_use]
    pub fn over(&self, ended_ms: u64, failure: Option<&str>) -> StreamingRecord {
        let started_ms = self.began_ms.unwrap_or(ended_ms);
        let ended_ms = ended_ms.max(started_ms);
        let times = [time(started_ms), time(ended_ms)];
        let usage = region_code(&self.region);
        let record = StreamingDetail::new(&self.call, &self.account, &self.region, &usage, times, failure);
        StreamingRecord { key: self.key(), started_ms, ended_ms, record }
    }
}

/// Times beyond the year 9999 are no clock's; they become the epoch.
fn time(unix_ms: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
