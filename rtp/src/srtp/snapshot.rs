//! Plain data, from which another node can go on.

use serde::{Deserialize, Serialize};

use super::replay::ReplayWindow;
use super::{MasterKey, Mki, SrtcpTag, Suite};
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
    /// The key's name in packets.
    #[serde(default)]
    pub mki: Option<Mki>,
    /// How long the tags of SRTCP are; `None`: no packet has told yet.
    #[serde(default)]
    pub srtcp_tag: Option<SrtcpTag>,
    /// Received: packets that the peer said that the key protects.
    #[serde(default)]
    pub lifetime: Option<u64>,
    /// Received: packets that it has.
    #[serde(default)]
    pub opened: u64,
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
