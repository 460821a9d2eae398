//! How a call's parties are reached, for its records: noted when a leg is left, since nothing of it stays.

use std::net::SocketAddr;

use rtp::srtp::Suite;
use smol_str::SmolStr;

use super::leg::{End, Leg};
use super::sides::Sides;
use super::{Call, Side, Stage};
use crate::peer::{Peer, Secured, Transport};
use crate::record::LegDetail;

/// The way to one party.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    address: SocketAddr,
    transport: Transport,
    secured: Option<Secured>,
    srtp: Option<Suite>,
}

/// The ways to both.
pub(super) type Ways = Sides<Option<Way>>;

impl Way {
    /// Before anything is agreed on of media.
    pub fn of_peer(peer: &Peer) -> Way {
        Way { address: peer.remote, transport: peer.transport, secured: peer.secured, srtp: None }
    }

    fn of(end: &End) -> Way {
        Way { srtp: end.sdes.keys().map(|keys| keys.suite), ..Way::of_peer(&end.flow) }
    }

    /// As records tell it.
    ///
    /// - `codec`: what both parties agreed on.
    pub fn detail(self, codec: Option<&SmolStr>) -> LegDetail {
        let Way { address, transport, secured, srtp } = self;
        LegDetail {
            srtp_suite: srtp.map(|suite| SmolStr::new_static(suite.name())),
            codec: codec.cloned(),
            ..LegDetail::of(address, transport, secured)
        }
    }
}

impl Ways {
    /// The same, with what there is of newer ones.
    pub fn updated(&self, newer: &Ways) -> Ways {
        Sides { a: newer.a.or(self.a), b: newer.b.or(self.b) }
    }
}

impl Stage {
    /// The legs that are there; that of the callee once it has taken the call.
    pub(super) fn ways(&self) -> Ways {
        let both = |legs: &Sides<Leg>| Sides { a: Some(Way::of(&legs.a)), b: Some(Way::of(&legs.b)) };
        match self {
            Stage::Setup(setup) => Sides { a: setup.end(Side::A).map(Way::of), b: None },
            Stage::Accepted(accepted) => both(&accepted.up().legs),
            Stage::Established(up) => both(&up.legs),
            Stage::Recording(recording) => Sides { a: Some(Way::of(&recording.leg().end)), b: None },
            Stage::Handed(_) | Stage::Copying(_) | Stage::Ended(_) => Sides::default(),
        }
    }
}

impl Call {
    /// The ways to both parties as they are now, or were.
    pub(super) fn ways(&self) -> Ways {
        self.history.ways.updated(&self.stage.ways())
    }
}
