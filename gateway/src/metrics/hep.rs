//! What is counted of collectors of what crosses.

use metrics::Counter;
use metrics_exporter_prometheus::PrometheusRecorder;

use super::counter;

/// The counters of one collector.
#[derive(Debug, Clone)]
pub struct HepMetrics {
    sent: Counter,
    dropped: Counter,
}

impl HepMetrics {
    pub(super) fn new(recorder: &PrometheusRecorder, collector: &str) -> HepMetrics {
        let labels = [("collector", collector)];
        HepMetrics {
            sent: counter(recorder, "voice_connector_hep_packets_total", &labels),
            dropped: counter(recorder, "voice_connector_hep_dropped_total", &labels),
        }
    }

    /// A packet went to it.
    pub(crate) fn sent(&self) {
        self.sent.increment(1);
    }

    /// Something did not.
    pub(crate) fn dropped(&self) {
        self.dropped.increment(1);
    }
}
