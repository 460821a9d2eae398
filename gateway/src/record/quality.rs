//! The quality record: what the media of one call was like in one minute.

use std::net::IpAddr;
use std::time::Duration;

use config::Config;
use rtp::relay::{CallStatistics, FlowStatistics};
use serde::{Serialize, Serializer};
use serde_json::Value;
use sip::text::phrase;

use super::settled::Account;

/// What was counted in one direction, since the call began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlowFacts {
    /// RTP packets.
    pub rtp_packets: u64,
    /// RTP bytes, headers included.
    pub rtp_bytes: u64,
    /// RTCP datagrams.
    pub rtcp_packets: u64,
    /// RTCP bytes.
    pub rtcp_bytes: u64,
    /// RTP packets lost. Where duplicates outnumber the lost (RFC 3550 §6.4.1), say 0.
    pub packets_lost: u64,
    /// Interarrival jitter; written in microseconds.
    pub jitter: Duration,
}

/// What is known of the way between the gateway and one side.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PathFacts {
    /// Round trip time; written in microseconds. `None`: the peer sent no RTCP to tell; written as null.
    pub round_trip: Option<Duration>,
    /// Mean opinion score; written within 1.0 and 4.4, to two decimals. `None` is written as null.
    pub mos: Option<f64>,
}

/// One call, one minute.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QualityFacts {
    /// The connector that has `logging.media_metrics`.
    pub voice_connector_id: String,
    /// `gateway.region`.
    pub region: String,
    /// Since the Unix epoch.
    pub event_timestamp: Duration,
    /// The gateway's UUID of the call; written as `call_id`.
    pub transaction_id: String,
    /// Who called: user part.
    pub from_sip_user: String,
    /// The caller's ISO 3166 country; empty where unknown.
    pub from_country: String,
    /// Who was called: user part.
    pub to_sip_user: String,
    /// The called number's ISO 3166 country; empty where unknown.
    pub to_country: String,
    /// What the customer's side is: the address that its media comes from, or empty.
    pub endpoint_id: String,
    /// From the customer to the gateway.
    pub cust2vc: FlowFacts,
    /// From the gateway to the customer.
    pub vc2cust: FlowFacts,
    /// From the remote side to the gateway.
    pub rem2vc: FlowFacts,
    /// From the gateway to the remote side.
    pub vc2rem: FlowFacts,
    /// Between the gateway and the customer.
    pub customer: PathFacts,
    /// Between the gateway and the remote side.
    pub remote: PathFacts,
}

/// What is known of a call when a minute of it is over.
#[derive(Debug)]
pub struct Minute<'a> {
    /// When, since the Unix epoch.
    pub unix: Duration,
    /// The gateway's UUID of the call.
    pub transaction_id: uuid::Uuid,
    /// Whose it is.
    pub account: &'a Account,
    /// Where the caller and the callee are.
    pub endpoints: [Option<IpAddr>; 2],
    /// The minute's figures.
    pub statistics: &'a CallStatistics,
    /// What was lost since the call began, this minute too.
    pub lost: Lost,
}

/// The minute's figures for each connector of the call that wants them, seen from its customer. Loss is that of the
/// whole call so far, as in Voice Connector's own metrics (reference §11).
pub fn quality(config: &Config, minute: &Minute) -> Vec<QualityFacts> {
    let Minute { account, statistics, lost, endpoints: [caller, callee], .. } = minute;
    let legs = [(&statistics.a, lost.a), (&statistics.b, lost.b)];
    let [a, b] = legs;
    let sides = [(&account.outbound, caller, a, b), (&account.inbound, callee, b, a)];
    let wanted = sides.into_iter().filter_map(|(id, endpoint, customer, remote)| {
        let connector = config.connector(id.as_ref()?)?;
        connector.logging.media_metrics.then_some((connector, endpoint, customer, remote))
    });
    wanted
        .map(|(connector, endpoint, (customer, customer_lost), (remote, remote_lost))| QualityFacts {
            voice_connector_id: connector.id.to_string(),
            region: config.gateway.region.clone(),
            event_timestamp: minute.unix,
            transaction_id: minute.transaction_id.to_string(),
            from_sip_user: phrase(&account.caller),
            from_country: account.caller_country.clone().unwrap_or_default(),
            to_sip_user: phrase(&account.callee),
            to_country: account.callee_country.clone().unwrap_or_default(),
            endpoint_id: endpoint.map(|address| address.to_string()).unwrap_or_default(),
            cust2vc: flow(&customer.received, customer_lost.0),
            vc2cust: flow(&customer.sent, customer_lost.1),
            rem2vc: flow(&remote.received, remote_lost.0),
            vc2rem: flow(&remote.sent, remote_lost.1),
            customer: PathFacts { round_trip: customer.round_trip, mos: customer.mos },
            remote: PathFacts { round_trip: remote.round_trip, mos: remote.mos },
        })
        .collect()
}

/// Packets lost on each leg since the call began: received, sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lost {
    a: (u64, u64),
    b: (u64, u64),
}

impl Lost {
    /// One more minute is over.
    pub fn add(&mut self, minute: &CallStatistics) {
        for (total, leg) in [(&mut self.a, &minute.a), (&mut self.b, &minute.b)] {
            total.0 += leg.received.packets_lost;
            total.1 += leg.sent.packets_lost;
        }
    }
}

