//! What the media side tells the signalling side.

use std::net::SocketAddr;

use rtp::relay::{CallStatistics, Side};

use super::{MediaKey, NoRoom};

/// The local ports of one leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Ports {
    /// Even: RTP, UDPTL, and RTCP where it is muxed.
    pub rtp: u16,
    /// The odd port after it: RTCP.
    pub rtcp: u16,
}

/// News of one call, for the shard in its key.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaEvent {
    /// The ports are bound and listening.
    Opened {
        /// The call.
        key: MediaKey,
        /// The a-leg's ports.
        a: Ports,
        /// The b-leg's ports.
        b: Ports,
    },
    /// No ports: nothing is held for this call. A `Close` is still answered.
    OpenFailed {
        /// The call.
        key: MediaKey,
        /// Why, for the caller, the record and the counters.
        cause: NoRoom,
        /// Why, for the log.
        text: String,
    },
    /// Neither leg received anything for `inactivity_timeout`, or `hold_timeout` while one is on hold. Sent once, and
    /// once more after each later `Remote` command.
    Silent {
        /// The call.
        key: MediaKey,
    },
    /// The SRTP key of a leg's party has protected as many packets as its description allows; once for each key.
    KeyUsedUp {
        /// The call.
        key: MediaKey,
        /// The leg.
        side: Side,
    },
    /// Media of a leg came from a stranger until now; a host that was signalled has taken its place.
    Displaced {
        /// The call.
        key: MediaKey,
        /// The leg.
        side: Side,
        /// Whence the stranger's media came.
        stranger: SocketAddr,
    },
    /// A minute of the call is over, or (just before `Closed`) what was left of the last one.
    Minute {
        /// The call.
        key: MediaKey,
        /// The figures of this period alone.
        statistics: Box<CallStatistics>,
    },
    /// What `Command::Report` asks for.
    Report {
        /// The call.
        key: MediaKey,
        /// The figures since the call began; none where it is not open.
        statistics: Option<Box<CallStatistics>>,
    },
    /// The call's sockets are closed. Nothing follows.
    Closed {
        /// The call.
        key: MediaKey,
        /// The figures of the whole call; zeros where the call never opened.
        statistics: Box<CallStatistics>,
    },
}

impl MediaEvent {
    /// The call that it is about.
    pub fn key(&self) -> MediaKey {
        match self {
            MediaEvent::Opened { key, .. }
            | MediaEvent::OpenFailed { key, .. }
            | MediaEvent::Silent { key }
            | MediaEvent::KeyUsedUp { key, .. }
            | MediaEvent::Displaced { key, .. }
            | MediaEvent::Minute { key, .. }
            | MediaEvent::Report { key, .. }
            | MediaEvent::Closed { key, .. } => *key,
        }
    }
}
