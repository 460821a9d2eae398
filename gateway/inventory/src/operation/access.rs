//! Keys that requests are signed with, and policies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::inventory::list;
use crate::object::{AccessKey, Object, Policy};
use crate::store::StoreError;
use crate::transaction::Transaction;
use crate::{Error, Inventory, Obstacle, Page, Paging, Timestamp, When};

/// What a new key is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewAccessKey {
    /// Whom it names: 1 to 64 of letters, digits and `+=,.@_-`.
    pub user: String,
    /// May do everything: made on the host alone.
    pub root: bool,
    /// Names of policies that there are.
    pub policies: Vec<String>,
    /// Default: never.
    pub expires: Option<Timestamp>,
}

/// What becomes of a key; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessKeyChange {
    /// Names of policies that there are.
    pub policies: Option<Vec<String>>,
    /// `Some(None)`: never.
    pub expires: Option<Option<Timestamp>>,
    /// Whether it is refused.
    pub disabled: Option<bool>,
}

/// Letters of a key's id behind `AKIA`, and how many there are.
const ID: (&[u8], usize) = (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16);

/// Letters of a secret, and how many there are: 240 bits.
const SECRET: (&[u8], usize) = (b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 40);

impl Inventory {
    /// Makes a key. Its secret is told here and nowhere else.
    ///
    /// # Errors
    /// `BadRequest`, `ResourceLimitExceeded`; `NotFound`: a policy.
    pub fn create_access_key(
        &self,
        when: impl Into<When>,
        new: &NewAccessKey,
    ) -> Result<(Arc<Object<AccessKey>>, SecretString), Error> {
        self.change(when, |transaction| create(transaction, new))
    }

    /// Makes another key for the same user with the same policies; the old one is refused once `overlap` has passed.
    ///
    /// # Errors
    /// As [`Inventory::create_access_key`]; `NotFound`.
    pub fn rotate_access_key(
        &self,
        when: impl Into<When>,
        id: &str,
        overlap: Duration,
    ) -> Result<(Arc<Object<AccessKey>>, SecretString), Error> {
        self.change(when, |transaction| {
            let old = transaction.own::<AccessKey>(id)?.value.clone();
            let new = NewAccessKey {
                user: old.user.clone(),
                root: old.root,
                policies: old.policies.clone(),
                expires: old.expires,
            };
            let end = transaction.now().after(overlap);
            let expires = Some(old.expires.map_or(end, |expires| expires.min(end)));
            transaction.put(AccessKey { expires, ..old })?;
            create(transaction, &new)
        })
    }

    /// A key with its secret, for whoever checks a signature. Disabled and expired ones are told, too: see [`AccessKey::holds`].
    ///
    /// # Errors
    /// `NotFound`; the secret can't be opened.
    pub fn access_key_secret(&self, id: &str) -> Result<(Arc<Object<AccessKey>>, SecretString), Error> {
        let key = self.access_key(id)?;
        let secret = self.seal.open(&seal_of(id), &key.value.secret).map_err(|_| StoreError::OtherKey)?;
        let secret = std::str::from_utf8(&secret).map_err(|_| StoreError::Unreadable(id.to_owned()))?;
        Ok((Arc::clone(&key), SecretString::from(secret)))
    }

