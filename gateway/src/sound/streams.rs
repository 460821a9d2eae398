//! The sinks that calls are streamed to, as the configuration has them, and what becomes of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use config::{Config, Secret, SecretError, StreamFormat, StreamingKind, StreamingSink};
use secrecy::{ExposeSecret as _, SecretString};
use smol_str::SmolStr;
use streaming::aws::{Aws, Keys};
use streaming::http::Client;
use streaming::kinesis::{Control, Kinesis, Pool};
use streaming::websocket::{Format, Settings, Target, WebSocket};
use streaming::{Call, Input, Missed, Open, Outcome};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;

use crate::listen::{TlsError, client_config};
use crate::metrics::{Metrics, Sound, SoundMetrics};

/// How long sinks may take for their last words when the gateway ends.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// How often it is asked, at least, what a sink had no room for.
const LOOK: Duration = Duration::from_secs(1);

/// See the module. It has a thread of its own for what they do, once there is one.
pub(super) struct Streams {
    config: Arc<ArcSwap<Config>>,
    metrics: Metrics,
    runtime: Option<Runtime>,
    /// What the sinks are made of, and they.
    made: Option<(Arc<Config>, Vec<Made>)>,
    /// Who hears what becomes of calls.
    hearing: Vec<JoinHandle<()>>,
}

struct Made {
    connector: SmolStr,
    of: Stuff,
    sink: Sink,
}

/// What a sink is made of: its settings, and what stands in the files and variables that they name.
struct Stuff {
    settings: StreamingSink,
    secret: Option<SecretString>,
    anchors: Option<Vec<u8>>,
}

impl Stuff {
    fn of(settings: &StreamingSink) -> Result<Stuff, Fault> {
        let secret = match &settings.kind {
            StreamingKind::Kinesis(kinesis) => kinesis.keys.as_ref().map(|(_, secret)| secret),
            StreamingKind::WebSocket(socket) => socket.secret.as_ref(),
        };
        let secret = secret.map(Secret::resolve).transpose()?;
        // What can't be read is told of when the sink is made.
        let anchors = settings.ca.as_deref().and_then(|ca| std::fs::read(ca).ok());
        Ok(Stuff { settings: settings.clone(), secret, anchors })
    }
}

impl PartialEq for Stuff {
    fn eq(&self, other: &Stuff) -> bool {
        let secrets = [self, other].map(|one| one.secret.as_ref().map(|secret| secret.expose_secret()));
        self.settings == other.settings && secrets[0] == secrets[1] && self.anchors == other.anchors
    }
}

enum Sink {
    Kinesis(Kinesis),
    WebSocket(WebSocket),
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Aws(#[from] streaming::aws::Error),
}

impl Streams {
    pub fn new(config: Arc<ArcSwap<Config>>, metrics: Metrics) -> Streams {
        Streams { config, metrics, runtime: None, made: None, hearing: Vec::new() }
    }

    /// Begins to stream a call to each sink of its connector. The call is over for them when what is returned is dropped.
    pub fn open(&mut self, call: Call) -> Vec<Input> {
        self.make();
        self.hearing.retain(|task| !task.is_finished());
        let (Some(runtime), Some((_, sinks))) = (&self.runtime, &self.made) else { return Vec::new() };
        let _entered = runtime.enter();
        let call = Arc::new(call);
        let mut inputs = Vec::new();
        for made in sinks.iter().filter(|made| made.connector == call.connector) {
            let Open { input, outcomes } = made.sink.open(&call);
            let heard = Heard {
                transaction_id: call.transaction_id,
                sink: made.of.settings.name.clone(),
                metrics: self.metrics.sound(&call.connector, made.sink.kind()),
                missed: input.missed(),
                live: HashSet::new(),
            };
            self.hearing.push(runtime.spawn(heard.hear(outcomes)));
            inputs.push(input);
        }
        inputs
    }

    /// Waits a while for the last words of the sinks, once all calls are over for them.
    pub fn end(self) {
        let Streams { runtime: Some(runtime), hearing, .. } = self else { return };
        runtime.block_on(async {
            let all = async {
                for task in hearing {
                    let _ = task.await;
                }
            };
            if timeout(LAST_WORDS, all).await.is_err() {
                tracing::warn!("sinks of sound were not done when the gateway ended");
            }
        });
        runtime.shutdown_background();
    }

