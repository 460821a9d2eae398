//! What stands in a configuration, object by object and key by key: what two of them are compared by.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

/// So many characters of a value are shown.
const SHOWN: usize = 120;

/// Keys that hold secrets, and those in which operators write some. What stands there is never shown.
const SECRET: [&str; 9] =
    ["password", "ha1", "token", "nkey", "secret", "secret_key", "add_headers", "header_rules", "url"];

/// Whether a value is not shown. The address of a webhook is what lets one speak to it.
fn is_secret(name: &str, value: &DeValue<'_>) -> bool {
    SECRET.contains(&name) || name == "webhook" && matches!(value, DeValue::String(_))
}

/// Something of a configuration that has a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A table that there is once, by its key: `media`.
    Table(String),
    /// `[[listen]]`, by protocol and address as they are written.
    Listen(String),
    /// `[[network]]`.
    Network(String),
    /// `[[voice_connector]]`.
    Connector(String),
    /// `[[voice_connector_group]]`.
    Group(String),
    /// `[[carrier]]`.
    Carrier(String),
    /// `[[phone_number]]`, or a line of the inventory.
    Number(String),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::Table(key) => write!(f, "[{key}]"),
            Object::Listen(name) => write!(f, "listen {name}"),
            Object::Network(name) => write!(f, "network {name}"),
            Object::Connector(id) => write!(f, "voice_connector {id}"),
            Object::Group(id) => write!(f, "voice_connector_group {id}"),
            Object::Carrier(name) => write!(f, "carrier {name}"),
            Object::Number(number) => write!(f, "phone_number {number}"),
        }
    }
}

/// A value: how it is shown, and what tells it from another one that is shown alike.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shown {
    pub text: String,
    digest: u64,
}

/// The values of a key: one, or the elements of a list.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Values {
    One(Shown),
    List(Vec<Shown>),
}

/// The keys of an object, those of its tables with dots.
pub(crate) type Keys = BTreeMap<String, Values>;

/// See the module. Copies share it until one of them changes.
#[derive(Clone, Default)]
pub(crate) struct Outline(Arc<BTreeMap<Object, Arc<Keys>>>);

impl fmt::Debug for Outline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outline(***)")
    }
}

impl Outline {
    pub fn objects(&self) -> &BTreeMap<Object, Arc<Keys>> {
        &self.0
    }

    /// Adds what stands in no file.
    pub fn insert(&mut self, object: Object, keys: Arc<Keys>) {
        Arc::make_mut(&mut self.0).insert(object, keys);
    }

    /// Forgets what stands in no file any more.
    pub fn remove(&mut self, object: &Object) {
        Arc::make_mut(&mut self.0).remove(object);
    }

    /// Adds what stands in a file. Numbers are left out: they are known better once the inventory is read.
    pub fn add(&mut self, file: &DeTable<'_>) {
        for (key, value) in file {
            let key = key.get_ref().as_ref();
            match value.get_ref() {
                DeValue::Table(table) => self.object(Object::Table(key.to_owned()), table),
                DeValue::Array(tables) if key != "phone_number" => {
                    for table in tables.iter().filter_map(|table| table.get_ref().as_table()) {
                        if let Some(object) = named(key, table) {
                            self.object(object, table);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn object(&mut self, object: Object, table: &DeTable<'_>) {
        flatten(Arc::make_mut(Arc::make_mut(&mut self.0).entry(object).or_default()), "", table);
    }
}

fn named(key: &str, table: &DeTable<'_>) -> Option<Object> {
    let text = |name: &str| table.get(name).and_then(|value| value.get_ref().as_str()).map(str::to_owned);
    Some(match key {
        "listen" => {
            let protocol = text("protocol").unwrap_or_else(|| "udp".to_owned());
            Object::Listen(format!("{protocol} {}", text("address")?))
        }
        "network" => Object::Network(text("name")?),
        "voice_connector" => Object::Connector(text("id")?),
        "voice_connector_group" => Object::Group(text("id")?),
        "carrier" => Object::Carrier(text("name")?),
        _ => return None,
    })
}

fn flatten(keys: &mut Keys, path: &str, table: &DeTable<'_>) {
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let secret = is_secret(name, value.get_ref());
        match value.get_ref() {
            DeValue::Table(table) if !secret => flatten(keys, &path, table),
            DeValue::Array(items) if !secret => {
                let items = items.iter().map(|item| Shown::new(item.get_ref(), false)).collect();
                keys.insert(path, Values::List(items));
            }
            value => {
                keys.insert(path, Values::One(Shown::new(value, secret)));
            }
        }
    }
}

impl Shown {
    fn new(value: &DeValue<'_>, secret: bool) -> Shown {
        let mut whole = String::new();
        write(&mut whole, value, true);
        let mut digest = DefaultHasher::new();
        whole.hash(&mut digest);
        let mut text = String::new();
        if secret {
            text.push_str("***");
        } else {
            write(&mut text, value, false);
        }
        if let Some((end, _)) = text.char_indices().nth(SHOWN) {
            text.truncate(end);
            text.push_str("...");
        }
        Shown { text, digest: digest.finish() }
    }
}

/// As TOML has it on one line; `secrets`: with those too.
fn write(text: &mut String, value: &DeValue<'_>, secrets: bool) {
    match value {
        DeValue::String(string) => text.push_str(&format!("{:?}", string.as_ref())),
        DeValue::Integer(integer) => text.push_str(&integer.to_string()),
        DeValue::Float(float) => text.push_str(&float.to_string()),
        DeValue::Boolean(boolean) => text.push_str(&boolean.to_string()),
        DeValue::Datetime(datetime) => text.push_str(&datetime.to_string()),
        DeValue::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                write(text, item.get_ref(), secrets);
            }
            text.push(']');
        }
        DeValue::Table(table) => {
            text.push('{');
            for (at, (key, value)) in table.iter().enumerate() {
                let name = key.get_ref().as_ref();
                text.push_str(if at > 0 { ", " } else { " " });
                text.push_str(&format!("{} = ", name.escape_debug()));
                if !secrets && is_secret(name, value.get_ref()) {
                    text.push_str("***");
                } else {
                    write(text, value.get_ref(), secrets);
                }
            }
            text.push_str(" }");
        }
    }
}
