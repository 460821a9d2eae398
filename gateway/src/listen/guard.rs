//! The flood guard: who was refused too often is met with silence, and who guesses credentials is refused.
//!
//! Counts are shared by all shards and connections, in bounded memory: see `tally.rs`.
//!
//! UDP sources can be forged, so a stranger could try to have a customer silenced: addresses that the configuration
//! lists are exempt ([`Guard::exempt`]). A network of half the world is no list: an address of such a one is a stranger's until
//! it has shown the right credentials there. Wrong credentials for a nonce that was issued to the source prove that it heard our
//! challenge, and count for everybody: by user and address, so that one telephone with an old password locks none of its
//! neighbours out; and by address, where whoever tries many names is stopped, but not who proved itself there before.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ipnet::IpNet;

use super::counters::ListenCounters;
use super::tally::{Tally, millis};
use super::tls::Seldom;
use crate::ids::HashKey;

/// So many wrong answers to a digest challenge by one user at one address, and its answers are refused outright.
const MAX_WRONG: u64 = 10;

/// So many, and even those of a call for help are.
const MAX_WRONG_FOR_HELP: u64 = 100;

/// So many at one address, and so are those of all users that have not proved themselves there.
const MAX_WRONG_OF_ADDRESS: u64 = 100;

/// So long a wrong answer counts, from the first on.
const WRONG_WINDOW: Duration = Duration::from_secs(300);

/// So long who proved itself is known at its address, from the first time on.
const PROVEN_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// A source that no allowlist holds is told again after so long.
const TOLD_AGAIN: Duration = Duration::from_secs(60 * 60);

/// A network with fewer fixed bits is anybody's: nobody has a larger one.
const LISTED_BITS: (u8, u8) = (8, 16);

/// How patient the guard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardLimits {
    /// Refusals and unparsable messages that a source may collect in a window before it is silenced.
    pub refusals: u32,
    /// How long counts live; a silenced source stays so until its window has passed.
    pub window: Duration,
    /// Sources remembered at one time, rounded up to a power of two.
    pub sources: usize,
    /// Least time between two log lines.
    pub log_interval: Duration,
}

impl Default for GuardLimits {
    /// 20 refusals a minute, 16,384 sources (256 KiB), one log line a second.
    fn default() -> GuardLimits {
        GuardLimits {
            refusals: 20,
            window: Duration::from_secs(60),
            sources: 16_384,
            log_interval: Duration::from_secs(1),
        }
    }
}

/// See the module.
pub struct Guard {
    limits: GuardLimits,
    refusals: Tally,
    wrong: Tally,
    wrong_of_address: Tally,
    proven: Tally,
    proven_addresses: Tally,
    told: Tally,
    strangers: Seldom,
    exempt: ArcSwap<Exempt>,
    last_log_ms: AtomicU64,
    unlogged: AtomicU64,
    counters: Arc<ListenCounters>,
}

impl Guard {
    /// An empty table; `start` is the earliest `now` that will be handed in.
    pub fn new(limits: GuardLimits, key: HashKey, start: Instant, counters: Arc<ListenCounters>) -> Guard {
        Guard {
            limits,
            refusals: Tally::new(limits.window, limits.sources, key, start),
            wrong: Tally::new(WRONG_WINDOW, limits.sources, key, start),
            wrong_of_address: Tally::new(WRONG_WINDOW, limits.sources, key, start),
            proven: Tally::new(PROVEN_WINDOW, limits.sources, key, start),
            proven_addresses: Tally::new(PROVEN_WINDOW, limits.sources, key, start),
            told: Tally::new(TOLD_AGAIN, limits.sources, key, start),
            strangers: Seldom::new(start),
            exempt: ArcSwap::default(),
            last_log_ms: AtomicU64::new(0),
            unlogged: AtomicU64::new(0),
            counters,
        }
    }

    /// The addresses that are never silenced: those that the configuration names. Forgets all refusals where one of these was not
    /// named before: it may have been refused so often that it is not heard.
    pub fn exempt(&self, networks: Vec<IpNet>) {
        let (anybodys, listed) = networks.into_iter().partition(is_anybodys);
        let before = self.exempt.swap(Arc::new(Exempt { listed, anybodys }));
        let now = self.exempt.load();
        let is_new = |(now, before): (&Vec<IpNet>, &Vec<IpNet>)| {
            let before: HashSet<&IpNet> = before.iter().collect();
            now.iter().any(|network| !before.contains(network))
        };
        if [(&now.listed, &before.listed), (&now.anybodys, &before.anybodys)].into_iter().any(is_new) {
            self.refusals.clear();
        }
    }

