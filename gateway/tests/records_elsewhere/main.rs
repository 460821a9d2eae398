//! Records that go elsewhere beside the directory, to the programs that take them; and read back.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

#[path = "../support/mod.rs"]
mod support;

mod hep;
#[cfg(feature = "nats")]
mod nats;
mod read;

use support::PATIENCE;

/// The customer's phone, where the connector's calls come from and go to, and the carrier.
fn peers(net: support::Net) -> [support::Peer; 2] {
    [net.at(2, 5070), net.at(3, 5060)].map(|local| support::Peer::udp(local, net.gateway()))
}
