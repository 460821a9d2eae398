//! The gateway put together: sockets, shards, media workers, records, metrics, admin server.
//!
//! ```text
//! listeners -> shards (core) -> media workers
//!                 |   \-> recorder (journal, directory)
//!                 \-> metrics <- admin server
//! ```

mod alerts;
mod asking;
mod console;
mod control;
mod descriptors;
mod effects;
mod export;
mod log_levels;
mod memory;
mod minutes;
mod orphans;
mod reload;
mod upkeep;
mod watch;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use config::{Config, Transport};
use inventory::Inventory;
use secrecy::SecretString;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::admin::{Admin, AdminError};
use crate::api;
use crate::clock::Now;
use crate::core::{Core, Input, Live, LiveError, Shared};
use crate::hep::{Feed, HepError};
use crate::ids::{HashKey, Ownership, Tokens};
use crate::listen::stream::{self, StreamLimits, StreamSetup, StreamThread};
use crate::listen::{BindError, Guard, GuardLimits, ListenCounters, Tls, TlsError, bind, listed, listeners};
use crate::media::{Media, MediaSettings};
use crate::metrics::Metrics;
use crate::pulse::Pulse;
use crate::random::{Random, SystemRandom};
use crate::readiness::{Obstacle, Readiness};
use crate::record::{JournalError, RecordWriter, RecorderSettings, open_with, sink};
use crate::resolve::{Resolver, ResolverLimits, SystemDns};

use crate::shard::{self, Mailboxes, ShardSetup, ShardThread, mailboxes};
use crate::sound::{Sound, SoundThreads};
use crate::supervisor::{SignsOfLife, Supervisor};

pub use control::{Command, Drained, Response};
pub use log_levels::LogLevels;
pub use reload::{ReloadError, Report, difference};

/// How long the shards may take to hang up what is left.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// How a gateway runs, beside its configuration.
#[derive(Debug, Clone, Default)]
pub struct DaemonOptions {
    /// Signalling threads; 0: one per core.
    pub shards: u16,
    /// Media threads; 0: one per core.
    pub media_workers: usize,
    /// Where the configuration was read from, to be read again; `None`: nowhere.
    pub file: Option<PathBuf>,
    /// Whom signs of life are given.
    pub supervisor: Supervisor,
    /// What is logged; `None`: that cannot be changed.
    pub log: Option<LogLevels>,
}

