//! Objects as bytes: a version, then postcard's form of that version.
//!
//! Who changes a type that is kept makes a version: the old type stays here under its number and becomes the new one when it is read.

use serde::de::DeserializeOwned;

use crate::object::{AccessKey, Connector, Group, Object, Order, PhoneNumber, Policy, Settings, Tags};
use crate::store::{StoreError, Versioned};

/// An object that has keys of its own in the store.
pub(crate) trait Kind: serde::Serialize + DeserializeOwned + Clone {
    /// What its keys begin with.
    const PREFIX: &'static str;
    /// How people call it.
    const NAME: &'static str;
    /// Of its form.
    const VERSION: u8 = 1;

    /// What its key ends with.
    fn id(&self) -> &str;
}

macro_rules! kinds {
    ($($kind:ident $prefix:literal $name:literal $id:expr;)+) => {
        $(impl Kind for $kind {
            const PREFIX: &'static str = $prefix;
            const NAME: &'static str = $name;

            fn id(&self) -> &str {
                let id: fn(&$kind) -> &str = $id;
                id(self)
            }
        })+
    };
}

kinds! {
    Connector "connector/" "voice connector" |connector| &connector.id;
    Group "group/" "voice connector group" |group| &group.id;
    PhoneNumber "number/" "phone number" |number| number.number.as_str();
    Order "order/" "phone number order" |order| &order.id;
    Settings "settings/" "settings" |_| "account";
    Tags "tags/" "tags" |tags| &tags.resource;
    AccessKey "key/" "access key" |key| &key.id;
    Policy "policy/" "policy" |policy| &policy.name;
}

pub(crate) fn key<T: Kind>(id: &str) -> String {
    format!("{}{id}", T::PREFIX)
}

/// # Errors
/// It can't be written: a fault of ours.
pub(crate) fn encode<T: Kind>(object: &Object<T>) -> Result<Vec<u8>, StoreError> {
    let unwritable = |_| StoreError::Unreadable(key::<T>(object.value.id()));
    postcard::to_extend(object, vec![T::VERSION]).map_err(unwritable)
}

/// # Errors
/// A newer gateway wrote it, or it is damaged.
pub(crate) fn decode<T: Kind>(key: &str, stored: &Versioned) -> Result<Object<T>, StoreError> {
    let unreadable = || StoreError::Unreadable(key.to_owned());
    match stored.value.split_first() {
        Some((version, bytes)) if *version == T::VERSION => {
            let object: Object<T> = postcard::from_bytes(bytes).map_err(|_| unreadable())?;
            Ok(Object { revision: stored.revision, ..object })
        }
        Some((version, _)) if *version > T::VERSION => {
            Err(StoreError::Newer { key: key.to_owned(), version: *version })
        }
        _ => Err(unreadable()),
    }
}

/// What is kept beside the objects: a text under the seal, by which the key is known.
pub(crate) const SEAL_MARK: &str = "meta/seal";
