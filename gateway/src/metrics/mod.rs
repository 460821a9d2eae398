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
mod listen;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use metrics::{Counter, Gauge, Key, KeyName, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

pub use connector::{CallMetrics, ConnectorMetrics};
pub use gateway::{Flow, MediaMetrics, RecordKind, RecordMetrics, ShardMetrics, Side, TrafficMetrics};
pub use listen::ListenMetrics;

/// The label of a connector that is not configured.
const UNKNOWN: &str = "unknown";

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// All metrics of one gateway. A clone is the same metrics.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    region: String,
    /// The connectors that were configured since the start: the live calls of a removed one still count.
    connectors: ArcSwap<HashMap<String, Arc<ConnectorMetrics>>>,
    unknown: Arc<ConnectorMetrics>,
    responses: [Counter; 6],
    samplers: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
}

impl Metrics {
    /// - `region`: `gateway.region`, a label of all that is counted by connector.
    #[must_use]
    pub fn new(region: &str) -> Metrics {
        let recorder = PrometheusBuilder::new().build_recorder();
        describe::describe(&recorder);
        let unknown = Arc::new(ConnectorMetrics::new(&recorder, UNKNOWN, region));
        let responses = ["1xx", "2xx", "3xx", "4xx", "5xx", "6xx"]
            .map(|class| counter(&recorder, "voice_connector_sip_responses_total", &[("class", class)]));
        let info = [("version", env!("CARGO_PKG_VERSION")), ("region", region)];
        gauge(&recorder, "voice_connector_build_info", &info).set(1);
        Metrics(Arc::new(Inner {
            handle: recorder.handle(),
            recorder,
            region: region.to_owned(),
            connectors: ArcSwap::default(),
            unknown,
            responses,
            samplers: Mutex::default(),
        }))
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
        let class = usize::from(status / 100);
        if let Some(counter) = class.checked_sub(1).and_then(|class| self.0.responses.get(class)) {
            counter.increment(1);
        }
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

    /// The gauges of the media side; keep them.
    #[must_use]
    pub fn media(&self) -> MediaMetrics {
        MediaMetrics::new(&self.0.recorder)
    }

    /// What the listeners count; keep it.
    #[must_use]
    pub fn listen(&self) -> ListenMetrics {
        ListenMetrics::new(&self.0.recorder)
    }

    /// Calls `sample` before each [`render`](Metrics::render), for gauges that are cheaper to read when asked.
    /// It must not call `render` or `on_render`, nor keep a `Metrics` alive through itself.
    pub fn on_render(&self, sample: impl Fn() + Send + Sync + 'static) {
        self.0.samplers.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(sample));
    }

    /// The Prometheus text format, version 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        for sample in self.0.samplers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            sample();
        }
        self.0.handle.run_upkeep();
        self.0.handle.render()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("region", &self.0.region).finish_non_exhaustive()
    }
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels.iter().map(|&(name, value)| Label::new(name, value.to_owned())).collect();
    Key::from_parts(KeyName::from_const_str(name), labels)
}

fn counter(recorder: &PrometheusRecorder, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
    recorder.register_counter(&key(name, labels), &METADATA)
}

fn gauge(recorder: &PrometheusRecorder, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
    recorder.register_gauge(&key(name, labels), &METADATA)
}

