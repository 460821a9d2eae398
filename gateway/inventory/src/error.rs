//! Why an operation did not happen, and which exception of the API that is.

use config::Position;

use crate::names::names;
use crate::store::StoreError;

/// Why nothing was changed, or nothing can be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing has this id.
    #[error("there is no {kind} {id:?}")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// As it was asked for.
        id: String,
    },
    /// The connector has no such configuration.
    #[error("voice connector {id} has no {what}")]
    NotConfigured {
        /// The connector.
        id: String,
        /// Termination, origination and so on.
        what: &'static str,
    },
    /// The operator's files own it.
    #[error("{kind} {id} is owned by {position}: it is changed there")]
    OwnedByFile {
        /// What it is.
        kind: &'static str,
        /// Its id.
        id: String,
        /// Where it stands.
        position: Position,
    },
    /// Somebody else changed it first.
    #[error("{kind} {id} was changed meanwhile")]
    Changed {
        /// What it is.
        kind: &'static str,
        /// Its id.
        id: String,
    },
    /// It can't be done in the state that things are in.
    #[error("{0}")]
    InTheWay(Obstacle),
    /// A value that is none, or does not go with the others.
    #[error("{0}")]
    BadRequest(String),
    /// There are as many as there may be.
    #[error("there are {limit} {what} already, and no more may be")]
    LimitExceeded {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// The gateway has no such capability.
    #[error("{0} is not available in this gateway")]
    Unavailable(&'static str),
    /// The store failed; whether the change is kept shows when it works again.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    /// The gateway could not take what the change leads to; nothing was changed.
    #[error("{0}")]
    Snapshot(String),
}

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// Numbers are associated with it.
    #[error("{kind} {id} has phone numbers: disassociate them first")]
    HasNumbers {
        /// A connector or a group.
        kind: &'static str,
        /// Its id.
        id: String,
    },
    /// It is in a group.
    #[error("voice connector {id} is in voice connector group {group}: take it out first")]
    InGroup {
        /// The connector.
        id: String,
        /// The group.
        group: String,
    },
    /// It has members.
    #[error("voice connector group {0} has voice connectors: take them out first")]
    HasMembers(String),
    /// The number has an owner.
    #[error("{number} is associated with {owner}: disassociate it first")]
    Associated {
        /// The number.
        number: String,
        /// Its owner.
        owner: String,
    },
    /// The number is in the deletion queue.
    #[error("{0} is in the deletion queue: restore it first")]
    Deleted(String),
    /// The number is not in the deletion queue.
    #[error("{0} is not in the deletion queue")]
    NotDeleted(String),
    /// A policy that keys have.
    #[error("policy {policy} belongs to key {key}: take it from there first")]
    PolicyInUse {
        /// The policy.
        policy: String,
        /// One of the keys.
        key: String,
    },
}

/// The exceptions of the API, less those that its outer half alone raises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exception {
    /// `BadRequestException`, 400.
    BadRequest,
    /// `ResourceLimitExceededException`, 400.
    ResourceLimitExceeded,
    /// `NotFoundException`, 404.
    NotFound,
    /// `ConflictException`, 409.
    Conflict,
    /// `ServiceFailureException`, 500.
    ServiceFailure,
    /// `ServiceUnavailableException`, 503.
    ServiceUnavailable,
}

impl Error {
    /// What the API answers.
    pub fn exception(&self) -> Exception {
        match self {
            Error::NotFound { .. } | Error::NotConfigured { .. } => Exception::NotFound,
            // The API's model knows no conflict where a number is deleted or restored.
            Error::InTheWay(Obstacle::Associated { .. } | Obstacle::Deleted(_) | Obstacle::NotDeleted(_))
            | Error::BadRequest(_) => Exception::BadRequest,
            Error::OwnedByFile { .. } | Error::Changed { .. } | Error::InTheWay(_) => Exception::Conflict,
            Error::LimitExceeded { .. } => Exception::ResourceLimitExceeded,
            Error::Unavailable(_) => Exception::ServiceUnavailable,
            Error::Store(_) | Error::Snapshot(_) => Exception::ServiceFailure,
        }
    }

    /// The same for one number of many.
    pub fn code(&self) -> ErrorCode {
        match (self, self.exception()) {
            (Error::InTheWay(Obstacle::Associated { .. }), _) => ErrorCode::PhoneNumberAssociationsExist,
            (_, Exception::BadRequest) => ErrorCode::BadRequest,
            (_, Exception::ResourceLimitExceeded) => ErrorCode::ResourceLimitExceeded,
            (_, Exception::NotFound) => ErrorCode::NotFound,
            (_, Exception::Conflict) => ErrorCode::Conflict,
            (_, Exception::ServiceFailure) => ErrorCode::ServiceFailure,
            (_, Exception::ServiceUnavailable) => ErrorCode::ServiceUnavailable,
        }
    }
}

names! {
    /// `ErrorCode`: what is wrong with one number of many.
    ErrorCode {
        /// A value that is none.
        BadRequest = "BadRequest",
        /// The state stands in the way.
        Conflict = "Conflict",
        /// There is none.
        NotFound = "NotFound",
        /// There are as many as there may be.
        ResourceLimitExceeded = "ResourceLimitExceeded",
        /// The store failed.
        ServiceFailure = "ServiceFailure",
        /// No such capability.
        ServiceUnavailable = "ServiceUnavailable",
        /// It has an owner.
        PhoneNumberAssociationsExist = "PhoneNumberAssociationsExist",
    }
}

/// `PhoneNumberError`: one number of many with which nothing was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberError {
    /// As it was asked for.
    pub number: String,
    /// Why.
    pub code: ErrorCode,
    /// Why, for people.
    pub message: String,
}

impl NumberError {
    pub(crate) fn new(number: &str, error: &Error) -> Self {
        Self { number: number.to_owned(), code: error.code(), message: error.to_string() }
    }
}
