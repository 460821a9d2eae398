//! One checked configuration of what files and store have.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use config::{Altered, CallingName, Clash, Config, E164, Fragment, FragmentItem, NumberEntry, Owner};

use crate::codec::Kind;
use crate::files::Files;
use crate::inventory::Working;
use crate::object::{Association, AssociationName, Connector, Group, PhoneNumber, Settings};
use crate::state::State;
use crate::store::Write;
use crate::{Error, Inventory, Timestamp};

/// Whoever goes on under another configuration of files and store. It must not call the inventory.
pub type Taker = Box<dyn Fn(Arc<Config>) + Send + Sync>;

impl Inventory {
    /// What holds now: the operator's files and, beside them, what the store has.
    ///
    /// # Errors
    /// Files and store don't go together.
    pub fn snapshot(&self) -> Result<Arc<Config>, Error> {
        self.working().compose().map_err(|clash| Error::Snapshot(clash.to_string()))
    }

    /// Who is told of every configuration that the store leads to from now on, before the operation returns that led to it. Changes
    /// that come together are told together.
    pub fn tell(&self, taker: Taker) {
        *self.taker() = Some(Told(taker));
    }

    /// Goes on beside other files. No operation is done meanwhile.
    ///
    /// - `take`: is given files and store together, and says whether that holds from now on. It must not call the inventory.
    ///
    /// # Errors
    /// Files and store don't go together, or what `take` said: then everything stays as it was.
    pub fn replace_files<T, E: From<Clash>>(
        &self,
        files: Arc<Config>,
        now: Timestamp,
        take: impl FnOnce(Arc<Config>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut working = self.at_rest();
        let composed = Arc::new(whole(&working.state, &files)?);
        let taken = take(Arc::clone(&composed))?;
        working.files = Arc::new(Files::new(files, now));
        working.composed.set(composed);
        working.composed.told = true;
        Ok(taken)
    }

    /// Files and store together, as they would be with other files.
    ///
    /// # Errors
    /// They don't go together.
    pub fn beside(&self, files: &Config) -> Result<Config, Clash> {
        whole(&self.working().state, files)
    }

    /// Tells of what holds now.
    pub(crate) fn publish(&self, working: &mut Working) {
        let taker = self.taker();
        let Some(Told(taker)) = &*taker else { return };
        // It may have been told with a change before, as that was written.
        if working.composed.told {
            return;
        }
        // Each change was checked before it was written, and files are refused that don't go with it.
        if let Ok(config) = working.compose() {
            taker(config);
            working.composed.told = true;
        }
    }
}

pub(crate) struct Told(Taker);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}

/// The configuration that was made last, and what has changed since.
#[derive(Debug, Default)]
pub(crate) struct Composed {
    /// None: it is to be made as a whole.
    last: Option<Arc<Config>>,
    /// Keys of the store.
    since: BTreeSet<String>,
    /// Whether the taker has had what holds now.
    pub told: bool,
}

impl Composed {
    pub fn note(&mut self, writes: &[Write]) {
        let matters = |write: &&Write| is_of_calls(&write.key);
        let keys: Vec<String> = writes.iter().filter(matters).map(|write| write.key.clone()).collect();
        self.told &= keys.is_empty();
        // Who is in a group decides about numbers that did not change themselves.
        let whole = keys.iter().any(|key| key.starts_with(Group::PREFIX));
        if whole || self.since.len() + keys.len() > SINCE {
            self.forget();
        } else if self.last.is_some() {
            self.since.extend(keys);
        }
    }

    pub fn forget(&mut self) {
        *self = Self::default();
    }

    fn set(&mut self, config: Arc<Config>) {
        self.last = Some(config);
        self.since.clear();
    }
}

/// Whether calls may be made otherwise for a change of this key.
fn is_of_calls(key: &str) -> bool {
    [Connector::PREFIX, Group::PREFIX, PhoneNumber::PREFIX, Settings::PREFIX]
        .iter()
        .any(|prefix| key.starts_with(prefix))
}

