use std::sync::Arc;

use config::{Config, E164, Emergency, VoiceConnector};

use crate::direction::Direction;
use crate::number::{dialled_digits, is_well_known};

use super::{Admitted, Destination, EmergencyCall, Facts, Origin, Refusal, Step, caller, inbound};

/// An emergency call and the number that it goes to.
pub(super) struct Found {
    call: EmergencyCall,
    number: E164,
}

/// The entry of `connector` that has `digits`, for real or for a test.
pub(super) fn entry<'c>(connector: &'c VoiceConnector, digits: &str) -> Option<(&'c Emergency, bool)> {
    let has = |list: &[String]| list.iter().any(|entry| entry == digits);
    let real = connector.emergency.iter().find(|entry| has(&entry.digits)).map(|entry| (entry, false));
    real.or_else(|| {
        connector.emergency.iter().find(|entry| has(&entry.test_digits)).map(|entry| (entry, true))
    })
}

/// Whether emergency digits were dialled, and where they lead.
///
/// Digits are emergency digits where an entry of any connector has them, or where they are well known in a
/// country of the connector's calling plan (911 and 112 everywhere). Without an entry of the connector itself
/// they are refused as what they are, 404, rather than as a bad number.
pub(super) fn look(
    config: &Config,
    connector: &VoiceConnector,
    facts: &Facts,
    steps: &mut Vec<Step>,
) -> Result<Option<Found>, Refusal> {
    let Some(digits) = dialled_digits(&facts.user) else {
        steps.push(Step::NoEmergency { dialled: facts.user.clone() });
        return Ok(None);
    };
    if let Some((entry, test)) = entry(connector, &digits) {
        let number = match &entry.test_routing_number {
            Some(number) if test => number.clone(),
            _ => entry.routing_number.clone(),
        };
        let call = EmergencyCall { country: entry.country, digits, test };
        steps.push(Step::Emergency { call: call.clone(), number: number.clone() });
        return Ok(Some(Found { call, number }));
    }
    let elsewhere = config.voice_connector.iter().any(|other| self::entry(other, &digits).is_some());
    if elsewhere || is_well_known(&digits, &connector.termination.calling_plan) {
        steps.push(Step::EmergencyWithoutEntry { digits: digits.clone() });
        return Err(Refusal::NoEmergencyEntry { digits });
    }
    steps.push(Step::NoEmergency { dialled: facts.user.clone() });
    Ok(None)
}

/// Takes an emergency call. Caller ID, calling plan and limits are skipped; nothing may refuse it here.
pub(super) fn admitted(
    config: &Config,
    from: &Arc<VoiceConnector>,
    facts: &Facts,
    found: Found,
    digest_user: Option<String>,
    steps: &mut Vec<Step>,
) -> Admitted {
    let Found { call, number } = found;
    // A desk of our own answers where the number is one of ours and its connector takes calls.
    let destination = inbound::owners(config, &number, steps)
        .and_then(|owners| inbound::open(config, owners, steps).ok())
        .unwrap_or(Destination::Carriers);
    Admitted {
        direction: Direction::Outbound,
        origin: Origin::Connector(from.clone()),
        connector: from.id.clone(),
        caller: caller::of_emergency(config, from, facts, steps),
        dialled: call.digits.clone(),
        number,
        destination,
        emergency: Some(call),
        digest_user,
    }
}
