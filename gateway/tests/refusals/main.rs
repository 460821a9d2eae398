//! Every cause of a refusal as a peer meets it: the answer on the wire, the counter, the record or its absence, and
//! what `voice-connector explain` says of the same call.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

#[path = "../support/mod.rs"]
mod support;

mod digest;
mod emergency;
mod limits;
mod numbers;
mod order;
mod routing;
mod source;
mod trunk;
