//! The console: pages by which people manage the gateway and see what it does. A request in, a page out.
//!
//! [`Console::handle`] takes what a browser sent and gives a whole page that works without scripts. What may be done and seen is what
//! the policies of the key allow that somebody logged in with; changes are operations of the crate `api`, with its checks and
//! records. What goes on, such as calls, is asked of the [`Host`].
//!
//! It opens no socket, reads no clock and draws no randomness but its host's. Nothing that is shown is taken for HTML, and nothing
//! that is secret is shown, but a new key's secret to who has just made it.

mod form;
mod guard;
mod host;
mod page;
mod respond;
mod route;
mod session;
mod tries;
mod ui;

pub use host::{
    Attempt, AuditLine, AuditPage, AuditWanted, Call, CallLine, Carrier, Certificate, Explained, Fact, Host,
    Leg, Minute, Overview, Question, Refused, Rung, Side, Stream,
};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::{Api, Request, Response};
use inventory::Inventory;
use time::OffsetDateTime;

use session::Sessions;
use tries::Tries;

/// How the console is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether browsers reach it by TLS: then its cookie goes by TLS alone. Without it, it is served on loopback alone.
    pub secure: bool,
    /// `gateway.domain`: a connector answers to `<id>.<domain>`.
    pub domain: String,
}

/// The console. Shared by threads.
pub struct Console {
    settings: Settings,
    api: Arc<Api>,
    inventory: Arc<Inventory>,
    host: Arc<dyn Host>,
    sessions: Mutex<Sessions>,
    tries: Mutex<Tries>,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Console {
    /// - `api`, `inventory`: the API and what it manages.
    #[must_use]
    pub fn new(settings: Settings, api: Arc<Api>, inventory: Arc<Inventory>, host: Arc<dyn Host>) -> Console {
        Console { settings, api, inventory, host, sessions: Mutex::default(), tries: Mutex::default() }
    }

    /// Whether a path is one of the console's: `/`, and what is below `/console`.
    #[must_use]
    pub fn serves(path: &str) -> bool {
        path == "/" || path == "/console" || path.starts_with("/console/")
    }

    /// The page for a request. Never fails: what comes to nothing has a page that says why.
    ///
    /// It may ask the host, so it may wait.
    #[must_use]
    pub fn handle(&self, request: &Request<'_>, now: OffsetDateTime) -> Response {
        route::handle(self, request, now)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tries(&self) -> MutexGuard<'_, Tries> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hexadecimal digits that nobody can guess, 128 bits of them.
    fn random(&self) -> String {
        self.host.random().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
