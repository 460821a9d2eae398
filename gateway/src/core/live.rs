//! A configuration that calls are made under, with its secrets read.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use config::{Config, Proof, SecretError, VoiceConnector};
use secrecy::ExposeSecret;
use sip::auth::Secret;

use super::profiles::Profiles;
use super::refuse::algorithms;
use crate::admit::Allowlists;

/// Digest users of a connector: each with its secrets.
pub type Users = Vec<(String, Vec<Secret>)>;

/// A configuration that calls can be made under: its secrets are read.
pub struct Live {
    /// The configuration.
    pub config: Arc<Config>,
    /// The sources that are no strangers.
    pub allowlists: Allowlists,
    /// How each party's systems speak.
    pub(super) profiles: Profiles,
    /// Digest users of each connector, by its id.
    pub users: HashMap<String, Arc<Users>>,
    /// How we answer each carrier's challenge to a call, by its name: by its login, or else as we register.
    pub carriers: HashMap<String, (String, Secret)>,
    /// How we register with each carrier that wants it, by its name: as its own user, or else as for calls.
    pub registrations: HashMap<String, (String, Secret)>,
}

impl fmt::Debug for Live {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Live(***)")
    }
}

/// What a configuration needs and can't have, a secret mostly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The secret is not where the configuration says.
    #[error("credentials of {owner}: {error}")]
    Secret {
        /// The connector or carrier.
        owner: String,
        /// What is wrong.
        error: SecretError,
    },
    /// Traces are wanted of a program that makes none.
    #[error("telemetry.endpoint: this program was built without the feature otel")]
    NoTraces,
    /// The secret can't be asked for.
    #[error(
        "credentials of {owner}: the ha1 of {user:?} is of an algorithm that digest_algorithms leaves out"
    )]
    Algorithm {
        /// The connector.
        owner: String,
        /// The user.
        user: String,
    },
    /// The secret is no `ha1`.
    #[error("credentials of {owner}: {error}")]
    Ha1 {
        /// The connector or carrier.
        owner: String,
        /// What is wrong.
        error: sip::auth::SecretError,
    },
}

impl Live {
    /// Reads the secrets of `config`.
    ///
    /// # Errors
    /// The first secret that can't be read; or this program can't do what is asked for.
    pub fn new(config: Arc<Config>) -> Result<Live, LiveError> {
        Live::after(config, None)
    }

    /// The same; connectors that are those of `before`, not only alike, keep what they have: there may be ten thousand, of which
    /// one has changed.
    ///
    /// # Errors
    /// As [`Live::new`].
    pub fn after(config: Arc<Config>, before: Option<&Live>) -> Result<Live, LiveError> {
        if config.telemetry.endpoint.is_some() && !cfg!(feature = "otel") {
            return Err(LiveError::NoTraces);
        }
        let mut users = HashMap::new();
        for connector in &config.voice_connector {
            let same = before.filter(|before| before.has(connector));
            let known = same.and_then(|before| before.users.get(connector.id.as_str()));
            let of_connector = match known {
                Some(known) => known.clone(),
                None => Arc::new(users_of(connector)?),
            };
            users.insert(connector.id.to_string(), of_connector);
        }
        let mut carriers = HashMap::new();
        for carrier in &config.carrier {
            if let Some(credentials) = &carrier.credentials {
                let secret = secret(carrier.name.as_str(), &credentials.proof)?;
                carriers.insert(carrier.name.to_string(), (credentials.username.clone(), secret));
            }
        }
        let mut registrations = HashMap::new();
        for carrier in &config.carrier {
            let Some(register) = &carrier.register else { continue };
            let name = carrier.name.to_string();
            let login = match &register.password {
                Some(password) => {
                    Some((register.user.clone(), of_password(carrier.name.as_str(), password)?))
                }
                None => carriers.get(&name).cloned(),
            };
            registrations.extend(login.map(|login| (name, login)));
        }
        // A carrier that knows us by one login asks for it when it calls, too.
        for (name, login) in &registrations {
            carriers.entry(name.clone()).or_insert_with(|| login.clone());
        }
        let (allowlists, profiles) = (Allowlists::new(&config), Profiles::new(&config, before));
        Ok(Live { config, allowlists, profiles, users, carriers, registrations })
    }
}

