//! One entry of the journal.

use std::hash::Hasher;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

use crate::metrics::RecordKind;
use crate::record::{
    AnsweredCall, AuditRecord, CallDetail, CallDetailRecord, CallFacts, CallKey, StreamedCall,
    StreamingEvent, StreamingRecord,
};

/// What follows each entry, and stands nowhere inside.
pub const END: u8 = 0;

/// Room for most entries.
const ORDINARY: usize = 1_024;

/// What the journal remembers.
///
/// Whoever changes its form, or that of what is in it, raises [`VERSION`](super::version::VERSION) and goes on reading the version
/// before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// A call was answered, or rings: then it has no time of its answer. Again with the same key: its state changed.
    Answered {
        /// The call.
        call: Box<AnsweredCall>,
        /// Its record is written, its legs may still be up.
        orphan: bool,
    },
    /// A call is over; its record is on its way to the directory.
    Ended {
        /// Names the record within this journal.
        sequence: u64,
        /// Which call it ends.
        key: CallKey,
        /// Start of the call, milliseconds since the Unix epoch, for the object's name.
        started_ms: u64,
        /// The record.
        record: Box<CallDetailRecord>,
        /// The legs may still be up: the end is inferred after a restart, or the parties have not all heard of it.
        orphan: bool,
    },
    /// The wide record of a call is on its way to the directory.
    Detail {
        /// Names the record within this journal.
        sequence: u64,
        /// The record.
        detail: Box<CallDetail>,
    },
    /// A record has reached the directory.
    Delivered {
        /// The record's.
        sequence: u64,
    },
    /// The legs of an orphan are hung up.
    Released {
        /// The orphan.
        key: CallKey,
    },
    /// The gateway was running at this time.
    Alive {
        /// Since the Unix epoch.
        unix_ms: u64,
    },
    /// A sink has all records before this one.
    Taken {
        /// Its name.
        sink: String,
        /// The number of the first that it has not.
        next: u64,
    },
    /// Nobody waits for this sink any more.
    SinkGone {
        /// Its name.
        sink: String,
    },
    /// The record of a call of the API is on its way to the directory.
    Audit {
        /// Names the record within this journal.
        sequence: u64,
        /// The record.
        audit: Box<AuditRecord>,
    },
    /// A call is streamed. Again with the same key: what is streamed of it changed.
    Streamed {
        /// The call, as one connector has it.
        call: Box<StreamedCall>,
    },
    /// An event of a stream is on its way to the directory.
    StreamingEvent {
        /// Names the record within this journal.
        sequence: u64,
        /// The event.
        event: Box<StreamingEvent>,
    },
    /// A call is streamed no more; its streaming detail record is on its way to the directory.
    StreamingDetail {
        /// Names the record within this journal.
        sequence: u64,
        /// The record.
        record: Box<StreamingRecord>,
    },
}

impl Entry {
    /// The record of a call that is over, as the entry numbered `sequence`.
    pub fn ended(sequence: u64, facts: &CallFacts, orphan: bool) -> Entry {
        Entry::Ended {
            sequence,
            key: facts.key(),
            started_ms: crate::record::milliseconds(facts.started_at),
            record: Box::new(CallDetailRecord::new(facts)),
            orphan,
        }
    }

    /// The number and kind of a record that is on its way.
    pub fn undelivered(&self) -> Option<(u64, RecordKind)> {
        match self {
            Entry::Ended { sequence, .. } => Some((*sequence, RecordKind::CallDetail)),
            Entry::Detail { sequence, .. } => Some((*sequence, RecordKind::Detail)),
            Entry::Audit { sequence, .. } => Some((*sequence, RecordKind::Audit)),
            Entry::StreamingEvent { sequence, .. } => Some((*sequence, RecordKind::StreamingEvent)),
            Entry::StreamingDetail { sequence, .. } => Some((*sequence, RecordKind::StreamingDetail)),
            _ => None,
        }
    }

    /// Whether the entry must be on the disk, not only handed to the kernel, before anyone relies on it.
    /// The others are only worth something while the program runs, or cost a repeat when they are lost.
    pub fn must_be_synced(&self) -> bool {
        match self {
            Entry::Answered { call, .. } => call.facts.answered_at.is_some(),
            Entry::Ended { .. } | Entry::Audit { .. } | Entry::StreamingDetail { .. } => true,
            _ => false,
        }
    }

