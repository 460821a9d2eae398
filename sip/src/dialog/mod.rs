//! Dialogs: what two user agents remember of each other between requests.

mod accept;

pub use accept::{UasAccept, UasAcceptOutput};
