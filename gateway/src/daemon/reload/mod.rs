//! Another configuration while the gateway runs: read and checked whole, compared, and taken in one step or not at all.
//!
//! Calls keep the connectors, carriers and routes that they began with: these are shared, and the new configuration has its own.
//! Limits, health of hosts, registrations and nonces are kept by name, and go on.
//!
//! What the store beside the files has comes in the same way, with each change of it; files are taken only if they go with it.

mod error;
mod fixed;
mod history;
mod listeners;
mod report;
mod stored;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use arc_swap::ArcSwap;
use config::{Config, Secret, Texts, Warning};
use inventory::Inventory;

use crate::api;
use crate::core::{Input, Live, Shared};
use crate::listen::{Guard, Tls, listed};
use crate::metrics::Metrics;
use crate::shard::Mailboxes;
use crate::supervisor::Supervisor;

pub use error::ReloadError;
pub(super) use history::History;
pub(super) use listeners::Listeners;
pub use report::Report;

/// A shard that has not taken a configuration for so long hangs: a busy one does within milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// What has to hear of another configuration.
pub(super) struct Reload {
    /// Who hears of each, whoever asked for it.
    pub supervisor: Supervisor,
    /// Where it is read from; `None`: it is embedded.
    pub file: Option<PathBuf>,
    /// What held before.
    pub history: History,
    /// What holds now.
    pub current: Arc<ArcSwap<Config>>,
    /// The same with its secrets.
    pub live: ArcSwap<Live>,
    /// Who reads files: one at a time.
    pub turn: Mutex<()>,
    /// Who takes a configuration, of files or of the store: one at a time.
    pub taking: Mutex<()>,
    /// What is kept beside the files; `None`: nothing is.
    pub inventory: Option<Arc<Inventory>>,
    pub tls: Arc<Tls>,
    /// What the API shows; `None`: there is none, or it speaks plain HTTP.
    pub certified: Option<Arc<api::Certified>>,
    pub shared: Arc<Shared>,
    pub guard: Arc<Guard>,
    pub mailboxes: Mailboxes,
    pub listeners: Arc<Listeners>,
    pub metrics: Metrics,
}

/// A configuration that may be taken: all that it names could be read.
struct Ready {
    config: Arc<Config>,
    live: Arc<Live>,
    report: Report,
}

