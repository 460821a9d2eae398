//! `voice-connector demo`: gateway, PBX and carriers in one process, placing real calls.
//!
//! Everything speaks over loopback as it would over a network; only the processes are one. The phones are built on
//! `rsip`, so that no misreading of ours is shared by both ends.

pub mod audio;
pub mod failure;
pub mod ladder;
pub mod line;
pub mod phone;
pub mod rtp;

use std::time::Duration;

/// How long anything is waited for before the demo calls it a failure.
const PATIENCE: Duration = Duration::from_secs(8);