/// Counts of things in memory are far below 2^53.
#[allow(clippy::cast_precision_loss)]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::direction::Direction;

    fn line<'a>(text: &'a str, start: &str) -> &'a str {
        text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start} in {text}"))
    }

    #[test]
    fn calls_are_counted_by_connector_region_and_direction() {
        let metrics = Metrics::new("us-east-1");
        metrics.configure(["abc"]);
        let labels = r#"{voice_connector_id="abc",region="us-east-1",direction="outbound"}"#;
        let names = [
            "call_attempts_total",
            "call_failures_total",
            "calls_answered_total",
            "calls_active",
            "throttles_total",
        ];
        let text = metrics.render();
        for name in names {
            assert_eq!(line(&text, &format!("voice_connector_{name}{labels}")).split(' ').nth(1), Some("0"));
        }

        let connector = metrics.connector("abc");
        let calls = connector.calls(Direction::Outbound);
        calls.attempt();
        calls.attempt();
        calls.attempt();
        calls.answered();
        calls.answered();
        calls.ended();
        calls.failed();
        calls.throttled();
        let text = metrics.render();
        for (name, value) in names.into_iter().zip(["3", "1", "2", "1", "1"]) {
            assert_eq!(
                line(&text, &format!("voice_connector_{name}{labels}")).split(' ').nth(1),
                Some(value),
                "{name}"
            );
        }
        assert!(text.contains("# HELP voice_connector_calls_active "));
        assert!(text.contains("# TYPE voice_connector_calls_active gauge"));
        assert!(text.contains("# TYPE voice_connector_call_attempts_total counter"));
    }

    #[test]
    fn strangers_share_one_label_and_the_removed_keep_theirs() {
        let metrics = Metrics::new("r");
        metrics.configure(["abc"]);
        metrics.configure(["def"]);
        metrics.connector("abc").calls(Direction::Inbound).attempt();
        metrics.connector("made-up-1").calls(Direction::Inbound).attempt();
        metrics.connector("made-up-2").calls(Direction::Inbound).attempt();
        let text = metrics.render();
        assert!(
            text.contains(
                r#"call_attempts_total{voice_connector_id="abc",region="r",direction="inbound"} 1"#
            )
        );
        assert!(text.contains(
            r#"call_attempts_total{voice_connector_id="unknown",region="r",direction="inbound"} 2"#
        ));
        assert!(!text.contains("made-up"));
    }

    #[test]
    fn the_gateways_own() {
        let metrics = Metrics::new("r");
        for status in [100, 180, 200, 302, 404, 503, 603, 0, 99, 700, u16::MAX] {
            metrics.sip_response(status);
        }
        metrics.refusal("caller_id");
        metrics.traffic(Side::Customer, Flow::Received).rtp(3, 516);
        metrics.traffic(Side::Customer, Flow::Received).rtp(1, 172);
        metrics.traffic(Side::Remote, Flow::Sent).rtcp(1, 80);
        metrics.media_refusals("source").increment(2);
        metrics.shard(1).set_transactions(4, 5);
        metrics.shard(1).set_dialogs(6);
        metrics.shard(1).set_mailbox(7);
        metrics.media().set_ports(8, 1000);
        metrics.media().set_queue(10);
        let text = metrics.render();
        for expect in [
            r#"voice_connector_sip_responses_total{class="1xx"} 2"#,
            r#"voice_connector_sip_responses_total{class="6xx"} 1"#,
            r#"voice_connector_refusals_total{cause="caller_id"} 1"#,
            r#"voice_connector_rtp_packets_total{side="customer",direction="received"} 4"#,
            r#"voice_connector_rtp_bytes_total{side="customer",direction="received"} 688"#,
            r#"voice_connector_rtcp_packets_total{side="remote",direction="sent"} 1"#,
            r#"voice_connector_rtcp_bytes_total{side="remote",direction="sent"} 80"#,
            r#"voice_connector_media_refusals_total{cause="source"} 2"#,
            r#"voice_connector_transactions{shard="1",kind="client"} 4"#,
            r#"voice_connector_transactions{shard="1",kind="server"} 5"#,
            r#"voice_connector_dialogs{shard="1"} 6"#,
            r#"voice_connector_queue_depth{queue="shard",shard="1"} 7"#,
            "voice_connector_media_ports_in_use 8",
            "voice_connector_media_ports 1000",
            r#"voice_connector_queue_depth{queue="media"} 10"#,
        ] {
            assert!(text.lines().any(|line| line == expect), "no {expect} in {text}");
        }
    }

    /// What the sources say, but for their unit tests: of this module, and of all others.
    fn sources() -> (String, String) {
        let (mut own, mut others) = (String::new(), String::new());
        let mut unread = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(path) = unread.pop() {
            if path.is_dir() {
                unread.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let name = path.to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let (text, _) = text.split_once("\n#[cfg(test)]\nmod tests").unwrap_or((&text, ""));
            match name.contains("/src/metrics/") {
                true if name.ends_with("describe.rs") => {}
                true => own.push_str(text),
                false if name.contains("/simulation/") || name.ends_with("tests.rs") => {}
                false => others.push_str(text),
            }
        }
        (own, others)
    }

    #[test]
    fn whatever_is_described_is_written_by_somebody() {
        let (own, others) = sources();
        for (name, _) in describe::COUNTERS.iter().chain(describe::GAUGES) {
            assert!(own.contains(&format!("\"{name}\"")), "{name} is described, and that is all");
        }
        let functions = own.lines().map(str::trim_start).filter(|line| line.contains("(&self"));
        let public = functions.filter_map(|line| {
            line.strip_prefix("pub fn ")
                .or_else(|| line.strip_prefix("pub(crate) fn "))?
                .split(['(', '<'])
                .next()
        });
        let unused: Vec<&str> = public.filter(|name| !others.contains(&format!(".{name}("))).collect();
        assert_eq!(unused, [""; 0], "nobody calls these");
    }

    #[test]
    fn two_gateways_do_not_share() {
        let (a, b) = (Metrics::new("r"), Metrics::new("r"));
        a.refusal("source");
        assert!(!b.render().contains("cause"));
    }

    #[test]
    fn samplers_run_before_rendering() {
        let metrics = Metrics::new("r");
        let shard = metrics.shard(0);
        metrics.on_render(move || shard.set_dialogs(3));
        assert!(metrics.render().contains("voice_connector_dialogs{shard=\"0\"} 3"));
    }
}
