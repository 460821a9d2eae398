//! The relay of one call: two legs, what each peer said about its media, and what was measured.

mod remote;
mod statistics;

pub use remote::{Remote, Side, StreamKind};
pub use statistics::{CallStatistics, FlowStatistics, LegStatistics, Refusal, Refusals};
