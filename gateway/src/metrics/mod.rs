//! Prometheus metrics, one typed function for each thing that is counted.
//!
//! A [`Metrics`] owns its registry; nothing is global, so that several gateways run in one process.
//! Handles ([`ConnectorMetrics`], [`TrafficMetrics`], [`ShardMetrics`], [`RecordMetrics`]) are taken once
//! and kept: to count with one is an atomic addition. Labels have as many values as there are
//! configured connectors, shards, or words in the source; nothing that a peer sends becomes a label.

mod carrier;
mod configuration;
mod connector;
mod describe;
mod gateway;
mod hep;
mod listen;
mod page;
mod process;
mod quality;
mod sink;
mod sound;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::resolve::Results;
pub use connector::{CallMetrics, ConnectorMetrics};
pub use gateway::{Flow, MediaMetrics, RecordKind, RecordMetrics, ShardMetrics, Side, TrafficMetrics};
pub use hep::HepMetrics;
pub use listen::{DnsMetrics, ListenMetrics};
pub use page::{Page, Series};
pub use sink::SinkMetrics;
pub use sound::{Sound, SoundMetrics, SpoolMetrics};

/// The label of a connector that is not configured.
const UNKNOWN: &str = "unknown";

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// All metrics of one gateway. A clone is the same metrics.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

/// Writes what is read anew each time that somebody asks.
type WritesPage = Box<dyn Fn(&mut Page) + Send + Sync>;

struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    region: String,
    /// The connectors that were configured since the start: the live calls of a removed one still count.
    connectors: ArcSwap<HashMap<String, Arc<ConnectorMetrics>>>,
    unknown: Arc<ConnectorMetrics>,
    /// The carriers that were configured since the start, or called.
    carriers: ArcSwap<HashMap<String, Arc<carrier::CarrierCounters>>>,
    responses: ByClass,
    samplers: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
    pages: Mutex<Vec<WritesPage>>,
}

impl Metrics {
    /// - `region`: `gateway.region`, a label of all that is counted by connector.
    #[must_use]
    pub fn new(region: &str) -> Metrics {
        let builder = describe::BUCKETS.iter().fold(PrometheusBuilder::new(), |builder, (name, buckets)| {
            // Its only complaint is that there are none.
            let name = Matcher::Full((*name).to_owned());
            builder.set_buckets_for_metric(name, buckets).unwrap_or_default()
        });
        let recorder = builder.build_recorder();
        describe::describe(&recorder);
        let unknown = Arc::new(ConnectorMetrics::new(&recorder, UNKNOWN, region));
        let responses = ByClass::new(|class| {
            counter(&recorder, "voice_connector_sip_responses_total", &[("class", class)])
        });
        let info = [("version", env!("CARGO_PKG_VERSION")), ("region", region)];
        gauge(&recorder, "voice_connector_build_info", &info).set(1);
        Metrics(Arc::new(Inner {
            handle: recorder.handle(),
            recorder,
            region: region.to_owned(),
            connectors: ArcSwap::default(),
            unknown,
            carriers: ArcSwap::default(),
            responses,
            samplers: Mutex::default(),
            pages: Mutex::default(),
        }))
    }

