//! SRTP with a peer.

use rtp::srtp::Suite;
use serde::{Deserialize, Serialize};

use crate::read::{Item, one_of};

use super::distinct;

/// Whether a party's media is SRTP: `peer.srtp`, or what follows from encryption and transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Srtp {
    /// RTP only.
    Off,
    /// SRTP where the party can: offered as `RTP/AVP` with keys, which a party that knows none ignores.
    Optional,
    /// SRTP only.
    Required,
}

/// `peer.srtp_suites` where the file says nothing, best first.
pub const DEFAULT_SRTP_SUITES: [Suite; 3] =
    [Suite::AesCm256HmacSha1_80, Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_32];

impl Srtp {
    pub(super) const CHOICES: &[(&'static str, Self)] =
        &[("off", Srtp::Off), ("optional", Srtp::Optional), ("required", Srtp::Required)];
}

pub(super) fn suites(item: &Item<'_>) -> Option<Vec<Suite>> {
    distinct(item, |item| {
        let name = item.string()?;
        let suite = name.parse().ok();
        if suite.is_none() {
            item.wrong(format!("{name:?} is no suite"), one_of(Suite::ALL.map(Suite::name)));
        }
        suite
    })
}
