//! Which failed connections are told to the operator: each cause once, not each time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::dial_key::DialKey;
use crate::listen::tls::Seldom;

/// A peer with the same trouble is told again after so long.
const AGAIN: Duration = Duration::from_secs(3_600);

/// Peers that are remembered. More have trouble at one time only where somebody makes them up.
const KEPT: usize = 1_024;

/// A peer that the configuration knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Who {
    Dialled(DialKey),
    /// Its port is another each time.
    Connects(IpAddr),
}

/// What was told of peers that we dial and of peers that connect.
#[derive(Debug)]
pub(super) struct Troubles {
    known: Mutex<HashMap<Who, Known>>,
    listed: Seldom,
    strangers: Seldom,
}

#[derive(Debug)]
struct Known {
    why: String,
    told: Instant,
    repeats: u64,
}

impl Troubles {
    /// - `start`: not after any `now` that will be handed in.
    pub(super) fn new(start: Instant) -> Troubles {
        Troubles { known: Mutex::default(), listed: Seldom::new(start), strangers: Seldom::new(start) }
    }

    /// How many lines about strangers were left out, where one may be written now. Their count is their own, so that
    /// scanners hide no customer's trouble.
    pub(super) fn of_stranger(&self, now: Instant) -> Option<u64> {
        self.strangers.may(now)
    }

    /// How often the trouble came again since it was told last, where it is to be told now: for a new cause, or after a
    /// long while.
    pub(super) fn of(&self, now: Instant, who: &Who, why: &str) -> Option<u64> {
        let mut known = self.known();
        let lasts = |known: &Known| now.saturating_duration_since(known.told) < AGAIN;
        if let Some(known) = known.get_mut(who)
            && known.why == why
            && lasts(known)
        {
            known.repeats += 1;
            return None;
        }
        // A peer that connects has as many causes as it likes.
        if matches!(who, Who::Connects(_)) {
            self.listed.may(now)?;
        }
        if known.len() >= KEPT {
            known.retain(|_, known| lasts(known));
        }
        if known.len() >= KEPT && !known.contains_key(who) {
            return None;
        }
        let told = Known { why: why.to_owned(), told: now, repeats: 0 };
        Some(known.insert(who.clone(), told).map_or(0, |before| before.repeats))
    }

    /// A peer speaks: whether its trouble was told, and is over.
    pub(super) fn over(&self, who: &Who) -> bool {
        self.known().remove(who).is_some()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Who, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::{ListenerId, Party, Peer, Transport};

    fn key(port: u16) -> Who {
        let peer = Peer::new(Transport::Tls, ListenerId(0), ([192, 0, 2, 1], port).into());
        Who::Dialled(DialKey::of(&Peer { party: Some(Party::Carrier("west".into())), ..peer }))
    }

    #[test]
    fn a_dead_host_is_told_once_however_often_it_is_probed() {
        let start = Instant::now();
        let troubles = Troubles::new(start);
        let at = |seconds, port, why| troubles.of(start + Duration::from_secs(seconds), &key(port), why);
        assert_eq!(at(1, 5061, "expired"), Some(0));
        assert!((1..100).all(|probe| at(30 * probe, 5061, "expired").is_none()));
        // Another host, another cause, and a reminder.
        assert_eq!(at(3_001, 5071, "expired"), Some(0));
        assert_eq!(at(3_010, 5061, "refused"), Some(99));
        assert_eq!(at(3_040, 5061, "refused"), None);
        assert_eq!(at(3_010 + 3_600, 5061, "refused"), Some(1));
        // Once it answered, everything is news.
        assert!(troubles.over(&key(5061)) && !troubles.over(&key(5061)));
        assert_eq!(at(7_000, 5061, "refused"), Some(0));
    }

    #[test]
    fn made_up_hosts_fill_neither_the_log_nor_the_memory() {
        let start = Instant::now();
        let troubles = Troubles::new(start);
        let told = |now| (0..5_000).filter(|&port| troubles.of(now, &key(port), "refused").is_some()).count();
        assert_eq!([told(start), told(start)], [KEPT, 0]);
        assert!(troubles.of(start, &key(1), "expired").is_some());
        assert_eq!(told(start + AGAIN), KEPT);
        assert!(troubles.known.lock().unwrap().len() <= KEPT);
    }

    #[test]
    fn a_customers_trouble_is_told_in_the_midst_of_scanners_and_once() {
        let start = Instant::now();
        let troubles = Troubles::new(start);
        assert_eq!([troubles.of_stranger(start), troubles.of_stranger(start)], [Some(0), None]);
        let pbx = Who::Connects([192, 0, 2, 20].into());
        let at = |ms, why: &str| troubles.of(start + Duration::from_millis(ms), &pbx, why);
        assert_eq!(at(0, "unknown_ca"), Some(0));
        assert!((1..1_000).all(|try_| at(try_ * 1_000, "unknown_ca").is_none()));
        // Causes that it makes up are told now and then.
        assert_eq!(at(1_000_000, "1 is too large"), Some(999));
        assert_eq!(at(1_000_001, "2 is too large"), None);
    }
}