    /// A time at which the gateway was surely running, since the Unix epoch.
    pub fn alive_at(&self) -> Option<Duration> {
        match self {
            Entry::Alive { unix_ms } => Some(Duration::from_millis(*unix_ms)),
            Entry::Answered { call, .. } => call.facts.answered_at,
            Entry::Ended { record, .. } => Some(Duration::from_secs(record.end_time_epoch_seconds)),
            Entry::Detail { detail, .. } => Some(Duration::from_millis(detail.times.end)),
            Entry::Audit { audit, .. } => Some(audit.at()),
            Entry::StreamingEvent { event, .. } => Some(event.at()),
            Entry::StreamingDetail { record, .. } => Some(record.ended()),
            Entry::Streamed { .. }
            | Entry::Delivered { .. }
            | Entry::Released { .. }
            | Entry::Taken { .. }
            | Entry::SinkGone { .. } => None,
        }
    }

    /// Appends the entry with its checksum, in postcard's form, with consistent overhead byte stuffing: the only zero is the
    /// one behind it. So whoever finds it damaged finds the next one.
    pub fn encode(&self, out: &mut Vec<u8>) {
        // Every length is known: cannot fail.
        let payload = postcard::to_extend(self, Vec::with_capacity(ORDINARY)).unwrap_or_default();
        let frame = Frame { checksum: checksum(&payload), payload: &payload };
        out.extend(postcard::to_allocvec_cobs(&frame).unwrap_or_default());
    }

    /// Whether a frame is as it was written, without reading more of it.
    ///
    /// - `frame`: with its [`END`].
    pub fn is_sound(frame: &[u8]) -> bool {
        let mut frame = frame.to_vec();
        postcard::from_bytes_cobs(&mut frame)
            .is_ok_and(|Frame { checksum: sum, payload }| sum == checksum(payload))
    }

    /// The entry of a frame of this version, or in the form `E` of another, `None` where it is damaged.
    ///
    /// - `frame`: with its [`END`].
    pub fn decode<E: DeserializeOwned + Into<Entry>>(mut frame: Vec<u8>) -> Option<Entry> {
        let Frame { checksum: sum, payload } = postcard::from_bytes_cobs(&mut frame).ok()?;
        if sum != checksum(payload) {
            return None;
        }
        postcard::from_bytes::<E>(payload).ok().map(E::into)
    }
}

#[derive(Serialize, Deserialize)]
struct Frame<'a> {
    checksum: u64,
    #[serde(borrow)]
    payload: &'a [u8],
}

/// Finds damage, not malice: the key is no secret.
pub(super) fn checksum(payload: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(payload);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::{answered, audit, detail, facts, streamed};

    #[test]
    fn entries_come_back_as_they_went() {
        let wide = AnsweredCall { detail: Some(Box::new(detail())), ..answered(1) };
        for entry in [
            Entry::Answered { call: Box::new(wide), orphan: true },
            Entry::ended(7, &facts(), false),
            Entry::Detail { sequence: 8, detail: Box::new(detail()) },
            Entry::Delivered { sequence: u64::MAX },
            Entry::Released { key: facts().key() },
            Entry::Alive { unix_ms: 1 },
            Entry::Taken { sink: "archive".to_owned(), next: 9 },
            Entry::SinkGone { sink: "archive".to_owned() },
            Entry::Audit { sequence: 10, audit: Box::new(audit(true)) },
            Entry::Streamed { call: Box::new(streamed()) },
            Entry::StreamingEvent { sequence: 11, event: Box::new(streamed().lost("x", 1)) },
            Entry::StreamingDetail { sequence: 12, record: Box::new(streamed().over(1, None)) },
        ] {
            let mut frame = Vec::new();
            entry.encode(&mut frame);
            assert_eq!(frame.iter().position(|byte| *byte == END), Some(frame.len() - 1));
            assert!(Entry::is_sound(&frame));
            assert_eq!(Entry::decode::<Entry>(frame), Some(entry));
        }
    }

    #[test]
    fn an_entry_with_any_byte_changed_or_missing_is_damaged() {
        let mut frame = Vec::new();
        Entry::ended(7, &facts(), false).encode(&mut frame);
        for at in 0..frame.len() - 1 {
            let mut changed = frame.clone();
            changed[at] ^= 0x11;
            assert!(!Entry::is_sound(&changed));
            assert_eq!(Entry::decode::<Entry>(changed), None, "changed at {at}");
            let cut = [&frame[..at], &[END]].concat();
            assert!(!Entry::is_sound(&cut));
            assert_eq!(Entry::decode::<Entry>(cut), None, "cut at {at}");
        }
        assert_eq!(Entry::decode::<Entry>(vec![END]), None);
        assert_eq!(Entry::decode::<Entry>(Vec::new()), None);
    }

    /// A tenth of what JSON took, but for the texts themselves.
    #[test]
    fn an_entry_is_little_more_than_its_texts() {
        let mut frame = Vec::new();
        Entry::ended(7, &facts(), false).encode(&mut frame);
        let texts = serde_json::to_string(&CallDetailRecord::new(&facts())).unwrap();
        assert!(frame.len() < texts.len() / 2 + 100, "{} of {}", frame.len(), texts.len());
    }
}
