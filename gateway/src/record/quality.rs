//! The quality record: what the media of one call was like in one minute.

use std::net::IpAddr;
use std::time::Duration;

use config::Config;
use rtp::relay::{CallStatistics, FlowStatistics, LegStatistics};
use serde::{Serialize, Serializer};
use serde_json::Value;
use sip::text::shared_phrase;
use smol_str::{SmolStr, ToSmolStr};

use super::media::LossDetail;
use super::settled::{Account, transaction_id};

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
    /// RTP packets lost; `None`: nobody knows, as where the peer sends no RTCP; written as null.
    pub packets_lost: Option<u64>,
    /// Those of the minute alone.
    pub lost_in_minute: Option<u64>,
    /// How the losses of the minute lie; of what is sent, as the peer reports of the whole call.
    pub loss: Option<LossDetail>,
    /// Interarrival jitter, mean and maximum; written in microseconds, `None` as null.
    pub jitter: Option<Duration>,
    /// The largest.
    pub max_jitter: Option<Duration>,
    /// RTP packets that came again.
    pub duplicates: u64,
    /// Silences of five seconds and more that nobody announced.
    pub interruptions: u64,
}

/// What is known of the way between the gateway and one side.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PathFacts {
    /// Round trip time; written in microseconds. `None`: the peer sent no RTCP to tell; written as null.
    pub round_trip: Option<Duration>,
    /// Mean opinion score; written within 1.0 and 4.4, to two decimals. `None` is written as null.
    pub mos: Option<f64>,
    /// The same on the scale of wideband speech; written within 1.0 and 4.5. `None`: the codec is none of these.
    pub wideband_mos: Option<f64>,
    /// For a minute the side was silent while the other was heard.
    pub one_way_silence: bool,
}

/// One call, one minute.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QualityFacts {
    /// The connector that has `logging.media_metrics`.
    pub voice_connector_id: SmolStr,
    /// `gateway.region`.
    pub region: SmolStr,
    /// Since the Unix epoch.
    pub event_timestamp: Duration,
    /// The gateway's UUID of the call; written as `call_id`.
    pub transaction_id: SmolStr,
    /// Who called: user part.
    pub from_sip_user: SmolStr,
    /// The caller's ISO 3166 country; empty where unknown.
    pub from_country: SmolStr,
    /// Who was called: user part.
    pub to_sip_user: SmolStr,
    /// The called number's ISO 3166 country; empty where unknown.
    pub to_country: SmolStr,
    /// What the customer's side is: the address that its media comes from, or empty.
    pub endpoint_id: SmolStr,
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
pub fn quality(config: &Config, minute: &Minute) -> [Option<QualityFacts>; 2] {
    let Minute { account, statistics, lost, endpoints: [caller, callee], .. } = minute;
    let legs = [(&statistics.a, lost.a), (&statistics.b, lost.b)];
    let [a, b] = legs;
    let sides = [(&account.outbound, caller, a, b), (&account.inbound, callee, b, a)];
    sides.map(|(id, endpoint, (customer, customer_lost), (remote, remote_lost))| {
        let connector = config.connector(id.as_ref()?)?;
        connector.logging.media_metrics.then(|| QualityFacts {
            voice_connector_id: connector.id.as_str().into(),
            region: config.gateway.region.as_str().into(),
            event_timestamp: minute.unix,
            transaction_id: transaction_id(minute.transaction_id),
            from_sip_user: shared_phrase(&account.caller),
            from_country: account.caller_country.clone().unwrap_or_default(),
            to_sip_user: shared_phrase(&account.callee),
            to_country: account.callee_country.clone().unwrap_or_default(),
            endpoint_id: endpoint.map(|address| address.to_smolstr()).unwrap_or_default(),
            cust2vc: flow(&customer.received, customer_lost.0),
            vc2cust: flow(&customer.sent, customer_lost.1),
            rem2vc: flow(&remote.received, remote_lost.0),
            vc2rem: flow(&remote.sent, remote_lost.1),
            customer: path(customer),
            remote: path(remote),
        })
    })
}

/// Packets lost on each leg since the call began: received, sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lost {
    a: (Option<u64>, Option<u64>),
    b: (Option<u64>, Option<u64>),
}

impl Lost {
    /// One more minute is over.
    pub fn add(&mut self, minute: &CallStatistics) {
        for (total, leg) in [(&mut self.a, &minute.a), (&mut self.b, &minute.b)] {
            total.0 = sum(total.0, leg.received.packets_lost);
            total.1 = sum(total.1, leg.sent.packets_lost);
        }
    }
}

/// Of what is known.
fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.map(|one| one + other.unwrap_or_default()).or(other)
}

fn path(leg: &LegStatistics) -> PathFacts {
    let wideband = [leg.received.wideband_mos, leg.sent.wideband_mos].into_iter().flatten();
    PathFacts {
        round_trip: leg.round_trip,
        mos: leg.mos,
        wideband_mos: wideband.reduce(f64::min),
        one_way_silence: leg.one_way_silence,
    }
}