impl Live {
    /// Whether this very connector is in it.
    pub(super) fn has(&self, connector: &Arc<VoiceConnector>) -> bool {
        self.config.connector(connector.id.as_str()).is_some_and(|known| Arc::ptr_eq(known, connector))
    }
}

fn users_of(connector: &VoiceConnector) -> Result<Users, LiveError> {
    let mut known = Users::new();
    for credentials in &connector.termination.credentials {
        let secret = secret(connector.id.as_str(), &credentials.proof)?;
        if !algorithms(&connector.termination).iter().any(|one| secret.allows(*one)) {
            let (owner, user) = (connector.id.to_string(), credentials.username.clone());
            return Err(LiveError::Algorithm { owner, user });
        }
        match known.iter_mut().find(|(user, _)| *user == credentials.username) {
            Some((_, secrets)) => secrets.push(secret),
            None => known.push((credentials.username.clone(), vec![secret])),
        }
    }
    Ok(known)
}

fn of_password(owner: &str, password: &config::Secret) -> Result<Secret, LiveError> {
    let unread = |error| LiveError::Secret { owner: owner.to_owned(), error };
    Ok(Secret::password(password.resolve().map_err(unread)?.expose_secret()))
}

fn secret(owner: &str, proof: &Proof) -> Result<Secret, LiveError> {
    let unread = |error| LiveError::Secret { owner: owner.to_owned(), error };
    match proof {
        Proof::Password(password) => of_password(owner, password),
        Proof::Ha1(hex) => Secret::ha1(hex.resolve().map_err(unread)?.expose_secret())
            .map_err(|error| LiveError::Ha1 { owner: owner.to_owned(), error }),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::peer::{Party, Transport};

    #[test]
    fn a_connector_that_is_still_the_same_keeps_what_was_read_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let password = directory.path().join("password");
        std::fs::write(&password, "correct horse").unwrap();
        let connector = |id: &str| {
            format!(
                "[[voice_connector]]\nid = \"{id}\"\ntermination = {{ allowlist = [\"192.0.2.7\"], calling_plan = [\"US\"], \
                 credentials = [{{ username = \"u\", password = {{ file = {password:?} }} }}] }}\n"
            )
        };
        let text = format!("[[listen]]\naddress = \"192.0.2.1\"\n{}{}", connector("one"), connector("two"));
        let (config, _) = Config::parse(&text, Path::new("f.toml")).unwrap();
        let before = Live::new(Arc::new(config.clone())).unwrap();
        std::fs::remove_file(&password).unwrap();

        // One connector is another one, though it looks alike; the other one is the very same.
        let party = |id: &str| Party::VoiceConnector(id.into());
        let same = Live::after(Arc::new(config.clone()), Some(&before)).unwrap();
        for id in ["one", "two"] {
            assert!(Arc::ptr_eq(&same.users[id], &before.users[id]));
            let [was, is] =
                [&before, &same].map(|live| live.profiles.of(&party(id), Transport::Udp).unwrap());
            assert!(Arc::ptr_eq(&was, &is));
        }
        let mut other = config;
        other.voice_connector[1] = Arc::new((*other.voice_connector[1]).clone());
        let unread = Live::after(Arc::new(other.clone()), Some(&before));
        assert!(matches!(unread, Err(LiveError::Secret { owner, .. }) if owner == "two"));
        std::fs::write(&password, "another").unwrap();
        let after = Live::after(Arc::new(other), Some(&before)).unwrap();
        assert!(Arc::ptr_eq(&after.users["one"], &before.users["one"]));
        assert!(!Arc::ptr_eq(&after.users["two"], &before.users["two"]));
    }
}
