//! Media: port pairs, and worker threads that relay datagrams between the two legs of each call.
//!
//! The signalling side sends [`Command`]s and hears [`MediaEvent`]s; it never touches a media socket. Both legs of a
//! call live on one worker, which owns their sockets outright.

mod command;
mod event;
mod settings;

pub use command::{Command, MediaKey};
pub use event::{MediaEvent, Ports};
pub use rtp::relay::{
    CallStatistics, FlowStatistics, LegStatistics, Refusal, Refusals, Remote, Side, StreamKind,
};
pub use settings::MediaSettings;