    /// Makes the sinks that another configuration has. One that is made of the same stays: the streams of its calls are in use.
    fn make(&mut self) {
        let config = self.config.load_full();
        if self.made.as_ref().is_some_and(|(of, _)| Arc::ptr_eq(of, &config)) {
            return;
        }
        if self.runtime.is_none() {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("streams")
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => self.runtime = Some(runtime),
                Err(error) => return tracing::error!(%error, "there is no thread for what is streamed"),
            }
        }
        let mut before = self.made.take().map(|(_, sinks)| sinks).unwrap_or_default();
        let mut sinks = Vec::new();
        for connector in &config.voice_connector {
            for sink in &connector.streaming.sinks {
                let id = SmolStr::from(connector.id.as_str());
                let made = Stuff::of(sink).and_then(|of| {
                    let same = before.iter().position(|made| made.connector == id && made.of == of);
                    match same {
                        Some(same) => Ok(before.swap_remove(same)),
                        None => Ok(Made { connector: id.clone(), sink: Sink::new(&id, &of)?, of }),
                    }
                });
                match made {
                    Ok(made) => sinks.push(made),
                    Err(error) => {
                        self.metrics.sound(&id, kind(sink)).failed();
                        tracing::error!(connector = %id, sink = sink.name, %error, "nothing is streamed to a sink");
                    }
                }
            }
        }
        self.made = Some((config, sinks));
    }
}

fn kind(sink: &StreamingSink) -> Sound {
    match sink.kind {
        StreamingKind::Kinesis(_) => Sound::Kinesis,
        StreamingKind::WebSocket(_) => Sound::WebSocket,
    }
}

impl Sink {
    fn new(connector: &str, Stuff { settings: sink, secret, .. }: &Stuff) -> Result<Sink, Fault> {
        let client = Client::new(Arc::new(client_config(sink.ca.as_deref())?));
        match &sink.kind {
            StreamingKind::Kinesis(settings) => {
                kinesis(client, connector, settings, secret.clone(), sink.kept)
            }
            StreamingKind::WebSocket(settings) => Ok(websocket(&client, settings, secret.clone(), sink.kept)),
        }
    }

    fn kind(&self) -> Sound {
        match self {
            Sink::Kinesis(_) => Sound::Kinesis,
            Sink::WebSocket(_) => Sound::WebSocket,
        }
    }

    fn open(&self, call: &Arc<Call>) -> Open {
        match self {
            Sink::Kinesis(kinesis) => kinesis.open(call),
            Sink::WebSocket(socket) => socket.open(call),
        }
    }
}

fn kinesis(
    client: Client,
    connector: &str,
    settings: &config::Kinesis,
    secret: Option<SecretString>,
    kept: Duration,
) -> Result<Sink, Fault> {
    let keys = match (&settings.keys, secret) {
        (Some((id, _)), Some(secret)) => Keys::These { id: id.clone(), secret, token: None },
        _ => Keys::Host,
    };
    let aws = Aws::new(client, &settings.region, &keys)?;
    let pool = |endpoint: Option<&str>| {
        let control = Control::new(aws.clone(), endpoint, settings.retention_hours);
        Pool::new(control, connector, settings.streams)
    };
    let mut pools: Vec<_> = settings.endpoints.iter().map(|endpoint| pool(Some(endpoint.as_str()))).collect();
    if pools.is_empty() {
        pools.push(pool(None));
    }
    Ok(Sink::Kinesis(Kinesis::new(pools, settings.fragment, kept)))
}

fn websocket(
    client: &Client,
    settings: &config::WebSocket,
    secret: Option<SecretString>,
    kept: Duration,
) -> Sink {
    let targets = settings.servers.iter().map(|server| Target {
        url: server.as_str().replacen("http", "ws", 1),
        headers: Vec::new(),
        secret: secret.clone(),
        client: client.clone(),
    });
    let format = match settings.format {
        StreamFormat::Twilio => Format::Twilio,
        StreamFormat::Stereo => Format::Stereo,
        StreamFormat::Mono => Format::Mono,
    };
    let settings = Settings { format, plays_to: None, kept };
    Sink::WebSocket(WebSocket::new(targets.collect(), settings))
}

