//! REFERs that go on to the other party: the number as that one writes it, and the dialogs of ours that it may replace.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use config::NumberRole;
use sip::header::Replaces;

use super::{Core, Live};
use crate::call::{Event, Passing};
use crate::clock::Now;
use crate::number::Dialect;
use crate::peer::Party;

/// How long who was asked to replace a dialog may take to do so.
const LASTS: Duration = Duration::from_secs(180);

/// So many of one party are remembered; then its oldest are forgotten.
const MOST: usize = 100;

/// A party was asked by another one to take its place.
#[derive(Debug)]
struct Grant {
    by: Party,
    to: Party,
    replaces: Replaces,
    until: Instant,
}

/// Who may replace a dialog of somebody else's, in all shards.
#[derive(Debug, Default)]
pub struct Grants(ArcSwap<Vec<Arc<Grant>>>);

impl Grants {
    fn add(&self, now: Now, grant: Grant) {
        let grant = Arc::new(grant);
        self.0.rcu(|grants| {
            let valid = grants.iter().filter(|one| one.until > now.instant);
            let mut grants: Vec<Arc<Grant>> = valid.cloned().collect();
            let is_its = |one: &Arc<Grant>| one.by == grant.by;
            if grants.iter().filter(|one| is_its(one)).count() >= MOST {
                grants.iter().position(is_its).map(|oldest| grants.remove(oldest));
            }
            grants.push(grant.clone());
            Arc::new(grants)
        });
    }

    /// Whether `by` has asked `to` to replace that dialog of its.
    pub fn hold(&self, now: Now, by: &Party, to: &Party, replaces: &Replaces) -> bool {
        let same = |one: &Replaces| {
            (&one.call_id, &one.to_tag, &one.from_tag)
                == (&replaces.call_id, &replaces.to_tag, &replaces.from_tag)
        };
        let grants = self.0.load();
        let mut valid = grants.iter().filter(|one| one.until > now.instant);
        valid.any(|one| one.by == *by && one.to == *to && same(&one.replaces))
    }
}

impl Core {
    /// A party of a call asks the other one to call somebody.
    pub(super) fn pass_refer(&mut self, now: Now, passing: Passing) -> Event {
        let Passing { user, by, to, replaces } = passing;
        let user = spelt(&self.live, &user, by.as_ref(), to.as_ref());
        if let (Some(by), Some(to), Some(replaces)) = (by, to, replaces) {
            self.shared.grants.add(now, Grant { by, to, replaces, until: now.instant + LASTS });
        }
        Event::PassesRefer { user }
    }
}

/// The number that `by` means by `user` as `to` would dial it; what is no number stays, but for what has no place in one.
fn spelt(live: &Live, user: &str, by: Option<&Party>, to: Option<&Party>) -> String {
    let dialect = |party: &Party| match party {
        Party::VoiceConnector(id) => live.config.connector(id).map(|one| Dialect::from_connector(one)),
        Party::Carrier(name) => live.config.carrier(name).map(|one| Dialect::from_carrier(one)),
    };
    let number = by.and_then(dialect).and_then(|by| by.read(NumberRole::Called, user));
    let spelt = number.zip(to.and_then(dialect)).map(|(number, to)| to.spelt(NumberRole::Called, &number));
    spelt.unwrap_or_else(|| user.chars().filter(|one| one.is_ascii_alphanumeric() || *one == '+').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_too_much_forgets_its_own() {
        let now = Now { instant: Instant::now(), unix: Duration::ZERO };
        let named = |n: usize| Replaces::parse(&format!("{n}@a;to-tag=1;from-tag=2")).unwrap();
        let party = |name: &str| Party::Carrier(name.into());
        let (greedy, modest, to) = (party("greedy"), party("modest"), party("to"));
        let grant = |by: &Party, n| Grant {
            by: by.clone(),
            to: to.clone(),
            replaces: named(n),
            until: now.instant + LASTS,
        };
        let grants = Grants::default();
        grants.add(now, grant(&modest, 0));
        (0..=MOST).for_each(|n| grants.add(now, grant(&greedy, n)));
        assert!(grants.hold(now, &modest, &to, &named(0)), "another's stays");
        assert!(!grants.hold(now, &greedy, &to, &named(0)) && grants.hold(now, &greedy, &to, &named(1)));
        let later = Now { instant: now.instant + LASTS, ..now };
        assert!(!grants.hold(later, &modest, &to, &named(0)));
    }
}
