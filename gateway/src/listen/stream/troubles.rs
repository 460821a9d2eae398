//! Which failed connections are told to the operator: each cause once, not each time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::dial_key::DialKey;
use crate::listen::tls::Seldom;

/// A peer that cannot be dialled for the same cause is told again after so long.
const AGAIN: Duration = Duration::from_secs(3_600);

/// Peers that are remembered. More have trouble at one time only where somebody makes them up.
const KEPT: usize = 1_024;

/// What was told of peers that we dial and of peers that connect.
#[derive(Debug)]
pub(super) struct Troubles {
    listed: Seldom,
    strangers: Seldom,
    known: Mutex<HashMap<DialKey, Known>>,
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
        let seldom = || Seldom::new(start);
        Troubles { listed: seldom(), strangers: seldom(), known: Mutex::default() }
    }

    /// How many lines were left out, where one may be written now about who connects, or is dialled and known to nobody.
    /// Strangers have their own count, so that scanners hide no customer's trouble.
    pub(super) fn now_and_then(&self, now: Instant, stranger: bool) -> Option<u64> {
        if stranger { self.strangers.may(now) } else { self.listed.may(now) }
    }

    /// How often a peer could not be dialled since it was told last, where that is to be told now: for a new cause, or
    /// after a long while.
    ///
    /// - `key`: somebody whom the configuration knows.
    pub(super) fn of_dialled(&self, now: Instant, key: &DialKey, why: &str) -> Option<u64> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get_mut(key)
            && known.why == why
            && now.saturating_duration_since(known.told) < AGAIN
        {
            known.repeats += 1;
            return None;
        }
        if known.len() >= KEPT {
            known.retain(|_, known| now.saturating_duration_since(known.told) < AGAIN);
        }
        if known.len() >= KEPT && !known.contains_key(key) {
            return None;
        }
        let told = Known { why: why.to_owned(), told: now, repeats: 0 };
        Some(known.insert(key.clone(), told).map_or(0, |before| before.repeats))
    }

    /// A dialled peer speaks: whether its trouble was told, and is over.
    pub(super) fn over(&self, key: &DialKey) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(key).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::{ListenerId, Party, Peer, Transport};

    fn key(port: u16) -> DialKey {
        let peer = Peer::new(Transport::Tls, ListenerId(0), ([192, 0, 2, 1], port).into());
        DialKey::of(&Peer { party: Some(Party::Carrier("west".into())), ..peer })
    }

    #[test]
    fn a_dead_host_is_told_once_however_often_it_is_probed() {
        let start = Instant::now();
        let troubles = Troubles::new(start);
        let at =
            |seconds, port, why| troubles.of_dialled(start + Duration::from_secs(seconds), &key(port), why);
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
        let told = |now| {
            (0..5_000).filter(|&port| troubles.of_dialled(now, &key(port), "refused").is_some()).count()
        };
        assert_eq!([told(start), told(start)], [KEPT, 0]);
        assert!(troubles.of_dialled(start, &key(1), "expired").is_some());
        assert_eq!(told(start + AGAIN), KEPT);
        assert!(troubles.known.lock().unwrap().len() <= KEPT);
    }

    #[test]
    fn a_customers_trouble_is_told_in_the_midst_of_scanners() {
        let start = Instant::now();
        let troubles = Troubles::new(start);
        assert_eq!(troubles.now_and_then(start, true), Some(0));
        assert_eq!(troubles.now_and_then(start, true), None);
        assert_eq!(troubles.now_and_then(start, false), Some(0));
    }
}
