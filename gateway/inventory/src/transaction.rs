//! One operation's changes: all of them happen or none.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use config::Fragment;

use crate::codec::{self, Kind};
use crate::files::Files;
use crate::limits::Limits;
use crate::object::{Connector, Group, Object, PhoneNumber, Revision};
use crate::render;
use crate::seal::{Seal, Sealed};
use crate::state::{Shelf, State};
use crate::store::Write;
use crate::{Error, Ownership, Timestamp};

/// When an operation happens, and upon which state of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// The time.
    pub now: Timestamp,
    /// The revision that the object is believed to have; another one is [`Error::Changed`]. Default: any.
    pub revision: Option<Revision>,
}

impl From<Timestamp> for When {
    fn from(now: Timestamp) -> Self {
        Self { now, revision: None }
    }
}

/// Random bytes for ids, secrets and nonces, fit for cryptography.
pub type Random = Box<dyn FnMut(&mut [u8]) + Send>;

/// See the module. What it changes can be seen by itself at once.
pub(crate) struct Transaction<'a> {
    pub state: &'a mut State,
    pub files: &'a Files,
    pub limits: &'a Limits,
    pub seal: &'a Seal,
    random: &'a mut Random,
    when: When,
    revision: Revision,
    writes: Vec<Write>,
    undo: Vec<Undo>,
}

type Undo = Box<dyn FnOnce(&mut State)>;

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("revision", &self.revision).finish_non_exhaustive()
    }
}

impl<'a> Transaction<'a> {
    pub fn begin(
        state: &'a mut State,
        files: &'a Files,
        limits: &'a Limits,
        seal: &'a Seal,
        random: &'a mut Random,
        when: When,
    ) -> Self {
        let revision = Revision(state.revision.0 + 1);
        Self { state, files, limits, seal, random, when, revision, writes: Vec::new(), undo: Vec::new() }
    }

    /// What is to be written.
    pub fn finish(self) -> Vec<Write> {
        if !self.writes.is_empty() {
            self.state.revision = self.revision;
        }
        self.writes
    }

    /// Everything is as before.
    pub fn roll_back(self) {
        self.undo.into_iter().rev().for_each(|undo| undo(self.state));
    }

    pub fn now(&self) -> Timestamp {
        self.when.now
    }

    /// An object of the store that is to be changed.
    pub fn own<T: Shelf>(&self, id: &str) -> Result<Arc<Object<T>>, Error> {
        let not_found = || Error::NotFound { kind: T::NAME, id: id.to_owned() };
        let object = T::shelf(self.state).get(id).cloned().ok_or_else(not_found)?;
        match self.when.revision {
            Some(revision) if revision != object.revision => {
                Err(Error::Changed { kind: T::NAME, id: id.to_owned() })
            }
            _ => Ok(object),
        }
    }

