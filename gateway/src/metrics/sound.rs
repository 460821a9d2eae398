//! What is counted of the sinks of calls' sound.

use std::time::Duration;

use metrics::{Counter, Gauge};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::{Metrics, as_f64, counter, gauge};

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
    on_disk: Counter,
    start: Counter,
}

/// What is counted of a sink's spool.
#[derive(Clone)]
pub struct SpoolMetrics {
    bytes: Gauge,
    files: Gauge,
    lost: Counter,
}

impl SpoolMetrics {
    /// What is in it.
    ///
    /// - `lost`: files that had to go for newer ones, in all.
    pub fn set(&self, files: usize, bytes: u64, lost: u64) {
        let as_usize = |number| usize::try_from(number).unwrap_or(usize::MAX);
        self.files.set(as_f64(files));
        self.bytes.set(as_f64(as_usize(bytes)));
        self.lost.absolute(lost);
    }
}

impl SoundMetrics {
    fn new(recorder: &PrometheusRecorder, id: &str, region: &str, sink: Sound) -> SoundMetrics {
        let labels = [("voice_connector_id", id), ("region", region), ("sink", sink.as_label())];
        SoundMetrics {
            active: gauge(recorder, "voice_connector_sound_streams_active", &labels),
            started: counter(recorder, "voice_connector_sound_streams_started_total", &labels),
            failed: counter(recorder, "voice_connector_sound_streams_failed_total", &labels),
            dropped: counter(recorder, "voice_connector_sound_dropped_milliseconds_total", &labels),
            on_disk: counter(recorder, "voice_connector_sound_spooled_milliseconds_total", &labels),
            start: counter(recorder, "voice_connector_sound_start_milliseconds_total", &labels),
        }
    }

    /// A call goes to such a sink, until [`SoundMetrics::ended`].
    ///
    /// - `after`: so long after it was to.
    pub fn started(&self, after: Duration) {
        self.started.increment(1);
        self.start.increment(u64::try_from(after.as_millis()).unwrap_or(0));
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

    /// So much of a party's sound waits on disk, and comes later.
    pub fn spooled(&self, duration: Duration) {
        self.on_disk.increment(u64::try_from(duration.as_millis()).unwrap_or(0));
    }

    /// So much of a party's sound is missing in a sink.
    pub fn dropped(&self, duration: Duration) {
        self.dropped.increment(u64::try_from(duration.as_millis()).unwrap_or(0));
    }
}

impl Metrics {
    /// The spool of a connector's sink of that name: the same gauges each time.
    #[must_use]
    pub fn spool(&self, voice_connector_id: &str, name: &str) -> SpoolMetrics {
        let recorder = &self.0.recorder;
        let labels =
            [("voice_connector_id", voice_connector_id), ("region", &*self.0.region), ("sink", name)];
        SpoolMetrics {
            bytes: gauge(recorder, "voice_connector_sound_spool_bytes", &labels),
            files: gauge(recorder, "voice_connector_sound_spool_files", &labels),
            lost: counter(recorder, "voice_connector_sound_spool_lost_files_total", &labels),
        }
    }

    /// A connector's sinks of a kind: the same counters each time.
    #[must_use]
    pub fn sound(&self, voice_connector_id: &str, sink: Sound) -> SoundMetrics {
        SoundMetrics::new(&self.0.recorder, voice_connector_id, &self.0.region, sink)
    }
}
