//! Where a record goes: object names, which are also paths below `records.directory`.

use std::time::Duration;

use time::OffsetDateTime;

use crate::metrics::RecordKind;

/// Longest path component that an id may fill, in characters; ids of ours are far shorter.
const ID_LIMIT: usize = 96;

/// `Amazon-Chime-Voice-Connector-CDRs/json/<connector>/<yyyy>/<mm>/<dd>/<HH.MM.SS.mmm>_<transaction>`,
/// in UTC of the start of the call.
///
/// Source: reference §10.
#[must_use]
pub fn call_detail(voice_connector_id: &str, started_at: Duration, transaction_id: &str) -> String {
    format!(
        "Amazon-Chime-Voice-Connector-CDRs/json/{}",
        of_connector(voice_connector_id, started_at, transaction_id)
    )
}

/// `Amazon-Chime-Voice-Connector-SDRs/json/<connector>/<yyyy>/<mm>/<dd>/<HH.MM.SS.mmm>_<transaction>`, in UTC of the moment when
/// the first stream began.
///
/// Source: reference §10.
#[must_use]
pub fn streaming_detail(voice_connector_id: &str, started_at: Duration, transaction_id: &str) -> String {
    format!("{STREAMING}/{}", of_connector(voice_connector_id, started_at, transaction_id))
}

/// Where the names of streaming detail records begin.
pub(super) const STREAMING: &str = "Amazon-Chime-Voice-Connector-SDRs/json";

/// `voice-connector-events/<connector>/<yyyy>/<mm>/<dd>/<HH.MM.SS.mmm>_<event id>.json`, in UTC of the event.
#[must_use]
pub fn streaming_event(voice_connector_id: &str, at: Duration, event_id: &str) -> String {
    format!("{EVENTS}/{}.json", of_connector(voice_connector_id, at, event_id))
}

/// Where the names of events of streams begin.
pub(super) const EVENTS: &str = "voice-connector-events";

/// `<connector>/<yyyy>/<mm>/<dd>/<HH.MM.SS.mmm>_<id>`.
fn of_connector(voice_connector_id: &str, at: Duration, id: &str) -> String {
    let at = utc(at);
    format!(
        "{}/{}/{:02}.{:02}.{:02}.{:03}_{}",
        component(voice_connector_id),
        day(at),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond(),
        component(id),
    )
}

/// `voice-connector-calls/<yyyy>/<mm>/<dd>/<HH.MM.SS.mmm>_<transaction>.json`, in UTC of the start of the call: where its
/// wide record goes.
#[must_use]
pub fn call(started_at: Duration, transaction_id: &str) -> String {
    let start = utc(started_at);
    format!(
        "voice-connector-calls/{}/{:02}.{:02}.{:02}.{:03}_{}.json",
        day(start),
        start.hour(),
        start.minute(),
        start.second(),
        start.millisecond(),
        component(transaction_id),
    )
}

/// `voice-connector-audit/<yyyy>/<mm>/<dd>/<HH.MM.SS.mmm>_<event id>.json`, in UTC of the call of the API.
#[must_use]
pub fn audit(at: Duration, event_id: &str) -> String {
    let at = utc(at);
    format!(
        "{AUDIT}/{}/{:02}.{:02}.{:02}.{:03}_{}.json",
        day(at),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond(),
        component(event_id),
    )
}

/// Where the names of audit records begin.
pub const AUDIT: &str = "voice-connector-audit";

/// `voice-connector-recordings/<connector>/<yyyy>/<mm>/<dd>/<HH.MM.SS.mmm>_<transaction>.wav`, in UTC of the moment when it began.
#[must_use]
pub fn recording_name(voice_connector_id: &str, began: Duration, transaction_id: &str) -> String {
    let start = utc(began);
    format!(
        "{}/{}/{:02}.{:02}.{:02}.{:03}_{}.wav",
        recordings_of(voice_connector_id),
        day(start),
        start.hour(),
        start.minute(),
        start.second(),
        start.millisecond(),
        component(transaction_id),
    )
}

/// Where a connector's recordings are: years, months and days are below it.
#[must_use]
pub fn recordings_of(voice_connector_id: &str) -> String {
    format!("voice-connector-recordings/{}", component(voice_connector_id))
}

/// `<yyyy>/<mm>/<dd>`, in UTC.
#[must_use]
pub fn day_of(unix: Duration) -> String {
    day(utc(unix))
}

