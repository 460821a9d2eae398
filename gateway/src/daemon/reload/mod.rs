//! Another configuration while the gateway runs: read and checked whole, compared, and taken in one step or not at all.
//!
//! Calls keep the connectors, carriers and routes that they began with: these are shared, and the new configuration has its own.
//! Limits, health of hosts, registrations and nonces are kept by name, and go on.

mod error;
mod fixed;
mod history;
mod report;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use config::{Config, Secret, Texts, Warning};

use crate::core::{Input, Live, Shared};
use crate::listen::{Guard, Tls, listed};
use crate::metrics::Metrics;
use crate::shard::Mailboxes;

pub use error::ReloadError;
pub(super) use history::History;
pub use report::Report;

/// What has to hear of another configuration.
pub(super) struct Reload {
    /// Where it is read from; `None`: it is embedded.
    pub file: Option<PathBuf>,
    /// What held before.
    pub history: History,
    /// What holds now.
    pub current: Arc<ArcSwap<Config>>,
    /// One at a time.
    pub turn: Mutex<()>,
    pub tls: Arc<Tls>,
    pub shared: Arc<Shared>,
    pub guard: Arc<Guard>,
    pub mailboxes: Mailboxes,
    pub metrics: Metrics,
}

/// A configuration that may be taken: all that it names could be read.
struct Ready {
    config: Arc<Config>,
    live: Arc<Live>,
    texts: Texts,
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
        let taken = Texts::read(file).map_err(ReloadError::from);
        self.go_on(taken)
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
        let mut report = self.go_on(texts)?;
        report
            .lines
            .push("warning: the files stay as they are: mend them before they are read again".to_owned());
        Ok(report)
    }

    /// Takes what was read, or says in the log why not.
    fn go_on(&self, texts: Result<Texts, ReloadError>) -> Result<Report, ReloadError> {
        let taken = texts.and_then(|texts| self.prepare(texts)).and_then(|ready| self.take(ready));
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
        let ready = self.prepare(Texts::read(file)?)?;
        Tls::new(&ready.config)?;
        Ok(ready.report)
    }

    fn prepare(&self, texts: Texts) -> Result<Ready, ReloadError> {
        let (mut config, warnings) = read(&texts)?;
        let old = self.current.load_full();
        config.keep_places(&old);
        let changes = old.difference(&config);
        if let Some(sentence) = fixed::refused(&old, &config, &changes) {
            return Err(ReloadError::Fixed(sentence));
        }
        if let Some(Err(error)) = config.admin.token.as_ref().map(Secret::resolve) {
            return Err(ReloadError::Token(error));
        }
        let config = Arc::new(config);
        let live = Arc::new(Live::new(config.clone())?);
        let report = Report::new(&changes, &warnings, |object| report::calls(object, &old, &self.shared));
        Ok(Ready { config, live, texts, report })
    }

    /// The certificates are the last that can fail: from there on everything is taken.
    fn take(&self, Ready { config, live, texts, report }: Ready) -> Result<Report, ReloadError> {
        self.tls.replace(&config)?;
        self.metrics.configure(config.voice_connector.iter().map(|connector| connector.id.as_str()));
        self.metrics.configure_carriers(config.carrier.iter().map(|carrier| carrier.name.as_str()));
        self.guard.exempt(listed(&config));
        super::tell_doubts(&config);
        self.current.store(config);
        self.mailboxes.broadcast(|| Input::Configuration(live.clone()));
        self.keep(&texts);
        Ok(report)
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
    new.keep_places(&old);
    let changes = old.difference(&new);
    match fixed::refused(&old, &new, &changes) {
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
