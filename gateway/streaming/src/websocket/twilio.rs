//! Twilio's Media Streams: JSON messages, mu-law in base64.
//!
//! The caller is the `inbound` track, the callee the `outbound` one. Numbers in messages are strings, as Twilio writes them.
//! Source: Twilio's documentation of WebSocket messages of Media Streams, protocol version 1.0.0.

use audio::Party;
use audio_codec::pcmu::{PcmuDecoder, PcmuEncoder};
use audio_codec::{Decoder as _, Encoder as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::backlog::Item;
use super::{Back, Tracks};
use crate::call::{Call, Direction};

/// Writes the messages of one stream.
pub(super) struct Writer {
    stream: String,
    call: String,
    account: String,
    sequence: u64,
    chunks: [u64; 2],
    encoder: PcmuEncoder,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    event: &'a str,
    sequence_number: String,
    stream_sid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Start<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<Media<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dtmf: Option<Dtmf<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<Mark<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<Stop<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    account_sid: &'a str,
    stream_sid: &'a str,
    call_sid: &'a str,
    tracks: &'a [&'a str],
    media_format: Format,
    custom_parameters: Parameters<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Format {
    encoding: &'static str,
    sample_rate: u32,
    channels: u32,
}

/// What is known of the call, by the names of our records.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameters<'a> {
    transaction_id: String,
    voice_connector_id: &'a str,
    call_id: &'a str,
    direction: Direction,
    from_number: &'a str,
    to_number: &'a str,
}

#[derive(Serialize)]
struct Media<'a> {
    track: &'a str,
    chunk: String,
    timestamp: String,
    payload: String,
}

#[derive(Serialize)]
struct Dtmf<'a> {
    track: &'a str,
    digit: String,
}

#[derive(Serialize)]
struct Mark<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stop<'a> {
    account_sid: &'a str,
    call_sid: &'a str,
}

const CONNECTED: &str = r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#;

impl Writer {
    /// - `id`: of the stream, random.
    pub(super) fn new(id: Uuid, call: &Call) -> Self {
        Self {
            stream: format!("MZ{}", id.simple()),
            call: format!("CA{}", call.transaction_id.simple()),
            account: call.connector.to_string(),
            sequence: 0,
            chunks: [0; 2],
            encoder: PcmuEncoder::new(),
        }
    }

    pub(super) fn begin(&mut self, call: &Call, tracks: Tracks) -> Vec<String> {
        let tracks: &[&str] = match tracks {
            Tracks::Both => &["inbound", "outbound"],
            Tracks::One(Party::Caller) => &["inbound"],
            Tracks::One(Party::Callee) => &["outbound"],
        };
        let (stream, sid, account) = (self.stream.clone(), self.call.clone(), self.account.clone());
        let start = Start {
            account_sid: &account,
            stream_sid: &stream,
            call_sid: &sid,
            tracks,
            media_format: Format { encoding: "audio/x-mulaw", sample_rate: 8_000, channels: 1 },
            custom_parameters: Parameters {
                transaction_id: call.transaction_id.to_string(),
                voice_connector_id: &call.connector,
                call_id: &call.call_id,
                direction: call.direction,
                from_number: &call.from,
                to_number: &call.to,
            },
        };
        let start = self.message("start", |message| message.start = Some(start));
        vec![CONNECTED.to_owned(), start]
    }

    /// `None`: there is no message for it. A gap shows in the timestamps.
    pub(super) fn item(&mut self, item: &Item) -> Option<String> {
        match item {
            Item::Audio { party, start, samples } => {
                let [caller, callee] = &mut self.chunks;
                let (track, chunk) = match party {
                    Party::Caller => ("inbound", caller),
                    Party::Callee => ("outbound", callee),
                };
                *chunk += 1;
                let (chunk, timestamp) = (chunk.to_string(), start.as_millis().to_string());
                let payload = STANDARD.encode(self.encoder.encode(samples));
                let media = Media { track, chunk, timestamp, payload };
                Some(self.message("media", |message| message.media = Some(media)))
            }
            Item::Digit { party, digit, .. } => {
                let track = if *party == Party::Caller { "inbound_track" } else { "outbound_track" };
                let dtmf = Dtmf { track, digit: digit.to_string() };
                Some(self.message("dtmf", |message| message.dtmf = Some(dtmf)))
            }
            Item::Stereo { .. } | Item::Hold { .. } | Item::Dropped { .. } => None,
        }
    }

    pub(super) fn mark(&mut self, name: &str) -> String {
        self.message("mark", |message| message.mark = Some(Mark { name }))
    }

    pub(super) fn end(&mut self) -> String {
        let (account, call) = (self.account.clone(), self.call.clone());
        self.message("stop", |message| message.stop = Some(Stop { account_sid: &account, call_sid: &call }))
    }

