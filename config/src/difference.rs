//! What is different in a new configuration: for people, who decide by it.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::outline::{Keys, Shown, Values};
use crate::{Config, NumberEntry, Object, Owner, Transport};

/// One thing that is different.
///
/// Displays as one line: `+ carrier west`, `- phone_number +12065550100`,
/// `~ voice_connector office termination.cps_limit 5 -> 10`. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it belongs to.
    pub object: Object,
    /// Its key, that of a table within with dots; `None`: the object itself came or went.
    pub key: Option<String>,
    /// What became of it.
    pub what: Changed,
}

/// What became of something; values as they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It is new; with a key, its value.
    Added(String),
    /// It is gone; with a key, its value.
    Removed(String),
    /// It was this, and is that.
    Replaced(String, String),
    /// The same values in another order.
    Reordered,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match &self.what {
            Changed::Added(_) => '+',
            Changed::Removed(_) => '-',
            Changed::Replaced(..) | Changed::Reordered => '~',
        };
        write!(f, "{mark} {}", self.object)?;
        if let Some(key) = &self.key {
            write!(f, " {key}")?;
        }
        match &self.what {
            Changed::Added(value) | Changed::Removed(value) if value.is_empty() => Ok(()),
            Changed::Added(value) | Changed::Removed(value) => write!(f, " {value}"),
            Changed::Replaced(old, new) if old == new => write!(f, " {old}, another one"),
            Changed::Replaced(old, new) => write!(f, " {old} -> {new}"),
            Changed::Reordered => f.write_str(", in another order"),
        }
    }
}

impl Config {
    /// What is different in `new`, by what is written in the files; of numbers, by what holds for each. Objects in the order
    /// of their kinds and names.
    pub fn difference(&self, new: &Config) -> Vec<Change> {
        let mut changes = Vec::new();
        let (before, after) = (self.outline.objects(), new.outline.objects());
        let objects: BTreeSet<&Object> = before.keys().chain(after.keys()).collect();
        for object in objects {
            let whole = |what: fn(String) -> Changed| Change {
                object: object.clone(),
                key: None,
                what: what(String::new()),
            };
            match (before.get(object), after.get(object)) {
                // What is there once is there with its defaults, too.
                (old, keys) if matches!(object, Object::Table(_)) => {
                    let none = Arc::new(Keys::new());
                    changes.extend(of_keys(object, old.unwrap_or(&none), keys.unwrap_or(&none)));
                }
                (Some(_), None) => changes.push(whole(Changed::Removed)),
                (None, Some(_)) => changes.push(whole(Changed::Added)),
                (Some(old), Some(keys)) if Arc::ptr_eq(old, keys) => {}
                (Some(old), Some(keys)) => changes.extend(of_keys(object, old, keys)),
                (None, None) => {}
            }
        }
        changes.extend(self.numbers_difference(new));
        changes
    }

    fn numbers_difference(&self, new: &Config) -> Vec<Change> {
        let change = |number: &crate::E164, key: Option<&str>, what| Change {
            object: Object::Number(number.to_string()),
            key: key.map(str::to_owned),
            what,
        };
        let mut changes = Vec::new();
        for (number, old) in self.numbers.iter() {
            match new.numbers.get(number) {
                None => changes.push(change(number, None, Changed::Removed(String::new()))),
                Some(entry) if entry == old => {}
                Some(entry) => {
                    for (key, show) in NUMBER_KEYS {
                        let (old, new) = (show(old), show(entry));
                        if old != new {
                            changes.push(change(number, Some(key), Changed::Replaced(old, new)));
                        }
                    }
                }
            }
        }
        let added = new.numbers.keys().filter(|number| !self.numbers.contains_key(*number));
        changes.extend(added.map(|number| change(number, None, Changed::Added(String::new()))));
        changes.sort_by(|one, other| one.object.cmp(&other.object));
        changes
    }

    /// Numbers the listeners, so that one which stays keeps its number wherever it stands in the file.
    pub fn number_listeners(&mut self, mut number: impl FnMut(Transport, SocketAddr) -> u16) {
        self.listen.iter_mut().for_each(|listen| listen.number = number(listen.protocol, listen.address));
    }
}

/// A key of a number, and how its value is shown.
type NumberKey = (&'static str, fn(&NumberEntry) -> String);

const NUMBER_KEYS: [NumberKey; 2] = [
    ("owner", |entry| match &entry.owner {
        Owner::Connector(id) => format!("voice_connector {id}"),
        Owner::Group(id) => format!("voice_connector_group {id}"),
    }),
    ("calling_name", |entry| {
        entry.calling_name.as_ref().map_or("none".to_owned(), |name| format!("{name:?}"))
    }),
];

fn of_keys(object: &Object, old: &Keys, new: &Keys) -> Vec<Change> {
    let mut changes = Vec::new();
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let change = |what| Change { object: object.clone(), key: Some(key.clone()), what };
        match (old.get(key), new.get(key)) {
            (Some(Values::One(old)), Some(Values::One(new))) if old != new => {
                changes.push(change(Changed::Replaced(old.text.clone(), new.text.clone())));
            }
            (Some(Values::One(_)), Some(Values::One(_))) => {}
            (old, new) => {
                let (old, new) = (elements(old), elements(new));
                let (gone, come) = (without(&old, &new), without(&new, &old));
                if gone.is_empty() && come.is_empty() && old != new {
                    changes.push(change(Changed::Reordered));
                }
                changes.extend(gone.into_iter().map(|one| change(Changed::Removed(one.text.clone()))));
                changes.extend(come.into_iter().map(|one| change(Changed::Added(one.text.clone()))));
            }
        }
    }
    changes
}

fn elements(values: Option<&Values>) -> Vec<&Shown> {
    match values {
        None => Vec::new(),
        Some(Values::One(one)) => vec![one],
        Some(Values::List(list)) => list.iter().collect(),
    }
}

/// Those of `some` that `others` has not.
fn without<'a>(some: &[&'a Shown], others: &[&Shown]) -> Vec<&'a Shown> {
    let others: BTreeSet<&Shown> = others.iter().copied().collect();
    some.iter().copied().filter(|one| !others.contains(one)).collect()
}
