//! Whether the gateway takes new calls, and if not, why: what `/readyz` shows and OPTIONS is answered with.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What may stand between the gateway and a new call; the first that does is told to peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// Not everything is there yet.
    Starting,
    /// The operator takes it out of service.
    Draining,
    /// Call detail records can't be written.
    Records,
    /// Every media port, or every socket that ordinary calls may have, is in use.
    Media,
    /// A thread that calls depend on has stopped, or hangs.
    Threads,
    /// Every carrier that takes calls wants a registration, and all are down.
    Registration,
}

impl Obstacle {
    const ALL: [Obstacle; 6] = {
        use Obstacle::{Draining, Media, Records, Registration, Starting, Threads};
        [Starting, Draining, Records, Media, Threads, Registration]
    };

    /// One word, as `/readyz` begins its line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Obstacle::Starting => "starting",
            Obstacle::Draining => "draining",
            Obstacle::Records => "records",
            Obstacle::Media => "media",
            Obstacle::Threads => "threads",
            Obstacle::Registration => "registration",
        }
    }

    /// A sentence for peers: the reason phrase of a 503.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Obstacle::Starting => "Gateway is starting",
            Obstacle::Draining => "Gateway is draining",
            Obstacle::Records => "Call records can't be written",
            Obstacle::Media => "No room for more calls",
            Obstacle::Threads => "A part of the gateway does not answer",
            Obstacle::Registration => "No carrier has registered the gateway",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What stands between the gateway and its calls. A clone is the same. The default: nothing does.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// The keys of `reasons`, for those who must not wait for the lock.
    bits: AtomicU8,
    reasons: Mutex<BTreeMap<Obstacle, String>>,
    /// What an operator should see, though calls are taken.
    notes: Mutex<Vec<String>>,
}

impl Readiness {
    /// Something stands in the way until it is [`clear`](Readiness::clear)ed. Says whether that is news.
    pub fn block(&self, obstacle: Obstacle, reason: &str) -> bool {
        let mut reasons = self.reasons();
        // Whoever has read the reason finds that peers are told, too.
        self.0.bits.fetch_or(obstacle.bit(), Relaxed);
        reasons.insert(obstacle, reason.to_owned()).is_none()
    }

    /// The trouble is over. Says whether there was one.
    pub fn clear(&self, obstacle: Obstacle) -> bool {
        let mut reasons = self.reasons();
        self.0.bits.fetch_and(!obstacle.bit(), Relaxed);
        reasons.remove(&obstacle).is_some()
    }

    /// The first that stands in the way; `None`: ready. Takes no lock.
    #[must_use]
    pub fn first(&self) -> Option<Obstacle> {
        let bits = self.0.bits.load(Relaxed);
        Obstacle::ALL.into_iter().find(|obstacle| bits & obstacle.bit() != 0)
    }

    /// Each obstacle, and whether it stands in the way now. Takes no lock.
    pub fn all(&self) -> impl Iterator<Item = (Obstacle, bool)> + use<> {
        let bits = self.0.bits.load(Relaxed);
        Obstacle::ALL.into_iter().map(move |obstacle| (obstacle, bits & obstacle.bit() != 0))
    }

    /// Whether this stands in the way. Takes no lock.
    #[must_use]
    pub fn has(&self, obstacle: Obstacle) -> bool {
        self.0.bits.load(Relaxed) & obstacle.bit() != 0
    }

    /// `name: reason` of each obstacle; empty means ready.
    #[must_use]
    pub fn obstacles(&self) -> Vec<String> {
        self.reasons().iter().map(|(obstacle, reason)| format!("{}: {reason}", obstacle.name())).collect()
    }

    /// What an operator should see, though calls are taken, in place of what was told before.
    pub fn note(&self, notes: Vec<String>) {
        *self.0.notes.lock().unwrap_or_else(PoisonError::into_inner) = notes;
    }

    /// A line each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn reasons(&self) -> MutexGuard<'_, BTreeMap<Obstacle, String>> {
        self.0.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_obstacle_is_told_to_peers_and_all_to_the_operator() {
        let readiness = Readiness::default();
        assert_eq!((readiness.first(), readiness.obstacles().len()), (None, 0));
        for obstacle in Obstacle::ALL.into_iter().rev() {
            assert!(readiness.block(obstacle, "so"));
            assert!(!readiness.block(obstacle, "or so"));
            assert_eq!(readiness.first(), Some(obstacle));
        }
        assert_eq!(readiness.obstacles().first().unwrap(), "starting: or so");
        for (index, obstacle) in Obstacle::ALL.into_iter().enumerate() {
            assert!(readiness.clear(obstacle));
            assert!(!readiness.clear(obstacle));
            assert_eq!(readiness.first(), Obstacle::ALL.get(index + 1).copied());
        }
    }
}