    fn message<'a>(&'a mut self, event: &'a str, fill: impl FnOnce(&mut Message<'a>)) -> String {
        self.sequence += 1;
        let sequence_number = self.sequence.to_string();
        let stream_sid = &self.stream;
        let mut message = Message {
            event,
            sequence_number,
            stream_sid,
            start: None,
            media: None,
            dtmf: None,
            mark: None,
            stop: None,
        };
        fill(&mut message);
        // Strings and numbers always become JSON.
        serde_json::to_string(&message).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Came<'a> {
    #[serde(borrow)]
    event: std::borrow::Cow<'a, str>,
    media: Option<CameMedia>,
    mark: Option<CameMark>,
}

#[derive(Deserialize)]
struct CameMedia {
    payload: String,
}

#[derive(Deserialize)]
struct CameMark {
    name: String,
}

/// What the server said; `None`: nothing that is understood.
pub(super) fn read(text: &str) -> Option<Back> {
    let came: Came<'_> = serde_json::from_str(text).ok()?;
    match &*came.event {
        "media" => Some(Back::Audio(PcmuDecoder::new().decode(&STANDARD.decode(came.media?.payload).ok()?))),
        "mark" => Some(Back::Mark(came.mark?.name)),
        "clear" => Some(Back::Clear),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::{Value, json};

    use super::*;

    fn call() -> Call {
        Call {
            transaction_id: "2f1d1a52-4a0a-4e1c-9a53-0c8f6d6b6a51".parse().unwrap(),
            connector: "vc1".into(),
            call_id: "c@x".into(),
            direction: Direction::Inbound,
            from: "+15550100".into(),
            to: "+15550199".into(),
            answered: UNIX_EPOCH,
        }
    }

    #[test]
    fn messages_are_those_of_the_documentation() {
        let mut writer = Writer::new(Uuid::from_u128(7), &call());
        let begin = writer.begin(&call(), Tracks::Both);
        let audio =
            |party, ms| Item::Audio { party, start: Duration::from_millis(ms), samples: vec![0; 160].into() };
        let mut said: Vec<Value> = begin.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        for item in [
            audio(Party::Caller, 0),
            audio(Party::Callee, 5),
            audio(Party::Caller, 20),
            Item::Digit {
                party: Party::Caller,
                start: Duration::ZERO,
                digit: '1',
                duration: Duration::from_millis(100),
            },
        ] {
            said.push(serde_json::from_str(&writer.item(&item).unwrap()).unwrap());
        }
        said.push(serde_json::from_str(&writer.mark("my label")).unwrap());
        said.push(serde_json::from_str(&writer.end()).unwrap());
        let (stream, call) = ("MZ00000000000000000000000000000007", "CA2f1d1a524a0a4e1c9a530c8f6d6b6a51");
        let payload = STANDARD.encode([0xFF; 160]);
        let expected = [
            json!({ "event": "connected", "protocol": "Call", "version": "1.0.0" }),
            json!({ "event": "start", "sequenceNumber": "1", "streamSid": stream, "start": {
                "accountSid": "vc1", "streamSid": stream, "callSid": call, "tracks": ["inbound", "outbound"],
                "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1 },
                "customParameters": { "transactionId": "2f1d1a52-4a0a-4e1c-9a53-0c8f6d6b6a51",
                    "voiceConnectorId": "vc1", "callId": "c@x", "direction": "Inbound",
                    "fromNumber": "+15550100", "toNumber": "+15550199" } } }),
            json!({ "event": "media", "sequenceNumber": "2", "streamSid": stream,
                "media": { "track": "inbound", "chunk": "1", "timestamp": "0", "payload": payload } }),
            json!({ "event": "media", "sequenceNumber": "3", "streamSid": stream,
                "media": { "track": "outbound", "chunk": "1", "timestamp": "5", "payload": payload } }),
            json!({ "event": "media", "sequenceNumber": "4", "streamSid": stream,
                "media": { "track": "inbound", "chunk": "2", "timestamp": "20", "payload": payload } }),
            json!({ "event": "dtmf", "sequenceNumber": "5", "streamSid": stream,
                "dtmf": { "track": "inbound_track", "digit": "1" } }),
            json!({ "event": "mark", "sequenceNumber": "6", "streamSid": stream, "mark": { "name": "my label" } }),
            json!({ "event": "stop", "sequenceNumber": "7", "streamSid": stream,
                "stop": { "accountSid": "vc1", "callSid": call } }),
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn what_comes_back_is_understood_or_passed_over() {
        let media = |payload: &str| {
            format!(r#"{{"event":"media","streamSid":"MZ1","media":{{"payload":"{payload}"}}}}"#)
        };
        assert_eq!(read(&media("//8=")), Some(Back::Audio(vec![0, 0])));
        assert_eq!(read(r#"{"event":"clear","streamSid":"MZ1"}"#), Some(Back::Clear));
        assert_eq!(
            read(r#"{"event":"mark","streamSid":"MZ1","mark":{"name":"a\u0041"}}"#),
            Some(Back::Mark("aA".to_owned()))
        );
        for other in
            ["", "{}", "[]", "{\"event\":\"media\"}", "{\"event\":\"x\"}", &media("***"), "{\"event\":1}"]
        {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
