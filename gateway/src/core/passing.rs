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

/// So many are remembered; then the oldest are forgotten.
const MOST: usize = 1_000;

/// A party was asked by another one to take its place.
#[derive(Debug, Clone)]
struct Grant {
    by: Party,
    to: Party,
    replaces: Replaces,
    until: Instant,
}

/// Who may replace a dialog of somebody else's, in all shards.
#[derive(Debug, Default)]
pub struct Grants(ArcSwap<Vec<Grant>>);

impl Grants {
    fn add(&self, now: Now, grant: &Grant) {
        self.0.rcu(|grants| {
            let valid = grants.iter().filter(|one| one.until > now.instant);
            let mut grants: Vec<Grant> = valid.cloned().collect();
            if grants.len() >= MOST {
                grants.remove(0);
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
        let mut grants =
            self.0.load().iter().filter(|one| one.until > now.instant).cloned().collect::<Vec<_>>();
        grants.retain(|one| one.by == *by && one.to == *to && same(&one.replaces));
        !grants.is_empty()
    }
}

impl Core {
    /// A party of a call asks the other one to call somebody.
    pub(super) fn pass_refer(&mut self, now: Now, passing: Passing) -> Event {
        let Passing { user, by, to, replaces } = passing;
        let user = spelt(&self.live, &user, by.as_ref(), to.as_ref());
        if let (Some(by), Some(to), Some(replaces)) = (by, to, replaces) {
            self.shared.grants.add(now, &Grant { by, to, replaces, until: now.instant + LASTS });
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