/// The log group whose name is `group` is a directory; below it a directory for each connector,
/// year, month and day holds one file of JSON lines for each hour (UTC): `.../<dd>/<HH>.jsonl`.
///
/// Source: the names of the log groups, reference §11; the rest is ours.
#[must_use]
pub fn hourly(group: LogGroup, voice_connector_id: &str, event_timestamp: Duration) -> String {
    let time = utc(event_timestamp);
    format!("{}/{}/{}/{:02}.jsonl", self::group(group), component(voice_connector_id), day(time), time.hour())
}

/// The directory of a log group: what begins each name of [`hourly`].
pub(super) fn group(group: LogGroup) -> &'static str {
    match group {
        LogGroup::Media => "aws/ChimeVoiceConnectorLogs",
        LogGroup::SipMessages => "aws/ChimeVoiceConnectorSipMessages",
    }
}

/// The two kinds of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogGroup {
    /// Quality, a line for each call and minute.
    Media,
    /// A line for each SIP message.
    SipMessages,
}

impl LogGroup {
    /// What its lines are.
    pub(super) fn kind(self) -> RecordKind {
        match self {
            LogGroup::Media => RecordKind::Quality,
            LogGroup::SipMessages => RecordKind::SipMessage,
        }
    }

    /// The log of such lines; `None`: they are no lines of a log.
    pub(super) fn of(kind: RecordKind) -> Option<LogGroup> {
        [LogGroup::Media, LogGroup::SipMessages].into_iter().find(|group| group.kind() == kind)
    }
}

/// RFC 3339 with whole seconds: `2019-08-10T01:13:45Z`.
#[must_use]
pub fn rfc3339(unix: Duration) -> String {
    let time = utc(unix);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

fn day(time: OffsetDateTime) -> String {
    format!("{:04}/{:02}/{:02}", time.year(), u8::from(time.month()), time.day())
}

/// Times beyond the year 9999 are no clock's; they become the epoch.
fn utc(unix: Duration) -> OffsetDateTime {
    i128::try_from(unix.as_nanos())
        .ok()
        .and_then(|nanos| OffsetDateTime::from_unix_timestamp_nanos(nanos).ok())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// An id as one harmless path component: whatever is not a letter, digit, `-` or `_` becomes `_`.
fn component(id: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    let name: String = id.chars().take(ID_LIMIT).map(safe).collect();
    if name.is_empty() { "_".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_details() {
        let check = |id, ms, transaction, expect: &str| {
            assert_eq!(call_detail(id, Duration::from_millis(ms), transaction), expect);
        };
        check(
            "abcdef1ghij2klmno3pqr4",
            1_565_399_625_042,
            "0f8fad5b",
            "Amazon-Chime-Voice-Connector-CDRs/json/abcdef1ghij2klmno3pqr4/2019/08/10/01.13.45.042_0f8fad5b",
        );
        check("a", 0, "b", "Amazon-Chime-Voice-Connector-CDRs/json/a/1970/01/01/00.00.00.000_b");
        check(
            "../../etc",
            0,
            "a/..\0é",
            "Amazon-Chime-Voice-Connector-CDRs/json/______etc/1970/01/01/00.00.00.000_a_____",
        );
        check("", u64::MAX, "", "Amazon-Chime-Voice-Connector-CDRs/json/_/1970/01/01/00.00.00.000__");
    }

    #[test]
    fn wide_records() {
        let name = call(Duration::from_millis(1_565_399_625_042), "0f8fad5b");
        assert_eq!(name, "voice-connector-calls/2019/08/10/01.13.45.042_0f8fad5b.json");
    }

    #[test]
    fn streams() {
        let at = Duration::from_millis(1_565_399_625_042);
        let name = "2019/08/10/01.13.45.042_0f8fad5b";
        assert_eq!(
            streaming_detail("abc", at, "0f8fad5b"),
            format!("Amazon-Chime-Voice-Connector-SDRs/json/abc/{name}")
        );
        assert_eq!(streaming_event("abc", at, "0f8fad5b"), format!("voice-connector-events/abc/{name}.json"));
    }

    #[test]
    fn audit_records() {
        let name = audit(Duration::from_millis(1_565_399_625_042), "../e");
        assert_eq!(name, "voice-connector-audit/2019/08/10/01.13.45.042____e.json");
    }

    #[test]
    fn logs() {
        let time = Duration::from_millis(1_565_399_625_042);
        assert_eq!(
            hourly(LogGroup::Media, "abc", time),
            "aws/ChimeVoiceConnectorLogs/abc/2019/08/10/01.jsonl"
        );
        assert_eq!(
            hourly(LogGroup::SipMessages, "abc", time),
            "aws/ChimeVoiceConnectorSipMessages/abc/2019/08/10/01.jsonl"
        );
        assert_eq!(rfc3339(time), "2019-08-10T01:13:45Z");
    }
}
