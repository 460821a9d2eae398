//! The sinks that calls are streamed to, as the configuration has them, and what becomes of them.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use config::{Config, OnFailure, Secret, SecretError, StreamFormat, StreamingKind, StreamingSink};
use secrecy::{ExposeSecret as _, SecretString};
use smol_str::SmolStr;
use streaming::aws::{Aws, Keys};
use streaming::http::Client;
use streaming::kinesis::{Control, Kinesis, Pool};
use streaming::spool::Spool;
use streaming::websocket::{Format, Settings, Target, WebSocket};
use streaming::{Call, Input, Missed, Open, Outcome};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::told::{Invite, Told};
use super::{Reach, Reaches, Update};
use crate::clock::Now;
use crate::listen::{TlsError, client_config};
use crate::metrics::{Metrics, Sound, SoundMetrics, SpoolMetrics};
use crate::record::{Record, Recorder, StreamedCall, milliseconds};

/// How long sinks may take for their last words when the gateway ends.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// How often a sink without which no call is placed is asked whether it takes some; and when it does not.
const PROBE: Duration = Duration::from_secs(10);
const PROBE_FAILED: Duration = Duration::from_secs(2);

/// How often it is asked, at least, what a sink had no room for.
const LOOK: Duration = Duration::from_secs(1);

/// See the module. It has a thread of its own for what they do, once there is one.
pub(super) struct Streams {
    config: Arc<ArcSwap<Config>>,
    metrics: Metrics,
    recorder: Recorder,
    reaches: Reaches,
    runtime: Option<Runtime>,
    /// By connector and name: those that are open, and their limits. A sink that is made anew goes on with its own.
    spools: HashMap<(SmolStr, String), (u64, Spool)>,
    /// What the sinks are made of, and they.
    made: Option<(Arc<Config>, Vec<Made>)>,
    /// Who hears what becomes of calls.
    hearing: Vec<JoinHandle<()>>,
}

struct Made {
    connector: SmolStr,
    of: Stuff,
    sink: Arc<Sink>,
    /// Of one that calls must be streamed to.
    reach: Option<Reached>,
    /// What goes on beside its calls.
    #[expect(dead_code, reason = "held for what it ends")]
    beside: Beside,
}

/// Tasks that end when this is dropped.
#[derive(Default)]
struct Beside(Vec<JoinHandle<()>>);

impl Drop for Beside {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Beside {
    /// Delivers what is on disk, and tells how much that is.
    fn begin(
        sink: Arc<Sink>,
        spool: Spool,
        metrics: SpoolMetrics,
        connector: SmolStr,
        name: String,
    ) -> Beside {
        let told = async move {
            let mut before = 0;
            loop {
                let (files, bytes, lost) = spool.depth();
                metrics.set(files, bytes, lost);
                if lost > before {
                    tracing::warn!(%connector, sink = name, files = lost - before, "the spool is full: the oldest calls are lost");
                    before = lost;
                }
                sleep(LOOK).await;
            }
        };
        let delivers = async move {
            if let Sink::Kinesis(kinesis) = &*sink {
                kinesis.backfill().await;
            }
        };
        Beside(vec![tokio::spawn(told), tokio::spawn(delivers)])
    }
}

/// Where what waits for a sink lies, below the records' directory.
fn spool_directory(records: &Path, connector: &str, sink: &str) -> PathBuf {
    records.join("voice-connector-spool").join(connector).join(sink)
}

/// The spool of a sink, where it has one.
fn spool(
    spools: &mut HashMap<(SmolStr, String), (u64, Spool)>,
    records: &Path,
    connector: &SmolStr,
    sink: &StreamingSink,
) -> Result<Option<Spool>, Fault> {
    let StreamingKind::Kinesis(config::Kinesis { spool: Some(limit), .. }) = sink.kind else {
        return Ok(None);
    };
    let key = (connector.clone(), sink.name.clone());
    if let Some((_, spool)) = spools.get(&key).filter(|(of, _)| *of == limit) {
        return Ok(Some(spool.clone()));
    }
    let opened =
        Spool::open(&spool_directory(records, connector, &sink.name), limit).map_err(Fault::Spool)?;
    spools.insert(key, (limit, opened.clone()));
    Ok(Some(opened))
}

/// A sink that is asked now and then whether it takes calls, until this is dropped.
struct Reached {
    reach: Reach,
    task: JoinHandle<()>,
}

impl Drop for Reached {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reached {
    fn begin(reach: Reach, connector: SmolStr, name: String, sink: Arc<Sink>) -> Reached {
        let known = reach.clone();
        let task = async move {
            loop {
                let asked = sink.probe().await;
                if let Err(why) = &asked
                    && known.takes()
                {
                    tracing::warn!(%connector, sink = name, why, "calls are refused: the sink takes none");
                }
                known.set(asked.is_ok());
                sleep(if asked.is_ok() { PROBE } else { PROBE_FAILED }).await;
            }
        };
        Reached { reach, task: tokio::spawn(task) }
    }
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
    #[error("the spool: {0}")]
    Spool(std::io::Error),
    #[error(transparent)]
    Aws(#[from] streaming::aws::Error),
}

impl Streams {
    pub fn new(
        config: Arc<ArcSwap<Config>>,
        metrics: Metrics,
        recorder: Recorder,
        reaches: Reaches,
    ) -> Streams {
        Streams {
            config,
            metrics,
            recorder,
            reaches,
            runtime: None,
            spools: HashMap::new(),
            made: None,
            hearing: Vec::new(),
        }
    }

