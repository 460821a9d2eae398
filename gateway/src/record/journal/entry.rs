//! One entry of the journal.

use std::hash::Hasher;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

use crate::record::{AnsweredCall, CallDetail, CallDetailRecord, CallFacts, CallKey};

/// What follows each entry, and stands nowhere inside.
pub const END: u8 = 0;

/// What the journal remembers.
///
/// Whoever changes its form, or that of what is in it, raises [`VERSION`](super::version::VERSION) and goes on reading the version
/// before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// A call was answered. Again with the same key: its state changed.
    Answered {
        /// The call.
        call: Box<AnsweredCall>,
        /// It was found after a restart: its record is written, its legs may still be up.
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
        /// The end is inferred after a restart, and the legs may still be up.
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
    /// The legs of an orphan were told to hang up.
    Released {
        /// The orphan.
        key: CallKey,
    },
    /// The gateway was running at this time.
    Alive {
        /// Since the Unix epoch.
        unix_ms: u64,
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

    /// The number of a record that is on its way to the directory.
    pub fn undelivered(&self) -> Option<u64> {
        match self {
            Entry::Ended { sequence, .. } | Entry::Detail { sequence, .. } => Some(*sequence),
            _ => None,
        }
    }

    /// Whether the entry must be on the disk, not only handed to the kernel, before anyone relies on it.
    /// The others are only worth something while the program runs, or cost a repeat when they are lost.
    pub fn must_be_synced(&self) -> bool {
        matches!(self, Entry::Answered { .. } | Entry::Ended { .. })
    }

    /// A time at which the gateway was surely running, since the Unix epoch.
    pub fn alive_at(&self) -> Option<Duration> {
        match self {
            Entry::Alive { unix_ms } => Some(Duration::from_millis(*unix_ms)),
            Entry::Answered { call, .. } => call.facts.answered_at,
            Entry::Ended { record, .. } => Some(Duration::from_secs(record.end_time_epoch_seconds)),
            Entry::Detail { detail, .. } => Some(Duration::from_millis(detail.times.end)),
            Entry::Delivered { .. } | Entry::Released { .. } => None,
        }
    }

    /// Appends the entry with its checksum, in postcard's form, with consistent overhead byte stuffing: the only zero is the
    /// one behind it. So whoever finds it damaged finds the next one.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let payload = postcard::to_allocvec(self).unwrap_or_default(); // Every length is known: cannot fail.
        let frame = Frame { checksum: checksum(&payload), payload: &payload };
        out.extend(postcard::to_allocvec_cobs(&frame).unwrap_or_default());
    }

    /// The entry of a frame, `None` where it is damaged.
    ///
    /// - `frame`: with its [`END`].
    pub fn decode(mut frame: Vec<u8>) -> Option<Entry> {
        let Frame { checksum: sum, payload } = postcard::from_bytes_cobs(&mut frame).ok()?;
        if sum != checksum(payload) {
            return None;
        }
        postcard::from_bytes(payload).ok()
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
    use crate::record::testing::{answered, detail, facts};

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
        ] {
            let mut frame = Vec::new();
            entry.encode(&mut frame);
            assert_eq!(frame.iter().position(|byte| *byte == END), Some(frame.len() - 1));
            assert_eq!(Entry::decode(frame), Some(entry));
        }
    }

    #[test]
    fn an_entry_with_any_byte_changed_or_missing_is_damaged() {
        let mut frame = Vec::new();
        Entry::ended(7, &facts(), false).encode(&mut frame);
        for at in 0..frame.len() - 1 {
            let mut changed = frame.clone();
            changed[at] ^= 0x11;
            assert_eq!(Entry::decode(changed), None, "changed at {at}");
            let cut = [&frame[..at], &[END]].concat();
            assert_eq!(Entry::decode(cut), None, "cut at {at}");
        }
        assert_eq!(Entry::decode(vec![END]), None);
        assert_eq!(Entry::decode(Vec::new()), None);
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
