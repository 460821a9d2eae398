//! The daemon: sockets, clocks, tasks, everything that can fail because of the outside world.

pub mod admin;
pub mod admit;
pub(crate) mod call;
pub mod cli;
pub mod clock;
pub mod core;
pub mod daemon;
#[cfg(feature = "demo")]
pub mod demo;
pub mod direction;
pub mod explain;
pub mod ids;
pub mod limits;
pub mod listen;
pub(crate) mod local;
pub mod media;
pub mod metrics;
pub mod number;
pub mod peer;
pub mod pulse;
pub mod random;
pub mod readiness;
pub mod record;
pub mod registrar;
pub mod reply;
pub mod resolve;
pub mod route;
pub mod shard;

mod abort;
#[cfg(test)]
mod simulation;
