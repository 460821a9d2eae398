//! The two ends of a call agree on which two descriptions hold, by their marks, whenever neither waits for anything.

use std::time::{Duration, Instant};

use crate::simulation::media::Agreed;
use crate::simulation::phone::{PhoneCall, Stage};

/// Why two calls do not agree; `None`: they do, or there is nothing to compare now.
///
/// - `quiet`: so long must both have said and heard nothing. Something between them may be at work on one leg while the
///   other rests.
pub(crate) fn disagreement(a: &PhoneCall, b: &PhoneCall, now: Instant, quiet: Duration) -> Option<String> {
    if !rests(a, now, quiet) || !rests(b, now, quiet) {
        return None;
    }
    let (here, there) = (a.media.agreed()?, b.media.agreed()?);
    if here.ours.is_empty() || there.ours.is_empty() {
        return None;
    }
    // Who is offered once more what the other end has described, since a transfer led nowhere, describes itself anew in its
    // answer. That is for the gateway alone: the other end, which was asked nothing, holds the pair that both had before.
    let again = |old: &Agreed, new: &Agreed, of_new: &PhoneCall| {
        old.ours == new.theirs && of_new.media.has_agreed_on(&old.theirs, &old.ours)
    };
    let transfers = [a, b].iter().any(|call| !call.subscriptions.is_empty());
    let exactly = here.ours == there.theirs && here.theirs == there.ours;
    let same = exactly || transfers && (again(here, there, b) || again(there, here, a));
    (!same).then(|| {
        format!(
            "one end holds {} and {} to be agreed on, the other {} and {}",
            here.ours, here.theirs, there.theirs, there.ours
        )
    })
}

/// Whether nothing is under way with a call that is up, for all that its phone knows.
pub(crate) fn rests(call: &PhoneCall, now: Instant, quiet: Duration) -> bool {
    let last = call.trace.last().map_or(now, |seen| seen.at);
    call.stage == Stage::Up
        && call.is_settled()
        && !call.spoilt
        && last + quiet <= now
        && call.forks.is_empty()
}
