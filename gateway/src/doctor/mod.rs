//! What this host has for a configuration, and what peers will make of it: looked at before calls find out.
//!
//! Nothing is changed, and no peer hears of it; name servers are asked.

mod addresses;
mod capacity;
mod certificates;
mod host;
mod names;

use std::fmt;
use std::sync::Arc;

use config::{Config, Route};
use serde::Serialize;

use crate::peer::{Party, Transport};
use crate::resolve::Lookup;

/// How much something matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Good,
    /// To be known.
    Note,
    /// Will do until it is needed.
    Warning,
    /// Calls will fail.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about: a word.
    pub topic: &'static str,
    /// How it is.
    pub level: Level,
    /// What was found.
    pub text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// All that was found.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// Of this shape.
    pub version: u8,
    /// In the order in which they were looked at.
    pub findings: Vec<Finding>,
    /// What this host has room for.
    pub capacity: Capacity,
}

/// What this host has room for. Estimates, but for the ports and files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Capacity {
    /// By media ports and open files.
    pub calls_by_room: usize,
    /// By processor time for packets of G.711 each 20 ms, measured just now.
    pub calls_by_processor: usize,
    /// New calls a second, by the same measure.
    pub calls_per_second: usize,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Calls that are expected at one time; `None`: nobody says.
    pub calls: Option<usize>,
}

/// Looks at everything. Takes a few seconds where names are not found.
pub fn examine(config: &Arc<Config>, wanted: Wanted) -> Diagnosis {
    let (capacity, of_capacity) = capacity::look(config, wanted);
    let mut findings = host::look(config, wanted);
    findings.extend(of_capacity);
    findings.extend(addresses::look(config));
    findings.extend(without_host(config));
    findings.extend(names::look(config));
    findings.extend(addresses::firewall(config));
    Diagnosis { version: 1, findings, capacity }
}

/// What the configuration and the files that it names say by themselves, on whichever machine.
pub fn without_host(config: &Config) -> Vec<Finding> {
    certificates::look(config)
}

impl Finding {
    fn good(topic: &'static str, text: impl Into<String>) -> Finding {
        Finding { topic, level: Level::Good, text: text.into(), remedy: None }
    }

    fn note(topic: &'static str, text: impl Into<String>) -> Finding {
        Finding { level: Level::Note, ..Finding::good(topic, text) }
    }

    fn warning(topic: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { topic, level: Level::Warning, text: text.into(), remedy: Some(remedy.into()) }
    }

    fn bad(topic: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { level: Level::Bad, ..Finding::warning(topic, text, remedy) }
    }
}

impl Diagnosis {
    /// Whether calls will fail.
    pub fn is_bad(&self) -> bool {
        self.findings.iter().any(|finding| finding.level == Level::Bad)
    }
}

/// A line for each finding, its remedy below it.
impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { topic, level, text, remedy } in &self.findings {
            let sign = match level {
                Level::Good => "ok  ",
                Level::Note => "    ",
                Level::Warning => "WARN",
                Level::Bad => "BAD ",
            };
            writeln!(f, "{sign} {topic:<12} {text}")?;
            if let Some(remedy) = remedy {
                writeln!(f, "{:18}-> {remedy}", "")?;
            }
        }
        let Capacity { calls_by_room, calls_by_processor, calls_per_second } = self.capacity;
        writeln!(
            f,
            "\nThis host has room for {calls_by_room} calls by ports and open files, and for some {calls_by_processor} by \
             its processor;\nit takes some {calls_per_second} new calls a second. (G.711, 20 ms, at 70 % load; measured \
             roughly.)"
        )
    }
}

/// Whom calls may go to: whose it is, and where.
fn peers(config: &Config) -> impl Iterator<Item = (Party, Lookup)> + '_ {
    let lookup = |host: &config::Host, port, transport: Transport| Lookup {
        host: host.to_string().into(),
        port,
        transport,
    };
    let of_route = move |route: &Route| lookup(&route.host, route.port, route.protocol);
    let connectors = config.voice_connector.iter().filter(|one| one.origination.enabled);
    let connectors = connectors.flat_map(move |one| {
        let party = Party::VoiceConnector(one.id.as_str().into());
        one.origination.route.iter().map(move |route| (party.clone(), of_route(route)))
    });
    let carriers = config.carrier.iter().flat_map(move |one| {
        let party = Party::Carrier(one.name.as_str().into());
        let hosts: Vec<Lookup> = match &one.outbound_proxy {
            Some(proxy) => vec![lookup(&proxy.host, proxy.port, proxy.protocol)],
            None => one.host.iter().map(of_route).collect(),
        };
        hosts.into_iter().map(move |host| (party.clone(), host))
    });
    connectors.chain(carriers)
}

/// Host and port as people write them.
fn shown(lookup: &Lookup) -> String {
    match lookup.port {
        Some(port) => format!("{}:{port}", lookup.host),
        None => lookup.host.to_string(),
    }
}

#[cfg(test)]
mod tests;
