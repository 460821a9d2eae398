//! Random operations, crashes and failures of the disk, against a model that fits a screen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use inventory::object::{GroupItem, ProductType, Termination};
use inventory::store::{Change, Versioned, Write};
use inventory::{
    DELETION, ErrorCode, Exception, Inventory, Memory, NewGroup, NewOrder, NumberFilter, NumberOwner, Paging,
    Pool, Store, StoreError, Timestamp,
};
use proptest::prelude::*;

use crate::house::{FILES, NOW, files, new_connector, setup};

/// A disk that outlives the inventory, and fails when it is told to.
#[derive(Clone, Default)]
struct Disk(Arc<(Memory, AtomicBool, AtomicBool)>);

impl Store for Disk {
    fn get(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        self.0.0.get(key)
    }

    fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned)>, StoreError> {
        if self.0.2.swap(false, Ordering::Relaxed) {
            return Err(StoreError::Failed("it can't be read".into()));
        }
        self.0.0.range(prefix, after, limit)
    }

    fn commit(&self, writes: &[Write]) -> Result<(), StoreError> {
        match self.0.1.swap(false, Ordering::Relaxed) {
            true => Err(StoreError::Failed("no space".into())),
            false => self.0.0.commit(writes),
        }
    }

    fn watch(&self, prefix: &str) -> mpsc::Receiver<Change> {
        self.0.0.watch(prefix)
    }
}