/// With more changes a configuration is made as a whole.
const SINCE: usize = 10_000;

impl Working {
    /// What holds now.
    fn compose(&mut self) -> Result<Arc<Config>, Clash> {
        let files = &self.files.config;
        let config = match &self.composed.last {
            Some(last) => {
                let altered = self.composed.since.iter().filter_map(|key| altered(&self.state, files, key));
                last.altered(files, altered, calling_name(&self.state).as_ref())?
            }
            None => whole(&self.state, files)?,
        };
        let config = Arc::new(config);
        self.composed.set(Arc::clone(&config));
        Ok(config)
    }
}

/// What became of a key of the store.
fn altered(state: &State, files: &Config, key: &str) -> Option<Altered> {
    if let Some(id) = key.strip_prefix(Connector::PREFIX) {
        let fragment = state.checked_connectors.get(id).cloned();
        return Some(fragment.map_or_else(|| Altered::NoConnector(id.into()), Altered::Connector));
    }
    let number = key.strip_prefix(PhoneNumber::PREFIX)?;
    let entry = state.numbers.get(number).and_then(|number| entry(state, files, &number.value));
    match entry {
        Some((number, entry)) => Some(Altered::Number(number, entry)),
        None => Some(Altered::NoNumber(number.parse().ok()?)),
    }
}

fn calling_name(state: &State) -> Option<CallingName> {
    state.settings.get("account")?.value.calling_name.as_deref()?.parse().ok()
}

fn whole(state: &State, files: &Config) -> Result<Config, Clash> {
    let fragments = state.checked_connectors.values().chain(state.checked_groups.values());
    let fragments = fragments.map(|fragment| &**fragment);
    let numbers = state.numbers.values().filter_map(|number| entry(state, files, &number.value));
    files.with(fragments, numbers, calling_name(state).as_ref())
}

/// What a number means for calls; `None`: nothing, it has no owner who takes part in them.
fn entry(state: &State, files: &Config, number: &PhoneNumber) -> Option<(E164, NumberEntry)> {
    let owner = owner(state, files, number.association.as_ref()?)?;
    let calling_name = number.calling_name.as_deref().and_then(|name| name.parse().ok());
    Some((number.number.clone(), NumberEntry { owner, calling_name }))
}

/// Ids are shared with the objects that have them: there may be a hundred thousand numbers.
fn owner(state: &State, files: &Config, association: &Association) -> Option<Owner> {
    let id = association.value.as_str();
    match association.name {
        AssociationName::VoiceConnectorId => {
            let of_store = state.checked_connectors.get(id).and_then(|fragment| connector(fragment));
            let id = of_store.or_else(|| files.connector(id).map(|connector| connector.id.clone()));
            Some(Owner::Connector(id.unwrap_or_else(|| association.value.as_str().into())))
        }
        AssociationName::VoiceConnectorGroupId => {
            let of_store = state.checked_groups.get(id).and_then(|fragment| group(fragment));
            // A group of the store without members takes no calls, nor do its numbers.
            if of_store.is_none() && state.groups.contains_key(id) {
                return None;
            }
            let id = of_store.or_else(|| files.group(id).map(|group| group.id.clone()));
            Some(Owner::Group(id.unwrap_or_else(|| association.value.as_str().into())))
        }
        AssociationName::SipRuleId => None,
    }
}

fn connector(fragment: &Fragment) -> Option<config::ConnectorId> {
    match fragment.item() {
        FragmentItem::Connector(connector) => Some(connector.id.clone()),
        FragmentItem::Group(_) => None,
    }
}

fn group(fragment: &Fragment) -> Option<config::GroupId> {
    match fragment.item() {
        FragmentItem::Group(group) => Some(group.id.clone()),
        FragmentItem::Connector(_) => None,
    }
}
