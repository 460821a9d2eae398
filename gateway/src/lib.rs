//! The daemon: sockets, clocks, tasks, everything that can fail because of the outside world.
//!
//! A call through its modules, which are declared in this order (ARCHITECTURE.md says more of each):
//!
//! ```text
//! listen -> shard -> core -> admit, limits, route -> call -> media
//!                      \-> record, metrics
//! ```
//!
//! - The ground floor, which imports nothing above it: [`peer`] where a message comes from and goes, [`clock`] the time,
//!   [`direction`] who calls whom, [`reply`] why a request is refused, `local` what a peer is told of us,
//!   [`realm`] who can reach an address, [`ids`] tags,
//!   branches and Call-IDs that name their shard, [`random`] chance, [`pulse`], [`readiness`] and [`supervisor`] signs of life, `abort`
//!   the end of the process after a panic.
//! - In and out: [`listen`] bytes and connections, [`resolve`] names, [`media`] RTP.
//! - The policy, pure and explained: [`number`] what was dialled, [`admit`] who may call, [`registrar`] where customers'
//!   systems are, [`route`] where a call goes, [`limits`] how many there may be, [`mod@explain`] all of it for people.
//! - What stays of a call: [`record`] journal and records, [`sound`] what its parties say, for whoever listens, [`metrics`] counters, [`hep`] what crosses, for collectors.
//! - Signalling, sans-IO: `call` the B2BUA, [`core`] transactions, dialogs and calls of one shard.
//! - The process: [`shard`] a thread that drives a core, [`admin`] metrics and health over HTTP, [`daemon`] all of it put
//!   together, [`cli`] the commands.

pub mod clock;
pub mod direction;
pub mod doctor;
pub mod ids;
pub(crate) mod local;
pub mod peer;
pub mod pulse;
pub mod q850;
pub mod question;
pub mod random;
pub mod readiness;
pub mod realm;
pub mod reply;
pub mod supervisor;

mod abort;
mod lines;

pub mod listen;
pub mod media;
pub mod resolve;

pub mod admit;
pub mod drains;
pub mod explain;
pub mod limits;
pub mod minutes;
pub mod number;
pub mod registrar;
pub mod route;
pub mod termination_health;

pub mod hep;
pub mod metrics;
pub mod record;
pub mod sound;
#[cfg(any(test, feature = "otel"))]
pub mod spans;
pub mod trace;
pub mod why;

pub(crate) mod call;
pub mod core;

pub mod admin;
pub mod api;
pub mod cli;
pub mod daemon;
#[cfg(feature = "demo")]
pub mod demo;
pub mod shard;
#[cfg(feature = "top")]
pub mod top;

#[cfg(test)]
mod effort;
#[cfg(test)]
mod simulation;