    /// A message from `source` was refused (not listed, or no SIP at all).
    pub fn refused(&self, now: Instant, source: IpAddr) {
        if self.lists(now, source) {
            return;
        }
        if self.refusals.add(now, source) == u64::from(self.limits.refusals) {
            self.counters.sources_silenced.increment();
            self.log(self.refusals.since_start_ms(now), source);
        }
    }

    /// Whether the operator is told now that no allowlist holds `source`, and how many such lines were left out: once an
    /// hour of each, and one line a second at most.
    pub fn tells_of(&self, now: Instant, source: IpAddr) -> Option<u64> {
        if self.told.count(now, source) > 0 {
            return None;
        }
        let left_out = self.strangers.may(now)?;
        self.told.add(now, source);
        Some(left_out)
    }

    /// `user` at `source` gave wrong credentials.
    pub fn wrong_credentials(&self, now: Instant, source: IpAddr, user: &str) {
        self.wrong.add(now, (source, user));
        self.wrong_of_address.add(now, source);
    }

    /// `user` at `source` gave the right ones.
    pub fn right_credentials(&self, now: Instant, source: IpAddr, user: &str) {
        if self.proven.count(now, (source, user)) == 0 {
            self.proven.add(now, (source, user));
        }
        if self.proven_addresses.count(now, source) == 0 {
            self.proven_addresses.add(now, source);
        }
    }

    /// Whether wrong credentials came from there so often that even right ones are not believed.
    pub fn is_guessing(&self, now: Instant, source: IpAddr, user: &str) -> bool {
        self.wrong.count(now, (source, user)) >= MAX_WRONG
            || self.wrong_of_address.count(now, source) >= MAX_WRONG_OF_ADDRESS
                && self.proven.count(now, (source, user)) == 0
    }

    /// Whether not even a call for help is worth a look at the credentials of `user` at `source`: so many wrong ones came
    /// with such calls, or before.
    pub fn is_guessing_for_help(&self, now: Instant, source: IpAddr, user: &str) -> bool {
        self.wrong.count(now, (source, user)) >= MAX_WRONG_FOR_HELP
    }

    /// Whether the configuration lists `source`; see [`Guard::exempt`].
    pub fn lists(&self, now: Instant, source: IpAddr) -> bool {
        let (exempt, address) = (self.exempt.load(), source.to_canonical());
        holds(&exempt.listed, address)
            || holds(&exempt.anybodys, address) && self.proven_addresses.count(now, source) > 0
    }

    /// Whether messages from `source` are to be dropped unread. Counts nothing.
    pub fn silenced(&self, now: Instant, source: IpAddr) -> bool {
        self.refusals.count(now, source) >= u64::from(self.limits.refusals)
    }

    fn log(&self, now_ms: u64, source: IpAddr) {
        let last = self.last_log_ms.load(Relaxed);
        let due = last == 0 || now_ms.saturating_sub(last) >= millis(self.limits.log_interval);
        if !due || self.last_log_ms.compare_exchange(last, now_ms.max(1), Relaxed, Relaxed).is_err() {
            self.unlogged.fetch_add(1, Relaxed);
            return;
        }
        let others = self.unlogged.swap(0, Relaxed);
        let window_s = self.limits.window.as_secs();
        tracing::warn!(%source, others, window_s, "silencing a source that was refused too often");
    }
}

/// What the configuration lists.
#[derive(Debug, Default)]
struct Exempt {
    listed: Vec<IpNet>,
    anybodys: Vec<IpNet>,
}

fn is_anybodys(network: &IpNet) -> bool {
    let (v4, v6) = LISTED_BITS;
    network.prefix_len() < if network.addr().is_ipv4() { v4 } else { v6 }
}

