//! What was dialled, and whether the calling plan has it.

use config::{E164, NumberRole, VoiceConnector};

use crate::number::{Dialect, Numbering, PlanEntry, surcharge};

use super::{Refusal, Step};

/// What was dialled, which must be a number as the customer's `number_format` has it.
pub(super) fn dialled(
    connector: &VoiceConnector,
    dialled: &str,
    steps: &mut Vec<Step>,
) -> Result<E164, Refusal> {
    let number = Dialect::from_connector(connector).number(NumberRole::Called, dialled);
    let (dialled, format) = (dialled.to_owned(), connector.termination.number_format);
    steps.push(Step::Dialled { dialled: dialled.clone(), format, number: number.clone() });
    number.ok_or(Refusal::NotANumber { dialled, format })
}

/// The calling plan: country, denied prefixes, premium and non-country codes.
///
/// A code of no country is in no calling plan: `allow_premium` alone opens it. A premium number of a country
/// needs both. Returns what the numbering plans say of `number`.
pub(super) fn check(
    connector: &VoiceConnector,
    number: &E164,
    steps: &mut Vec<Step>,
) -> Result<PlanEntry, Refusal> {
    let termination = &connector.termination;
    let entry = PlanEntry::of(number);
    let numbering = entry.numbering;
    let in_plan = match numbering {
        Numbering::Country(country) => termination.calling_plan.contains(&country),
        Numbering::NonCountry(_) => true,
        Numbering::Unknown => false,
    };
    steps.push(Step::CallingPlan { number: number.clone(), numbering, in_plan });
    if !in_plan {
        return Err(Refusal::CallingPlan { number: number.clone(), country: numbering.country() });
    }
    let denied = termination.denied_prefixes.iter().find(|prefix| prefix.matches(number)).cloned();
    steps.push(Step::DeniedPrefixes { denied: denied.clone() });
    if let Some(prefix) = denied {
        return Err(Refusal::DeniedPrefix { number: number.clone(), prefix });
    }
    let surcharge = surcharge(number, &entry);
    let allowed = termination.allow_premium.iter().find(|prefix| prefix.matches(number)).cloned();
    steps.push(Step::Premium { surcharge, allowed: allowed.clone() });
    match (surcharge, allowed) {
        (Some(surcharge), None) => Err(Refusal::Premium { number: number.clone(), surcharge }),
        _ => Ok(entry),
    }
}
