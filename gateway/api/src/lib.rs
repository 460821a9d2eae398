//! The `chime-sdk-voice` API without its sockets: a request in, a response out.
//!
//! [`Api::handle`] takes what a client sent and gives what it hears: Signature Version 4, policies, the operation
//! table, checks of all that clients leave to servers, errors as clients read them, and one audit record per call.
//! The objects and what may be done with them are the inventory's.
//!
//! It opens no socket, reads no clock and draws no randomness but its host's ([`Host`]).

pub mod access;
mod api;
pub mod audit;
mod error;
mod host;
mod json;
mod operation;
mod request;
mod serve;
mod shape;
mod sigv4;
mod throttle;

pub use api::{Api, Failure, Insider, Settings};
pub use host::{Grant, Health, Host, Key};
pub use operation::Operation;
pub use request::{Request, Response};

/// The longest body that is read, in bytes.
pub const MAX_BODY: usize = 1 << 20;
