//! What is configured of a connector.

use crate::inventory::Inventory;
use crate::object::{
    Connector, DnisEmergency, ExternalSystems, Logging, Login, Origination, Streaming, Termination,
};
use crate::operation::connectors::own_connector;
use crate::render::login_seal_of;
use crate::{Error, When};

use md5::Md5;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// `Credential`: a digest user with its password.
#[derive(Debug, Clone)]
pub struct NewCredential {
    /// `Username`.
    pub username: String,
    /// `Password`; only hashes of it are kept.
    pub password: SecretString,
}

impl Inventory {
    /// `PutVoiceConnectorTermination`: replaces all of it, and tells what holds.
    ///
    /// # Errors
    /// `NotFound`, `BadRequest`; `Conflict` where files own the connector, or it has another revision.
    pub fn put_termination(
        &self,
        when: impl Into<When>,
        id: &str,
        mut termination: Termination,
    ) -> Result<Termination, Error> {
        if let Some(number) = &mut termination.default_phone_number {
            with_plus(number);
        }
        termination.cps_limit.get_or_insert(crate::render::DEFAULT_CPS);
        self.configure(when, id, |connector| connector.termination = Some(termination.clone()))?;
        Ok(termination)
    }

    /// `GetVoiceConnectorTermination`.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn termination(&self, id: &str) -> Result<Termination, Error> {
        self.configured(id, "termination", |connector| connector.termination.clone())
    }

    /// `DeleteVoiceConnectorTermination`. Its digest users go with it.
    ///
    /// # Errors
    /// `NotFound`; `BadRequest` while there are emergency calls; `Conflict` where files own the connector, or it has another revision.
    pub fn delete_termination(&self, when: impl Into<When>, id: &str) -> Result<(), Error> {
        self.remove(when, id, "termination", |connector| {
            connector.credentials.clear();
            connector.termination.take().is_some()
        })
    }

    /// `PutVoiceConnectorOrigination`: replaces all of it, and tells what holds.
    ///
    /// # Errors
    /// As [`Inventory::put_termination`].
    pub fn put_origination(
        &self,
        when: impl Into<When>,
        id: &str,
        origination: Origination,
    ) -> Result<Origination, Error> {
        let limit = self.limits.routes;
        if origination.routes.len() > limit {
            return Err(Error::BadRequest(format!("a voice connector has {limit} routes at most")));
        }
        self.configure(when, id, |connector| connector.origination = Some(origination.clone()))?;
        Ok(origination)
    }

    /// `GetVoiceConnectorOrigination`.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn origination(&self, id: &str) -> Result<Origination, Error> {
        self.configured(id, "origination", |connector| connector.origination.clone())
    }

    /// `DeleteVoiceConnectorOrigination`.
    ///
    /// # Errors
    /// As [`Inventory::delete_termination`].
    pub fn delete_origination(&self, when: impl Into<When>, id: &str) -> Result<(), Error> {
        self.remove(when, id, "origination", |connector| connector.origination.take().is_some())
    }

    /// `PutVoiceConnectorEmergencyCallingConfiguration`: replaces all of it, and tells what holds.
    ///
    /// # Errors
    /// As [`Inventory::put_termination`]; termination and origination must be on.
    pub fn put_emergency(
        &self,
        when: impl Into<When>,
        id: &str,
        mut entries: Vec<DnisEmergency>,
    ) -> Result<Vec<DnisEmergency>, Error> {
        for entry in &mut entries {
            with_plus(&mut entry.emergency_phone_number);
            entry.test_phone_number.iter_mut().for_each(with_plus);
        }
        self.configure(when, id, |connector| connector.emergency = Some(entries.clone()))?;
        Ok(entries)
    }

    /// `GetVoiceConnectorEmergencyCallingConfiguration`.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn emergency(&self, id: &str) -> Result<Vec<DnisEmergency>, Error> {
        self.configured(id, "emergency calling configuration", |connector| connector.emergency.clone())
    }

    /// `DeleteVoiceConnectorEmergencyCallingConfiguration`.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where files own the connector, or it has another revision.
    pub fn delete_emergency(&self, when: impl Into<When>, id: &str) -> Result<(), Error> {
        let what = "emergency calling configuration";
        self.remove(when, id, what, |connector| connector.emergency.take().is_some())
    }

    /// `PutVoiceConnectorLoggingConfiguration`.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where files own the connector, or it has another revision.
    pub fn put_logging(&self, when: impl Into<When>, id: &str, logging: Logging) -> Result<Logging, Error> {
        self.configure(when, id, |connector| connector.logging = logging)?;
        Ok(logging)
    }

    /// `GetVoiceConnectorLoggingConfiguration`.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn logging(&self, id: &str) -> Result<Logging, Error> {
        Ok(self.voice_connector(id)?.value.logging)
    }

    /// `PutVoiceConnectorStreamingConfiguration`.
    ///
    /// # Errors
    /// As [`Inventory::put_termination`].
    pub fn put_streaming(
        &self,
        when: impl Into<When>,
        id: &str,
        streaming: Streaming,
    ) -> Result<Streaming, Error> {
        if streaming.notification_targets.len() > 3 {
            return Err(Error::BadRequest("there are 3 notification targets at most".to_owned()));
        }
        self.configure(when, id, |connector| connector.streaming = Some(streaming.clone()))?;
        Ok(streaming)
    }

    /// `GetVoiceConnectorStreamingConfiguration`.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn streaming(&self, id: &str) -> Result<Streaming, Error> {
        self.configured(id, "streaming configuration", |connector| connector.streaming.clone())
    }

    /// `DeleteVoiceConnectorStreamingConfiguration`.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where files own the connector, or it has another revision.
    pub fn delete_streaming(&self, when: impl Into<When>, id: &str) -> Result<(), Error> {
        self.remove(when, id, "streaming configuration", |connector| connector.streaming.take().is_some())
    }

    /// `PutVoiceConnectorExternalSystemsConfiguration`.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where files own the connector, or it has another revision.
    pub fn put_external_systems(
        &self,
        when: impl Into<When>,
        id: &str,
        systems: ExternalSystems,
    ) -> Result<ExternalSystems, Error> {
        self.configure(when, id, |connector| connector.external_systems = Some(systems.clone()))?;
        Ok(systems)
    }

    /// `GetVoiceConnectorExternalSystemsConfiguration`.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn external_systems(&self, id: &str) -> Result<ExternalSystems, Error> {
        let what = "external systems configuration";
        self.configured(id, what, |connector| connector.external_systems.clone())
    }

    /// `DeleteVoiceConnectorExternalSystemsConfiguration`.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where files own the connector, or it has another revision.
    pub fn delete_external_systems(&self, when: impl Into<When>, id: &str) -> Result<(), Error> {
        let what = "external systems configuration";
        self.remove(when, id, what, |connector| connector.external_systems.take().is_some())
    }

    /// `PutVoiceConnectorTerminationCredentials`: adds users, and replaces those of the same names.
    ///
    /// # Errors
    /// `NotFound`; `BadRequest`: no termination, names or passwords that a digest can't have, too many; `Conflict` where files own the
    /// connector, or it has another revision.
    pub fn put_credentials(
        &self,
        when: impl Into<When>,
        id: &str,
        credentials: &[NewCredential],
    ) -> Result<(), Error> {
        self.change(when, |transaction| {
            let mut connector = own_connector(transaction, id)?;
            if connector.termination.is_none() {
                return Err(Error::BadRequest(format!("voice connector {id} has no termination")));
            }
            let realm = transaction.files.config.gateway.realm.clone();
            for NewCredential { username, password } in credentials {
                check_credential(username, password)?;
                let hashes = hashes(username, &realm, password);
                let sealed =
                    transaction.seal_secret(&login_seal_of(id, &realm, username), hashes.as_bytes())?;
                connector.credentials.retain(|login| login.username != *username);
                let login = Login { username: username.clone(), realm: realm.clone(), hashes: sealed };
                connector.credentials.push(login);
            }
            let limit = transaction.limits.credentials;
            if connector.credentials.len() > limit {
                return Err(Error::BadRequest(format!("a voice connector has {limit} credentials at most")));
            }
            connector.credentials.sort_by(|one, other| one.username.cmp(&other.username));
            transaction.put_connector(connector).map(|_| ())
        })
    }

    /// `ListVoiceConnectorTerminationCredentials`: their names, in order.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn credentials(&self, id: &str) -> Result<Vec<String>, Error> {
        let connector = self.voice_connector(id)?;
        Ok(connector.value.credentials.iter().map(|login| login.username.clone()).collect())
    }

    /// `DeleteVoiceConnectorTerminationCredentials`; names that there are not are no error.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where files own the connector, or it has another revision.
    pub fn delete_credentials(
        &self,
        when: impl Into<When>,
        id: &str,
        usernames: &[String],
    ) -> Result<(), Error> {
        self.configure(when, id, |connector| {
            connector.credentials.retain(|login| !usernames.contains(&login.username));
        })
    }

    fn configure(
        &self,
        when: impl Into<When>,
        id: &str,
        set: impl FnOnce(&mut Connector),
    ) -> Result<(), Error> {
        self.change(when, |transaction| {
            let mut connector = own_connector(transaction, id)?;
            set(&mut connector);
            transaction.put_connector(connector).map(|_| ())
        })
    }

    fn remove(
        &self,
        when: impl Into<When>,
        id: &str,
        what: &'static str,
        take: impl FnOnce(&mut Connector) -> bool,
    ) -> Result<(), Error> {
        self.change(when, |transaction| {
            let mut connector = own_connector(transaction, id)?;
            if !take(&mut connector) {
                return Err(Error::NotConfigured { id: id.to_owned(), what });
            }
            transaction.put_connector(connector).map(|_| ())
        })
    }

    fn configured<T>(
        &self,
        id: &str,
        what: &'static str,
        of: impl FnOnce(&Connector) -> Option<T>,
    ) -> Result<T, Error> {
        let connector = self.voice_connector(id)?;
        of(&connector.value).ok_or_else(|| Error::NotConfigured { id: id.to_owned(), what })
    }
}

