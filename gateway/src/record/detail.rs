//! The wide record: what became of one call, all in one place, beside the call detail records of its connectors.

use rtp::relay::CallStatistics;
use serde::{Deserialize, Serialize};
use sip::text::shared_phrase;
use smol_str::SmolStr;

use super::attempt::{AttemptDetail, EndedBy};
use super::leg::LegDetail;
use super::media::MediaDetail;
use super::milliseconds;
use super::settled::Settled;

/// The format that this program writes.
const SCHEMA: u32 = 3;

/// One call, as it is delivered: one JSON object with these names in this order. Every field is always there; what is not
/// known is null. Times are whole milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallDetail {
    /// Version of this format.
    pub schema: u32,
    /// The gateway's UUID of the call, as in its call detail records and in the log.
    pub transaction_id: SmolStr,
    /// `gateway.region`.
    pub region: SmolStr,
    /// Seen from the customer; `on_net`: from one connector to another.
    pub direction: DetailDirection,
    /// Who called: E.164, or what stood there.
    pub caller: SmolStr,
    /// Who was called: E.164, or the digits of an emergency call.
    pub callee: SmolStr,
    /// The connector that called.
    pub calling_voice_connector: Option<SmolStr>,
    /// The connector that was called: the one that answered or was tried last.
    pub called_voice_connector: Option<SmolStr>,
    /// The carrier that the call came from.
    pub calling_carrier: Option<SmolStr>,
    /// The carrier that took the call; null also where none did.
    pub carrier: Option<SmolStr>,
    /// Whether it was an emergency call.
    pub emergency: bool,
    /// Where an emergency call went instead of its digits, E.164.
    pub routing_number: Option<SmolStr>,
    /// SIP Call-ID of the leg to the caller.
    pub caller_call_id: SmolStr,
    /// SIP Call-ID of the leg to the callee; null where nobody was asked.
    pub callee_call_id: Option<SmolStr>,
    /// The way to the caller; null where a call that somebody asked for by REFER was refused.
    #[serde(default)]
    pub caller_leg: Option<LegDetail>,
    /// The way to the callee; null where nobody took the call.
    #[serde(default)]
    pub callee_leg: Option<LegDetail>,
    /// When what happened.
    pub times: DetailTimes,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// How, as a status: 200 where a party hung up a call that was answered.
    pub status: u16,
    /// The same in words.
    pub cause: SmolStr,
    /// The `Reason` of the BYE, CANCEL or refusal that ended it (RFC 3326).
    pub reason: Option<SmolStr>,
    /// What else there is to say, such as a late answer that was released.
    pub notes: Vec<String>,
    /// Every host that was tried, in order.
    pub attempts: Vec<AttemptDetail>,
    /// What its media was like; null where no ports were open, its worker did not say in time, or the gateway was restarted while
    /// the call was up.
    #[serde(default)]
    pub media: Option<MediaDetail>,
}

/// Which way a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetailDirection {
    /// A carrier called a connector.
    Inbound,
    /// A connector called by a carrier.
    Outbound,
    /// A connector called a connector.
    OnNet,
}

/// When what happened to a call, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetailTimes {
    /// The INVITE came.
    pub invite: u64,
    /// The caller first heard it ring.
    pub ringing: Option<u64>,
    /// The caller was told that it is answered.
    pub answer: Option<u64>,
    /// It was over.
    pub end: u64,
}

impl CallDetail {
    /// All that is known of a call, in one place. Its attempts move there: nothing else is made of them.
    ///
    /// - `media`: the last figures of its media worker.
    #[must_use]
    pub fn of(settled: &mut Settled, region: &str, media: Option<&CallStatistics>) -> Self {
        let attempts = std::mem::take(&mut settled.attempts);
        let (account, times) = (&settled.account, &settled.times);
        let tried = settled.b_call_id != settled.a_call_id;
        Self {
            schema: SCHEMA,
            transaction_id: settled.transaction_id.clone(),
            region: region.into(),
            direction: match (&account.outbound, &account.inbound) {
                (Some(_), Some(_)) => DetailDirection::OnNet,
                (Some(_), None) => DetailDirection::Outbound,
                (None, _) => DetailDirection::Inbound,
            },
            caller: shared_phrase(&account.caller),
            callee: shared_phrase(&account.callee),
            calling_voice_connector: account.outbound.clone(),
            called_voice_connector: account.inbound.clone(),
            calling_carrier: account.carrier.clone(),
            carrier: settled.carrier.clone(),
            emergency: account.emergency,
            routing_number: account.routing_number.clone(),
            caller_call_id: shared_phrase(&settled.a_call_id),
            callee_call_id: tried.then(|| shared_phrase(&settled.b_call_id)),
            caller_leg: settled.caller_leg.clone(),
            callee_leg: settled.callee_leg.clone(),
            times: DetailTimes {
                invite: milliseconds(times.started),
                ringing: times.ringing.map(milliseconds),
                answer: times.answered.map(milliseconds),
                end: milliseconds(times.ended.unwrap_or(times.started)),
            },
            ended_by: settled.ended_by,
            status: settled.cause.status.code(),
            cause: shared_phrase(&settled.cause.text),
            reason: settled.reason.clone(),
            notes: settled.notes.clone(),
            attempts,
            media: media.map(MediaDetail::of),
        }
    }