fn flow(figures: &FlowStatistics, packets_lost: u64) -> FlowFacts {
    FlowFacts {
        rtp_packets: figures.rtp_packets,
        rtp_bytes: figures.rtp_bytes,
        rtcp_packets: figures.rtcp_packets,
        rtcp_bytes: figures.rtcp_bytes,
        packets_lost,
        jitter: figures.jitter.unwrap_or_default(),
    }
}

/// An object whose fields keep their order.
struct Line(Vec<(String, Value)>);

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl QualityFacts {
    /// One JSON object without a line end.
    ///
    /// Source: reference §11.
    #[must_use]
    pub fn line(&self) -> String {
        let mut fields: Vec<(String, Value)> = vec![
            ("voice_connector_id".to_owned(), self.voice_connector_id.as_str().into()),
            ("event_timestamp".to_owned(), super::milliseconds(self.event_timestamp).into()),
            ("call_id".to_owned(), self.transaction_id.as_str().into()),
            ("from_sip_user".to_owned(), self.from_sip_user.as_str().into()),
            ("from_country".to_owned(), self.from_country.as_str().into()),
            ("to_sip_user".to_owned(), self.to_sip_user.as_str().into()),
            ("to_country".to_owned(), self.to_country.as_str().into()),
            ("endpoint_id".to_owned(), self.endpoint_id.as_str().into()),
            ("aws_region".to_owned(), self.region.as_str().into()),
        ];
        for (name, flow) in [
            ("cust2vc", &self.cust2vc),
            ("vc2cust", &self.vc2cust),
            ("rem2vc", &self.rem2vc),
            ("vc2rem", &self.vc2rem),
        ] {
            fields.extend([
                (format!("{name}_rtp_packets"), flow.rtp_packets.into()),
                (format!("{name}_rtp_bytes"), flow.rtp_bytes.into()),
                (format!("{name}_rtcp_packets"), flow.rtcp_packets.into()),
                (format!("{name}_rtcp_bytes"), flow.rtcp_bytes.into()),
                (format!("{name}_packets_lost"), flow.packets_lost.into()),
                (format!("{name}_jitter"), microseconds(flow.jitter).into()),
            ]);
        }
        for (name, path) in [("cust", &self.customer), ("rem", &self.remote)] {
            fields.extend([
                (format!("rtt_btwn_vc_and_{name}"), path.round_trip.map(microseconds).into()),
                (format!("mos_btwn_vc_and_{name}"), path.mos.map(opinion).into()),
            ]);
        }
        serde_json::to_string(&Line(fields)).unwrap_or_default() // Strings and numbers: cannot fail.
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn opinion(score: f64) -> f64 {
    (score.clamp(1.0, 4.4) * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_this_line() {
        let flow = |rtp_packets| FlowFacts {
            rtp_packets,
            rtp_bytes: rtp_packets * 172,
            rtcp_packets: 12,
            rtcp_bytes: 960,
            packets_lost: 3,
            jitter: Duration::from_micros(1_250),
        };
        let facts = QualityFacts {
            voice_connector_id: "abc".to_owned(),
            region: "us-east-1".to_owned(),
            event_timestamp: Duration::from_millis(1_565_399_625_042),
            transaction_id: "0f8fad5b".to_owned(),
            from_sip_user: "+12065550100".to_owned(),
            from_country: "US".to_owned(),
            to_sip_user: "+442079460000".to_owned(),
            to_country: "GB".to_owned(),
            endpoint_id: "192.0.2.1".to_owned(),
            cust2vc: flow(3_000),
            vc2cust: flow(2_990),
            rem2vc: flow(2_991),
            vc2rem: FlowFacts::default(),
            customer: PathFacts { round_trip: Some(Duration::from_millis(20)), mos: Some(4.3567) },
            remote: PathFacts { round_trip: None, mos: Some(9.0) },
        };
        let numbers = |name, packets, bytes| {
            format!(
                "\"{name}_rtp_packets\":{packets},\"{name}_rtp_bytes\":{bytes},\"{name}_rtcp_packets\":12,\
                 \"{name}_rtcp_bytes\":960,\"{name}_packets_lost\":3,\"{name}_jitter\":1250,"
            )
        };
        let expect = [
            "{\"voice_connector_id\":\"abc\",\"event_timestamp\":1565399625042,\"call_id\":\"0f8fad5b\",\
             \"from_sip_user\":\"+12065550100\",\"from_country\":\"US\",\"to_sip_user\":\"+442079460000\",\
             \"to_country\":\"GB\",\"endpoint_id\":\"192.0.2.1\",\"aws_region\":\"us-east-1\",",
            &numbers("cust2vc", 3_000, 516_000),
            &numbers("vc2cust", 2_990, 514_280),
            &numbers("rem2vc", 2_991, 514_452),
            "\"vc2rem_rtp_packets\":0,\"vc2rem_rtp_bytes\":0,\"vc2rem_rtcp_packets\":0,\"vc2rem_rtcp_bytes\":0,\
             \"vc2rem_packets_lost\":0,\"vc2rem_jitter\":0,\
             \"rtt_btwn_vc_and_cust\":20000,\"mos_btwn_vc_and_cust\":4.36,\
             \"rtt_btwn_vc_and_rem\":null,\"mos_btwn_vc_and_rem\":4.4}",
        ];
        assert_eq!(facts.line(), expect.concat());
    }
}
