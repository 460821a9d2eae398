//! Streaming detail records: one for each call that was streamed.

use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, format_smolstr};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::call::Call;

/// A record, in the order of the guide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StreamingDetail {
    schema_version: SmolStr,
    /// The account.
    pub aws_account_id: SmolStr,
    /// Our id of the call.
    pub transaction_id: Uuid,
    /// The Call-ID of the customer's leg.
    pub call_id: SmolStr,
    /// The voice connector.
    pub voice_connector_id: SmolStr,
    /// When the stream began, seconds since the Unix epoch.
    pub start_time_epoch_seconds: i64,
    /// When it ended.
    pub end_time_epoch_seconds: i64,
    /// `Completed` or `Failed`.
    pub status: SmolStr,
    /// `Streaming succeeded`, or why it failed.
    pub status_message: SmolStr,
    service_code: SmolStr,
    usage_type: SmolStr,
    /// Rounded up to six seconds.
    pub billable_duration_seconds: i64,
    /// The region.
    pub region: SmolStr,
}

impl StreamingDetail {
    /// - `failure`: why the stream failed, if it did.
    /// - `usage_prefix`: of the usage type: `USE1` in `us-east-1`.
    #[must_use]
    pub fn new(
        call: &Call,
        account: &str,
        region: &str,
        usage_prefix: &str,
        [start, end]: [OffsetDateTime; 2],
        failure: Option<&str>,
    ) -> Self {
        let length = end - start;
        let whole = length.whole_seconds() + i64::from(length.subsec_nanoseconds() > 0);
        Self {
            schema_version: "1.0".into(),
            aws_account_id: account.into(),
            transaction_id: call.transaction_id,
            call_id: call.call_id.clone(),
            voice_connector_id: call.connector.clone(),
            start_time_epoch_seconds: start.unix_timestamp(),
            end_time_epoch_seconds: end.unix_timestamp(),
            status: if failure.is_some() { "Failed" } else { "Completed" }.into(),
            status_message: failure.unwrap_or("Streaming succeeded").into(),
            service_code: "AmazonChime".into(),
            usage_type: format_smolstr!("{usage_prefix}-VC-kinesis-audio-streaming"),
            billable_duration_seconds: (whole.max(0) + 5) / 6 * 6,
            region: region.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::call::Direction;

    #[test]
    fn a_record_is_that_of_the_reference() {
        let call = Call {
            transaction_id: "12345678-1234-1234-1234-123456789012".parse().unwrap(),
            connector: "vc1".into(),
            call_id: "c@x".into(),
            direction: Direction::Inbound,
            from: "".into(),
            to: "".into(),
            answered: UNIX_EPOCH,
        };
        let (start, end) = (datetime!(2026-11-28 15:00:00 UTC), datetime!(2026-11-28 15:00:06.001 UTC));
        let record = StreamingDetail::new(&call, "111122223333", "us-east-1", "USE1", [start, end], None);
        let expected = json!({
            "SchemaVersion": "1.0", "AwsAccountId": "111122223333",
            "TransactionId": "12345678-1234-1234-1234-123456789012", "CallId": "c@x", "VoiceConnectorId": "vc1",
            "StartTimeEpochSeconds": start.unix_timestamp(), "EndTimeEpochSeconds": end.unix_timestamp(),
            "Status": "Completed", "StatusMessage": "Streaming succeeded", "ServiceCode": "AmazonChime",
            "UsageType": "USE1-VC-kinesis-audio-streaming", "BillableDurationSeconds": 12, "Region": "us-east-1"
        });
        assert_eq!(serde_json::to_value(&record).unwrap(), expected);
        let failed =
            StreamingDetail::new(&call, "1", "us-east-1", "USE1", [start, start], Some("Internal failure"));
        assert_eq!((&*failed.status, &*failed.status_message), ("Failed", "Internal failure"));
        assert_eq!(failed.billable_duration_seconds, 0);
    }
}
