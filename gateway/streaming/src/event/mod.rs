//! Events that tell of streams: STARTED, UPDATED, ENDED, FAILED, as a Voice Connector of AWS sends them, one for each stream.
//!
//! Every event of a stream has an id of its own that is made of what it tells: the same event made again after a restart has
//! the same one.

#[cfg(feature = "aws")]
mod send;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use smol_str::SmolStr;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use uuid::Uuid;

#[cfg(feature = "aws")]
pub use send::{Bus, Delivered, Problem, Queue, Sender, Topic};

use crate::call::{Call, Direction};

/// What the event is called.
pub const DETAIL_TYPE: &str = "Chime VoiceConnector Streaming Status";

/// Where it comes from, as AWS says it. A real bus takes it from nobody else.
pub const SOURCE: &str = "aws.chime";

/// What the streams hold.
const MEDIA_TYPE: &str = "audio/L16";

const SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const MILLISECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// An event, in its envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    version: SmolStr,
    /// Of this event.
    pub id: Uuid,
    detail_type: SmolStr,
    /// Where it comes from.
    pub source: SmolStr,
    /// The account.
    pub account: SmolStr,
    /// When, to the second.
    pub time: SmolStr,
    /// The region.
    pub region: SmolStr,
    resources: Vec<SmolStr>,
    /// What happened.
    pub detail: Detail,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// Of all events.
    #[serde(flatten)]
    pub common: Common,
    /// Of this kind.
    #[serde(flatten)]
    pub status: Status,
}

/// What all events say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Common {
    version: SmolStr,
    /// The voice connector.
    pub voice_connector_id: SmolStr,
    /// Our id of the call.
    pub transaction_id: Uuid,
    /// The Call-ID of the customer's leg.
    pub call_id: SmolStr,
}

/// What events say by their kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "streamingStatus")]
pub enum Status {
    /// The service takes the stream's audio.
    #[serde(rename = "STARTED")]
    Started(Stream),
    /// The call was changed: a re-INVITE, or other metadata of a recording session.
    #[serde(rename = "UPDATED", rename_all = "camelCase")]
    Updated {
        /// Header fields of the request that changed it.
        update_headers: Headers,
        /// The metadata of the recording session.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        siprec_metadata: Option<String>,
    },
    /// The stream is over.
    #[serde(rename = "ENDED", rename_all = "camelCase")]
    Ended {
        /// What was said when it started.
        #[serde(flatten)]
        stream: Stream,
        /// When it ended.
        end_time: SmolStr,
    },
    /// There is no stream, or it is lost.
    #[serde(rename = "FAILED", rename_all = "camelCase")]
    Failed {
        /// Who called whom.
        direction: Direction,
        /// When.
        fail_time: SmolStr,
        /// Why.
        failure_reason: String,
    },
}

/// One stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stream {
    /// Who called whom.
    pub direction: Direction,
    /// The calling number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from_number: Option<SmolStr>,
    /// The called number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_number: Option<SmolStr>,
    /// Header fields of the INVITE, where the customer sent it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub invite_headers: Option<Headers>,
    /// Whether it is the caller's audio; `None`: one stream has both parties'.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub is_caller: Option<bool>,
    media_type: SmolStr,
    /// Where the audio was in the SDP of a recording session.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sdp: Option<Sdp>,
    /// The metadata of the recording session.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub siprec_metadata: Option<String>,
    /// The number of the first fragment, where there are any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub start_fragment_number: Option<SmolStr>,
    /// When it started.
    pub start_time: SmolStr,
    /// The stream's ARN.
    pub stream_arn: SmolStr,
}

/// A media description of a recording session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sdp {
    /// Which one, from 0.
    pub media_index: u32,
    /// Its label (RFC 4574).
    pub media_label: SmolStr,
}

/// Header fields by lower-case names; those of one name are joined by commas.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headers(BTreeMap<String, String>);

/// Most header fields that an event has, and bytes of each: a bus takes 256 KiB for one event.
const HEADERS: (usize, usize) = (64, 2_048);

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    /// Of the fields in their order. What is beyond a bound is left out.
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(fields: I) -> Self {
        let mut headers = BTreeMap::<String, String>::new();
        for (name, value) in fields {
            let name = name.to_ascii_lowercase();
            if headers.len() >= HEADERS.0 && !headers.contains_key(&name) {
                continue;
            }
            let joined = headers.entry(name).or_default();
            if joined.len() + value.len() < HEADERS.1 {
                if !joined.is_empty() {
                    joined.push(',');
                }
                joined.push_str(value);
            }
        }
        Self(headers)
    }
}

/// Where the gateway is, as events say it.
#[derive(Debug, Clone)]
pub struct Place {
    /// `aws.chime`, or another name for buses that refuse it.
    pub source: SmolStr,
    /// The account.
    pub account: SmolStr,
    /// The region.
    pub region: SmolStr,
}

impl Stream {
    /// What is told of a stream that started.
    ///
    /// - `is_caller`: `None`: one stream has both parties' audio.
    /// - `arn`: of the stream, or another target's address.
    #[must_use]
    pub fn new(
        call: &Call,
        is_caller: Option<bool>,
        arn: &str,
        first_fragment: Option<&str>,
        started: OffsetDateTime,
    ) -> Self {
        let number = |number: &SmolStr| Some(number.clone()).filter(|number| !number.is_empty());
        Self {
            direction: call.direction,
            from_number: number(&call.from),
            to_number: number(&call.to),
            invite_headers: None,
            is_caller,
            media_type: MEDIA_TYPE.into(),
            sdp: None,
            siprec_metadata: None,
            start_fragment_number: first_fragment.map(SmolStr::from),
            start_time: milliseconds(started),
            stream_arn: arn.into(),
        }
    }
}

impl Event {
    /// An event of a call.
    ///
    /// - `number`: tells the call's events apart, and is the same when the event is made again.
    #[must_use]
    pub fn new(place: &Place, call: &Call, status: Status, number: u32, at: OffsetDateTime) -> Self {
        let kind = match &status {
            Status::Started(_) => "STARTED",
            Status::Updated { .. } => "UPDATED",
            Status::Ended { .. } => "ENDED",
            Status::Failed { .. } => "FAILED",
        };
        let digest = Sha256::digest(format!(
            "{} {} {:?} {kind} {number}",
            call.transaction_id, call.connector, call.direction
        ));
        let mut id = [0; 16];
        id.iter_mut().zip(digest).for_each(|(byte, from)| *byte = from);
        let at = at.to_offset(time::UtcOffset::UTC);
        Self {
            version: "0".into(),
            id: uuid::Builder::from_random_bytes(id).into_uuid(),
            detail_type: DETAIL_TYPE.into(),
            source: place.source.clone(),
            account: place.account.clone(),
            time: at.format(SECONDS).unwrap_or_default().into(),
            region: place.region.clone(),
            resources: Vec::new(),
            detail: Detail {
                common: Common {
                    version: "0".into(),
                    voice_connector_id: call.connector.clone(),
                    transaction_id: call.transaction_id,
                    call_id: call.call_id.clone(),
                },
                status,
            },
        }
    }
}

/// A time as events say it in their detail.
#[must_use]
pub fn milliseconds(at: OffsetDateTime) -> SmolStr {
    at.to_offset(time::UtcOffset::UTC).format(MILLISECONDS).unwrap_or_default().into()
}

#[cfg(test)]
mod tests;
