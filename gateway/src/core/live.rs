//! A configuration that calls are made under, with its secrets read.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use config::{Config, Proof, SecretError};
use secrecy::ExposeSecret;
use sip::auth::Secret;

use super::profiles::Profiles;
use super::refuse::algorithms;
use crate::admit::Allowlists;

/// A configuration that calls can be made under: its secrets are read.
pub struct Live {
    /// The configuration.
    pub config: Arc<Config>,
    /// The sources that are no strangers.
    pub allowlists: Allowlists,
    /// How each party's systems speak.
    pub(super) profiles: Profiles,
    /// Digest users of each connector, by its id.
    pub users: HashMap<String, Vec<(String, Vec<Secret>)>>,
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

/// A secret that a configuration needs and that can't be had.
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
    /// The first secret that can't be read.
    pub fn new(config: Arc<Config>) -> Result<Live, LiveError> {
        let mut users = HashMap::new();
        for connector in &config.voice_connector {
            let mut known: Vec<(String, Vec<Secret>)> = Vec::new();
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
            users.insert(connector.id.to_string(), known);
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
        let (allowlists, profiles) = (Allowlists::new(&config), Profiles::new(&config));
        Ok(Live { config, allowlists, profiles, users, carriers, registrations })
    }
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
