//! Plain data, from which another node can go on.

use serde::{Deserialize, Serialize};

use super::replay::ReplayWindow;
use super::{MasterKey, Suite};
use crate::packet::Ssrc;

/// Both directions of a leg. Holds keys in the clear: as secret as the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSnapshot {
    /// What we send.
    pub send: DirectionSnapshot,
    /// What we receive.
    pub receive: DirectionSnapshot,
}

/// One direction of a leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectionSnapshot {
    /// The crypto suite.
    pub suite: Suite,
    /// The master key and salt.
    pub master: MasterKey,
    /// The highest packet index of each SSRC.
    pub streams: Vec<StreamSnapshot>,
    /// Received: the highest SRTCP index of each SSRC. Sent: the next one, under SSRC 0, for there is one for all.
    pub rtcp: Vec<StreamSnapshot>,
}

/// How far an SSRC got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSnapshot {
    /// The SSRC.
    pub ssrc: u32,
    /// The index.
    pub index: u64,
}

impl StreamSnapshot {
    pub(super) fn new((ssrc, window): (Ssrc, ReplayWindow)) -> StreamSnapshot {
        StreamSnapshot { ssrc: ssrc.0, index: window.highest() }
    }
}
