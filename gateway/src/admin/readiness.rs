//! Whether the gateway takes calls, and if not, why.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What stands between the gateway and its calls. A clone is the same.
///
/// Begins with `starting`, which whoever started everything clears.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Readiness {
    /// The obstacle that is there from the beginning.
    pub const STARTING: &'static str = "starting";

    /// Not ready: starting.
    #[must_use]
    pub fn new() -> Readiness {
        let readiness = Readiness(Arc::default());
        readiness.block(Readiness::STARTING, "not all listeners are bound");
        readiness
    }

    /// Something stands in the way, such as `draining`, until [`clear`](Readiness::clear)ed by its name.
    pub fn block(&self, obstacle: &'static str, reason: &str) {
        self.obstacles_mut().insert(obstacle, reason.to_owned());
    }

    /// It does not any more.
    pub fn clear(&self, obstacle: &'static str) {
        self.obstacles_mut().remove(obstacle);
    }

    /// `name: reason` of each obstacle; empty means ready.
    #[must_use]
    pub fn obstacles(&self) -> Vec<String> {
        self.obstacles_mut().iter().map(|(name, reason)| format!("{name}: {reason}")).collect()
    }

    fn obstacles_mut(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Readiness {
    fn default() -> Readiness {
        Readiness::new()
    }
}
