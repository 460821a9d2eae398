//! All objects of the store in memory, with what is looked for often.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use config::{E164, Fragment};

use crate::codec::{self, Kind};
use crate::object::{
    AccessKey, AssociationName, Connector, Group, Object, Order, PhoneNumber, Policy, Revision, Settings,
    Tags,
};
use crate::seal::Seal;
use crate::store::{Store, StoreError};
use crate::{Error, Timestamp, render};

/// Objects of a kind, by their ids.
pub(crate) type Objects<T> = BTreeMap<Box<str>, Arc<Object<T>>>;

#[derive(Debug, Default)]
pub(crate) struct State {
    pub connectors: Objects<Connector>,
    pub groups: Objects<Group>,
    pub numbers: Objects<PhoneNumber>,
    pub orders: Objects<Order>,
    pub settings: Objects<Settings>,
    pub tags: Objects<Tags>,
    pub keys: Objects<AccessKey>,
    pub policies: Objects<Policy>,
    /// Connectors as the files' validator has read them, by id.
    pub checked_connectors: BTreeMap<Box<str>, Arc<Fragment>>,
    /// Groups with members likewise.
    pub checked_groups: BTreeMap<Box<str>, Arc<Fragment>>,
    /// Numbers of each connector and group.
    pub associated: BTreeMap<(AssociationName, Box<str>), BTreeSet<E164>>,
    /// Numbers of the deletion queue, by when they leave it.
    pub deleted: BTreeSet<(Timestamp, E164)>,
    /// The last change.
    pub revision: Revision,
}

/// Where the objects of a kind are.
pub(crate) trait Shelf: Kind {
    fn shelf(state: &State) -> &Objects<Self>;
    fn shelf_mut(state: &mut State) -> &mut Objects<Self>;
}

macro_rules! shelves {
    ($($kind:ident $shelf:ident,)+) => {
        $(impl Shelf for $kind {
            fn shelf(state: &State) -> &Objects<Self> {
                &state.$shelf
            }

            fn shelf_mut(state: &mut State) -> &mut Objects<Self> {
                &mut state.$shelf
            }
        })+

        impl State {
            /// Everything that the store has.
            ///
            /// # Errors
            /// The store's; an object that can't be read, or that the files' validator refuses.
            pub fn read(store: &dyn Store, seal: &Seal) -> Result<State, StoreError> {
                let mut state = State::default();
                $(state.read_kind::<$kind>(store)?;)+
                let numbers: Vec<Arc<Object<PhoneNumber>>> = state.numbers.values().cloned().collect();
                numbers.iter().for_each(|number| state.index(&number.value, true));
                state.check(seal)?;
                Ok(state)
            }
        }
    };
}

shelves! {
    Connector connectors,
    Group groups,
    PhoneNumber numbers,
    Order orders,
    Settings settings,
    Tags tags,
    AccessKey keys,
    Policy policies,
}

/// So many objects are read at a time.
const CHUNK: usize = 10_000;

impl State {
    fn read_kind<T: Shelf>(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let mut after: Option<String> = None;
        loop {
            let chunk = store.range(T::PREFIX, after.as_deref(), CHUNK)?;
            for (key, stored) in &chunk {
                let object = codec::decode::<T>(key, stored)?;
                self.revision = self.revision.max(stored.revision);
                T::shelf_mut(self).insert(object.value.id().into(), Arc::new(object));
            }
            if chunk.len() < CHUNK {
                return Ok(());
            }
            after = chunk.into_iter().next_back().map(|(key, _)| key);
        }
    }

    /// Has the files' validator read every connector and group, on as many threads as there are processors.
    fn check(&mut self, seal: &Seal) -> Result<(), StoreError> {
        let connectors: Vec<&Arc<Object<Connector>>> = self.connectors.values().collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = connectors.len().div_ceil(threads).max(1);
        let checked: Vec<Result<Vec<_>, StoreError>> = std::thread::scope(|scope| {
            let threads = connectors.chunks(share).map(|share| scope.spawn(|| check_connectors(share, seal)));
            let threads: Vec<_> = threads.collect();
            let failed = |_| Err(StoreError::Failed("a thread ended".to_owned()));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(failed)).collect()
        });
        for share in checked {
            self.checked_connectors.extend(share?);
        }
        for (id, group) in &self.groups {
            let fragment = render::group(&group.value).map_err(|error| refused::<Group>(id, &error))?;
            if let Some(fragment) = fragment {
                self.checked_groups.insert(id.clone(), Arc::new(fragment));
            }
        }
        Ok(())
    }

    /// Notes a number that came, or forgets one that goes.
    pub fn index(&mut self, number: &PhoneNumber, here: bool) {
        if let Some(association) = &number.association {
            let owner = (association.name, association.value.as_str().into());
            let numbers = self.associated.entry(owner.clone()).or_default();
            if here {
                numbers.insert(number.number.clone())
            } else {
                numbers.remove(&number.number)
            };
            if numbers.is_empty() {
                self.associated.remove(&owner);
            }
        }
        if let Some(deletion) = number.deletion {
            let entry = (deletion, number.number.clone());
            if here {
                self.deleted.insert(entry)
            } else {
                self.deleted.remove(&entry)
            };
        }
    }
}

/// Connectors that hold as tables of a configuration, by their ids.
type Checked = Vec<(Box<str>, Arc<Fragment>)>;

fn check_connectors(connectors: &[&Arc<Object<Connector>>], seal: &Seal) -> Result<Checked, StoreError> {
    let check = |object: &&Arc<Object<Connector>>| {
        let connector = &object.value;
        let fragment = render::connector(connector, seal)
            .map_err(|error| refused::<Connector>(&connector.id, &error))?;
        Ok((connector.id.as_str().into(), Arc::new(fragment)))
    };
    connectors.iter().map(check).collect()
}

fn refused<T: Kind>(id: &str, error: &Error) -> StoreError {
    match error {
        Error::Store(StoreError::OtherKey) => StoreError::OtherKey,
        error => StoreError::Refused { key: codec::key::<T>(id), reason: error.to_string() },
    }
}