fn flow(figures: &FlowStatistics, packets_lost: Option<u64>) -> FlowFacts {
    FlowFacts {
        rtp_packets: figures.rtp_packets,
        rtp_bytes: figures.rtp_bytes,
        rtcp_packets: figures.rtcp_packets,
        rtcp_bytes: figures.rtcp_bytes,
        packets_lost,
        lost_in_minute: figures.packets_lost,
        loss: figures.pattern.map(LossDetail::of),
        jitter: figures.jitter,
        max_jitter: figures.max_jitter,
        duplicates: figures.duplicates,
        interruptions: figures.interruptions.0,
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
                (format!("{name}_jitter"), flow.jitter.map(microseconds).into()),
            ]);
        }
        for (name, path) in [("cust", &self.customer), ("rem", &self.remote)] {
            fields.extend([
                (format!("rtt_btwn_vc_and_{name}"), path.round_trip.map(microseconds).into()),
                (format!("mos_btwn_vc_and_{name}"), path.mos.map(opinion).into()),
            ]);
        }
        // Voice Connector's own fields end here.
        for (name, flow, path) in
            [("cust2vc", &self.cust2vc, &self.customer), ("rem2vc", &self.rem2vc, &self.remote)]
        {
            fields.extend([
                (format!("{name}_max_jitter"), flow.max_jitter.map(microseconds).into()),
                (format!("{name}_duplicates"), flow.duplicates.into()),
                (format!("{name}_interruptions"), flow.interruptions.into()),
                (format!("{name}_one_way_silence"), path.one_way_silence.into()),
            ]);
        }
        for (name, flow) in [
            ("cust2vc", &self.cust2vc),
            ("vc2cust", &self.vc2cust),
            ("rem2vc", &self.rem2vc),
            ("vc2rem", &self.vc2rem),
        ] {
            let loss = |figure: fn(LossDetail) -> Value| flow.loss.map(figure).into();
            fields.extend([
                (format!("{name}_packets_lost_in_minute"), flow.lost_in_minute.into()),
                (format!("{name}_burst_density"), loss(|loss| loss.burst_density.value().into())),
                (format!("{name}_burst_duration"), loss(|loss| loss.burst_duration.into())),
                (format!("{name}_gap_density"), loss(|loss| loss.gap_density.value().into())),
                (format!("{name}_gap_duration"), loss(|loss| loss.gap_duration.into())),
            ]);
        }
        for (name, path) in [("cust", &self.customer), ("rem", &self.remote)] {
            let mos = path.wideband_mos.map(|mos| (mos.clamp(1.0, 4.5) * 100.0).round() / 100.0);
            fields.push((format!("wideband_mos_btwn_vc_and_{name}"), mos.into()));
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
            packets_lost: Some(3),
            lost_in_minute: Some(1),
            loss: Some(LossDetail::of(rtp::relay::LossPattern {
                bursts: Some(1),
                burst_density: 0.5,
                burst_duration: Duration::from_millis(80),
                gap_density: 0.001,
                gap_duration: Duration::from_secs(29),
                burst_ratio: None,
            })),
            jitter: Some(Duration::from_micros(1_250)),
            max_jitter: Some(Duration::from_micros(9_000)),
            duplicates: 2,
            interruptions: 1,
        };
        let facts = QualityFacts {
            voice_connector_id: "abc".into(),
            region: "us-east-1".into(),
            event_timestamp: Duration::from_millis(1_565_399_625_042),
            transaction_id: "0f8fad5b".into(),
            from_sip_user: "+12065550100".into(),
            from_country: "US".into(),
            to_sip_user: "+442079460000".into(),
            to_country: "GB".into(),
            endpoint_id: "192.0.2.1".into(),
            cust2vc: flow(3_000),
            vc2cust: flow(2_990),
            rem2vc: flow(2_991),
            vc2rem: FlowFacts::default(),
            customer: PathFacts {
                round_trip: Some(Duration::from_millis(20)),
                mos: Some(4.3567),
                wideband_mos: Some(4.487),
                one_way_silence: true,
            },
            remote: PathFacts {
                round_trip: None,
                mos: Some(9.0),
                wideband_mos: None,
                one_way_silence: false,
            },
        };
        let numbers = |name, packets, bytes| {
            format!(
                "\"{name}_rtp_packets\":{packets},\"{name}_rtp_bytes\":{bytes},\"{name}_rtcp_packets\":12,\
                 \"{name}_rtcp_bytes\":960,\"{name}_packets_lost\":3,\"{name}_jitter\":1250,"
            )
        };
        let minute = |name| {
            format!(
                "\"{name}_packets_lost_in_minute\":1,\"{name}_burst_density\":0.5,\"{name}_burst_duration\":80,\
                 \"{name}_gap_density\":0.001,\"{name}_gap_duration\":29000,"
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
             \"vc2rem_packets_lost\":null,\"vc2rem_jitter\":null,\
             \"rtt_btwn_vc_and_cust\":20000,\"mos_btwn_vc_and_cust\":4.36,\
             \"rtt_btwn_vc_and_rem\":null,\"mos_btwn_vc_and_rem\":4.4,\
             \"cust2vc_max_jitter\":9000,\"cust2vc_duplicates\":2,\"cust2vc_interruptions\":1,\"cust2vc_one_way_silence\":true,\
             \"rem2vc_max_jitter\":9000,\"rem2vc_duplicates\":2,\"rem2vc_interruptions\":1,\"rem2vc_one_way_silence\":false,",
            &minute("cust2vc"),
            &minute("vc2cust"),
            &minute("rem2vc"),
            "\"vc2rem_packets_lost_in_minute\":null,\"vc2rem_burst_density\":null,\"vc2rem_burst_duration\":null,\
             \"vc2rem_gap_density\":null,\"vc2rem_gap_duration\":null,\
             \"wideband_mos_btwn_vc_and_cust\":4.49,\"wideband_mos_btwn_vc_and_rem\":null}",
        ];
        assert_eq!(facts.line(), expect.concat());
    }
}
