//! What an operator is told of a call that came to nothing: who called whom, which step said no, what crossed, what to do.
//!
//! ```text
//! core::explained keeps (a share for each source) -> Explanation -> daemon::control -> voice-connector why
//! ```

mod explanation;
mod ladder;
mod meaning;

pub use explanation::{Explanation, Told, Tried, Wanted, What};
pub use ladder::{Crossed, Ladder, LadderLine, Leg};
pub use meaning::{Meaning, of_attempt, of_end, of_refusal, of_registration, of_wrong_credentials};

#[cfg(test)]
mod in_the_guide;