    /// The format that this program writes.
    pub const SCHEMA: u32 = SCHEMA;
}

#[cfg(test)]
mod tests {
    use crate::record::testing::detail;

    #[test]
    fn a_record_is_this_json() {
        let json = serde_json::to_string_pretty(&detail()).unwrap();
        assert_eq!(
            json,
            r#"{
  "schema": 3,
  "transaction_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
  "region": "us-east-1",
  "direction": "outbound",
  "caller": "+12065550100",
  "callee": "+16285551212",
  "calling_voice_connector": "abcdef1ghij2klmno3pqr4",
  "called_voice_connector": null,
  "calling_carrier": null,
  "carrier": "west",
  "emergency": false,
  "routing_number": null,
  "caller_call_id": "a84b4c76e66710@pbx.example.com",
  "callee_call_id": "7f3a@192.0.2.1",
  "caller_leg": {
    "address": "192.0.2.1:40123",
    "transport": "tls",
    "tls_version": "1.3",
    "tls_cipher_suite": "TLS_AES_128_GCM_SHA256",
    "srtp_suite": "AES_CM_128_HMAC_SHA1_80",
    "codec": "PCMU/8000"
  },
  "callee_leg": {
    "address": "192.0.2.31:5060",
    "transport": "udp",
    "tls_version": null,
    "tls_cipher_suite": null,
    "srtp_suite": null,
    "codec": "PCMU/8000"
  },
  "times": {
    "invite": 1565399625042,
    "ringing": 1565399627542,
    "answer": 1565399628542,
    "end": 1565399632542
  },
  "ended_by": "callee",
  "status": 200,
  "cause": "OK",
  "reason": "Q.850;cause=16",
  "notes": [],
  "attempts": [
    {
      "carrier": "east",
      "voice_connector": null,
      "host": "sip.carrier.example",
      "address": "192.0.2.30:5060",
      "transport": "udp",
      "started": 1565399625042,
      "ended": 1565399627042,
      "status": null,
      "cause": "no response in time",
      "reason": null,
      "because": "nothing was heard in time"
    },
    {
      "carrier": "west",
      "voice_connector": null,
      "host": "sip.carrier.example",
      "address": "192.0.2.31:5060",
      "transport": "udp",
      "started": 1565399627042,
      "ended": 1565399628542,
      "status": 200,
      "cause": "OK",
      "reason": null,
      "because": null
    }
  ],
  "media": {
    "milliseconds": 7500,
    "caller": {
      "received": {
        "rtp_packets": 196,
        "rtp_bytes": 33712,
        "rtcp_packets": 1,
        "rtcp_bytes": 80,
        "udptl_packets": 0,
        "udptl_bytes": 0,
        "packets_lost": 4,
        "jitter": 1250,
        "max_jitter": 4000,
        "duplicates": 2,
        "interruptions": 1,
        "loss": {
          "bursts": 1,
          "burst_density": 0.6667,
          "burst_duration": 60,
          "gap_density": 0.0102,
          "gap_duration": 1970
        },
        "mos": 4.13,
        "wideband_mos": null,
        "reported_mos": null
      },
      "sent": {
        "rtp_packets": 199,
        "rtp_bytes": 34228,
        "rtcp_packets": 1,
        "rtcp_bytes": 80,
        "udptl_packets": 0,
        "udptl_bytes": 0,
        "packets_lost": 0,
        "jitter": 1250,
        "max_jitter": 4000,
        "duplicates": 0,
        "interruptions": 0,
        "loss": null,
        "mos": 4.4,
        "wideband_mos": null,
        "reported_mos": null
      },
      "round_trip": 20000,
      "one_way_silence": false,
      "srtcp_tag": 32
    },
    "callee": {
      "received": {
        "rtp_packets": 199,
        "rtp_bytes": 34228,
        "rtcp_packets": 1,
        "rtcp_bytes": 80,
        "udptl_packets": 0,
        "udptl_bytes": 0,
        "packets_lost": 1,
        "jitter": 1250,
        "max_jitter": 4000,
        "duplicates": 0,
        "interruptions": 0,
        "loss": null,
        "mos": 4.36,
        "wideband_mos": null,
        "reported_mos": null
      },
      "sent": {
        "rtp_packets": 196,
        "rtp_bytes": 33712,
        "rtcp_packets": 1,
        "rtcp_bytes": 80,
        "udptl_packets": 0,
        "udptl_bytes": 0,
        "packets_lost": 0,
        "jitter": 1250,
        "max_jitter": 4000,
        "duplicates": 0,
        "interruptions": 0,
        "loss": null,
        "mos": null,
        "wideband_mos": null,
        "reported_mos": null
      },
      "round_trip": null,
      "one_way_silence": false,
      "srtcp_tag": null
    }
  }
}"#
        );
    }
}