/// Why a gateway can't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A secret can't be read.
    #[error(transparent)]
    Secret(#[from] LiveError),
    /// `admin.token` can't be read.
    #[error("admin.token: {0}")]
    Token(#[from] config::SecretError),
    /// A certificate, key or trust anchor can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A listener can't be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Media can't be sent from an address: each call would be refused.
    #[error("{key}: no socket at {address}: {source}; name an address of this machine")]
    Media {
        /// The key that names it.
        key: &'static str,
        /// The address.
        address: IpAddr,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The records directory can't be used.
    #[error(transparent)]
    Records(#[from] JournalError),
    /// A sink of records can't be used.
    #[error(transparent)]
    Sink(#[from] sink::SinkError),
    /// A collector of what crosses can't be had.
    #[error(transparent)]
    Hep(#[from] HepError),
    /// The admin server can't start.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// What the API manages can't be had.
    #[error(transparent)]
    Managed(#[from] api::StoreError),
    /// The API can't start.
    #[error(transparent)]
    Api(#[from] api::ApiError),
    /// The control socket can't be had.
    #[error("admin.socket {path}: {source}")]
    Socket {
        /// As configured.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A thread or the like could not be had.
    #[error("the system refused {what}: {source}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// A running gateway. [`Gateway::stop`] ends it in order; dropping it leaves its threads alone.
pub struct Gateway {
    listeners: Vec<(Transport, SocketAddr)>,
    admin: SocketAddr,
    shards: Vec<ShardThread>,
    streams: StreamThread,
    mailboxes: Mailboxes,
    reload: Arc<reload::Reload>,
    /// Its name goes with it.
    _control: Option<control::Socket>,
    shared: Arc<Shared>,
    drained: Receiver<u16>,
    readiness: Readiness,
    watch: JoinHandle<()>,
    upkeep: JoinHandle<()>,
    media: Arc<Media>,
    sound: SoundThreads,
    writer: RecordWriter,
    minutes: minutes::Keeper,
    /// It ends when all is sent.
    #[cfg(feature = "otel")]
    traces: JoinHandle<()>,
    stop_admin: oneshot::Sender<()>,
    api: Option<StartedApi>,
    runtime: tokio::runtime::Runtime,
}

impl Gateway {
    /// Opens every socket and directory, then serves. Nothing is served when anything fails.
    ///
    /// # Errors
    /// The first thing that can't be had.
    pub fn start(config: Config, options: &DaemonOptions) -> Result<Gateway, StartError> {
        let descriptors = descriptors::raise(&config);
        let files = Arc::new(config);
        let inventory = files.api.as_ref().map(|settings| api::open(settings, files.clone())).transpose()?;
        let config = match &inventory {
            Some(inventory) => inventory.snapshot().map_err(api::StoreError::from)?,
            None => files,
        };
        let live = Arc::new(Live::new(config.clone())?);
        let token = config.admin.token.as_ref().map(|token| token.resolve()).transpose()?;
        let tls = Arc::new(Tls::new(&config)?);
        let certified = api::certified(&config)?.map(|certified| Arc::new(ArcSwap::new(certified)));
        tell_doubts(&config);
        let shards = if options.shards == 0 { cores() } else { options.shards };
        let bound = bind(&listeners(&config), shards)?;
        for address in config.media_addresses() {
            let key = if config.media.address.contains(&address) {
                "media.address"
            } else {
                "network.media_address"
            };
            UdpSocket::bind((address, 0)).map_err(|source| StartError::Media { key, address, source })?;
        }
        let addresses: Vec<(Transport, SocketAddr)> =
            bound.listeners.iter().map(|listener| (listener.transport, listener.address)).collect();

        let metrics = Metrics::new(&config.gateway.region);
        metrics.configure(config.voice_connector.iter().map(|connector| connector.id.as_str()));
        metrics.configure_carriers(config.carrier.iter().map(|carrier| carrier.name.as_str()));
        let records =
            open_with(&records_settings(&config), &sink::of(&config.records, &metrics)?, metrics.records())?;
        let feed = Feed::start(&config.records.hep, &metrics)?;

        let mut random = SystemRandom::new();
        let key = HashKey::random(&mut random);
        let ownership = Ownership::new(0, shards, key);
        let counters = Arc::<ListenCounters>::default();
        let guard = Arc::new(Guard::new(GuardLimits::default(), key, Instant::now(), counters.clone()));
        guard.exempt(listed(&config));
        let (mailboxes, inboxes) = mailboxes(ownership, counters.clone());

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("outside")
            .enable_all()
            .build()
            .map_err(|source| StartError::System { what: "a runtime", source })?;
        let handle = runtime.handle().clone();
        let resolver = {
            let _entered = runtime.enter();
            Resolver::new(SystemDns::new(), handle, Box::new(SystemRandom::new()), ResolverLimits::default())
        };
        let (results, resolver) = (resolver.results(), Arc::new(resolver));

        let to_shards = mailboxes.clone();
        let media = Media::start(
            &media_settings(&config, &addresses, options, descriptors.media),
            move |shard, event| {
                to_shards.post_event(shard, Input::Media(event));
            },
        )
        .map_err(|source| StartError::System { what: "the media workers", source })?;
        let media = Arc::new(media);
        if media.takes_descriptors() {
            descriptors::tell(&config, &descriptors);
        }

        let bound_addresses =
            bound.listeners.iter().map(|listener| (listener.id, listener.address)).collect();
        let recorder = records.recorder.clone();
        let accepts = Box::new(move || recorder.accepts_calls());
        let mut nonce_key = [0; 32];
        random_fill(&mut random, &mut nonce_key);
        let shared =
            Shared::new(metrics.clone(), guard.clone(), nonce_key, bound_addresses, media.room(), accepts)
                .with_feed(feed);
        let shared = Arc::new(match memory::of_a_shard(shards) {
            Some(memory) => shared.with_memory(memory),
            None => shared,
        });
        shared.readiness.block(Obstacle::Starting, "not all listeners are bound");
        let minutes = minutes::Keeper::start(&config.records.directory, shared.clone())
            .map_err(|source| StartError::System { what: "a thread for the minutes of the day", source })?;
        let current = Arc::new(ArcSwap::new(config.clone()));
        let (sound, sound_threads) = Sound::start(
            config.records.directory.clone(),
            current.clone(),
            metrics.clone(),
            shared.recordings.clone(),
            records.recorder.clone(),
            shared.sinks.clone(),
        )
        .map_err(|source| StartError::System { what: "a thread for the sound of calls", source })?;
        let sources = export::Sources {
            counters: &counters,
            results: &results,
            shared: &shared,
            config: &current,
            mailboxes: &mailboxes,
            tls: &tls,
        };
        export::export(&metrics, &sources);
        metrics.configuration_read(true);
        crate::media::export(&media, &metrics);

        let (streams, stream_thread) = stream::start(StreamSetup {
            listeners: bound.listeners.clone(),
            sockets: bound.streams,
            sink: Arc::new(mailboxes.clone()),
            ownership: *mailboxes.ownership(),
            guard: guard.clone(),
            counters: counters.clone(),
            tls: tls.clone(),
            limits: StreamLimits { connections: descriptors.connections, ..StreamLimits::default() },
        })
        .map_err(|source| StartError::System { what: "the transport thread", source })?;

        #[cfg(feature = "otel")]
        let traces = {
            let (traces, run) = crate::spans::Exporter::new(current.clone());
            let exports = traces.exports();
            metrics.on_page(move |page| exports.show(page));
            (traces, runtime.spawn(run))
        };
        let asking = asking::Asking::new(&mailboxes);
        let (to_drained, drained) = channel();
        let mut threads = Vec::new();
        for ((number, inbox), udp) in (0..).zip(inboxes).zip(bound.udp) {
            let setup = ShardSetup {
                shard: number,
                udp,
                inbox,
                mailboxes: mailboxes.clone(),
                streams: streams.clone(),
                resolver: resolver.clone(),
                guard: guard.clone(),
                counters: counters.clone(),
            };
            let effects = effects::Effects {
                shard: number,
                media: media.clone(),
                recorder: records.recorder.clone(),
                sound: sound.clone(),
                mailboxes: mailboxes.clone(),
                drained: to_drained.clone(),
                asking: asking.clone(),
                #[cfg(feature = "otel")]
                traces: traces.0.clone(),
            };
            threads.push(start_shard(setup, shared.clone(), live.clone(), effects)?);
        }

        let listeners = reload::Listeners::new(
            &config,
            &bound.listeners,
            mailboxes.clone(),
            streams,
            asking.clone(),
            runtime.handle().clone(),
        );
        let reload = Arc::new(reload::Reload {
            supervisor: options.supervisor.clone(),
            file: options.file.clone(),
            history: reload::History::new(config.records.directory.join(".configurations")),
            current: current.clone(),
            live: ArcSwap::new(live.clone()),
            turn: Mutex::default(),
            taking: Mutex::default(),
            inventory: inventory.clone(),
            tls: tls.clone(),
            certified: certified.clone(),
            shared: shared.clone(),
            guard,
            mailboxes: mailboxes.clone(),
            listeners,
            metrics: metrics.clone(),
        });
        if let Some(Ok(texts)) = options.file.as_deref().map(config::Texts::read) {
            reload.keep(&texts);
        }
        reload::Reload::hear(&reload);
        let readiness = shared.readiness.clone();
        let (stop_admin, stopped) = oneshot::channel();
        let admin = start_admin(&runtime, &config, token, metrics.clone(), readiness.clone(), stopped)?;
        let pages = config.api.as_ref().is_some_and(|api| api.console).then(|| {
            let pages = console::Pages::new(asking.clone(), reload.clone(), runtime.handle().clone());
            Arc::new(pages) as Arc<dyn ::console::Host>
        });
        let parts = inventory.clone().map(|inventory| api::Parts {
            inventory,
            health: shared.termination_health.clone(),
            recorder: records.recorder.clone(),
            certified,
            pages,
        });
        let api = start_api(&runtime, &config, parts)?;
        let shard_pulses = threads.iter().map(|shard: &ShardThread| shard.pulse.clone());
        let pulses = shard_pulses.chain([stream_thread.pulse.clone(), records.writer.pulse.clone()]);
        let pulses: Vec<Pulse> = pulses.chain(media.pulses()).collect();
        export::threads(&metrics, pulses.clone());
        let alerts = Arc::<alerts::Alerts>::default();
        let shown = alerts.clone();
        metrics.on_page(move |page| shown.show(page));
        let upkeep = upkeep::Upkeep {
            shared: shared.clone(),
            config: current.clone(),
            alerts,
            sources: alerts::Sources {
                shared: shared.clone(),
                tls: tls.clone(),
                recorder: records.recorder.clone(),
            },
        };
        let upkeep = runtime.spawn(upkeep.run());
        let watch = watch::Watch {
            readiness: readiness.clone(),
            recorder: records.recorder.clone(),
            media: media.clone(),
            drains: shared.drains.clone(),
            carriers: shared.registrar.carriers.clone(),
            pulses,
        };
        watch.look(Instant::now());
        let signs = SignsOfLife::new(options.supervisor.clone(), Instant::now());
        let watch = runtime.spawn(watch.run(signs, shared.clone()));
        let control = control::Control {
            reload: reload.clone(),
            asking,
            log: options.log.clone(),
            inventory,
            recorder: records.recorder.clone(),
        };
        let control = start_control(&runtime, &config, control)?;
        readiness.clear(Obstacle::Starting);
        runtime.spawn(orphans::hang_up(records.orphans, mailboxes.clone()));
        Ok(Gateway {
            listeners: addresses,
            admin,
            shards: threads,
            streams: stream_thread,
            mailboxes,
            reload,
            _control: control,
            shared,
            drained,
            readiness,
            watch,
            upkeep,
            media,
            sound: sound_threads,
            writer: records.writer,
            minutes,
            #[cfg(feature = "otel")]
            traces: traces.1,
            stop_admin,
            api,
            runtime,
        })
    }

    /// The listeners as they are bound: a port 0 has become a real one.
    pub fn listeners(&self) -> &[(Transport, SocketAddr)] {
        &self.listeners
    }

    /// Where `/metrics`, `/healthz` and `/readyz` are.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where the API is, if there is one.
    pub fn api(&self) -> Option<SocketAddr> {
        self.api.as_ref().map(|api| api.address)
    }

    /// Reads the configuration again with all that it names, and goes on under it: calls that begin from now on are made under
    /// it, TLS handshakes use its certificates. Calls and connections keep what they began with.
    ///
    /// # Errors
    /// Why everything stays as it was.
    pub fn reload(&self) -> Result<Report, ReloadError> {
        self.reload.reload()
    }

    /// What the API manages, where there is one.
    pub fn inventory(&self) -> Option<&Arc<Inventory>> {
        self.reload.inventory.as_ref()
    }

    /// What the configuration in `file` would change. Nothing is changed.
    ///
    /// # Errors
    /// Why it would not be taken.
    pub fn plan(&self, file: &Path) -> Result<Report, ReloadError> {
        self.reload.plan(file)
    }

    /// Signalling threads.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// How many ordinary calls have room at one time: media ports and open files.
    pub fn calls(&self) -> usize {
        self.shared.media.calls
    }

    /// How datagrams reach the media threads and why not otherwise, for people.
    pub fn media_driver(&self) -> &str {
        self.media.driver()
    }

    /// Who forwards steady streams, and why not the kernel, for people.
    pub fn media_kernel(&self) -> &str {
        self.media.kernel()
    }

    /// Media threads.
    pub fn media_workers(&self) -> usize {
        self.media.workers()
    }

    /// Takes no new calls but emergencies, waits until the live ones are gone, for `limit` at most, and hangs up
    /// what is left. `interrupted` is asked now and then: true cuts the wait short.
    pub fn drain(&self, limit: Duration, interrupted: impl Fn() -> bool) {
        self.shared.drains.stop();
        self.readiness.block(Obstacle::Draining, "no new calls but emergencies");
        let until = Instant::now() + limit;
        let go_on = || Instant::now() < until && !interrupted();
        let mut drained = self.all_drained(|| Input::Drain, go_on);
        // A shard that said so early may have taken an emergency call since.
        while drained && self.shared.live_calls() > 0 {
            drained = go_on();
            let _ = self.drained.recv_timeout(Duration::from_millis(50));
        }
        if !drained {
            let until = Instant::now() + STOP_LIMIT;
            self.all_drained(|| Input::Stop, || Instant::now() < until);
        }
    }

    /// Tells every shard, and waits until each has said that it holds no call, or until `go_on` says no.
    fn all_drained(&self, input: impl Fn() -> Input, go_on: impl Fn() -> bool) -> bool {
        self.drained.try_iter().for_each(drop); // What was said before does not count.
        self.mailboxes.broadcast(input);
        let mut left: BTreeSet<u16> = (0..self.mailboxes.ownership().shards()).collect();
        while !left.is_empty() {
            if !go_on() {
                return false;
            }
            if let Ok(shard) = self.drained.recv_timeout(Duration::from_millis(50)) {
                left.remove(&shard);
            }
        }
        true
    }

    /// Hangs up what is live and ends everything; records are written before it returns.
    pub fn stop(self) {
        self.drain(Duration::ZERO, || true);
        self.upkeep.abort();
        self.watch.abort(); // That its threads end is no news from here on.
        let _ = self.stop_admin.send(());
        if let Some(StartedApi { stop, served, .. }) = self.api {
            let _ = stop.send(());
            let _ = self.runtime.block_on(async { tokio::time::timeout(STOP_LIMIT, served).await });
        }
        for shard in self.shards {
            shard.stop();
        }
        self.streams.stop();
        self.sound.join();
        self.writer.close();
        self.minutes.stop();
        #[cfg(feature = "otel")]
        let _ = self.runtime.block_on(async { tokio::time::timeout(STOP_LIMIT, self.traces).await });
        self.runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

fn start_shard(
    setup: ShardSetup,
    shared: Arc<Shared>,
    live: Arc<Live>,
    effects: effects::Effects,
) -> Result<ShardThread, StartError> {
    let shard = setup.shard;
    let build = move || {
        let tokens = Tokens::new(0, shard, Box::new(SystemRandom::new()));
        let core = Core::new(Now::read(), shared, live, tokens);
        (core, effects.into_closure())
    };
    shard::start(setup, build).map_err(|source| StartError::System { what: "a shard", source })
}

fn start_admin(
    runtime: &tokio::runtime::Runtime,
    config: &Config,
    token: Option<SecretString>,
    metrics: Metrics,
    readiness: Readiness,
    stopped: oneshot::Receiver<()>,
) -> Result<SocketAddr, StartError> {
    let admin = runtime.block_on(Admin::bind(config.admin.address, token, metrics, readiness))?;
    let address = admin.local_addr();
    runtime.spawn(admin.serve(async {
        let _ = stopped.await;
    }));
    Ok(address)
}

/// An API that is served.
struct StartedApi {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    /// It ends when what was begun is answered.
    served: JoinHandle<std::io::Result<()>>,
}

/// Serves the API, where one is configured.
fn start_api(
    runtime: &tokio::runtime::Runtime,
    config: &Config,
    parts: Option<api::Parts>,
) -> Result<Option<StartedApi>, StartError> {
    let Some((settings, parts)) = config.api.as_ref().zip(parts) else { return Ok(None) };
    let bound = runtime.block_on(api::Bound::bind(settings, config, parts))?;
    let address = bound.local_addr();
    let (stop, stopped) = oneshot::channel();
    let served = runtime.spawn(bound.serve(async {
        let _ = stopped.await;
    }));
    Ok(Some(StartedApi { address, stop, served }))
}

/// Serves the control socket, where one is configured.
fn start_control(
    runtime: &tokio::runtime::Runtime,
    config: &Config,
    control: control::Control,
) -> Result<Option<control::Socket>, StartError> {
    let Some(path) = &config.admin.socket else { return Ok(None) };
    let bound = control::Socket::bind(path).and_then(|(socket, listener)| {
        let _entered = runtime.enter();
        Ok((socket, tokio::net::UnixListener::from_std(listener)?))
    });
    let failed = |source| StartError::Socket { path: path.display().to_string(), source };
    let (socket, listener) = bound.map_err(failed)?;
    runtime.spawn(control::serve(listener, Arc::new(control)));
    Ok(Some(socket))
}

fn cores() -> u16 {
    std::thread::available_parallelism().map_or(1, |cores| u16::try_from(cores.get()).unwrap_or(u16::MAX))
}

fn random_fill(random: &mut dyn Random, bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(8) {
        for (byte, from) in chunk.iter_mut().zip(random.next_u64().to_ne_bytes()) {
            *byte = from;
        }
    }
}

fn records_settings(config: &Config) -> RecorderSettings {
    let config::Records { directory, durability, journal_limit, .. } = &config.records;
    RecorderSettings {
        durability: *durability,
        journal_limit: *journal_limit,
        ..RecorderSettings::new(directory)
    }
}

fn media_settings(
    config: &Config,
    listeners: &[(Transport, SocketAddr)],
    options: &DaemonOptions,
    sockets: usize,
) -> MediaSettings {
    let mut excluded: Vec<u16> = listeners.iter().map(|(_, address)| address.port()).collect();
    excluded.push(config.admin.address.port());
    MediaSettings {
        ports: config.media.ports.first()..=config.media.ports.last(),
        addresses: config.media_addresses(),
        advertised: config.media_advertised(),
        listeners: reload::own_listeners(config, listeners.iter().map(|(_, address)| *address)),
        driver: config.media.driver,
        kernel: config.media.kernel,
        workers: options.media_workers,
        inactivity_timeout: config.media.inactivity_timeout,
        hold_timeout: config.media.hold_timeout,
        emergency_ports: config.media.emergency_ports,
        sockets,
        kept: descriptors::kept(sockets),
        excluded_ports: excluded,
        ..MediaSettings::default()
    }
}

/// Certificates with which no peer will be pleased.
fn tell_doubts(config: &Config) {
    for doubt in Tls::doubts(config) {
        tracing::warn!(doubt, "TLS needs attention");
    }
}
