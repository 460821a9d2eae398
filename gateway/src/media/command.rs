//! What the signalling side tells the media side.

use std::net::IpAddr;

use rtp::relay::{Remote, Side};
use serde::{Deserialize, Serialize};

use crate::hep::Reports;
use crate::peer::Party;
use crate::sound::Ear;
use crate::trace::Tap;

/// A call's name on the media side: the shard in the top 16 bits, below them a number unique in that shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MediaKey(pub u64);

impl MediaKey {
    /// The key of call number `call` (its low 48 bits) of `shard`.
    pub fn new(shard: u16, call: u64) -> MediaKey {
        MediaKey(u64::from(shard) << 48 | call & 0xffff_ffff_ffff)
    }

    /// The next key of the same call, whose keys the core keeps 256 apart.
    pub fn next(self) -> MediaKey {
        MediaKey(self.0.wrapping_add(1))
    }

    /// The key of the session that records this one: the same worker has both.
    #[must_use]
    pub fn recorder(self) -> MediaKey {
        MediaKey(self.0 | Self::RECORDER)
    }

    /// Whether it is that of a session that records another one.
    #[must_use]
    pub fn is_recorder(self) -> bool {
        self.0 & Self::RECORDER != 0
    }

    /// What decides which worker has the call.
    pub(super) fn place(self) -> u64 {
        self.0 & !Self::RECORDER
    }

    /// Half of the keys of a call are for sessions that record it.
    const RECORDER: u64 = 0x80;

    /// The shard that hears the events of this call.
    pub fn shard(self) -> u16 {
        (self.0 >> 48) as u16
    }
}

/// An order to the media side. Each is answered by events, never by a return value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Binds an RTP and an RTCP port for both legs. Answered by `Opened` or `OpenFailed`.
    Open {
        /// The call.
        key: MediaKey,
        /// Local address of the a-leg's ports.
        a: IpAddr,
        /// Local address of the b-leg's ports.
        b: IpAddr,
        /// It needs ports more than any other: those that rest too, and, where no party is named, those that are set aside.
        emergency: bool,
        /// Who is charged with the ports: a party that holds much leaves some to the others' ordinary calls, and the ports that
        /// are set aside to the others' emergency calls.
        party: Option<Party>,
    },
    /// What a peer was offered decides what its leg hears until its description comes by `Remote`.
    ExpectSrtp {
        /// The call.
        key: MediaKey,
        /// The leg whose peer got the offer.
        side: Side,
        /// SRTP and nothing else: whatever it hears is refused. Else RTP may come at once.
        only: bool,
    },
    /// A peer's SDP arrived: where to send and under which keys, and the source lock of that leg learns anew.
    Remote {
        /// The call.
        key: MediaKey,
        /// The leg whose peer spoke.
        side: Side,
        /// What it said.
        remote: Remote,
        /// The leg may be relayed without the worker's doing, so that it has to be woken. Else it hears of this when it reads the
        /// next datagram, or within a second.
        hurry: bool,
    },
    /// Asks for the figures of the call so far. Always answered by `Report`.
    Report {
        /// The call.
        key: MediaKey,
    },
    /// Somebody looks at the call: each datagram is shown there, and none passes by the worker.
    Tap {
        /// The call.
        key: MediaKey,
        /// Where.
        tap: Tap,
    },
    /// What the parties say is told from now on, and none of it passes by the worker.
    Listen {
        /// The call.
        key: MediaKey,
        /// Where.
        ear: Ear,
    },
    /// It is not any more.
    StopListening {
        /// The call.
        key: MediaKey,
    },
    /// RTCP of the call is told from now on.
    Reports {
        /// The call.
        key: MediaKey,
        /// Where.
        reports: Reports,
    },
    /// What the parties say is sent by another session of the call too, from its legs: [`MediaKey::recorder`].
    Copy {
        /// The call.
        key: MediaKey,
        /// That session; `None`: nobody any more.
        to: Option<MediaKey>,
    },
    /// Closes the call's sockets. Always answered by `Closed`, whatever became of the `Open`.
    Close {
        /// The call.
        key: MediaKey,
    },
}

impl Command {
    /// The call that it is about.
    pub fn key(&self) -> MediaKey {
        match self {
            Command::Open { key, .. }
            | Command::ExpectSrtp { key, .. }
            | Command::Remote { key, .. }
            | Command::Report { key }
            | Command::Tap { key, .. }
            | Command::Listen { key, .. }
            | Command::StopListening { key }
            | Command::Reports { key, .. }
            | Command::Copy { key, .. }
            | Command::Close { key } => *key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_carries_its_shard() {
        let key = MediaKey::new(0xbeef, 0xffff_0000_0000_0001);
        assert_eq!((key.shard(), key.0), (0xbeef, 0xbeef_0000_0000_0001));
    }
}
