//! One line of the journal.

use std::hash::Hasher;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;

use crate::record::{AnsweredCall, CallDetail, CallDetailRecord, CallFacts, CallKey};

/// The format that this program writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// Hexadecimal digits of the checksum, and the space after it.
const PREFIX: usize = 17;

/// What the journal remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The first line of a file.
    Journal {
        /// [`VERSION`].
        version: u32,
    },
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
            Entry::Journal { .. } | Entry::Delivered { .. } | Entry::Released { .. } => None,
        }
    }

    /// Appends the entry as `<checksum> <json>\n`; JSON escapes line ends, so an entry is one line.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let json = serde_json::to_vec(self).unwrap_or_default(); // Maps have string keys: cannot fail.
        out.extend_from_slice(format!("{:016x} ", checksum(&json)).as_bytes());
        out.extend_from_slice(&json);
        out.push(b'\n');
    }

    /// The entry on a line, `None` where the line is damaged.
    ///
    /// - `line`: with its line end.
    pub fn decode(line: &[u8]) -> Option<Entry> {
        let (prefix, json) = line.strip_suffix(b"\n")?.split_at_checked(PREFIX)?;
        let sum = u64::from_str_radix(std::str::from_utf8(prefix).ok()?.strip_suffix(' ')?, 16).ok()?;
        if sum != checksum(json) {
            return None;
        }
        serde_json::from_slice(json).ok()
    }
}

/// Finds damage, not malice: the key is no secret.
fn checksum(json: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(json);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::{answered, detail, facts};

    #[test]
    fn lines_come_back_as_they_went() {
        for entry in [
            Entry::Journal { version: VERSION },
            Entry::Answered { call: Box::new(answered(1)), orphan: true },
            Entry::ended(7, &facts(), false),
            Entry::Detail { sequence: 8, detail: Box::new(detail()) },
            Entry::Delivered { sequence: u64::MAX },
            Entry::Released { key: facts().key() },
            Entry::Alive { unix_ms: 1 },
        ] {
            let mut line = Vec::new();
            entry.encode(&mut line);
            assert_eq!(line.iter().filter(|&&b| b == b'\n').count(), 1);
            assert_eq!(Entry::decode(&line), Some(entry));
        }
    }

    #[test]
    fn a_line_with_any_byte_changed_or_missing_is_damaged() {
        let mut line = Vec::new();
        Entry::ended(7, &facts(), false).encode(&mut line);
        for at in 0..line.len() {
            let mut changed = line.clone();
            changed[at] ^= 0x11;
            assert_eq!(Entry::decode(&changed), None, "changed at {at}");
            assert_eq!(Entry::decode(&line[..at]), None, "cut at {at}");
        }
        assert_eq!(Entry::decode(b"\n"), None);
        assert_eq!(Entry::decode("é".repeat(17).as_bytes()), None);
    }
}
