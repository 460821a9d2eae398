//! Calls from carriers: whose number is called, and whether its connector takes calls.

use std::sync::Arc;

use config::{Carrier, Config, ConnectorId, E164, NumberRole, Owner};

use crate::direction::Direction;
use crate::number::{Dialect, PlanEntry};

use super::{Admitted, Decision, Destination, Facts, Origin, Outcome, Refusal, Step, caller};

/// Decides on a call from `carrier`: its number must be assigned, and a connector that has it must take calls.
pub(super) fn admit(
    config: &Config,
    carrier: &Arc<Carrier>,
    facts: &Facts,
    mut steps: Vec<Step>,
) -> Decision {
    let dialect = Dialect::from_carrier(carrier);
    // A gateway that registers is called at its Contact: the number stands elsewhere.
    let is_contact = carrier.register.as_ref().is_some_and(|register| register.user == facts.user);
    let is_number = |user: &&String| dialect.read(NumberRole::Called, user).is_some();
    let elsewhere = facts.called.iter().filter(|_| is_contact).find(is_number);
    let (dialled, rewritten) = dialect.heard(NumberRole::Called, elsewhere.unwrap_or(&facts.user));
    steps.extend(rewritten.map(Step::Rewritten));
    let number = dialect.number(NumberRole::Called, &dialled);
    steps.push(Step::Called {
        dialled: dialled.into_owned(),
        format: carrier.inbound_number_format,
        number: number.clone(),
    });
    let refused = |steps, connector: Option<ConnectorId>, refusal| Decision {
        steps,
        connector,
        direction: Some(Direction::Inbound),
        outcome: Outcome::Refuse(refusal),
    };
    let Some(number) = number else {
        return refused(steps, None, Refusal::NotAssigned { dialled: facts.user.clone() });
    };
    let Some(owners) = owners(config, &number, &mut steps) else {
        return refused(steps, None, Refusal::NotAssigned { dialled: number.as_str().to_owned() });
    };
    let first = owners.first().cloned();
    let destination = match open(config, owners, &mut steps) {
        Ok(destination) => destination,
        Err(refusal) => return refused(steps, first, refusal),
    };
    let taking = match &destination {
        Destination::Connectors(taking) => taking.first().cloned(),
        Destination::Carriers => None,
    };
    let Some(connector) = taking else {
        return refused(steps, None, Refusal::NotAssigned { dialled: number.as_str().to_owned() });
    };
    let admitted = Admitted {
        direction: Direction::Inbound,
        origin: Origin::Carrier(carrier.clone()),
        connector: connector.clone(),
        caller: caller::of_carrier(carrier, facts, &mut steps),
        dialled: number.as_str().to_owned(),
        plan: PlanEntry::of(&number),
        number,
        destination,
        emergency: None,
        digest_user: None,
    };
    Decision {
        steps,
        connector: Some(connector),
        direction: Some(Direction::Inbound),
        outcome: Outcome::Admit(Box::new(admitted)),
    }
}

/// The connectors that have `number`, a group's members by priority; none where nobody has it.
pub(super) fn owners(config: &Config, number: &E164, steps: &mut Vec<Step>) -> Option<Vec<ConnectorId>> {
    let owner = config.number(number.as_str()).map(|entry| entry.owner.clone());
    steps.push(Step::Assigned { number: number.clone(), owner: owner.clone() });
    match owner? {
        Owner::Connector(connector) => Some(vec![connector]),
        Owner::Group(group) => {
            let members = config.group(group.as_str())?.members.iter();
            let mut members: Vec<_> =
                members.map(|item| (item.priority, item.voice_connector.clone())).collect();
            members.sort_by_key(|(priority, _)| *priority);
            Some(members.into_iter().map(|(_, connector)| connector).collect())
        }
    }
}

/// The connectors of `owners` that take inbound calls; refused where none does.
pub(super) fn open(
    config: &Config,
    owners: Vec<ConnectorId>,
    steps: &mut Vec<Step>,
) -> Result<Destination, Refusal> {
    let mut taking = Vec::with_capacity(owners.len());
    let mut off = None;
    for id in owners {
        let enabled = config.connector(id.as_str()).is_some_and(|connector| connector.origination.enabled);
        steps.push(Step::Origination { connector: id.clone(), enabled });
        if enabled {
            taking.push(id);
        } else {
            off.get_or_insert(id);
        }
    }
    match off {
        Some(connector) if taking.is_empty() => Err(Refusal::OriginationOff { connector }),
        _ => Ok(Destination::Connectors(taking)),
    }
}
