//! Access keys and policies, managed on the host.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::api::access::{PolicyError, ROLES, role};
use ::api::audit::Record;
use inventory::object::{AccessKey, Object, Policy};
use inventory::{AccessKeyChange, Inventory, NewAccessKey, Page, Paging, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::host::{self, date};
use super::store::{now, uuid};
use crate::record::{Recorder, rfc3339};

/// So many keys or policies are read at once.
const PAGE: usize = 1_000;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a key is to be made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Whose it is, for denials and the audit.
    pub user: String,
    /// What it may do: roles, or policies that are kept. None: everything.
    #[serde(default)]
    pub roles: Vec<String>,
    /// It is refused after so many days. Default: never.
    pub days: Option<u32>,
}

/// What is done with keys and policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Make a key: [`Told::NewKey`].
    CreateKey(NewKey),
    /// Say which there are: [`Told::Key`] each.
    ListKeys,
    /// Make another key for the same user: [`Told::NewKey`].
    RotateKey {
        /// The old one.
        id: String,
        /// It is refused after so many seconds.
        overlap: u64,
    },
    /// Refuse a key, or take it again.
    DisableKey {
        /// Which.
        id: String,
        /// Whether it is refused.
        disabled: bool,
    },
    /// Refuse a key from some time on.
    ExpireKey {
        /// Which.
        id: String,
        /// After so many seconds; none: never.
        after: Option<u64>,
    },
    /// Have a key do something else than before.
    GrantKey {
        /// Which; a root key can do everything already.
        id: String,
        /// All that it may do from now on: roles, or policies that are kept. None: nothing.
        roles: Vec<String>,
    },
    /// Forget a key.
    DeleteKey {
        /// Which.
        id: String,
    },
    /// Say which policies are kept: [`Told::Policy`] each.
    ListPolicies,
    /// Say what a policy or a role allows: [`Told::Policy`].
    ShowPolicy {
        /// Which.
        name: String,
    },
    /// Keep a policy, in place of the one of that name.
    PutPolicy {
        /// Its name.
        name: String,
        /// JSON.
        document: String,
    },
    /// Forget a policy that no key has.
    DeletePolicy {
        /// Which.
        name: String,
    },
}

/// What is said of keys and policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// A key that was made.
    NewKey(Issued),
    /// A key.
    Key(KeyLine),
    /// A policy.
    Policy(PolicyLine),
}

/// A key with its secret, which nobody hears again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// The access key id.
    pub id: String,
    /// What signs.
    pub secret: String,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("id", &self.id).field("secret", &"***").finish()
    }
}

