//! Sessions that end unless they are refreshed. RFC 4028.

mod headers;
mod timer;

pub use headers::{SessionAnswer, SessionHeaders, SessionPolicy};
pub use timer::{SessionRefresher, SessionTerms, SessionTimer, SessionTimerOutput};
