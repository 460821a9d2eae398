//! What the media of a connector's calls was like, minute by minute.

use std::time::Duration;

use metrics::{Counter, Histogram};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::{Metrics, counter, histogram};
use crate::media::{FlowStatistics, LegStatistics};

impl Metrics {
    /// A minute of a call, or what was left of its last one, is over.
    ///
    /// - `customer`, `remote`: the figures of that minute, seen from the connector.
    pub fn minute(&self, voice_connector_id: &str, customer: &LegStatistics, remote: &LegStatistics) {
        let connector = self.connector(voice_connector_id);
        // A connector without calls has none of these series, of which there are many.
        let quality = connector.quality.get_or_init(|| {
            let (recorder, id) = (&self.0.recorder, connector.id.as_str());
            ["customer", "remote"].map(|side| SideQuality::new(recorder, id, &self.0.region, side))
        });
        for (side, leg) in quality.iter().zip([customer, remote]) {
            side.add(leg);
        }
        // Of a cause that never was there is no series.
        let labels = [("voice_connector_id", connector.id.as_str()), ("region", &self.0.region)];
        for (side, leg) in [("customer", customer), ("remote", remote)] {
            for (cause, count) in leg.refused.iter().filter(|(_, count)| *count > 0) {
                let [id, region] = labels;
                let labels = [id, region, ("side", side), ("cause", cause.label())];
                counter(&self.0.recorder, "voice_connector_call_refused_packets_total", &labels)
                    .increment(count);
            }
        }
    }
}

/// Between the gateway and one side.
pub(super) struct SideQuality {
    received: FlowQuality,
    sent: FlowQuality,
    round_trip: Histogram,
    mos: Histogram,
}

struct FlowQuality {
    rtp_packets: Counter,
    rtp_bytes: Counter,
    rtcp_packets: Counter,
    rtcp_bytes: Counter,
    lost: Counter,
    jitter: Histogram,
}

impl SideQuality {
    fn new(recorder: &PrometheusRecorder, id: &str, region: &str, side: &str) -> SideQuality {
        let labels = [("voice_connector_id", id), ("region", region), ("side", side)];
        let flow = |direction| FlowQuality::new(recorder, labels, direction);
        SideQuality {
            received: flow("received"),
            sent: flow("sent"),
            round_trip: histogram(recorder, "voice_connector_call_round_trip_seconds", &labels),
            mos: histogram(recorder, "voice_connector_call_mos", &labels),
        }
    }

    fn add(&self, leg: &LegStatistics) {
        self.received.add(&leg.received);
        self.sent.add(&leg.sent);
        record(&self.round_trip, leg.round_trip);
        if let Some(mos) = leg.mos {
            self.mos.record(mos.clamp(1.0, 4.4));
        }
    }
}

impl FlowQuality {
    fn new(recorder: &PrometheusRecorder, labels: [(&'static str, &str); 3], direction: &str) -> FlowQuality {
        let [id, region, side] = labels;
        let labels = [id, region, side, ("direction", direction)];
        let counter = |name| counter(recorder, name, &labels);
        FlowQuality {
            rtp_packets: counter("voice_connector_call_rtp_packets_total"),
            rtp_bytes: counter("voice_connector_call_rtp_bytes_total"),
            rtcp_packets: counter("voice_connector_call_rtcp_packets_total"),
            rtcp_bytes: counter("voice_connector_call_rtcp_bytes_total"),
            lost: counter("voice_connector_call_packets_lost_total"),
            jitter: histogram(recorder, "voice_connector_call_jitter_seconds", &labels),
        }
    }

    fn add(&self, flow: &FlowStatistics) {
        self.rtp_packets.increment(flow.rtp_packets);
        self.rtp_bytes.increment(flow.rtp_bytes);
        self.rtcp_packets.increment(flow.rtcp_packets);
        self.rtcp_bytes.increment(flow.rtcp_bytes);
        self.lost.increment(flow.packets_lost.unwrap_or_default());
        record(&self.jitter, flow.jitter);
    }
}

fn record(histogram: &Histogram, time: Option<Duration>) {
    if let Some(time) = time {
        histogram.record(time.as_secs_f64());
    }
}
