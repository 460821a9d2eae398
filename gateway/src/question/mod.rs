//! What an operator asks about calls while they are up, and what is said of them: plain data.
//!
//! ```text
//! cli -> daemon::control -> Input::Question -> core of each shard -> Effect::Answer -> daemon::control -> cli
//! ```
//!
//! A question costs a shard no more than [`LOOKED_AT`] looks at calls: what asks for all of them comes in pages.

mod call;
mod calls;
mod text;

use std::sync::Arc;

pub use call::{CallView, LegView, MediaView, StreamView};
pub use calls::{CallFilter, CallLine, CallState, Page};
pub use text::clock;

use crate::reply::Cause;
use crate::sound::RecordOrder;
use crate::why::{Explanation, Wanted};

/// So many calls are looked at for one question, at most.
pub const LOOKED_AT: usize = 1_024;

/// Which question an answer belongs to; the asker's own numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuestionId(pub u64);

/// What one shard is asked.
#[derive(Debug, Clone)]
pub enum Question {
    /// Its calls, oldest first: [`Answer::Calls`].
    Calls {
        /// Which of them.
        filter: Arc<CallFilter>,
        /// [`Page::next`] of the answer before; `None`: from the first on.
        after: Option<u64>,
    },
    /// What it knows of calls that came to nothing: [`Answer::Why`].
    Why(Wanted),
    /// All about one call, but for its media of this minute: [`Answer::Call`].
    Call {
        /// [`CallLine::key`].
        key: u64,
    },
    /// The media of one call so far: [`Answer::Media`], once its media worker has said so.
    Media {
        /// [`CallLine::key`].
        key: u64,
    },
    /// The operator ends a call: [`Answer::HungUp`].
    HangUp {
        /// [`CallLine::key`].
        key: u64,
        /// What its parties hear.
        cause: Cause,
    },
    /// The recording of a call begins, ends, or is silent for a while: [`Answer::Recorded`].
    Record {
        /// [`CallLine::key`].
        key: u64,
        /// Which of it.
        order: RecordOrder,
    },
    /// Somebody looks at calls, also at those that are up already: [`Answer::LookedAt`].
    LookAt {
        /// What the answer before said; `None`: from the first on.
        after: Option<u64>,
    },
}

/// What one shard says to a [`Question`].
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Some of its calls.
    Calls(Page),
    /// What came to nothing, newest first.
    Why(Vec<Explanation>),
    /// A call; none: it is over.
    Call(Option<Box<CallView>>),
    /// Its media; none: no ports are open.
    Media(Option<MediaView>),
    /// Whether there was a call to end.
    HungUp(bool),
    /// Whether it was done, or why not.
    Recorded(Result<(), &'static str>),
    /// Where to go on; `None`: it was the last one.
    LookedAt(Option<u64>),
}
