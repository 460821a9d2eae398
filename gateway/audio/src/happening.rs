//! What a sink of a call's audio is told.

use std::sync::Arc;
use std::time::Duration;

/// Which side of the call spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// Who called.
    Caller,
    /// Who was called.
    Callee,
}

/// What one party's decoded audio stream says, in order of `start` (the time since the call was answered).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// Linear PCM, mono, usually 20 ms.
    Frame {
        /// Who spoke.
        party: Party,
        /// When the first sample was heard.
        start: Duration,
        /// Samples per second: 8000, 16000 or 48000.
        rate: u32,
        /// The samples. Shared, since several sinks may hold them.
        samples: Arc<[i16]>,
        /// Made up for what was lost on the way.
        concealed: bool,
    },
    /// A key was pressed (RFC 4733). Told once, when it is known how long for: of a long one after frames of later times.
    Digit {
        /// Who pressed it.
        party: Party,
        /// When it was pressed.
        start: Duration,
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
        /// How long it was held.
        duration: Duration,
    },
    /// The party was put on hold, or is back. Its frames go on, with silence where nothing is sent.
    Hold {
        /// Whose stream it is.
        party: Party,
        /// When it began or ended.
        start: Duration,
        /// True from here on while it is held.
        held: bool,
    },
    /// Audio is missing here, since whoever was to take it was too slow.
    Dropped {
        /// Whose audio it was.
        party: Party,
        /// Where the gap begins.
        start: Duration,
        /// How long it is.
        duration: Duration,
    },
}

impl Happening {
    /// Whose stream it is about.
    #[must_use]
    pub const fn party(&self) -> Party {
        match self {
            Self::Frame { party, .. }
            | Self::Digit { party, .. }
            | Self::Hold { party, .. }
            | Self::Dropped { party, .. } => *party,
        }
    }

    /// When it begins: time since the call was answered.
    #[must_use]
    pub const fn start(&self) -> Duration {
        match self {
            Self::Frame { start, .. }
            | Self::Digit { start, .. }
            | Self::Hold { start, .. }
            | Self::Dropped { start, .. } => *start,
        }
    }
}
