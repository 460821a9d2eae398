//! The first line of a journal tells its version, in the form of the first one: so that a program of any version can read that
//! line, and refuses a file that it does not know.
//!
//! ```text
//! 1  lines: a checksum in hexadecimal digits, a space, JSON
//! 2  the line, then frames: see [`Entry::encode`]
//! 3  the same, with the sinks
//! 4  the same, with the legs and the media of wide records
//! 5  the same, with calls of the API
//! 6  the same, with more of the media
//! 7  the same, with what is streamed of calls
//! ```

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::entry::{END, Entry, checksum};
use super::form_3::Entry3;
use super::form_5::Entry5;
use crate::record::{AnsweredCall, CallDetail, CallDetailRecord, CallFacts, CallKey};

/// The version that this program writes, and the newest that it reads.
pub const VERSION: u32 = 7;

/// The version whose entries are lines of JSON. It is read, and written anew at once, as are those between.
const LINES: u32 = 1;

/// Hexadecimal digits of the checksum, and the space after it.
const PREFIX: usize = 17;

/// A line of version 1, and the first line of any.
#[derive(Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
enum Line {
    Journal { version: u32 },
    Answered { call: Box<Answered>, orphan: bool },
    Ended { sequence: u64, key: CallKey, started_ms: u64, record: Box<CallDetailRecord>, orphan: bool },
    Detail { sequence: u64, detail: Box<CallDetail> },
    Delivered { sequence: u64 },
    Released { key: CallKey },
    Alive { unix_ms: u64 },
}

#[derive(Serialize, Deserialize)]
struct Answered {
    facts: CallFacts,
    #[serde(default)]
    detail: Option<Box<CallDetail>>,
    state: Value,
}

/// The first line of a journal of this version.
pub fn first_line() -> Vec<u8> {
    line(&Line::Journal { version: VERSION })
}

/// The version that the first line of a file tells; `None`: it is no journal's.
pub fn version_of(first_line: &[u8]) -> Option<u32> {
    match read(first_line)? {
        Line::Journal { version } => Some(version),
        _ => None,
    }
}

/// What ends each entry of a file of that version; `None`: this program does not know it.
pub fn end_of(version: u32) -> Option<u8> {
    match version {
        LINES => Some(b'\n'),
        2..=VERSION => Some(END),
        _ => None,
    }
}

/// An entry of a file of that version, `None` where it is damaged.
///
/// - `bytes`: with what ends it.
pub fn decode(version: u32, bytes: Vec<u8>) -> Option<Entry> {
    match version {
        LINES => of_line(&bytes),
        2 | 3 => Entry::decode::<Entry3>(bytes),
        4 | 5 => Entry::decode::<Entry5>(bytes),
        // Version 6 has all but what is streamed.
        _ => Entry::decode::<Entry>(bytes),
    }
}

/// An entry of version 1, `None` where the line is damaged.
///
/// - `line`: with its line end.
fn of_line(line: &[u8]) -> Option<Entry> {
    Some(match read(line)? {
        Line::Journal { .. } => return None,
        Line::Answered { call, orphan } => {
            let Answered { facts, detail, state } = *call;
            let state = match state {
                Value::String(text) => text.into_bytes(),
                tree => tree.to_string().into_bytes(),
            };
            Entry::Answered { call: Box::new(AnsweredCall { facts, detail, state }), orphan }
        }
        Line::Ended { sequence, key, started_ms, record, orphan } => {
            Entry::Ended { sequence, key, started_ms, record, orphan }
        }
        Line::Detail { sequence, detail } => Entry::Detail { sequence, detail },
        Line::Delivered { sequence } => Entry::Delivered { sequence },
        Line::Released { key } => Entry::Released { key },
        Line::Alive { unix_ms } => Entry::Alive { unix_ms },
    })
}

fn read(line: &[u8]) -> Option<Line> {
    let (prefix, json) = line.strip_suffix(b"\n")?.split_at_checked(PREFIX)?;
    let sum = u64::from_str_radix(std::str::from_utf8(prefix).ok()?.strip_suffix(' ')?, 16).ok()?;
    if sum != checksum(json) {
        return None;
    }
    serde_json::from_slice(json).ok()
}

fn line(line: &Line) -> Vec<u8> {
    let json = serde_json::to_string(line).unwrap_or_default(); // Maps have string keys: cannot fail.
    format!("{:016x} {json}\n", checksum(json.as_bytes())).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_line_of_any_version_is_read_by_every_program() {
        assert_eq!(version_of(&first_line()), Some(VERSION));
        assert_eq!(version_of(&line(&Line::Journal { version: 8 })), Some(8));
        assert_eq!(version_of(&line(&Line::Alive { unix_ms: 7 })), None);
        for torn in [b"\n".as_slice(), b"", "é".repeat(17).as_bytes(), &first_line()[..30]] {
            assert_eq!(version_of(torn), None);
        }
    }
}