    /// A key without its secret.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn access_key(&self, id: &str) -> Result<Arc<Object<AccessKey>>, Error> {
        self.working().find(&BTreeMap::new(), id)
    }

    /// Keys in the order of ids.
    ///
    /// # Errors
    /// `BadRequest`: the cursor is none of this list.
    pub fn access_keys(&self, paging: Paging<'_>) -> Result<Page<Arc<Object<AccessKey>>>, Error> {
        list(&self.seal, "keys", paging, &self.working().state.keys, &BTreeMap::new())
    }

    /// Changes a key.
    ///
    /// # Errors
    /// `NotFound`: the key, or a policy; `Conflict`: it has another revision.
    pub fn update_access_key(
        &self,
        when: impl Into<When>,
        id: &str,
        change: &AccessKeyChange,
    ) -> Result<Arc<Object<AccessKey>>, Error> {
        self.change(when, |transaction| {
            let mut key = transaction.own::<AccessKey>(id)?.value.clone();
            if let Some(policies) = &change.policies {
                check_policies(transaction, policies)?;
                key.policies.clone_from(policies);
            }
            key.expires = change.expires.unwrap_or(key.expires);
            key.disabled = change.disabled.unwrap_or(key.disabled);
            transaction.put(key)
        })
    }

    /// Removes a key.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`: it has another revision.
    pub fn delete_access_key(&self, when: impl Into<When>, id: &str) -> Result<(), Error> {
        self.change(when, |transaction| {
            transaction.own::<AccessKey>(id)?;
            transaction.remove::<AccessKey>(id);
            Ok(())
        })
    }

    /// Adds a policy, or replaces the one of its name. Whether the document is one, the caller has seen to.
    ///
    /// # Errors
    /// `BadRequest`, `ResourceLimitExceeded`.
    pub fn put_policy(
        &self,
        when: impl Into<When>,
        name: &str,
        document: &str,
    ) -> Result<Arc<Object<Policy>>, Error> {
        check_word(name, "policy")?;
        if document.len() > DOCUMENT {
            return Err(Error::BadRequest(format!("a policy has {DOCUMENT} bytes at most")));
        }
        self.change(when, |transaction| {
            let limit = transaction.limits.access;
            let policies = &transaction.state.policies;
            if policies.len() >= limit && !policies.contains_key(name) {
                return Err(Error::LimitExceeded { what: "policies", limit });
            }
            transaction.put(Policy { name: name.to_owned(), document: document.to_owned() })
        })
    }

    /// A policy.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn policy(&self, name: &str) -> Result<Arc<Object<Policy>>, Error> {
        self.working().find(&BTreeMap::new(), name)
    }

    /// Policies in the order of names.
    ///
    /// # Errors
    /// `BadRequest`: the cursor is none of this list.
    pub fn policies(&self, paging: Paging<'_>) -> Result<Page<Arc<Object<Policy>>>, Error> {
        list(&self.seal, "policies", paging, &self.working().state.policies, &BTreeMap::new())
    }

    /// Removes a policy.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`: a key has it, or it has another revision.
    pub fn delete_policy(&self, when: impl Into<When>, name: &str) -> Result<(), Error> {
        self.change(when, |transaction| {
            transaction.own::<Policy>(name)?;
            let mut keys = transaction.state.keys.values();
            let has = |key: &&Arc<Object<AccessKey>>| key.value.policies.iter().any(|policy| policy == name);
            if let Some(key) = keys.find(has) {
                let (policy, key) = (name.to_owned(), key.value.id.clone());
                return Err(Error::InTheWay(Obstacle::PolicyInUse { policy, key }));
            }
            transaction.remove::<Policy>(name);
            Ok(())
        })
    }
}

/// Bytes of a policy.
const DOCUMENT: usize = 10_240;

impl AccessKey {
    /// Whether a request that is signed with it now may be looked at.
    pub fn holds(&self, now: Timestamp) -> bool {
        !self.disabled && self.expires.is_none_or(|expires| now < expires)
    }
}

fn create(
    transaction: &mut Transaction<'_>,
    new: &NewAccessKey,
) -> Result<(Arc<Object<AccessKey>>, SecretString), Error> {
    check_word(&new.user, "user")?;
    check_policies(transaction, &new.policies)?;
    let limit = transaction.limits.access;
    if transaction.state.keys.len() >= limit {
        return Err(Error::LimitExceeded { what: "access keys", limit });
    }
    let id = format!("AKIA{}", transaction.random_text(ID.0, ID.1));
    let secret = SecretString::from(transaction.random_text(SECRET.0, SECRET.1));
    let sealed = transaction.seal_secret(&seal_of(&id), secret.expose_secret().as_bytes())?;
    let key = transaction.put(AccessKey {
        id,
        user: new.user.clone(),
        root: new.root,
        policies: new.policies.clone(),
        expires: new.expires,
        disabled: false,
        secret: sealed,
    })?;
    Ok((key, secret))
}

fn check_policies(transaction: &Transaction<'_>, policies: &[String]) -> Result<(), Error> {
    match policies.iter().find(|name| !transaction.state.policies.contains_key(name.as_str())) {
        Some(name) => Err(Error::NotFound { kind: "policy", id: name.clone() }),
        None => Ok(()),
    }
}

/// A name as IAM has it.
fn check_word(text: &str, what: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        return Ok(());
    }
    Err(Error::BadRequest(format!("the name of a {what} has 1 to 64 letters, digits and `+=,.@_-`")))
}

/// What a key's secret is sealed for.
fn seal_of(id: &str) -> String {
    format!("key\0{id}")
}