    /// As it was made for.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.0.region
    }

    /// Makes room for these connectors, at start-up and after each reload; all others are counted
    /// together as `unknown`. Their counters appear at once, as zeros.
    pub fn configure<'a>(&self, voice_connector_ids: impl IntoIterator<Item = &'a str>) {
        let mut connectors = HashMap::clone(&self.0.connectors.load());
        for id in voice_connector_ids {
            connectors
                .entry(id.to_owned())
                .or_insert_with(|| Arc::new(ConnectorMetrics::new(&self.0.recorder, id, &self.0.region)));
        }
        self.0.connectors.store(Arc::new(connectors));
    }

    /// The counters of a connector. Takes no lock.
    #[must_use]
    pub fn connector(&self, voice_connector_id: &str) -> Arc<ConnectorMetrics> {
        Arc::clone(self.0.connectors.load().get(voice_connector_id).unwrap_or(&self.0.unknown))
    }

    /// A SIP response went out or came in.
    ///
    /// - `status`: 100 to 699; others are not counted.
    pub fn sip_response(&self, status: u16) {
        self.0.responses.count(status);
    }

    /// A request was refused.
    ///
    /// - `cause`: a word of ours such as `source` or `caller_id`, never a peer's.
    pub fn refusal(&self, cause: &'static str) {
        counter(&self.0.recorder, "voice_connector_refusals_total", &[("cause", cause)]).increment(1);
    }

    /// A stranger's media was taken for a party's, until the party spoke.
    pub fn media_stranger(&self) {
        counter(&self.0.recorder, "voice_connector_media_strangers_total", &[]).increment(1);
    }

    /// A party wanted its media sent to the gateway itself.
    pub fn media_loop(&self) {
        counter(&self.0.recorder, "voice_connector_media_loops_total", &[]).increment(1);
    }

    /// The counter of media packets refused by `cause`, a word of ours; keep it.
    pub fn media_refusals(&self, cause: &'static str) -> Counter {
        counter(&self.0.recorder, "voice_connector_media_refusals_total", &[("cause", cause)])
    }

    /// The counters of one direction of the media of one side; keep them.
    #[must_use]
    pub fn traffic(&self, side: Side, flow: Flow) -> TrafficMetrics {
        TrafficMetrics::new(&self.0.recorder, side, flow)
    }

    /// The gauges of one signalling shard; keep them.
    #[must_use]
    pub fn shard(&self, shard: u16) -> ShardMetrics {
        ShardMetrics::new(&self.0.recorder, shard)
    }

    /// What the recorder counts; keep it.
    #[must_use]
    pub fn records(&self) -> RecordMetrics {
        RecordMetrics::new(&self.0.recorder)
    }

    /// The gauges of the media side, which has so many workers; keep them.
    #[must_use]
    pub fn media(&self, workers: usize) -> MediaMetrics {
        MediaMetrics::new(&self.0.recorder, workers)
    }

    /// What is counted of a sink of records; keep it.
    ///
    /// - `name`: a configured one.
    #[must_use]
    pub fn sink(&self, name: &str) -> SinkMetrics {
        SinkMetrics::new(&self.0.recorder, name)
    }

    /// What is counted of a collector that speaks HEP3; keep it.
    ///
    /// - `name`: a configured one.
    #[must_use]
    pub fn hep(&self, name: &str) -> HepMetrics {
        HepMetrics::new(&self.0.recorder, name)
    }

    /// What the listeners count; keep it.
    #[must_use]
    pub fn listen(&self) -> ListenMetrics {
        ListenMetrics::new(&self.0.recorder)
    }

    /// What the resolver counts; keep it.
    #[must_use]
    pub fn dns(&self, results: &Results) -> DnsMetrics {
        DnsMetrics::new(&self.0.recorder, results)
    }

    /// Calls `sample` before each [`render`](Metrics::render), for gauges that are cheaper to read when asked.
    /// It must not call `render` or `on_render`, nor keep a `Metrics` alive through itself.
    pub fn on_render(&self, sample: impl Fn() + Send + Sync + 'static) {
        self.0.samplers.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(sample));
    }

    /// Calls `write` in each [`render`](Metrics::render), for families whose labels come and go. The same holds for it.
    pub fn on_page(&self, write: impl Fn(&mut Page) + Send + Sync + 'static) {
        self.0.pages.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(write));
    }

    /// The Prometheus text format, version 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        for sample in self.0.samplers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            sample();
        }
        self.upkeep();
        let mut page = Page::new(self.0.handle.render());
        for write in self.0.pages.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            write(&mut page);
        }
        page.into_text()
    }

    /// Puts what was observed into the buckets of its distribution: to be called now and then, where nobody may ask.
    pub fn upkeep(&self) {
        self.0.handle.run_upkeep();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("region", &self.0.region).finish_non_exhaustive()
    }
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    debug_assert!(describe::knows(name, labels.iter().map(|(label, _)| *label)));
    let labels: Vec<Label> = labels.iter().map(|&(name, value)| Label::new(name, value.to_owned())).collect();
    Key::from_parts(KeyName::from_const_str(name), labels)
}

fn counter(recorder: &PrometheusRecorder, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
    recorder.register_counter(&key(name, labels), &METADATA)
}

fn gauge(recorder: &PrometheusRecorder, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
    recorder.register_gauge(&key(name, labels), &METADATA)
}

fn histogram(
    recorder: &PrometheusRecorder,
    name: &'static str,
    labels: &[(&'static str, &str)],
) -> Histogram {
    recorder.register_histogram(&key(name, labels), &METADATA)
}

/// SIP responses by class.
struct ByClass([Counter; 6]);

impl ByClass {
    fn new(counter: impl FnMut(&'static str) -> Counter) -> ByClass {
        ByClass(["1xx", "2xx", "3xx", "4xx", "5xx", "6xx"].map(counter))
    }

    fn count(&self, status: u16) {
        let class = usize::from(status / 100);
        if let Some(counter) = class.checked_sub(1).and_then(|class| self.0.get(class)) {
            counter.increment(1);
        }
    }
}

/// Counts of things in memory are far below 2^53.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn as_f64(count: usize) -> f64 {
    count as f64
}