/// A key without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLine {
    /// The access key id.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// It may do everything.
    pub root: bool,
    /// Names of policies; without any, a key that is not root may do nothing.
    pub roles: Vec<String>,
    /// `active`, `disabled` or `expired`.
    pub state: String,
    /// RFC 3339.
    pub created: String,
    /// RFC 3339; none: never.
    pub expires: Option<String>,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyLine {
    /// Its name.
    pub name: String,
    /// JSON.
    pub document: String,
    /// How many keys have it.
    pub keys: usize,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// A role that there is not.
    #[error("there is no role {0:?}; write {roles}, or a policy that is kept", roles = roles())]
    Role(String),
    /// A root key's roles mean nothing.
    #[error("{0} is a root key, which may do everything: make another key with roles, and delete this one")]
    Root(String),
    /// A document that is none.
    #[error("no policy: {0}")]
    Policy(#[from] PolicyError),
    /// The inventory's trouble.
    #[error(transparent)]
    Inventory(#[from] inventory::Error),
}

fn roles() -> String {
    ROLES.map(|(name, _)| name).join(", ")
}

/// Does it, and says what there is to say.
///
/// # Errors
/// No such role, no policy; the inventory's.
pub fn act(inventory: &Inventory, act: &Act) -> Result<Vec<Told>, AccessError> {
    let change = |id: &str, change: &AccessKeyChange| -> Result<Vec<Told>, AccessError> {
        let key = inventory.update_access_key(now(), id, change)?;
        Ok(vec![Told::Key(key_line(&key))])
    };
    match act {
        Act::CreateKey(new) => create(inventory, new).map(|issued| vec![Told::NewKey(issued)]),
        Act::ListKeys => {
            let keys = all(|paging| inventory.access_keys(paging))?;
            Ok(keys.iter().map(|key| Told::Key(key_line(key))).collect())
        }
        Act::RotateKey { id, overlap } => {
            let (key, secret) = inventory.rotate_access_key(now(), id, Duration::from_secs(*overlap))?;
            Ok(vec![Told::NewKey(issued(&key, &secret))])
        }
        Act::DisableKey { id, disabled } => {
            change(id, &AccessKeyChange { disabled: Some(*disabled), ..AccessKeyChange::default() })
        }
        Act::ExpireKey { id, after } => {
            let expires = after.map(|after| now().after(Duration::from_secs(after)));
            change(id, &AccessKeyChange { expires: Some(expires), ..AccessKeyChange::default() })
        }
        Act::GrantKey { id, roles } => {
            if inventory.access_key(id)?.value.root {
                return Err(AccessError::Root(id.clone()));
            }
            keep_roles(inventory, roles)?;
            change(id, &AccessKeyChange { policies: Some(roles.clone()), ..AccessKeyChange::default() })
        }
        Act::DeleteKey { id } => Ok(inventory.delete_access_key(now(), id).map(|()| Vec::new())?),
        Act::ListPolicies => {
            let policies = all(|paging| inventory.policies(paging))?;
            policies.iter().map(|policy| policy_line(inventory, &policy.value)).collect()
        }
        Act::ShowPolicy { name } => {
            let policy = match (inventory.policy(name), role(name)) {
                (Ok(policy), _) => policy.value.clone(),
                (Err(_), Some(document)) => Policy { name: name.clone(), document: document.to_owned() },
                (Err(error), None) => return Err(error.into()),
            };
            Ok(vec![policy_line(inventory, &policy)?])
        }
        Act::PutPolicy { name, document } => {
            document.parse::<::api::access::Policy>()?;
            let policy = inventory.put_policy(now(), name, document)?;
            Ok(vec![policy_line(inventory, &policy.value)?])
        }
        Act::DeletePolicy { name } => Ok(inventory.delete_policy(now(), name).map(|()| Vec::new())?),
    }
}

/// Makes a key.
///
/// # Errors
/// No such role; the inventory's.
fn create(inventory: &Inventory, new: &NewKey) -> Result<Issued, AccessError> {
    keep_roles(inventory, &new.roles)?;
    let key = NewAccessKey {
        user: new.user.clone(),
        root: new.roles.is_empty(),
        policies: new.roles.clone(),
        expires: new.days.map(|days| now().after(DAY * days)),
    };
    let (key, secret) = inventory.create_access_key(now(), &key)?;
    Ok(issued(&key, &secret))
}

/// Roles become policies of their names, where there are none.
fn keep_roles(inventory: &Inventory, roles: &[String]) -> Result<(), AccessError> {
    for name in roles {
        if inventory.policy(name).is_err() {
            let document = role(name).ok_or_else(|| AccessError::Role(name.clone()))?;
            inventory.put_policy(now(), name, document)?;
        }
    }
    Ok(())
}

fn issued(key: &Object<AccessKey>, secret: &SecretString) -> Issued {
    let (id, user, root) = (key.value.id.clone(), &key.value.user, key.value.root);
    tracing::warn!(id, user, root, "an access key was made on this host");
    Issued { id, secret: secret.expose_secret().to_owned() }
}

fn key_line(key: &Object<AccessKey>) -> KeyLine {
    let rfc3339 = |at: Timestamp| rfc3339(Duration::from_millis(at.0));
    let Object { created, value: key, .. } = key;
    let state = if key.disabled {
        "disabled"
    } else if key.holds(now()) {
        "active"
    } else {
        "expired"
    };
    KeyLine {
        id: key.id.clone(),
        user: key.user.clone(),
        root: key.root,
        roles: key.policies.clone(),
        state: state.to_owned(),
        created: rfc3339(*created),
        expires: key.expires.map(rfc3339),
    }
}

fn policy_line(inventory: &Inventory, policy: &Policy) -> Result<Told, AccessError> {
    let keys = all(|paging| inventory.access_keys(paging))?;
    let keys = keys.iter().filter(|key| key.value.policies.contains(&policy.name)).count();
    Ok(Told::Policy(PolicyLine { name: policy.name.clone(), document: policy.document.clone(), keys }))
}

fn all<T>(
    list: impl Fn(Paging<'_>) -> Result<Page<Arc<Object<T>>>, inventory::Error>,
) -> Result<Vec<Arc<Object<T>>>, inventory::Error> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = list(Paging { limit: PAGE, after: after.as_deref() })?;
        all.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

impl Act {
    /// The name under which it is audited; `None`: it only reads.
    fn audited_as(&self) -> Option<&'static str> {
        match self {
            Act::ListKeys | Act::ListPolicies | Act::ShowPolicy { .. } => None,
            Act::CreateKey(_) | Act::RotateKey { .. } => Some("CreateAccessKey"),
            Act::DisableKey { .. } | Act::ExpireKey { .. } | Act::GrantKey { .. } => Some("UpdateAccessKey"),
            Act::DeleteKey { .. } => Some("DeleteAccessKey"),
            Act::PutPolicy { .. } => Some("PutPolicy"),
            Act::DeletePolicy { .. } => Some("DeletePolicy"),
        }
    }
}

/// Does it, as [`act`], and keeps a record of it.
///
/// # Errors
/// As those of [`act`].
pub fn act_audited(
    inventory: &Inventory,
    recorder: &Recorder,
    gateway: &config::Gateway,
    wanted: &Act,
) -> Result<Vec<Told>, AccessError> {
    let done = act(inventory, wanted);
    if let Some(name) = wanted.audited_as() {
        // What was asked for has no secret; of what came of it the ids alone are told.
        let elements = done.as_ref().ok().and_then(|told| match told.first() {
            Some(Told::NewKey(issued)) => Some(json!({ "accessKeyId": issued.id })),
            _ => None,
        });
        let record = Record::on_host(::api::audit::OnHost {
            name,
            region: &gateway.region,
            account: super::account(gateway),
            parameters: serde_json::to_value(wanted).unwrap_or(Value::Null),
            elements: elements.unwrap_or(Value::Null),
            error: done.as_ref().err().map(ToString::to_string),
            ids: [uuid(), uuid()],
            at: date(now()),
        });
        host::keep(recorder, &record);
    }
    done
}