/// The API takes E.164 numbers without their `+`, too.
pub(super) fn with_plus(number: &mut String) {
    if !number.starts_with('+') {
        number.insert(0, '+');
    }
}

/// What a digest can carry. Source: RFC 2617 §3.2.2.
fn check_credential(username: &str, password: &SecretString) -> Result<(), Error> {
    let plain =
        |text: &str| (1..=128).contains(&text.len()) && text.chars().all(|c| (' '..='~').contains(&c));
    if !plain(username) || username.contains([':', '"', '\\']) {
        let rule = "a user name has 1 to 128 printable characters of US-ASCII without `:`, `\"` and `\\`";
        return Err(Error::BadRequest(rule.to_owned()));
    }
    if !plain(password.expose_secret()) {
        let rule = "a password has 1 to 128 printable characters of US-ASCII";
        return Err(Error::BadRequest(rule.to_owned()));
    }
    Ok(())
}

/// `H(username:realm:password)` in hex, by MD5 and then by SHA-256. Source: RFC 7616 §3.4.2.
fn hashes(username: &str, realm: &str, password: &SecretString) -> Zeroizing<String> {
    let text = Zeroizing::new(format!("{username}:{realm}:{}", password.expose_secret()));
    let (md5, sha256) = (Md5::digest(text.as_bytes()), Sha256::digest(text.as_bytes()));
    let mut hex = Zeroizing::new(String::with_capacity(96));
    for byte in md5.iter().chain(sha256.iter()) {
        for digit in [byte >> 4, byte & 0xF] {
            hex.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    hex
}