/// Things are named by small numbers: that of a connector or group is its place among those ever made.
#[derive(Debug, Clone)]
enum Operation {
    Create,
    Update(usize, bool),
    Terminate(usize, bool),
    Delete(usize),
    CreateGroup(Vec<usize>),
    UpdateGroup(usize, Vec<usize>),
    DeleteGroup(usize),
    Order(usize),
    Associate(usize, usize, bool),
    AssociateGroup(usize, usize, bool),
    Disassociate(usize, usize),
    DeleteNumber(usize),
    Restore(usize),
    Wait(u64),
    Crash,
    /// Whether it can't be read after that, either.
    DiskFails(bool),
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let items = || prop::collection::vec(0..6_usize, 0..3);
    prop_oneof![
        3 => Just(Create),
        2 => (0..6_usize, any::<bool>()).prop_map(|(at, on)| Update(at, on)),
        2 => (0..6_usize, any::<bool>()).prop_map(|(at, good)| Terminate(at, good)),
        2 => (0..6_usize).prop_map(Delete),
        2 => items().prop_map(CreateGroup),
        2 => (0..4_usize, items()).prop_map(|(at, items)| UpdateGroup(at, items)),
        2 => (0..4_usize).prop_map(DeleteGroup),
        4 => (0..6_usize).prop_map(Order),
        4 => (0..6_usize, 0..6_usize, any::<bool>()).prop_map(|(at, number, force)| Associate(at, number, force)),
        2 => (0..4_usize, 0..6_usize, any::<bool>()).prop_map(|(at, number, force)| AssociateGroup(at, number, force)),
        3 => (0..6_usize, 0..6_usize).prop_map(|(at, number)| Disassociate(at, number)),
        3 => (0..6_usize).prop_map(DeleteNumber),
        2 => (0..6_usize).prop_map(Restore),
        2 => (0..8_u64).prop_map(Wait),
        1 => Just(Crash),
        1 => any::<bool>().prop_map(DiskFails),
    ]
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Connector(usize),
    Group(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Number {
    Free,
    Of(Owner),
    Deleted(Timestamp),
}

/// What should be.
#[derive(Debug, Clone, Default)]
struct Model {
    /// Whether each takes TLS only, and has a termination.
    connectors: BTreeMap<usize, (bool, bool)>,
    groups: BTreeMap<usize, Vec<usize>>,
    numbers: BTreeMap<usize, Number>,
}

type Expected = Result<(), Exception>;

impl Model {
    fn expire(&mut self, now: Timestamp) {
        self.numbers.retain(|_, number| !matches!(number, Number::Deleted(end) if *end <= now));
    }

    fn items(&self, items: &[usize]) -> Expected {
        if items.iter().any(|item| !self.connectors.contains_key(item)) {
            return Err(Exception::NotFound);
        }
        let distinct: BTreeSet<&usize> = items.iter().collect();
        if distinct.len() == items.len() { Ok(()) } else { Err(Exception::BadRequest) }
    }

    fn owned(&self, owner: &Owner) -> bool {
        self.numbers.values().any(|number| matches!(number, Number::Of(known) if known == owner))
    }

    fn there(&self, owner: &Owner) -> Expected {
        let there = match owner {
            Owner::Connector(at) => self.connectors.contains_key(at),
            Owner::Group(at) => self.groups.contains_key(at),
        };
        if there { Ok(()) } else { Err(Exception::NotFound) }
    }
}

/// The inventory and the model, side by side.
struct Both {
    disk: Disk,
    inventory: Inventory,
    model: Model,
    now: Timestamp,
    connectors: Vec<String>,
    groups: Vec<String>,
}

fn open(disk: &Disk, seed: usize) -> Inventory {
    let mut setup = setup(Box::new(disk.clone()));
    (0..seed).for_each(|_| (setup.random)(&mut [0; 13]));
    let inventory = Inventory::open(setup, files(FILES), NOW).unwrap();
    let mut pool = "number,country\n".to_owned();
    (0..6).for_each(|at| pool.push_str(&format!("{},US\n", number(at))));
    inventory.set_pool(Pool::parse(&pool).unwrap());
    inventory
}

fn number(at: usize) -> String {
    format!("+1206555020{at}")
}

fn exception<T>(result: Result<T, inventory::Error>) -> Expected {
    result.map(|_| ()).map_err(|error| error.exception())
}

/// What one number of many came to.
fn code(result: Result<Vec<inventory::NumberError>, inventory::Error>) -> Expected {
    match result.map_err(|error| error.exception())?.first().map(|error| error.code) {
        None => Ok(()),
        Some(ErrorCode::NotFound) => Err(Exception::NotFound),
        Some(_) => Err(Exception::BadRequest),
    }
}

impl Both {
    fn new() -> Self {
        let disk = Disk::default();
        let inventory = open(&disk, 0);
        let (connectors, groups) = (Vec::new(), Vec::new());
        Self { disk, inventory, model: Model::default(), now: NOW, connectors, groups }
    }

    fn connector(&self, at: usize) -> String {
        self.connectors.get(at).cloned().unwrap_or_else(|| "gone".into())
    }

    fn group(&self, at: usize) -> String {
        self.groups.get(at).cloned().unwrap_or_else(|| "gone".into())
    }

    fn new_group(&self, items: &[usize]) -> NewGroup {
        let item = |at: &usize| GroupItem { connector: self.connector(*at), priority: 1 };
        NewGroup { name: "g".into(), items: items.iter().map(item).collect(), distribution: None }
    }

    /// What is done, and what should come of it.
    fn step(&mut self, at: usize, operation: &Operation) -> (Expected, Expected) {
        let (now, inventory) = (self.now, &self.inventory);
        match operation {
            Operation::Create => {
                let made = inventory.create_voice_connector(now, new_connector("c"));
                if let Ok(made) = &made {
                    self.connectors.push(made.value.id.clone());
                    self.model.connectors.insert(self.connectors.len() - 1, (false, false));
                }
                (exception(made), Ok(()))
            }
            Operation::Update(at, on) => {
                let done = inventory.update_voice_connector(now, &self.connector(*at), "d", *on);
                let known = self.model.connectors.get_mut(at);
                (exception(done), known.map(|known| known.0 = *on).ok_or(Exception::NotFound))
            }
            Operation::Terminate(at, good) => {
                let net = if *good { "192.0.2.0/24" } else { "198.51.100.0/25" };
                let termination =
                    Termination { cidr_allowed_list: vec![net.into()], ..Termination::default() };
                let done = inventory.put_termination(now, &self.connector(*at), termination);
                let expected = match self.model.connectors.get_mut(at) {
                    None => Err(Exception::NotFound),
                    Some(_) if !good => Err(Exception::BadRequest),
                    Some(known) => {
                        known.1 = true;
                        Ok(())
                    }
                };
                (exception(done), expected)
            }
            Operation::Delete(at) => {
                let done = inventory.delete_voice_connector(now, &self.connector(*at));
                let grouped = self.model.groups.values().any(|items| items.contains(at));
                let expected = self.model.there(&Owner::Connector(*at)).and_then(|()| {
                    if grouped || self.model.owned(&Owner::Connector(*at)) {
                        return Err(Exception::Conflict);
                    }
                    self.model.connectors.remove(at);
                    Ok(())
                });
                (exception(done), expected)
            }
            Operation::CreateGroup(items) => {
                let expected = self.model.items(items);
                let made = inventory.create_voice_connector_group(now, self.new_group(items));
                if let Ok(made) = &made {
                    self.groups.push(made.value.id.clone());
                    self.model.groups.insert(self.groups.len() - 1, items.clone());
                }
                (exception(made), expected)
            }
            Operation::UpdateGroup(at, items) => {
                let done =
                    inventory.update_voice_connector_group(now, &self.group(*at), self.new_group(items));
                let expected = self.model.there(&Owner::Group(*at)).and_then(|()| self.model.items(items));
                if expected.is_ok() {
                    self.model.groups.insert(*at, items.clone());
                }
                (exception(done), expected)
            }
            Operation::DeleteGroup(at) => {
                let done = inventory.delete_voice_connector_group(now, &self.group(*at));
                let expected = self.model.there(&Owner::Group(*at)).and_then(|()| {
                    if self.model.groups.get(at).is_some_and(|items| !items.is_empty())
                        || self.model.owned(&Owner::Group(*at))
                    {
                        return Err(Exception::Conflict);
                    }
                    self.model.groups.remove(at);
                    Ok(())
                });
                (exception(done), expected)
            }
            Operation::Order(at) => {
                let new = NewOrder {
                    product_type: ProductType::VoiceConnector,
                    numbers: vec![number(*at)],
                    name: None,
                };
                let done = inventory.create_phone_number_order(now, &new);
                self.model.expire(now);
                self.model.numbers.entry(*at).or_insert(Number::Free);
                (exception(done), Ok(()))
            }
            Operation::Associate(owner, at, force) => {
                let id = self.connector(*owner);
                let done = inventory.associate_phone_numbers(
                    now,
                    NumberOwner::Connector(&id),
                    &[number(*at)],
                    *force,
                );
                (code(done), self.associated(Owner::Connector(*owner), *at, *force))
            }
            Operation::AssociateGroup(owner, at, force) => {
                let id = self.group(*owner);
                let done =
                    inventory.associate_phone_numbers(now, NumberOwner::Group(&id), &[number(*at)], *force);
                (code(done), self.associated(Owner::Group(*owner), *at, *force))
            }
            Operation::Disassociate(owner, at) => {
                let id = self.connector(*owner);
                let done =
                    inventory.disassociate_phone_numbers(now, NumberOwner::Connector(&id), &[number(*at)]);
                let owner = Owner::Connector(*owner);
                self.model.expire(now);
                let expected = self.model.there(&owner).and_then(|()| match self.model.numbers.get_mut(at) {
                    None => Err(Exception::NotFound),
                    Some(known) if *known == Number::Of(owner.clone()) => {
                        *known = Number::Free;
                        Ok(())
                    }
                    Some(_) => Err(Exception::BadRequest),
                });
                (code(done), expected)
            }
            Operation::DeleteNumber(at) => {
                let done = inventory.delete_phone_number(now, &number(*at));
                self.model.expire(now);
                let expected = match self.model.numbers.get_mut(at) {
                    None => Err(Exception::NotFound),
                    Some(known @ Number::Free) => {
                        *known = Number::Deleted(now.after(DELETION));
                        Ok(())
                    }
                    Some(_) => Err(Exception::BadRequest),
                };
                (exception(done), expected)
            }
            Operation::Restore(at) => {
                let done = inventory.restore_phone_number(now, &number(*at));
                self.model.expire(now);
                let expected = match self.model.numbers.get_mut(at) {
                    None => Err(Exception::NotFound),
                    Some(known @ Number::Deleted(_)) => {
                        *known = Number::Free;
                        Ok(())
                    }
                    Some(_) => Err(Exception::BadRequest),
                };
                (exception(done), expected)
            }
            Operation::Wait(days) => {
                self.now = self.now.after(std::time::Duration::from_secs(days * 86_400));
                (Ok(()), Ok(()))
            }
            Operation::Crash => {
                self.inventory = open(&self.disk, at + 1);
                (Ok(()), Ok(()))
            }
            Operation::DiskFails(for_reading) => {
                self.disk.0.1.store(true, Ordering::Relaxed);
                self.disk.0.2.store(*for_reading, Ordering::Relaxed);
                let failed = exception(inventory.create_voice_connector(now, new_connector("never")));
                // The next change reads it again, and what was not written is not there then.
                inventory.put_policy(now, "p", "{}").unwrap();
                (failed, Err(Exception::ServiceFailure))
            }
        }
    }

    fn associated(&mut self, owner: Owner, at: usize, force: bool) -> Expected {
        self.model.expire(self.now);
        self.model.there(&owner)?;
        match self.model.numbers.get_mut(&at) {
            None => Err(Exception::NotFound),
            Some(Number::Deleted(_)) => Err(Exception::BadRequest),
            Some(Number::Of(known)) if *known != owner && !force => Err(Exception::BadRequest),
            Some(known) => {
                *known = Number::Of(owner);
                Ok(())
            }
        }
    }

    /// Whether everything is as it should be, in lists and for calls.
    fn compare(&mut self) {
        self.model.expire(self.now);
        let paging = Paging::default();
        let connectors = self.inventory.voice_connectors(paging).unwrap().items;
        let seen: BTreeSet<(String, bool, bool)> = connectors
            .iter()
            .filter(|object| object.value.id != "hq")
            .map(|object| {
                let connector = &object.value;
                (connector.id.clone(), connector.require_encryption, connector.termination.is_some())
            })
            .collect();
        let known = self.model.connectors.iter();
        let known: BTreeSet<_> = known.map(|(at, (on, has))| (self.connector(*at), *on, *has)).collect();
        assert_eq!(seen, known);
        let numbers = self.inventory.phone_numbers(self.now, &NumberFilter::default(), paging).unwrap().items;
        let numbers: BTreeMap<String, (Option<String>, Option<Timestamp>)> = numbers
            .iter()
            .map(|object| {
                let owner = object.value.association.as_ref().map(|owner| owner.value.clone());
                (object.value.number.to_string(), (owner, object.value.deletion))
            })
            .filter(|(number, _)| number != "+12065550100")
            .collect();
        let known = self.model.numbers.iter().map(|(at, known)| {
            let about = match known {
                Number::Free => (None, None),
                Number::Of(Owner::Connector(at)) => (Some(self.connector(*at)), None),
                Number::Of(Owner::Group(at)) => (Some(self.group(*at)), None),
                Number::Deleted(end) => (None, Some(*end)),
            };
            (number(*at), about)
        });
        assert_eq!(numbers, known.collect());
        let config = self.inventory.snapshot().unwrap();
        assert_eq!(config.voice_connector.len(), self.model.connectors.len() + 1);
        // What was made of the last one and the changes since is what is made of everything.
        let whole = self.inventory.beside(&files(FILES)).unwrap();
        let ids = |config: &config::Config| {
            config.voice_connector.iter().map(|connector| connector.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&config), ids(&whole));
        assert_eq!(config.numbers, whole.numbers);
        assert_eq!(config.difference(&whole), []);
        for (at, known) in &self.model.numbers {
            let owners: Vec<String> = config
                .voice_connector
                .iter()
                .filter(|connector| config.owns(&connector.id, &number(*at)))
                .map(|connector| connector.id.to_string())
                .collect();
            let mut expected = match known {
                Number::Of(Owner::Connector(at)) => vec![self.connector(*at)],
                Number::Of(Owner::Group(at)) => {
                    let items = self.model.groups.get(at).into_iter().flatten();
                    items.map(|at| self.connector(*at)).collect()
                }
                Number::Free | Number::Deleted(_) => Vec::new(),
            };
            let mut owners = owners;
            owners.sort();
            expected.sort();
            assert_eq!(owners, expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn the_inventory_is_as_the_model(operations in prop::collection::vec(operation(), 1..60)) {
        let mut both = Both::new();
        for (at, operation) in operations.iter().enumerate() {
            let (done, expected) = both.step(at, operation);
            prop_assert_eq!(done, expected, "{} {:?}", at, operation);
            both.compare();
        }
    }
}
