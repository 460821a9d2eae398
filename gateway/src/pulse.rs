//! Signs of life of the threads that every call depends on.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A thread that has nothing to do shows that it lives so often.
pub const PERIOD: Duration = Duration::from_secs(1);

/// The sign of life of one thread. A clone is the same.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<State>);

#[derive(Debug)]
struct State {
    name: String,
    born: Instant,
    /// The last beat, in milliseconds after `born`.
    beat: AtomicU64,
}

impl Pulse {
    /// A thread of that name begins.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Pulse {
        Pulse(Arc::new(State { name: name.into(), born: Instant::now(), beat: AtomicU64::new(0) }))
    }

    /// The thread lives: called by it, at least once in a [`PERIOD`].
    pub fn beat(&self) {
        let age = u64::try_from(self.0.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.beat.store(age, Relaxed);
    }

    /// Beats for ever, as one task of a thread's others: as long as these have their turns.
    pub async fn keep(self) {
        loop {
            self.beat();
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// How long it has not been heard of, at `now`.
    #[must_use]
    pub fn silence(&self, now: Instant) -> Duration {
        let beat = Duration::from_millis(self.0.beat.load(Relaxed));
        now.saturating_duration_since(self.0.born).saturating_sub(beat)
    }
}

/// Its name.
impl fmt::Display for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_grows_until_the_next_beat() {
        let pulse = Pulse::new("thread");
        let later = Instant::now() + Duration::from_secs(7);
        assert!(pulse.silence(later) >= Duration::from_secs(7));
        pulse.beat();
        assert!(pulse.silence(Instant::now()) < Duration::from_secs(1));
        assert_eq!(pulse.to_string(), "thread");
    }
}