fn holds(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Guard").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    fn guard(start: Instant) -> Guard {
        let limits = GuardLimits { refusals: 3, sources: 64, ..GuardLimits::default() };
        Guard::new(limits, HashKey::random(&mut SeededRandom::new(1)), start, Arc::default())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn silence_begins_at_the_limit_and_ends_with_the_window() {
        let start = Instant::now();
        let guard = guard(start);
        let source = address("192.0.2.1");
        for _ in 0..2 {
            guard.refused(start, source);
            assert!(!guard.silenced(start, source));
        }
        guard.refused(start, source);
        assert!(guard.silenced(start, source));
        assert!(guard.silenced(start + Duration::from_millis(59_999), source));
        assert!(!guard.silenced(start + Duration::from_secs(60), source));
        assert!(!guard.silenced(start, address("192.0.2.2")));
        assert_eq!(guard.counters.sources_silenced.value(), 1);
        // A new window counts from one.
        guard.refused(start + Duration::from_secs(60), source);
        assert!(!guard.silenced(start + Duration::from_secs(60), source));
    }

    #[test]
    fn an_ipv6_source_is_its_network_and_a_mapped_one_is_ipv4() {
        let start = Instant::now();
        let guard = guard(start);
        for last in 1..=3 {
            guard.refused(start, address(&format!("2001:db8:0:1::{last}")));
            guard.refused(start, address("192.0.2.1"));
        }
        assert!(guard.silenced(start, address("2001:db8:0:1::ffff")));
        assert!(!guard.silenced(start, address("2001:db8:0:2::1")));
        assert!(guard.silenced(start, address("::ffff:192.0.2.1")));
    }

    #[test]
    fn each_stranger_is_told_once_an_hour_and_one_a_second() {
        let start = Instant::now();
        let guard = guard(start);
        let at = |ms, last: u8| guard.tells_of(start + Duration::from_millis(ms), [203, 0, 113, last].into());
        assert_eq!([at(0, 1), at(1, 1), at(2, 2), at(3, 3)], [Some(0), None, None, None]);
        assert_eq!([at(1_000, 3), at(2_000, 2), at(3_000, 1)], [Some(2), Some(0), None]);
        assert_eq!(at(3_600_000, 1), Some(0));
    }

    #[test]
    fn listed_sources_are_never_silenced() {
        let start = Instant::now();
        let guard = guard(start);
        let customer = address("198.51.100.7");
        (0..10).for_each(|_| guard.refused(start, customer));
        assert!(guard.silenced(start, customer));
        guard.exempt(vec!["198.51.100.0/24".parse().unwrap()]);
        (0..10).for_each(|_| guard.refused(start, customer));
        assert!(!guard.silenced(start, customer));
    }

    /// Whoever has the gateway read its configuration often lets no stranger speak again.
    #[test]
    fn a_configuration_that_names_nobody_new_forgets_no_refusals() {
        let start = Instant::now();
        let guard = guard(start);
        let stranger = address("203.0.113.1");
        let listed = || vec!["198.51.100.0/24".parse().unwrap(), "192.0.2.0/24".parse().unwrap()];
        guard.exempt(listed());
        (0..3).for_each(|_| guard.refused(start, stranger));
        guard.exempt(listed());
        guard.exempt(listed().split_off(1));
        assert!(guard.silenced(start, stranger));
        guard.exempt(listed());
        assert!(!guard.silenced(start, stranger));
    }

    /// A list of everybody exempts nobody who has not shown that it is there.
    #[test]
    fn a_network_of_everybody_is_no_list() {
        let start = Instant::now();
        let guard = guard(start);
        guard.exempt(["0.0.0.0/0", "2000::/3", "198.51.100.0/24"].map(|one| one.parse().unwrap()).to_vec());
        let (customer, anybody, other) =
            (address("198.51.100.7"), address("203.0.113.1"), address("2001:db8::1"));
        assert!(guard.lists(start, customer) && !guard.lists(start, anybody) && !guard.lists(start, other));
        (0..3).for_each(|_| guard.refused(start, anybody));
        assert!(guard.silenced(start, anybody));
        guard.right_credentials(start, other, "desk");
        (0..10).for_each(|_| guard.refused(start, other));
        assert!(guard.lists(start, other) && !guard.silenced(start, other));
    }

    #[test]
    fn guesses_count_for_everybody() {
        let start = Instant::now();
        let guard = guard(start);
        let customer = address("198.51.100.7");
        guard.exempt(vec!["198.51.100.0/24".parse().unwrap()]);
        for _ in 0..MAX_WRONG {
            assert!(!guard.is_guessing(start, customer, "desk"));
            guard.wrong_credentials(start, customer, "desk");
        }
        assert!(guard.is_guessing(start, customer, "desk") && !guard.silenced(start, customer));
        assert!(!guard.is_guessing(start + WRONG_WINDOW, customer, "desk"));
        // By user and address.
        assert!(!guard.is_guessing(start, customer, "lobby"));
        assert!(!guard.is_guessing(start, address("198.51.100.8"), "desk"));
    }

    #[test]
    fn who_tries_many_names_is_stopped_and_who_proved_itself_goes_on() {
        let start = Instant::now();
        let guard = guard(start);
        let office = address("198.51.100.7");
        guard.right_credentials(start, office, "desk");
        for guess in 0..MAX_WRONG_OF_ADDRESS {
            assert!(!guard.is_guessing(start, office, "lobby"));
            guard.wrong_credentials(start, office, &format!("user{guess}"));
        }
        assert!(guard.is_guessing(start, office, "lobby") && !guard.is_guessing(start, office, "desk"));
        assert!(!guard.is_guessing(start + WRONG_WINDOW, office, "lobby"));
        // Many names leave the counts of one alone.
        for _ in 0..MAX_WRONG {
            guard.wrong_credentials(start, office, "desk");
        }
        assert!(guard.is_guessing(start, office, "desk"));
    }
}
