//! What is counted of the sinks of calls' sound.

use std::time::Duration;

use metrics::{Counter, Gauge};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::{Metrics, counter, gauge};

/// A kind of sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// A file.
    Recording,
    /// Kinesis Video Streams.
    Kinesis,
    /// A WebSocket.
    WebSocket,
}

impl Sound {
    const fn as_label(self) -> &'static str {
        match self {
            Sound::Recording => "recording",
            Sound::Kinesis => "kinesis",
            Sound::WebSocket => "websocket",
        }
    }
}

/// One connector's sinks of one kind.
#[derive(Clone)]
pub struct SoundMetrics {
    active: Gauge,
    started: Counter,
    failed: Counter,
    dropped: Counter,
}

impl SoundMetrics {
    fn new(recorder: &PrometheusRecorder, id: &str, region: &str, sink: Sound) -> SoundMetrics {
        let labels = [("voice_connector_id", id), ("region", region), ("sink", sink.as_label())];
        SoundMetrics {
            active: gauge(recorder, "voice_connector_sound_streams_active", &labels),
            started: counter(recorder, "voice_connector_sound_streams_started_total", &labels),
            failed: counter(recorder, "voice_connector_sound_streams_failed_total", &labels),
            dropped: counter(recorder, "voice_connector_sound_dropped_milliseconds_total", &labels),
        }
    }

    /// A call goes to such a sink, until [`SoundMetrics::ended`].
    pub fn started(&self) {
        self.started.increment(1);
        self.active.increment(1.0);
    }

    /// It does not any more.
    pub fn ended(&self) {
        self.active.decrement(1.0);
    }

    /// A sink failed in a call.
    pub fn failed(&self) {
        self.failed.increment(1);
    }

    /// So much of a party's sound is missing in a sink.
    pub fn dropped(&self, duration: Duration) {
        self.dropped.increment(u64::try_from(duration.as_millis()).unwrap_or(0));
    }
}

impl Metrics {
    /// A connector's sinks of a kind: the same counters each time.
    #[must_use]
    pub fn sound(&self, voice_connector_id: &str, sink: Sound) -> SoundMetrics {
        SoundMetrics::new(&self.0.recorder, voice_connector_id, &self.0.region, sink)
    }
}