    /// Adds an object, or replaces the one with its id.
    pub fn put<T: Shelf + 'static>(&mut self, value: T) -> Result<Arc<Object<T>>, Error> {
        let id: Box<str> = value.id().into();
        let old = T::shelf(self.state).get(&id).cloned();
        let object = Arc::new(Object {
            revision: self.revision,
            created: old.as_ref().map_or(self.when.now, |old| old.created),
            updated: self.when.now,
            owner: Ownership::Store,
            value,
        });
        let bytes = codec::encode(&object)?;
        self.write::<T>(&id, old.as_deref(), Some(bytes));
        T::shelf_mut(self.state).insert(id.clone(), Arc::clone(&object));
        self.undo.push(Box::new(move |state| {
            match old {
                Some(old) => T::shelf_mut(state).insert(id, old),
                None => T::shelf_mut(state).remove(&id),
            };
        }));
        Ok(object)
    }

    /// Removes an object that is there.
    pub fn remove<T: Shelf + 'static>(&mut self, id: &str) {
        let Some((id, old)) = T::shelf_mut(self.state).remove_entry(id) else { return };
        self.write::<T>(&id, Some(&old), None);
        self.undo.push(Box::new(move |state| {
            T::shelf_mut(state).insert(id, old);
        }));
    }

    /// Adds a connector, or replaces it, once the files' validator has agreed.
    pub fn put_connector(&mut self, connector: Connector) -> Result<Arc<Object<Connector>>, Error> {
        let fragment = render::connector(&connector, self.seal)?;
        self.fit(&fragment)?;
        self.set_checked(|state| &mut state.checked_connectors, &connector.id, Some(Arc::new(fragment)));
        self.put(connector)
    }

    pub fn remove_connector(&mut self, id: &str) {
        self.set_checked(|state| &mut state.checked_connectors, id, None);
        self.remove::<Connector>(id);
    }

    /// Adds a group, or replaces it, once the files' validator has agreed.
    pub fn put_group(&mut self, group: Group) -> Result<Arc<Object<Group>>, Error> {
        let fragment = render::group(&group)?;
        if let Some(fragment) = &fragment {
            self.fit(fragment)?;
        }
        self.set_checked(|state| &mut state.checked_groups, &group.id, fragment.map(Arc::new));
        self.put(group)
    }

    pub fn remove_group(&mut self, id: &str) {
        self.set_checked(|state| &mut state.checked_groups, id, None);
        self.remove::<Group>(id);
    }

    /// Whether it goes with what files and store have.
    fn fit(&self, fragment: &Fragment) -> Result<(), Error> {
        let has = |id: &config::ConnectorId| self.state.connectors.contains_key(id.as_str());
        fragment.check(&self.files.config, has).map_err(|clash| Error::BadRequest(clash.to_string()))
    }

    fn set_checked(
        &mut self,
        shelf: fn(&mut State) -> &mut BTreeMap<Box<str>, Arc<Fragment>>,
        id: &str,
        fragment: Option<Arc<Fragment>>,
    ) {
        let id: Box<str> = id.into();
        let set = move |state: &mut State, fragment| match fragment {
            Some(fragment) => shelf(state).insert(id.clone(), fragment),
            None => shelf(state).remove(&id),
        };
        let old = set(self.state, fragment);
        self.undo.push(Box::new(move |state| {
            set(state, old);
        }));
    }

    pub fn put_number(&mut self, number: PhoneNumber) -> Result<Arc<Object<PhoneNumber>>, Error> {
        let old = self.state.numbers.get(number.number.as_str()).cloned();
        self.index(old, Some(number.clone()));
        self.put(number)
    }

    pub fn remove_number(&mut self, number: &str) {
        let old = self.state.numbers.get(number).cloned();
        self.index(old, None);
        self.remove::<PhoneNumber>(number);
    }

    fn index(&mut self, old: Option<Arc<Object<PhoneNumber>>>, new: Option<PhoneNumber>) {
        if let Some(old) = &old {
            self.state.index(&old.value, false);
        }
        if let Some(new) = &new {
            self.state.index(new, true);
        }
        self.undo.push(Box::new(move |state| {
            if let Some(new) = &new {
                state.index(new, false);
            }
            if let Some(old) = &old {
                state.index(&old.value, true);
            }
        }));
    }

    fn write<T: Kind>(&mut self, id: &str, old: Option<&Object<T>>, value: Option<Vec<u8>>) {
        let key = codec::key::<T>(id);
        let expected = old.map_or(Revision(0), |old| old.revision);
        // What was written twice in one transaction is written once.
        let again = expected == self.revision;
        match self.writes.iter_mut().rfind(|write| again && write.key == key) {
            Some(write) => write.value = value,
            None => self.writes.push(Write { key, expected, revision: self.revision, value }),
        }
    }

    pub fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.random)(&mut bytes);
        bytes
    }

    /// A text of `length` letters of `alphabet`, each as likely as the others.
    pub fn random_text(&mut self, alphabet: &[u8], length: usize) -> String {
        let mut text = String::with_capacity(length);
        let fair = 256 - 256 % alphabet.len().max(1);
        while text.len() < length {
            for byte in self.random::<32>() {
                let letter = alphabet.get(usize::from(byte) % alphabet.len().max(1));
                if let Some(letter) = letter.filter(|_| usize::from(byte) < fair && text.len() < length) {
                    text.push(char::from(*letter));
                }
            }
        }
        text
    }

    /// A UUID of version 4. Source: RFC 9562 §5.4.
    pub fn uuid(&mut self) -> String {
        let mut value = u128::from_be_bytes(self.random());
        value = (value & !(0xF << 76)) | (4 << 76);
        value = (value & !(0b11 << 62)) | (0b10 << 62);
        let hex = format!("{value:032x}");
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
    }

    pub fn seal_secret(&mut self, of: &str, secret: &[u8]) -> Result<Sealed, Error> {
        let nonce = self.random();
        self.seal.seal(of, nonce, secret).map_err(|_| Error::Store(crate::store::StoreError::OtherKey))
    }
}
