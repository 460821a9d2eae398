//! What the operator has taken out of service: no new calls but emergencies, whatever a new configuration says.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use crate::admit::{Admitted, Origin};
use crate::route::Attempt;

/// What can be taken out of service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Everything.
    Gateway,
    /// Calls from a voice connector and to it, by its id.
    Connector(String),
    /// Calls from a carrier and to it, by its name.
    Carrier(String),
    /// Calls to a host of a carrier or a voice connector, as it is configured, with its port or without.
    Host(String),
}

impl Part {
    /// The kind, as a metric's label.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Part::Gateway => "gateway",
            Part::Connector(_) => "connector",
            Part::Carrier(_) => "carrier",
            Part::Host(_) => "host",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Gateway => f.write_str("gateway"),
            Part::Connector(id) => write!(f, "voice connector {id}"),
            Part::Carrier(name) => write!(f, "carrier {name}"),
            Part::Host(host) => write!(f, "host {host}"),
        }
    }
}

/// All that drains now. The default: nothing.
#[derive(Debug, Default)]
pub struct Drains {
    parts: ArcSwap<BTreeSet<Part>>,
    /// One change at a time.
    turn: Mutex<()>,
    /// The gateway is about to stop: it takes no more calls.
    stopping: AtomicBool,
}

impl Drains {
    /// Takes a part out of service. Says whether that is news.
    pub fn drain(&self, part: Part) -> bool {
        self.change(|parts| parts.insert(part))
    }

    /// The gateway drains, and then stops.
    pub fn stop(&self) {
        self.stopping.store(true, Relaxed);
        self.drain(Part::Gateway);
    }

    /// Whether it will stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// Puts a part back into service. Says whether it was out of it.
    pub fn undrain(&self, part: &Part) -> bool {
        self.change(|parts| parts.remove(part))
    }

    fn change(&self, change: impl FnOnce(&mut BTreeSet<Part>) -> bool) -> bool {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts = BTreeSet::clone(&self.parts.load());
        let news = change(&mut parts);
        self.parts.store(Arc::new(parts));
        news
    }

    /// What drains now. Takes no lock.
    #[must_use]
    pub fn parts(&self) -> Arc<BTreeSet<Part>> {
        self.parts.load_full()
    }

    /// Whether the whole gateway drains.
    #[must_use]
    pub fn all(&self) -> bool {
        self.parts.load().contains(&Part::Gateway)
    }

    /// The party of an ordinary call that drains.
    #[must_use]
    pub fn caller(&self, admitted: &Admitted) -> Option<Part> {
        let parts = self.parts.load();
        if parts.is_empty() || admitted.emergency.is_some() {
            return None;
        }
        let part = match &admitted.origin {
            Origin::Connector(connector) => Part::Connector(connector.id.to_string()),
            Origin::Carrier(carrier) => Part::Carrier(carrier.name.to_string()),
        };
        parts.contains(&part).then_some(part)
    }

    /// What drains that an attempt leads to.
    #[must_use]
    pub fn on_the_way(&self, attempt: &Attempt) -> Option<Part> {
        self.parts.load().iter().find(|part| leads_to_part(part, attempt)).cloned()
    }

    /// The attempts of a call that may be made: those to what drains are left out, or come last where the call is for help.
    #[must_use]
    pub fn keep(&self, mut attempts: Vec<Attempt>, emergency: bool) -> Vec<Attempt> {
        let parts = self.parts.load();
        match (parts.is_empty(), emergency) {
            (true, _) => {}
            (false, true) => attempts.sort_by_key(|attempt| leads_to(&parts, attempt)),
            (false, false) => attempts.retain(|attempt| !leads_to(&parts, attempt)),
        }
        attempts
    }
}

fn leads_to(parts: &BTreeSet<Part>, attempt: &Attempt) -> bool {
    parts.iter().any(|part| leads_to_part(part, attempt))
}

fn leads_to_part(part: &Part, attempt: &Attempt) -> bool {
    match part {
        Part::Gateway => false,
        Part::Connector(id) => attempt.via.connector().is_some_and(|one| one.as_str() == id),
        Part::Carrier(name) => attempt.via.carrier().is_some_and(|one| one.as_str() == name),
        Part::Host(host) => is_host(host, attempt.target.host()),
    }
}

/// Whether an operator who writes `asked` means the host that is `named`, which has its port where it is configured with one.
fn is_host(asked: &str, named: &str) -> bool {
    let port =
        |port: &str| port.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    named.get(..asked.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(asked))
        && named.get(asked.len()..).is_some_and(|rest| rest.is_empty() || port(rest))
}

/// Whether `config` has such a part.
#[must_use]
pub fn is_configured(part: &Part, config: &config::Config) -> bool {
    let named = |host: &config::Route| {
        let port = host.port.map_or_else(String::new, |port| format!(":{port}"));
        format!("{}{port}", host.host)
    };
    match part {
        Part::Gateway => true,
        Part::Connector(id) => config.connector(id).is_some(),
        Part::Carrier(name) => config.carrier.iter().any(|carrier| carrier.name.as_str() == name),
        Part::Host(asked) => {
            let carriers = config.carrier.iter().flat_map(|carrier| &carrier.host);
            let connectors = config.voice_connector.iter().flat_map(|connector| &connector.origination.route);
            carriers.chain(connectors).any(|host| is_host(asked, &named(host)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_meant_with_its_port_or_without() {
        for (asked, named, meant) in [
            ("192.0.2.1", "192.0.2.1:5060", true),
            ("192.0.2.1:5060", "192.0.2.1:5060", true),
            ("192.0.2.1", "192.0.2.10", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("Sip.Carrier.Example", "sip.carrier.example", true),
            ("sip.carrier", "sip.carrier.example", false),
            ("[2001:db8::1]", "[2001:db8::1]:5070", true),
            ("192.0.2.1:50", "192.0.2.1:5060", false),
        ] {
            assert_eq!(is_host(asked, named), meant, "{asked} {named}");
        }
    }
}