impl Reload {
    /// Reads the files again, and goes on under what they say.
    ///
    /// # Errors
    /// Why everything stays as it was.
    pub fn reload(&self) -> Result<Report, ReloadError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.file.as_deref().ok_or(ReloadError::Embedded)?;
        self.supervisor.during_reload(|| self.go_on(Texts::read(file).map_err(ReloadError::from)))
    }

    /// Goes on under the configuration that held `steps` before. The operator's files stay as they are.
    ///
    /// # Errors
    /// Why everything stays as it was.
    pub fn roll_back(&self, steps: usize) -> Result<Report, ReloadError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let texts = match self.history.before(steps) {
            Ok(Some(texts)) => Ok(texts),
            Ok(None) => Err(ReloadError::NotKept(steps)),
            Err(error) => Err(ReloadError::History(error)),
        };
        let mut report = self.supervisor.during_reload(|| self.go_on(texts))?;
        report
            .lines
            .push("warning: the files stay as they are: mend them before they are read again".to_owned());
        Ok(report)
    }

    /// Takes what was read, or says in the log why not.
    fn go_on(&self, texts: Result<Texts, ReloadError>) -> Result<Report, ReloadError> {
        let taken = texts.and_then(|texts| self.take_texts(texts));
        self.metrics.configuration_read(taken.is_ok());
        match &taken {
            Ok(report) => {
                tracing::info!(
                    "another configuration holds from now on; live calls keep what they began with"
                );
                report.lines.iter().for_each(|line| tracing::info!("configuration: {line}"));
            }
            Err(error) => {
                for line in error.to_string().lines() {
                    tracing::warn!("the configuration stays as it was: {line}");
                }
            }
        }
        taken
    }

    /// What `file` would change, and does not.
    ///
    /// # Errors
    /// Why it would not be taken.
    pub fn plan(&self, file: &Path) -> Result<Report, ReloadError> {
        let (files, warnings) = self.read(&Texts::read(file)?)?;
        let config = match &self.inventory {
            Some(inventory) => inventory.beside(&files)?,
            None => files,
        };
        let ready = self.prepare(Arc::new(config), &warnings)?;
        Tls::new(&ready.config)?;
        Ok(ready.report)
    }

    /// The files' configuration, with its listeners numbered.
    fn read(&self, texts: &Texts) -> Result<(Config, Vec<Warning>), ReloadError> {
        let (mut config, warnings) = read(texts)?;
        self.listeners.number(&mut config)?;
        Ok((config, warnings))
    }

    fn take_texts(&self, texts: Texts) -> Result<Report, ReloadError> {
        let (files, warnings) = self.read(&texts)?;
        let pool = files.api.as_ref().map(api::pool).transpose()?;
        let report = match &self.inventory {
            Some(inventory) => self.take_beside(inventory, files, &warnings)?,
            None => self.take(self.prepare(Arc::new(files), &warnings)?)?,
        };
        if let Some((inventory, pool)) = self.inventory.as_ref().zip(pool) {
            inventory.set_pool(pool);
        }
        self.keep(&texts);
        Ok(report)
    }

    fn prepare(&self, config: Arc<Config>, warnings: &[Warning]) -> Result<Ready, ReloadError> {
        let old = self.current.load_full();
        let changes = old.difference(&config);
        if let Some(sentence) = fixed::refused(&changes) {
            return Err(ReloadError::Fixed(sentence));
        }
        if let Some(Err(error)) = config.admin.token.as_ref().map(Secret::resolve) {
            return Err(ReloadError::Token(error));
        }
        let live = Arc::new(Live::new(config.clone())?);
        let report = Report::new(&changes, warnings, |object| report::calls(object, &old, &self.shared));
        Ok(Ready { config, live, report })
    }

    /// Sockets and certificates are the last that can fail: from there on everything is taken.
    fn take(&self, Ready { config, live, report }: Ready) -> Result<Report, ReloadError> {
        let _taking = self.taking();
        let opened = self.listeners.open(&config)?;
        let certified = api::certified(&config)?;
        self.tls.replace(&config)?;
        if let Some((certified, now)) = self.certified.as_ref().zip(certified) {
            certified.store(now);
        }
        let addresses = opened.addresses();
        self.shared.media.own.set_listeners(own_listeners(&config, addresses.values().copied()));
        self.shared.bound.store(Arc::new(addresses));
        super::tell_doubts(&config);
        self.go_on_under(&config, &live);
        opened.serve(&config);
        Ok(report)
    }

    /// What begins after this is under `config`: every shard has taken it, or hangs.
    fn go_on_under(&self, config: &Arc<Config>, live: &Arc<Live>) {
        self.metrics.configure(config.voice_connector.iter().map(|connector| connector.id.as_str()));
        self.metrics.configure_carriers(config.carrier.iter().map(|carrier| carrier.name.as_str()));
        self.guard.exempt(listed(config));
        self.current.store(config.clone());
        self.live.store(live.clone());
        let (taken, all_taken) = mpsc::channel();
        let taken = Some(taken);
        self.mailboxes.broadcast(|| Input::Configuration { live: live.clone(), taken: taken.clone() });
        drop(taken);
        // Nobody says anything by it: it ends when the last shard has taken the configuration.
        let _ = all_taken.recv_timeout(PATIENCE);
    }

    fn taking(&self) -> MutexGuard<'_, ()> {
        self.taking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reload {
    /// Keeps what holds from now on, to return to it.
    pub fn keep(&self, texts: &Texts) {
        if let Err(error) = self.history.keep(texts) {
            tracing::warn!(%error, "this configuration is not kept; there is no way back to it");
        }
    }
}

/// What the configuration in `new` would change of that in `old`, without any gateway.
///
/// # Errors
/// Why one of them can't be read, or would not be taken in place of the other.
pub fn difference(old: &Path, new: &Path) -> Result<Report, ReloadError> {
    let (mut old, _) = Config::load(old)?;
    old.read_inventory()?;
    let (mut new, warnings) = Config::load(new)?;
    new.read_inventory()?;
    let changes = old.difference(&new);
    match fixed::refused(&changes) {
        Some(sentence) => Err(ReloadError::Fixed(sentence)),
        None => Ok(Report::new(&changes, &warnings, |_| None)),
    }
}

/// The configuration of these texts, and all that it names.
fn read(texts: &Texts) -> Result<(Config, Vec<Warning>), ReloadError> {
    let (mut config, warnings) = Config::of_texts(texts)?;
    config.read_inventory()?;
    match config.missing().as_slice() {
        [] => Ok((config, warnings)),
        missing => Err(ReloadError::Missing(missing.iter().map(ToString::to_string).collect())),
    }
}

/// Where no media may go: the listeners, as they are bound and as they are told.
pub(super) fn own_listeners(config: &Config, bound: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    bound.chain(config.listen.iter().filter_map(|listen| listen.advertise)).collect()
}
