//! Traces on their way to a collector: OTLP over HTTP, many calls by one request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use config::Config;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{Ended, request};
use crate::listen::TlsError;
use crate::metrics::{Page, as_f64};
use crate::record::CallDetail;
use crate::record::sink::http::{HttpClient, reason};

/// So many calls wait at most: a few megabytes.
const QUEUE: usize = 4_096;

/// So many go by one request.
const BATCH: usize = 256;

/// How long the first of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);

/// So often a batch is tried that the collector could not take just now: again after this, then twice as late each time.
const TRIES: u32 = 4;
const LATER: Duration = if cfg!(test) { Duration::from_millis(10) } else { Duration::from_secs(1) };

/// What became of traces: exported, or dropped and why. One for all shards.
#[derive(Debug, Default)]
pub struct Exports {
    exported: AtomicU64,
    /// The queue was full.
    no_room: AtomicU64,
    /// The collector did not take them.
    refused: AtomicU64,
}

/// Where calls go when they are over. Never waits; a clone is the same.
#[derive(Debug, Clone)]
pub struct Exporter {
    queue: Sender<Ended>,
    exports: Arc<Exports>,
    config: Arc<ArcSwap<Config>>,
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("telemetry.authorization: {0}")]
    Secret(#[from] config::SecretError),
    #[error("telemetry.authorization is no value of a header")]
    Header(#[from] hyper::header::InvalidHeaderValue),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Request(#[from] hyper::http::Error),
    #[error("{0}")]
    NoAnswer(String),
    #[error("the answer is {0}")]
    Status(u16),
}

impl ExportError {
    /// Source: OTLP/HTTP, "Failures": 429, 502, 503, 504 and no answer at all.
    fn may_pass(&self) -> bool {
        matches!(self, ExportError::NoAnswer(_) | ExportError::Status(429 | 502..=504))
    }
}

impl Exporter {
    /// - `config`: the present one, which says where to; a new one holds from the next batch on.
    ///
    /// The second is to be run until it ends, which it does when the last exporter is gone and all is sent.
    pub fn new(config: Arc<ArcSwap<Config>>) -> (Exporter, impl Future<Output = ()> + Send + use<>) {
        let (queue, calls) = channel(QUEUE);
        let exports = Arc::<Exports>::default();
        let run = run(calls, config.clone(), exports.clone());
        (Exporter { queue, exports, config }, run)
    }

    /// A call is over.
    pub fn ended(&self, detail: &CallDetail) {
        if self.config.load().telemetry.endpoint.is_some() && self.queue.try_send(Ended::new(detail)).is_err()
        {
            self.exports.no_room.fetch_add(1, Relaxed);
        }
    }

    /// What became of them.
    #[must_use]
    pub fn exports(&self) -> Arc<Exports> {
        self.exports.clone()
    }
}

impl Exports {
    /// Writes their family.
    pub fn show(&self, page: &mut Page) {
        let mut series = page.family("voice_connector_traces_total");
        for (result, count) in
            [("exported", &self.exported), ("no_room", &self.no_room), ("refused", &self.refused)]
        {
            let count = usize::try_from(count.load(Relaxed)).unwrap_or(usize::MAX);
            series.show(&[("result", result)], as_f64(count));
        }
    }
}

/// Whom a batch is sent to, and how.
struct Collector {
    /// Under which it was made.
    config: Arc<Config>,
    client: HttpClient,
}

async fn run(mut calls: Receiver<Ended>, config: Arc<ArcSwap<Config>>, exports: Arc<Exports>) {
    let (mut told, mut known) = (false, None);
    while let Some(batch) = next(&mut calls).await {
        let config = config.load_full();
        let count = batch.len() as u64;
        let body = Bytes::from(request(&batch, &config.gateway.region).to_string());
        drop(batch);
        known = known.filter(|known: &Collector| Arc::ptr_eq(&known.config, &config));
        let sent = match known.take().map_or_else(|| Collector::new(config), Ok) {
            Ok(collector) => known.insert(collector).send(&body).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(rejected) => {
                exports.exported.fetch_add(count.saturating_sub(rejected), Relaxed);
                exports.refused.fetch_add(rejected.min(count), Relaxed);
                told = false;
            }
            Err(error) => {
                exports.refused.fetch_add(count, Relaxed);
                if !told {
                    tracing::warn!(%error, "traces cannot be exported");
                }
                told = true;
            }
        }
    }
}

/// The calls of the next request; `None`: there will be none.
async fn next(calls: &mut Receiver<Ended>) -> Option<Vec<Ended>> {
    let mut batch = vec![calls.recv().await?];
    let gathered = async {
        while batch.len() < BATCH
            && let Some(call) = calls.recv().await
        {
            batch.push(call);
        }
    };
    let _ = tokio::time::timeout(GATHER, gathered).await;
    Some(batch)
}

impl Collector {
    fn new(config: Arc<Config>) -> Result<Collector, ExportError> {
        let client = HttpClient::new(config.telemetry.ca.as_deref())?;
        Ok(Collector { config, client })
    }

    /// Sends a batch, again where that may help. Returns how many of its calls the collector would not have.
    async fn send(&self, body: &Bytes) -> Result<u64, ExportError> {
        let mut wait = LATER;
        for _ in 1..TRIES {
            match self.post(body).await {
                Err(error) if error.may_pass() => tokio::time::sleep(wait).await,
                done => return done.map(|answer| u64::from(is_partial(&answer))),
            }
            wait *= 2;
        }
        self.post(body).await.map(|answer| u64::from(is_partial(&answer)))
    }

    async fn post(&self, body: &Bytes) -> Result<Bytes, ExportError> {
        let telemetry = &self.config.telemetry;
        let Some(endpoint) = &telemetry.endpoint else { return Ok(Bytes::new()) };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/')))
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("voice-connector/", env!("CARGO_PKG_VERSION")));
        if let Some(secret) = &telemetry.authorization {
            let mut value = HeaderValue::from_str(secret.resolve()?.expose_secret())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(Full::from(body.clone()))?;
        let answer: Response<Bytes> =
            self.client.ask(request).await.map_err(|error| ExportError::NoAnswer(reason(error.as_ref())))?;
        match answer.status() {
            status if status.is_success() => Ok(answer.into_body()),
            status => Err(ExportError::Status(status.as_u16())),
        }
    }
}

/// The collector took the request and says that some spans of it are lost: of which calls it does not say.
fn is_partial(answer: &Bytes) -> bool {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let rejected = answer.pointer("/partialSuccess/rejectedSpans");
    rejected.is_some_and(|rejected| !(rejected.is_null() || *rejected == 0 || *rejected == "0"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::record::sink::testing::{Answer, Server};
    use crate::record::testing::detail;

    fn config(telemetry: &str) -> Arc<ArcSwap<Config>> {
        let text = format!("[[listen]]\naddress = \"127.0.0.1:5060\"\n{telemetry}");
        Arc::new(ArcSwap::from_pointee(Config::parse(&text, Path::new("f.toml")).unwrap().0))
    }

    fn counts(exporter: &Exporter) -> [u64; 3] {
        let Exports { exported, no_room, refused } = &*exporter.exports;
        [exported, no_room, refused].map(|count| count.load(Relaxed))
    }

    #[test]
    fn a_collector_gets_the_calls_of_a_second_by_one_request_and_again_where_it_was_busy() {
        let asked = AtomicUsize::new(0);
        let server = Server::start(move |_| match asked.fetch_add(1, Relaxed) {
            0 => Answer::status(503),
            1 => Answer::Close,
            _ => Answer::Status(200, Vec::new(), b"{\"partialSuccess\":{}}".to_vec()),
        });
        let telemetry = format!(
            "[telemetry]\nendpoint = \"{}\"\nauthorization = \"Bearer hush\"\n",
            server.url("/otlp/")
        );
        let (exporter, run) = Exporter::new(config(&telemetry));
        (0..3).for_each(|_| exporter.ended(&detail()));
        let exports = exporter.exports();
        drop(exporter);
        server.runtime.block_on(run);
        let requests = server.requests();
        assert_eq!(requests.len(), 3);
        for request in &requests {
            assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/otlp/v1/traces"));
            assert_eq!(request.header("authorization"), Some("Bearer hush"));
            assert_eq!(request.header("content-type"), Some("application/json"));
            assert_eq!(request.body, requests[0].body);
        }
        let body: Value = serde_json::from_slice(&requests[2].body).unwrap();
        let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
        assert_eq!(spans.len(), 3 * 6);
        assert_eq!(exports.exported.load(Relaxed), 3);
        let mut page = Page::default();
        exports.show(&mut page);
        assert!(page.into_text().contains("voice_connector_traces_total{result=\"exported\"} 3\n"));
    }

    #[test]
    fn what_finds_no_room_or_no_taker_is_counted() {
        let server = Server::start(|_| Answer::status(400));
        let (exporter, run) =
            Exporter::new(config(&format!("[telemetry]\nendpoint = \"{}\"\n", server.url(""))));
        (0..QUEUE + 5).for_each(|_| exporter.ended(&detail()));
        assert_eq!(counts(&exporter), [0, 5, 0]);
        let exports = exporter.exports();
        drop(exporter);
        server.runtime.block_on(run);
        assert_eq!(server.requests().len(), QUEUE / BATCH, "what it does not want is not said again");
        assert_eq!(exports.refused.load(Relaxed), QUEUE as u64);
    }

    #[test]
    fn without_an_endpoint_nothing_is_kept() {
        let (exporter, _run) = Exporter::new(config(""));
        (0..QUEUE + 5).for_each(|_| exporter.ended(&detail()));
        assert_eq!((counts(&exporter), exporter.queue.capacity()), ([0; 3], QUEUE));
    }
}
