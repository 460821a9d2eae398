//! The plan of a call: its attempts, best first.

use std::time::Instant;

use config::{Config, ConnectorId, Registration, Route};

use crate::admit::{Admitted, Destination, Refusal};
use crate::peer::Transport;
use crate::random::SeededRandom;
use crate::registrar::Registrar;

use super::weight::by_priority_and_weight;
use super::{Attempt, Health, RouteStep, carriers};

/// What a call is routed by.
#[derive(Clone, Copy)]
pub struct RouteFacts<'a> {
    /// The call.
    pub admitted: &'a Admitted,
    /// A random number, uniform over all 64 bits: draws among equals by weight. The same number under the same
    /// configuration gives the same plan.
    pub draw: u64,
    /// For hosts that rest until a time, and registrations that end.
    pub now: Instant,
    /// Where customers' systems are that have registered.
    pub registrar: &'a Registrar,
}

/// Where a call goes.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What was looked at, in order.
    pub steps: Vec<RouteStep>,
    /// Where to try, best first; not empty. Or why there is nowhere.
    pub attempts: Result<Vec<Attempt>, Refusal>,
}

/// Plans the attempts of a call.
///
/// Outbound: carriers by longest prefix, then priority, then weight, and by the next shorter prefix when they are
/// exhausted; the hosts of one carrier by priority, then weight. Inbound and on-net: the connectors in the order of
/// [`Destination::Connectors`]: of each, the contacts that have registered, then its routes by priority, then weight.
/// Hosts that do not answer probes, and carriers' hosts that have not registered us, come last, rather than never, and in
/// the same order among themselves.
///
/// An emergency call gets every carrier, whatever its prefixes and its health, but no host with a `user` of its own.
///
/// Source: design §4.
pub fn route(config: &Config, health: &Health, facts: &RouteFacts<'_>) -> Plan {
    let mut steps = Steps(Some(Vec::new()));
    let attempts = planned(config, health, facts, &mut steps);
    Plan { steps: steps.0.unwrap_or_default(), attempts }
}

/// The attempts of [`route`], for a call that nobody wants explained.
///
/// # Errors
/// There are none.
pub fn attempts(config: &Config, health: &Health, facts: &RouteFacts<'_>) -> Result<Vec<Attempt>, Refusal> {
    planned(config, health, facts, &mut Steps(None))
}

/// What routing looks at, where it is to be told.
pub(super) struct Steps(Option<Vec<RouteStep>>);

impl Steps {
    pub(super) fn push(&mut self, step: impl FnOnce() -> RouteStep) {
        if let Some(steps) = &mut self.0 {
            steps.push(step());
        }
    }

    /// The same, unless it was told before.
    pub(super) fn push_once(&mut self, step: impl FnOnce() -> RouteStep) {
        if let Some(steps) = &mut self.0 {
            let step = step();
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
    }
}

fn planned(
    config: &Config,
    health: &Health,
    facts: &RouteFacts<'_>,
    steps: &mut Steps,
) -> Result<Vec<Attempt>, Refusal> {
    let admitted = facts.admitted;
    let mut random = SeededRandom::new(facts.draw);
    let mut attempts = Vec::new();
    if let Destination::Connectors(connectors) = &admitted.destination {
        attempts.extend(connectors.iter().flat_map(|id| to_connector(config, id, facts, &mut random, steps)));
    }
    if admitted.destination == Destination::Carriers || admitted.emergency.is_some() {
        for carrier in carriers::ordered(config, admitted, &mut random, steps) {
            // A call for help is not put through to one fixed user of a service.
            let takes = |host: &&Route| admitted.emergency.is_none() || host.user.is_none();
            let hosts = carrier.host.iter().filter(takes).collect();
            let hosts =
                by_priority_and_weight(hosts, |host: &&Route| (host.priority, host.weight), &mut random);
            let caller = &admitted.caller;
            attempts.extend(
                hosts
                    .into_iter()
                    .map(|host| Attempt::to_carrier(carrier, host, &admitted.number, caller, steps)),
            );
        }
    }
    let is_down = |attempt: &Attempt| {
        let carriers = &facts.registrar.carriers;
        attempt.via.carrier().is_some_and(|name| carriers.is_down(name.as_str(), &attempt.lookup))
    };
    for attempt in &mut attempts {
        // A contact that has registered was heard of lately.
        attempt.usable =
            attempt.registered.is_some() || health.is_usable(facts.now, &attempt.lookup) && !is_down(attempt);
    }
    if admitted.emergency.is_none() {
        attempts.sort_by_key(|attempt| !attempt.usable);
    }
    for attempt in &attempts {
        steps.push(|| RouteStep::attempt(attempt, is_down(attempt)));
    }
    if attempts.is_empty() { Err(nowhere(config, admitted)) } else { Ok(attempts) }
}

fn to_connector(
    config: &Config,
    id: &ConnectorId,
    facts: &RouteFacts<'_>,
    random: &mut SeededRandom,
    steps: &mut Steps,
) -> Vec<Attempt> {
    let Some(connector) = config.connector(id.as_str()) else { return Vec::new() };
    let (number, caller) = (&facts.admitted.number, &facts.admitted.caller);
    let contacts = facts.registrar.contacts(facts.now, id.as_str(), number);
    let contacts: Vec<Attempt> = contacts
        .iter()
        .map(|binding| Attempt::to_registered(connector, binding, number, caller, steps))
        .filter(|attempt| !connector.encryption || attempt.lookup.transport == Transport::Tls)
        .collect();
    if connector.peer.registration == Registration::On {
        steps.push(|| RouteStep::Registered { connector: id.clone(), contacts: contacts.len() });
    }
    let routes: Vec<_> = connector.origination.route.iter().collect();
    steps.push(|| RouteStep::Connector { connector: id.clone(), routes: routes.len() });
    let routes = by_priority_and_weight(routes, |route| (route.priority, route.weight), random);
    let routes: Vec<Attempt> = routes
        .into_iter()
        .map(|route| Attempt::to_connector(connector, route, number, caller, steps))
        .collect();
    contacts.into_iter().chain(routes).collect()
}

fn nowhere(config: &Config, admitted: &Admitted) -> Refusal {
    let registers = |id: &ConnectorId| {
        config.connector(id.as_str()).is_some_and(|one| one.peer.registration == Registration::On)
    };
    match &admitted.destination {
        Destination::Connectors(ids) if ids.iter().any(registers) => {
            Refusal::NotRegistered { number: admitted.number.clone() }
        }
        Destination::Carriers => Refusal::NoCarrier { number: admitted.number.clone() },
        Destination::Connectors(_) => Refusal::NoRoute { number: admitted.number.clone() },
    }
}
