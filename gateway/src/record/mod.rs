//! Call detail records, quality records and the SIP message log.

mod cdr;
mod facts;
mod mask;
mod name;
mod quality;
mod sip_log;
mod usage;

#[cfg(test)]
pub(crate) mod testing;

use std::time::Duration;

pub use cdr::{CallDetailRecord, Status};
pub use facts::{AnsweredCall, CallFacts, CallKey, Direction, Party};
pub use mask::mask;
pub use name::{LogGroup, call_detail, hourly, rfc3339};
pub use quality::{FlowFacts, PathFacts, QualityFacts};
pub use sip_log::SipMessageFacts;
pub use usage::{region_code, usage_type};

/// Whole milliseconds, as the logs count time.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
