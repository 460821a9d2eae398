//! Emergency calls: whether one is dialled, and where it goes.

use std::sync::Arc;

use config::{Config, E164, Emergency, VoiceConnector};
use sip::text::word;

use crate::direction::Direction;
use crate::number::{PlanEntry, dialled_digits, is_emergency_service, is_well_known};

use super::{Admitted, Destination, EmergencyCall, Facts, Origin, Refusal, Step, caller, inbound};

/// An emergency call and the number that it goes to.
pub(super) struct Found {
    call: EmergencyCall,
    number: E164,
}

/// What may ask for help.
pub(super) enum Asked {
    /// Digits that were dialled.
    Digits(String),
    /// A service by its name, `urn:service:sos`: RFC 5031.
    Service(String),
}

impl Asked {
    pub(super) fn of(dialled: &str) -> Option<Asked> {
        match is_emergency_service(dialled) {
            true => Some(Asked::Service(word(dialled).to_ascii_lowercase())),
            false => dialled_digits(dialled).map(Asked::Digits),
        }
    }

    /// Whether `connector` has an entry for it.
    pub(super) fn has_entry(&self, connector: &VoiceConnector) -> bool {
        match self {
            Asked::Digits(digits) => entry(connector, digits).is_some(),
            Asked::Service(_) => !connector.emergency.is_empty(),
        }
    }
}

/// The entry of `connector` that has `digits`, for real or for a test.
fn entry<'c>(connector: &'c VoiceConnector, digits: &str) -> Option<(&'c Emergency, bool)> {
    let has = |list: &[String]| list.iter().any(|entry| entry == digits);
    let real = connector.emergency.iter().find(|entry| has(&entry.digits)).map(|entry| (entry, false));
    real.or_else(|| {
        connector.emergency.iter().find(|entry| has(&entry.test_digits)).map(|entry| (entry, true))
    })
}

/// The entry of a service, which says nothing of a country: that of the caller's, or else the first.
fn service_entry<'c>(config: &Config, connector: &'c VoiceConnector, facts: &Facts) -> Option<&'c Emergency> {
    let caller = caller::of_emergency(config, connector, facts, &mut Vec::new());
    let country = caller.number.as_ref().and_then(crate::number::country);
    let entries = || connector.emergency.iter();
    entries().find(|entry| Some(entry.country) == country).or(entries().next())
}

/// Whether emergency digits were dialled, and where they lead.
///
/// A service (`urn:service:sos`) asks for help whoever has an entry; digits are emergency digits where an entry of any connector has them, or where they are well known in a
/// country of the connector's calling plan (911 and 112 everywhere). Without an entry of the connector itself
/// they are refused as what they are, 404, rather than as a bad number.
pub(super) fn look(
    config: &Config,
    connector: &VoiceConnector,
    facts: &Facts,
    dialled: &str,
    steps: &mut Vec<Step>,
) -> Result<Option<Found>, Refusal> {
    let Some(asked) = Asked::of(dialled) else {
        steps.push(Step::NoEmergency { dialled: dialled.to_owned() });
        return Ok(None);
    };
    let entry = match &asked {
        Asked::Digits(digits) => entry(connector, digits),
        Asked::Service(_) => service_entry(config, connector, facts).map(|entry| (entry, false)),
    };
    let elsewhere = config.voice_connector.iter().any(|other| asked.has_entry(other));
    let is_service = matches!(asked, Asked::Service(_));
    let (Asked::Digits(digits) | Asked::Service(digits)) = asked;
    if let Some((entry, test)) = entry {
        let number = match &entry.test_routing_number {
            Some(number) if test => number.clone(),
            _ => entry.routing_number.clone(),
        };
        let call = EmergencyCall { country: entry.country, digits, test };
        steps.push(Step::Emergency { call: call.clone(), number: number.clone() });
        return Ok(Some(Found { call, number }));
    }
    if elsewhere || is_service || is_well_known(&digits, &connector.termination.calling_plan) {
        steps.push(Step::EmergencyWithoutEntry { digits: digits.clone() });
        return Err(Refusal::NoEmergencyEntry { digits });
    }
    steps.push(Step::NoEmergency { dialled: dialled.to_owned() });
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
        plan: PlanEntry::of(&number),
        number,
        destination,
        emergency: Some(call),
        digest_user,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Transport;

    /// Nobody has an entry: who asks for a service hears that, and not that it is no number.
    #[test]
    fn a_service_without_any_entry_is_refused_as_what_it_is() {
        let text = "listen = [{ address = \"192.0.2.1\" }]\nvoice_connector = [{ id = \"hq\", termination = \
                    { allowlist = [\"192.0.2.2\"], calling_plan = [\"US\"] } }]\n";
        let config = Config::parse(text, std::path::Path::new("f.toml")).unwrap().0;
        let connector = config.connector("hq").unwrap();
        for (user, told) in [
            ("urn:service:sos.police", Some("No emergency entry for urn:service:sos.police")),
            ("+911", Some("No emergency entry for 911")),
            ("+91112", None),
        ] {
            let facts = Facts::new([192, 0, 2, 2].into(), Transport::Udp, "", user);
            let found = look(&config, connector, &facts, &facts.user, &mut Vec::new());
            assert_eq!(found.err().map(|refusal| refusal.to_string()).as_deref(), told, "{user}");
        }
    }
}