    /// Makes the sinks of the configuration where some have something to do before there are calls: they are asked whether they take
    /// some, or what an earlier run left on disk is delivered.
    pub fn look(&mut self) {
        let config = self.config.load();
        let has_work = |sink: &StreamingSink| {
            let spools = matches!(&sink.kind, StreamingKind::Kinesis(kinesis) if kinesis.spool.is_some());
            spools || sink.on_failure == OnFailure::Refuse
        };
        if config.voice_connector.iter().flat_map(|one| &one.streaming.sinks).any(has_work) {
            self.make();
        }
    }

    /// Begins to stream a call to each sink of its connector. The call is over for them when what is returned is dropped.
    pub fn open(&mut self, call: Call, invite: Invite) -> Option<Opened> {
        self.make();
        self.hearing.retain(|task| !task.is_finished());
        let (Some(runtime), Some((config, sinks))) = (&self.runtime, &self.made) else { return None };
        let _entered = runtime.enter();
        let sinks: Vec<&Made> = sinks.iter().filter(|made| made.connector == call.connector).collect();
        let recorder = self.recorder.clone();
        // What finds no room is counted by the recorder.
        let tell = Box::new(move |news| recorder.record(Record::Streaming(Box::new(news))).is_ok());
        let account = config.gateway.account.as_deref().unwrap_or_default();
        let streamed = StreamedCall::new(call.clone(), account, &config.gateway.region);
        let told = Arc::new(Mutex::new(Told::new(streamed, invite, sinks.len(), tell)));
        let call = Arc::new(call);
        let mut inputs = Vec::new();
        for (number, made) in sinks.into_iter().enumerate() {
            let Open { input, outcomes } = made.sink.open(&call);
            let heard = Heard {
                transaction_id: call.transaction_id,
                number,
                told: told.clone(),
                sink: made.of.settings.name.clone(),
                reach: made.reach.as_ref().map(|reached| reached.reach.clone()),
                metrics: self.metrics.sound(&call.connector, made.sink.kind()),
                missed: input.missed(),
                opened: Instant::now(),
                live: HashSet::new(),
            };
            self.hearing.push(runtime.spawn(heard.hear(outcomes)));
            inputs.push(input);
        }
        Some(Opened { connector: call.connector.clone(), inputs, told })
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
        let _entered = self.runtime.as_ref().map(Runtime::enter);
        let mut before = self.made.take().map(|(_, sinks)| sinks).unwrap_or_default();
        let mut sinks = Vec::new();
        for connector in &config.voice_connector {
            for sink in &connector.streaming.sinks {
                let id = SmolStr::from(connector.id.as_str());
                let made = Stuff::of(sink).and_then(|of| {
                    let same = before.iter().position(|made| made.connector == id && made.of == of);
                    match same {
                        Some(same) => Ok(before.swap_remove(same)),
                        None => {
                            let kept = spool(&mut self.spools, &config.records.directory, &id, sink)?;
                            let made = Arc::new(Sink::new(&id, &of, kept.clone())?);
                            let reach = (sink.on_failure == OnFailure::Refuse).then(|| {
                                let reach = self.reaches.of(&id, &sink.name);
                                Reached::begin(reach, id.clone(), sink.name.clone(), made.clone())
                            });
                            let beside = kept.map_or_else(Beside::default, |kept| {
                                let metrics = self.metrics.spool(&id, &sink.name);
                                Beside::begin(made.clone(), kept, metrics, id.clone(), sink.name.clone())
                            });
                            Ok(Made { connector: id.clone(), sink: made, of, reach, beside })
                        }
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
    fn new(
        connector: &str,
        Stuff { settings: sink, secret, .. }: &Stuff,
        spool: Option<Spool>,
    ) -> Result<Sink, Fault> {
        let client = Client::new(Arc::new(client_config(sink.ca.as_deref())?));
        match &sink.kind {
            StreamingKind::Kinesis(settings) => {
                kinesis(client, connector, settings, secret.clone(), sink.kept, spool)
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

    /// Whether it would take a call now.
    async fn probe(&self) -> Result<(), String> {
        match self {
            Sink::Kinesis(kinesis) => kinesis.probe().await,
            Sink::WebSocket(socket) => socket.probe().await,
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
    spool: Option<Spool>,
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
    let kinesis = Kinesis::new(pools, settings.fragment, kept);
    Ok(Sink::Kinesis(match spool {
        Some(spool) => kinesis.spool(spool),
        None => kinesis,
    }))
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

/// A call that is streamed to the sinks of a connector.
pub(super) struct Opened {
    connector: SmolStr,
    /// Where its sound goes.
    pub inputs: Vec<Input>,
    told: Arc<Mutex<Told>>,
}

impl Opened {
    /// The call was changed, if by this connector's customer.
    pub fn update(&self, Update { now, connector, headers, metadata }: &Update) {
        if self.connector == *connector {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.update(milliseconds(now.unix), headers.clone(), metadata.clone());
        }
    }
}

/// What becomes of one call at one sink.
struct Heard {
    transaction_id: Uuid,
    /// The sink's number among those of the call.
    number: usize,
    told: Arc<Mutex<Told>>,
    reach: Option<Reach>,
    sink: String,
    metrics: SoundMetrics,
    /// What the sink had no room for.
    missed: Missed,
    /// When it was to begin.
    opened: Instant,
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
        self.tell(|told, at, number| told.done(at, number));
    }

    fn tell(&self, what: impl FnOnce(&mut Told, u64, usize)) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        what(&mut told, milliseconds(Now::read().unix), self.number);
    }

    fn handle(&mut self, outcome: Outcome) {
        self.tell(|told, at, number| told.handle(at, number, &outcome));
        match (&self.reach, &outcome) {
            (Some(reach), Outcome::Started { .. }) => reach.set(true),
            (Some(reach), Outcome::Failed { .. }) => reach.set(false),
            _ => {}
        }
        let Heard { transaction_id, sink, metrics, live, opened, .. } = self;
        match outcome {
            Outcome::Started { party, stream, .. } => {
                if live.insert(party) {
                    metrics.started(opened.elapsed());
                }
                tracing::info!(%transaction_id, sink, ?party, stream, "a call is streamed");
            }
            Outcome::Dropped { duration, on_disk: true, .. } => metrics.spooled(duration),
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
    use super::*;
    use crate::record::RecorderSettings;

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
        let metrics = Metrics::new("here");
        let settings = RecorderSettings::new(directory.path());
        let opened = crate::record::open(&settings, metrics.records()).unwrap();
        let mut streams = Streams::new(config.clone(), metrics, opened.recorder, Reaches::default());
        // Where the health of each is, while those of before are still there.
        let mut made = |kept: &str, more: &str| {
            config.store(configured(directory.path(), kept, more));
            streams.make();
            let (_, sinks) = streams.made.as_ref().unwrap();
            let place = |made: &Made| match &*made.sink {
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
