//! Where we are to be registered, and how far each registration has come.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::{Carrier, Config};
use sip::Name;
use sip::registration::Client as Machine;

use crate::clock::Now;
use crate::peer::Peer;
use crate::random::Random;
use crate::registrar::AtCarriers;
use crate::resolve::Lookup;
use crate::route::Target;

/// So long after the start the first REGISTERs are spread.
const SPREAD: u64 = 1_000;

/// See the module.
#[derive(Default)]
pub(in crate::core) struct Registrations {
    pub(super) lines: Vec<Line>,
    next: u32,
}

/// A REGISTER that is ready but for its address: CSeq, seconds, credentials.
pub(super) type Ready = (u32, u32, Vec<(Name, String)>);

pub(super) struct Line {
    pub number: u32,
    pub carrier: Arc<Carrier>,
    pub host: Lookup,
    /// What its REGISTERs carry as Route: the outbound proxy.
    pub route: Vec<String>,
    pub machine: Machine,
    pub call_id: String,
    pub tag: String,
    /// The addresses behind the host that were not tried since it last failed; the first is asked.
    pub addresses: VecDeque<SocketAddr>,
    /// The REGISTER that waits for an address.
    pub ready: Option<Ready>,
    /// The CSeq of the REGISTER that is out.
    pub out: Option<u32>,
    /// Our Contact in it.
    pub contact: String,
    pub flow: Option<Peer>,
}

impl Line {
    pub fn uri(&self) -> String {
        let domain = self.carrier.register.as_ref().map(|register| register.domain.to_string());
        format!("sip:{}", domain.unwrap_or_default())
    }

    pub fn user(&self) -> &str {
        self.carrier.register.as_ref().map_or("", |register| &register.user)
    }
}

/// What is to be registered under `config`: each host of a carrier's, or its proxy in their place.
pub(super) fn wanted(config: &Config) -> impl Iterator<Item = (Arc<Carrier>, Target)> + '_ {
    let registers = config.carrier.iter().filter(|carrier| carrier.register.is_some());
    registers.flat_map(|carrier| {
        let mut targets: Vec<Target> = Vec::new();
        for target in carrier.host.iter().map(|host| Target::new(host, carrier.outbound_proxy.as_ref())) {
            if targets.iter().all(|known| known.lookup != target.lookup) {
                targets.push(target);
            }
        }
        targets.into_iter().map(|target| (carrier.clone(), target))
    })
}

impl Registrations {
    /// Goes on under `config`: what is still wanted stays as it is, what is not is taken back.
    pub fn configure(
        &mut self,
        now: Now,
        config: &Config,
        random: &mut dyn Random,
        mut token: impl FnMut(&mut dyn Random) -> String,
        shown: &AtCarriers,
    ) {
        let mut before = std::mem::take(&mut self.lines);
        for (carrier, Target { lookup: host, route, .. }) in wanted(config) {
            let same = |line: &Line| {
                let wants = |carrier: &Carrier| {
                    carrier.register.as_ref().map(|one| (one.user.clone(), one.domain.clone(), one.expires))
                };
                line.host == host
                    && line.carrier.name == carrier.name
                    && wants(&line.carrier) == wants(&carrier)
                    && !line.machine.is_over()
            };
            if let Some(place) = before.iter().position(same) {
                self.lines.push(Line { carrier, route, ..before.remove(place) });
                continue;
            }
            let wants = carrier.register.as_ref().map_or(3600, |register| register.expires.as_secs());
            let at = now.instant + Duration::from_millis(random.below(SPREAD));
            self.next += 1;
            self.lines.push(Line {
                number: self.next,
                machine: Machine::new(at, u32::try_from(wants).unwrap_or(u32::MAX)),
                carrier,
                host,
                route,
                call_id: token(random),
                tag: token(random),
                addresses: VecDeque::new(),
                ready: None,
                out: None,
                contact: String::new(),
                flow: None,
            });
        }
        let lines = self.lines.iter().map(|line| (line.carrier.name.as_str().into(), line.host.clone()));
        shown.configure(config, lines, now.unix);
        for mut line in before {
            line.machine.stop();
            self.lines.push(line);
        }
    }

    /// When the next one has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lines.iter().filter_map(|line| line.machine.poll_timeout()).min()
    }

    /// Whether every one was taken back, or never was.
    pub fn are_over(&self) -> bool {
        self.lines.iter().all(|line| line.machine.is_over())
    }

    pub(super) fn line(&mut self, number: u32) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.number == number)
    }
}
