//! The hosts that are probed: which of them answer, and since when.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::Config;

use super::Shared;
use super::probe::probed;
use crate::clock::Now;
use crate::metrics::Page;
use crate::route::{Target, Via};

/// A host of somebody's. The same host of two carriers is two.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// The label that names its owner, and the name.
    whose: (&'static str, String),
    /// As it is configured, with its port where it has one.
    host: String,
    transport: &'static str,
}

#[derive(Debug, Clone, Copy)]
struct State {
    up: bool,
    /// Since the Unix epoch.
    since: Duration,
}

/// As they were when [`Shared::look_at_hosts`] looked last.
#[derive(Debug, Default)]
pub struct Hosts(Mutex<BTreeMap<Key, State>>);

impl Hosts {
    /// Writes their families.
    pub fn show(&self, page: &mut Page) {
        let hosts = self.hosts();
        let mut family = |name, value: fn(&State) -> f64| {
            let mut series = page.family(name);
            for (Key { whose: (label, name), host, transport }, state) in hosts.iter() {
                series.show(&[(label, name), ("host", host), ("transport", transport)], value(state));
            }
        };
        family("voice_connector_host_up", |state| f64::from(u8::from(state.up)));
        family("voice_connector_host_changed_timestamp_seconds", |state| state.since.as_secs_f64());
    }

    /// The carriers that have hosts which are probed, none of which answers; and since when, as time since the Unix epoch.
    pub fn carriers_down(&self) -> BTreeMap<String, Duration> {
        let mut carriers = BTreeMap::<&str, Option<Duration>>::new();
        let hosts = self.hosts();
        for (Key { whose: (label, name), .. }, State { up, since }) in hosts.iter() {
            if *label == "carrier" {
                let down = carriers.entry(name).or_insert(Some(Duration::ZERO));
                *down = down.filter(|_| !up).map(|before| before.max(*since));
            }
        }
        let down = carriers.into_iter();
        down.filter_map(|(name, since)| Some((name.to_owned(), since?))).collect()
    }

    /// The carriers that have hosts which are probed, and whether one of them answers.
    pub fn carriers(&self) -> BTreeMap<String, bool> {
        let mut carriers = BTreeMap::<String, bool>::new();
        for (Key { whose: (label, name), .. }, State { up, .. }) in self.hosts().iter() {
            if *label == "carrier" {
                *carriers.entry(name.clone()).or_default() |= up;
            }
        }
        carriers
    }

    fn hosts(&self) -> MutexGuard<'_, BTreeMap<Key, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Looks at the hosts that are probed under `config`.
    pub fn look_at_hosts(&self, now: Now, config: &Config) {
        let health = self.health();
        let mut hosts = self.hosts.hosts();
        let mut before = std::mem::take(&mut *hosts);
        for (via, Target { lookup, .. }, _) in probed(config) {
            let whose = match &via {
                Via::Carrier(carrier) => ("carrier", carrier.name.to_string()),
                Via::Connector(connector) => ("voice_connector_id", connector.id.to_string()),
            };
            let host = match lookup.port {
                Some(port) => format!("{}:{port}", lookup.host),
                None => lookup.host.to_string(),
            };
            let key = Key { whose, host, transport: lookup.transport.parameter() };
            let up = health.is_usable(now.instant, &lookup);
            let known = before.remove(&key).filter(|known| known.up == up);
            hosts.insert(key, known.unwrap_or(State { up, since: now.unix }));
        }
    }
}
