//! The inventory as whoever manages trunks meets it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod access;
mod connectors;
mod crash;
mod house;
mod model;
mod numbers;
mod snapshot;
mod stores;
