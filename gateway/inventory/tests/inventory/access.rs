//! Keys and policies.

use std::time::Duration;

use inventory::{AccessKeyChange, Exception, NewAccessKey, Paging};
use secrecy::ExposeSecret;

use crate::house::{NOW, inventory};

#[test]
fn a_secret_is_told_once_and_known_to_who_checks_it() {
    let inventory = inventory();
    inventory.put_policy(NOW, "reader", "{}").unwrap();
    let new = NewAccessKey { user: "ann".into(), policies: vec!["reader".into()], ..NewAccessKey::default() };
    let (key, secret) = inventory.create_access_key(NOW, &new).unwrap();
    assert!(key.value.id.starts_with("AKIA") && key.value.id.len() == 20);
    let (found, known) = inventory.access_key_secret(&key.value.id).unwrap();
    assert_eq!((found, known.expose_secret()), (key.clone(), secret.expose_secret()));
    assert!(
        !format!("{:?}", inventory.access_keys(Paging::default()).unwrap()).contains(secret.expose_secret())
    );
    assert_eq!(inventory.delete_policy(NOW, "reader").unwrap_err().exception(), Exception::Conflict);
    let day = Duration::from_secs(86_400);
    let (second, other) = inventory.rotate_access_key(NOW, &key.value.id, day).unwrap();
    assert_ne!(other.expose_secret(), secret.expose_secret());
    assert_eq!((second.value.user.as_str(), second.value.expires), ("ann", None));
    let old = inventory.access_key(&key.value.id).unwrap();
    assert!(old.value.holds(NOW) && !old.value.holds(NOW.after(day)));
    let disabled = AccessKeyChange { disabled: Some(true), ..AccessKeyChange::default() };
    assert!(!inventory.update_access_key(NOW, &second.value.id, &disabled).unwrap().value.holds(NOW));
    for id in [&key.value.id, &second.value.id] {
        inventory.delete_access_key(NOW, id).unwrap();
    }
    inventory.delete_policy(NOW, "reader").unwrap();
    assert_eq!(inventory.access_key_secret(&key.value.id).unwrap_err().exception(), Exception::NotFound);
    assert_eq!(inventory.create_access_key(NOW, &new).unwrap_err().exception(), Exception::NotFound);
}
