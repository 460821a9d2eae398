//! What is counted of the sinks of records.

use std::time::Duration;

use metrics::{Counter, Gauge};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::{as_f64, counter, gauge};

/// The counters and gauges of one sink.
#[derive(Clone)]
pub struct SinkMetrics {
    taken: Counter,
    failures: Counter,
    lost: Counter,
    waiting: Gauge,
    lag: Gauge,
    log_lag: Gauge,
}

impl SinkMetrics {
    pub(super) fn new(recorder: &PrometheusRecorder, sink: &str) -> SinkMetrics {
        let labels = [("sink", sink)];
        SinkMetrics {
            taken: counter(recorder, "voice_connector_sink_records_total", &labels),
            failures: counter(recorder, "voice_connector_sink_failures_total", &labels),
            lost: counter(recorder, "voice_connector_sink_lost_records_total", &labels),
            waiting: gauge(recorder, "voice_connector_sink_lag_records", &labels),
            lag: gauge(recorder, "voice_connector_sink_lag_seconds", &labels),
            log_lag: gauge(recorder, "voice_connector_sink_log_lag_seconds", &labels),
        }
    }

    /// It has so many more records.
    pub(crate) fn taken(&self, count: usize) {
        self.taken.increment(count as u64);
    }

    /// It did not take a batch, which is tried again.
    pub(crate) fn failed(&self) {
        self.failures.increment(1);
    }

    /// It never gets so many records.
    pub(crate) fn lost(&self, count: usize) {
        self.lost.increment(count as u64);
    }

    /// The first hour of logs that it has not was over so long ago.
    pub(crate) fn set_log_lag(&self, lag: Duration) {
        self.log_lag.set(lag.as_secs_f64());
    }

    /// So many records wait for it, the oldest since then.
    pub(crate) fn set_lag(&self, records: usize, since: Duration) {
        self.waiting.set(as_f64(records));
        self.lag.set(since.as_secs_f64());
    }
}
