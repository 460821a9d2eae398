//! The daemon in service: signals, readiness, the disk under it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

#[path = "../support/mod.rs"]
mod support;

mod alerts;
mod api;
mod console;
mod control;
mod disk;
mod guide;
mod killed;
mod listeners;
mod managed;
mod many_connectors;
mod reload;
mod service_manager;
mod signals;
mod stored;
mod trace;
mod trace_of_transports;
#[cfg(feature = "otel")]
mod traces;
mod why;

use support::PATIENCE;

/// The customer's phone, where the connector's calls come from and go to, and the carrier.
fn peers(net: support::Net) -> [support::Peer; 2] {
    [net.at(2, 5070), net.at(3, 5060)].map(|local| support::Peer::udp(local, net.gateway()))
}
