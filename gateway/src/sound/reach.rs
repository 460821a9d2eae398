//! Which sinks that calls must be streamed to take some now.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use smol_str::SmolStr;

/// Whether one sink takes calls. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Reach(Arc<AtomicBool>);

impl Reach {
    /// What was last seen of it.
    pub fn set(&self, takes: bool) {
        self.0.store(takes, Relaxed);
    }

    /// Whether it takes calls, as far as is known.
    #[must_use]
    pub fn takes(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// By connector and name: the sinks without which a call is not placed. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Reaches(Arc<Mutex<HashMap<(SmolStr, SmolStr), Reach>>>);

impl Reaches {
    /// One sink's, which is made if need be: nothing is known of it then, and it takes none.
    #[must_use]
    pub fn of(&self, connector: &str, sink: &str) -> Reach {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry((connector.into(), sink.into())).or_default().clone()
    }
}