/// What becomes of one call at one sink.
struct Heard {
    transaction_id: Uuid,
    sink: String,
    metrics: SoundMetrics,
    /// What the sink had no room for.
    missed: Missed,
    /// Whose streams are live.
    live: HashSet<Option<audio::Party>>,
}

impl Heard {
    async fn hear(mut self, mut outcomes: mpsc::Receiver<Outcome>) {
        loop {
            let outcome = timeout(LOOK, outcomes.recv()).await;
            self.metrics.dropped(self.missed.take());
            match outcome {
                Ok(Some(outcome)) => self.handle(outcome),
                Ok(None) => break,
                Err(_) => {}
            }
        }
        self.metrics.dropped(self.missed.take());
        self.live.drain().for_each(|_| self.metrics.ended());
    }

    fn handle(&mut self, outcome: Outcome) {
        let Heard { transaction_id, sink, metrics, live, .. } = self;
        match outcome {
            Outcome::Started { party, stream, .. } => {
                if live.insert(party) {
                    metrics.started();
                }
                tracing::info!(%transaction_id, sink, ?party, stream, "a call is streamed");
            }
            Outcome::Dropped { duration, .. } => metrics.dropped(duration),
            Outcome::Failed { party, cause } => {
                if live.remove(&party) {
                    metrics.ended();
                }
                metrics.failed();
                tracing::warn!(%transaction_id, sink, ?party, cause, "a call is not streamed, for a while at least");
            }
            Outcome::Ended { party, dropped } => {
                if live.remove(&party) {
                    metrics.ended();
                }
                tracing::info!(%transaction_id, sink, ?party, dropped = dropped.as_secs_f64(), "a call is not streamed any more");
            }
            // Nothing is played to anybody.
            Outcome::Play { .. } | Outcome::Clear { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn configured(directory: &Path, kept: &str, more: &str) -> Arc<Config> {
        let secret = directory.join("secret").display().to_string();
        let text = format!(
            "[[listen]]\nprotocol = \"udp\"\naddress = \"127.0.0.1:5060\"\n[[voice_connector]]\nid = \"office\"\n{more}\n\
             [[voice_connector.streaming.sink]]\nname = \"transcriber\"\nkind = \"kinesis\"\nregion = \"us-east-1\"\n\
             access_key = \"AKIA\"\nsecret_key = {{ file = {secret:?} }}\n\
             [[voice_connector.streaming.sink]]\nname = \"bot\"\nkind = \"websocket\"\n\
             url = \"wss://bot.example.com/calls\"\nkept = \"{kept}\"\n"
        );
        Arc::new(Config::parse(&text, Path::new("test.toml")).unwrap().0)
    }

    /// A connector's streams at Kinesis are in use by its calls: another pool of them would have two calls write to one stream.
    #[test]
    fn a_sink_stays_as_long_as_nothing_of_it_changes() {
        let directory = tempfile::tempdir().unwrap();
        let write = |secret: &str| std::fs::write(directory.path().join("secret"), secret).unwrap();
        write("one");
        let config = Arc::new(ArcSwap::new(configured(directory.path(), "5s", "")));
        let mut streams = Streams::new(config.clone(), Metrics::new("here"));
        // Where the health of each is, while those of before are still there.
        let mut made = |kept: &str, more: &str| {
            config.store(configured(directory.path(), kept, more));
            streams.make();
            let (_, sinks) = streams.made.as_ref().unwrap();
            let place = |made: &Made| match &made.sink {
                Sink::Kinesis(kinesis) => std::ptr::from_ref(kinesis.health()),
                Sink::WebSocket(socket) => std::ptr::from_ref(socket.health()),
            };
            sinks.iter().map(place).collect::<Vec<_>>()
        };
        let first = made("5s", "");
        assert_eq!(first.len(), 2);
        assert_eq!(made("5s", "name = \"The office\""), first);
        let second = made("6s", "");
        assert_eq!(second[0], first[0]);
        assert_ne!(second[1], first[1]);
        write("two");
        let third = made("6s", "");
        assert_ne!(third[0], second[0]);
        assert_eq!(third[1], second[1]);
    }
}
