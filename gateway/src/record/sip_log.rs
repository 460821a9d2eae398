//! The SIP message log.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use smol_str::SmolStr;

use super::mask::mask;

/// One SIP message that belongs to a connector, received or sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipMessageFacts {
    /// The connector that has `logging.sip_messages`.
    pub voice_connector_id: SmolStr,
    /// `gateway.region`.
    pub region: SmolStr,
    /// Since the Unix epoch.
    pub event_timestamp: Duration,
    /// The `CallId` of the connector's call detail record, that is the SIP Call-ID of its customer's leg, on messages
    /// of a carrier's leg too. (In the quality log `call_id` is the transaction id.)
    pub call_id: SmolStr,
    /// The message as it was on the wire, secrets included: [`line`](SipMessageFacts::line) masks them.
    pub message: Bytes,
}

#[derive(Serialize)]
struct Line<'a> {
    voice_connector_id: &'a str,
    aws_region: &'a str,
    event_timestamp: u64,
    call_id: &'a str,
    sip_message: &'a str,
}

impl SipMessageFacts {
    /// One JSON object without a line end. Secrets are masked, see [`mask`]; bytes that are not UTF-8
    /// become U+FFFD, since JSON has no others.
    ///
    /// Source: reference §11.
    #[must_use]
    pub fn line(&self) -> String {
        let masked = mask(&self.message);
        let line = Line {
            voice_connector_id: &self.voice_connector_id,
            aws_region: &self.region,
            event_timestamp: super::milliseconds(self.event_timestamp),
            call_id: &self.call_id,
            sip_message: &String::from_utf8_lossy(&masked),
        };
        serde_json::to_string(&line).unwrap_or_default() // Strings and an integer: cannot fail.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_without_its_secrets() {
        let facts = SipMessageFacts {
            voice_connector_id: "abc".into(),
            region: "us-east-1".into(),
            event_timestamp: Duration::from_millis(1_565_399_625_042),
            call_id: "a84b@pbx".into(),
            message: Bytes::from_static(
                b"BYE sip:a@b SIP/2.0\r\nSubject: \xff\xc3\xa9\r\nAuthorization: Digest response=\"12ab\"\r\n\r\n",
            ),
        };
        assert_eq!(
            facts.line(),
            "{\"voice_connector_id\":\"abc\",\"aws_region\":\"us-east-1\",\"event_timestamp\":1565399625042,\
             \"call_id\":\"a84b@pbx\",\"sip_message\":\"BYE sip:a@b SIP/2.0\\r\\nSubject: \u{fffd}\u{e9}\\r\\n\
             Authorization: Digest response=\\\"***\\\"\\r\\n\\r\\n\"}"
        );
    }
}
