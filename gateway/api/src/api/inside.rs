//! The door for whoever shares the process and is proved otherwise than by a signature: the console's sessions.
//!
//! Rate, checks, policies and records are those of every request.

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::{Api, Caller, same};
use crate::access::{Asked, ConsoleAction};
use crate::audit::said_of;
use crate::error::{ApiError, Kind};
use crate::operation::{OPERATIONS, Operation, Routed};
use crate::shape::check::{Faults, check};
use crate::sigv4::Unproven;
use crate::{Key, Request};

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Insider<'a> {
    /// The id of the key that was proved.
    pub key: &'a str,
    /// Who is connected.
    pub source: IpAddr,
    /// What it says that it is.
    pub agent: &'a str,
}

/// Why it comes to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// HTTP status.
    pub status: u16,
    /// For people: no secret, and nothing of the caller's unbounded.
    pub message: String,
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Failure { status: error.kind.names().0, message: error.message }
    }
}

impl From<inventory::Error> for Failure {
    fn from(error: inventory::Error) -> Self {
        ApiError::from(error).into()
    }
}

impl Api {
    /// The key of that id, where the secret is its own and it holds now. The time that it takes does not tell which keys there are.
    #[must_use]
    pub fn prove_secret(&self, id: &str, secret: &str, now: OffsetDateTime) -> Option<Key> {
        let key = self.host.key(id);
        let known = key.as_ref().map_or("", |key| key.secret.as_str());
        let right = same(Some(known), Some(secret)) && !known.is_empty();
        // Temporary credentials are for programs.
        key.filter(|key| right && key.token.is_none() && holds(key, now))
    }

    /// The key of whoever was proved, where it still holds.
    #[must_use]
    pub fn key_of(&self, insider: &Insider<'_>, now: OffsetDateTime) -> Option<Key> {
        self.host.key(insider.key).filter(|key| holds(key, now))
    }

    /// Does an operation.
    ///
    /// - `path`: the parameters of its path, in their order.
    /// - `input`: its members; those of the query, too.
    ///
    /// # Errors
    /// What a client of the API would hear.
    pub fn operate(
        &self,
        insider: &Insider<'_>,
        operation: Operation,
        path: &[&str],
        input: Value,
        now: OffsetDateTime,
    ) -> Result<Value, Failure> {
        let caller = self.caller(insider, now)?;
        let routed = routed(operation, path)?;
        let input = match input {
            Value::Object(input) => input,
            _ => Map::new(),
        };
        self.count(&caller, now)?;
        let mut faults = Faults::default();
        check(routed.row.input, &input, "", &mut faults);
        let result = match faults.message() {
            Some(message) => Err(ApiError::new(Kind::BadRequest, message)),
            None => self.perform(&caller, &request(insider, &[]), &routed, &input, now),
        };
        self.keep_of(insider, &caller, &routed, &input, &result, now);
        result.map_err(Failure::from)
    }

    /// Whether an operation on what its path names would be allowed; nothing is done, and nothing recorded.
    #[must_use]
    pub fn may(
        &self,
        insider: &Insider<'_>,
        operation: Operation,
        path: &[&str],
        now: OffsetDateTime,
    ) -> bool {
        let (Ok(caller), Ok(routed)) = (self.caller(insider, now), routed(operation, path)) else {
            return false;
        };
        self.permit(&caller, &request(insider, &[]), &self.call(&routed, &Map::new(), now)).is_ok()
    }

    /// The same, for whoever must look at something before the operation can be asked for. What may not be done is on record as
    /// the operation would be.
    ///
    /// # Errors
    /// Who may not do what; the rate.
    pub fn ask(
        &self,
        insider: &Insider<'_>,
        operation: Operation,
        path: &[&str],
        now: OffsetDateTime,
    ) -> Result<(), Failure> {
        let (caller, routed, input) = (self.caller(insider, now)?, routed(operation, path)?, Map::new());
        self.count(&caller, now)?;
        let permitted = self
            .permit(&caller, &request(insider, &[]), &self.call(&routed, &input, now))
            .map(|()| Value::Null);
        if permitted.is_err() {
            self.keep_of(insider, &caller, &routed, &input, &permitted, now);
        }
        Ok(permitted.map(|_| ())?)
    }

    /// Whether the caller may do what no operation of the API stands for.
    ///
    /// # Errors
    /// Who may not do what.
    pub fn allow(
        &self,
        insider: &Insider<'_>,
        action: ConsoleAction,
        now: OffsetDateTime,
    ) -> Result<(), Failure> {
        let caller = self.caller(insider, now)?;
        let asked = Asked {
            action: action.action(),
            resource: "*",
            source: insider.source,
            resource_tags: &[],
            request_tags: &[],
        };
        Ok(self.decide(&caller.key, &asked)?)
    }

    /// Does something that no operation of the API stands for, if the caller may, and keeps a record of it.
    ///
    /// - `name`: as it is called in the record.
    /// - `said`: its parameters, with no secret but members called `Password`.
    /// - `act`: is not begun where the caller may not, and so looks at nothing for whoever may not see it.
    ///
    /// # Errors
    /// Who may not; what it came to.
    pub fn act<T>(
        &self,
        insider: &Insider<'_>,
        action: ConsoleAction,
        name: &str,
        said: &Map<String, Value>,
        now: OffsetDateTime,
        act: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let caller = self.caller(insider, now)?;
        self.count(&caller, now)?;
        let done = self.allow(insider, action, now).and_then(|()| act());
        let agent = [("user-agent".to_owned(), insider.agent.to_owned())];
        let facts = self.facts_of(&caller, &request(insider, &agent), name.to_owned(), said_of(said), now);
        let told = match &done {
            Ok(_) => Ok(json!({})),
            Err(failure) => Err(ApiError::new(Kind::of(failure.status), failure.message.clone())),
        };
        self.keep(facts, &told, &self.uuid());
        done
    }

    /// Keeps the record of an operation.
    fn keep_of(
        &self,
        insider: &Insider<'_>,
        caller: &Caller,
        routed: &Routed,
        input: &Map<String, Value>,
        result: &Result<Value, ApiError>,
        now: OffsetDateTime,
    ) {
        if routed.row.changes() || self.settings.audit_reads {
            let agent = [("user-agent".to_owned(), insider.agent.to_owned())];
            let facts = self.facts(caller, &request(insider, &agent), routed, input, now);
            self.keep(facts, result, &self.uuid());
        }
    }

    fn caller(&self, insider: &Insider<'_>, now: OffsetDateTime) -> Result<Caller, ApiError> {
        let key = self.key_of(insider, now).ok_or(Unproven::Wrong)?;
        Ok(Caller { id: insider.key.to_owned(), region: self.settings.region.clone(), claim: None, key })
    }
}

fn holds(key: &Key, now: OffsetDateTime) -> bool {
    key.expires.is_none_or(|expires| now < expires)
}

fn routed(operation: Operation, path: &[&str]) -> Result<Routed, ApiError> {
    let row = OPERATIONS.iter().find(|row| row.operation == operation);
    let row = row.ok_or_else(|| ApiError::new(Kind::NotFound, "There is no such operation."))?;
    Ok(Routed { row, parameters: path.iter().map(|part| (*part).to_owned()).collect() })
}

fn request<'a>(insider: &Insider<'_>, headers: &'a [(String, String)]) -> Request<'a> {
    Request { method: "", path: "", query: "", headers, body: b"", source: insider.source }
}
