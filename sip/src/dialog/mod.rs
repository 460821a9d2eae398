//! Dialogs: what two user agents remember of each other between requests.
//!
//! A [`Dialog`] is plain data (Call-ID, two tags, two numbers, a target and a route set) and writes the requests that go
//! inside it. [`Forks`] are the dialogs that one INVITE began. [`UasAccept`] repeats a 2xx until its ACK comes.

mod accept;
mod error;
#[cfg(test)]
mod fixture;
mod forks;
mod route;
mod state;

pub use accept::{UasAccept, UasAcceptOutput};
pub use error::DialogError;
pub use forks::Forks;
pub use state::{Dialog, DialogState, Role};
