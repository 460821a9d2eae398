//! The order of the carriers that take a call.

use std::sync::Arc;

use config::{Carrier, Config};

use crate::admit::{Admitted, Origin};
use crate::random::SeededRandom;

use super::RouteStep;
use super::plan::Steps;
use super::weight::by_priority_and_weight;

/// The carriers that take the call, in order: longest prefix, then priority, then weight; when those of one prefix
/// are exhausted, those of the next shorter one. A carrier stands once, by its longest match.
///
/// An emergency call gets every carrier: after those that an ordinary call would get, those whose prefixes do not
/// match, then those that `termination.carriers` leaves out.
pub(super) fn ordered<'a>(
    config: &'a Config,
    admitted: &Admitted,
    random: &mut SeededRandom,
    steps: &mut Steps,
) -> impl Iterator<Item = &'a Arc<Carrier>> + use<'a> {
    let only = match &admitted.origin {
        Origin::Connector(connector) => connector.termination.carriers.as_deref(),
        Origin::Carrier(_) => None,
    };
    let mut carriers = Vec::with_capacity(config.carrier.len());
    for carrier in &config.carrier {
        let matched = matched_digits(carrier, admitted);
        let allowed = only.is_none_or(|names| names.contains(&carrier.name));
        steps.push(|| RouteStep::Carrier { name: carrier.name.clone(), matched, allowed });
        let level = match (allowed, matched) {
            (true, Some(digits)) => Level::Matched(std::cmp::Reverse(digits)),
            _ if admitted.emergency.is_none() => continue,
            (true, None) => Level::Unmatched,
            (false, _) => Level::LeftOut,
        };
        carriers.push((level, carrier));
    }
    let rank = |(level, carrier): &(Level, &Arc<Carrier>)| ((*level, carrier.priority), carrier.weight);
    let ordered = by_priority_and_weight(carriers, rank, random);
    ordered.into_iter().map(|(_, carrier)| carrier)
}

/// Best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// By how many digits.
    Matched(std::cmp::Reverse<usize>),
    Unmatched,
    LeftOut,
}

/// How many digits of the number the carrier's longest match has; a country counts as its calling code.
fn matched_digits(carrier: &Carrier, admitted: &Admitted) -> Option<usize> {
    let Admitted { number, plan, .. } = admitted;
    let prefixes = carrier.prefixes.iter().filter(|prefix| prefix.matches(number));
    let by_country = plan.numbering.country().filter(|country| carrier.countries.contains(country));
    prefixes.map(|prefix| prefix.digits_len()).chain(by_country.map(|_| plan.calling_code_len)).max()
}
