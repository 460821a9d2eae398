//! Our plain format: one JSON header, then binary messages of 16-bit samples.
//!
//! - First a text message, the header: who calls whom, and the format: `{"event":"start","version":1,..,"encoding":
//!   "pcm_s16le","rate":8000,"channels":1 or 2}`.
//! - Then binary messages: samples, little-endian; of two channels the caller's comes first.
//! - Between them text messages of what is no audio: `digit`, `hold`, `dropped`, `mark`, each with its `start` in milliseconds
//!   since the call was answered; at the end `stop`.
//!
//! A server may send binary messages of such samples, mono, to be played, and text messages `{"event":"clear"}` and
//! `{"event":"mark","name":".."}`; a mark is sent back when what came before it has been played.

use audio::Party;
use serde_json::{Value, json};

use super::backlog::Item;
use super::{Back, Tracks};
use crate::call::Call;

/// What is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    Text(String),
    Binary(Vec<u8>),
}

fn name(party: Party) -> &'static str {
    if party == Party::Caller { "caller" } else { "callee" }
}

fn ms(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn begin(call: &Call, tracks: Tracks) -> String {
    let mut header = json!({
        "event": "start",
        "version": 1,
        "transactionId": call.transaction_id,
        "voiceConnectorId": call.connector,
        "callId": call.call_id,
        "direction": call.direction,
        "fromNumber": call.from,
        "toNumber": call.to,
        "answeredMs": call.epoch_ms(std::time::Duration::ZERO),
        "encoding": "pcm_s16le",
        "rate": 8_000,
    });
    let (channels, party) = match tracks {
        Tracks::Both => (2, None),
        Tracks::One(party) => (1, Some(name(party))),
    };
    if let Value::Object(header) = &mut header {
        header.insert("channels".to_owned(), channels.into());
        if let Some(party) = party {
            header.insert("party".to_owned(), party.into());
        }
    }
    header.to_string()
}

pub(super) fn item(item: &Item) -> Written {
    let text = match item {
        Item::Audio { samples, .. } | Item::Stereo { samples, .. } => {
            return Written::Binary(samples.iter().flat_map(|sample| sample.to_le_bytes()).collect());
        }
        Item::Digit { party, start, digit, duration } => json!({ "event": "digit", "party": name(*party),
            "start": ms(*start), "digit": digit, "duration": ms(*duration) }),
        Item::Hold { party, start, held } => {
            json!({ "event": "hold", "party": name(*party), "start": ms(*start), "held": held })
        }
        Item::Dropped { party, start, duration } => json!({ "event": "dropped", "party": name(*party),
            "start": ms(*start), "duration": ms(*duration) }),
    };
    Written::Text(text.to_string())
}

pub(super) fn mark(name: &str) -> String {
    json!({ "event": "mark", "name": name }).to_string()
}

pub(super) fn end() -> String {
    json!({ "event": "stop" }).to_string()
}

/// What the server said; `None`: nothing that is understood.
pub(super) fn read(text: &str) -> Option<Back> {
    let came: Value = serde_json::from_str(text).ok()?;
    match came.get("event")?.as_str()? {
        "clear" => Some(Back::Clear),
        "mark" => Some(Back::Mark(came.get("name")?.as_str()?.to_owned())),
        _ => None,
    }
}

/// Audio that the server sent.
pub(super) fn read_binary(bytes: &[u8]) -> Back {
    Back::Audio(bytes.as_chunks::<2>().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect())
}
