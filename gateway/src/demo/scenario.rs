//! A call of the demo: what is done, and what must be seen of it.

use std::pin::Pin;

use super::failure::Failure;
use super::stage::{Outcome, Stage};

/// What a scenario is doing while it plays.
pub type Playing<'a> = Pin<Box<dyn Future<Output = Result<Outcome, Failure>> + 'a>>;

/// One scenario of the table.
pub struct Scenario {
    /// A few words.
    pub title: &'static str,
    /// What to look at, in a sentence or two.
    pub story: &'static str,
    /// Plays it.
    pub play: for<'a> fn(&'a Stage) -> Playing<'a>,
    /// What the caller must hear at last.
    pub answer: Expected,
    /// What must be on disk afterwards, and nothing else.
    pub records: &'static [Cdr],
    /// Refusals that the gateway must count: the cause, and how many.
    pub refusals: Option<(&'static str, u32)>,
}

/// The final answer that the caller must get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// 200.
    Answered,
    /// 200, and so much RTCP that the round trip is known.
    Measured,
    /// A refusal of a callee or carrier, passed on: status and reason phrase.
    PassedOn(u16, &'static str),
    /// A refusal of the gateway: status and reason phrase, which `Reason` must say too.
    Refused(u16, &'static str),
    /// The same with a Retry-After.
    Throttled(&'static str),
}

/// A call detail record that must be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cdr {
    /// `VoiceConnectorId`.
    pub connector: &'static str,
    /// `Direction`.
    pub direction: &'static str,
    /// `Status`.
    pub status: &'static str,
    /// `StatusMessage`.
    pub message: &'static str,
}

/// A record of a call that was answered and ended as calls do.
pub const fn completed(connector: &'static str, direction: &'static str) -> Cdr {
    Cdr { connector, direction, status: "Completed", message: "OK" }
}

/// A record of a call that nobody answered.
pub const fn failed(connector: &'static str, direction: &'static str, message: &'static str) -> Cdr {
    Cdr { connector, direction, status: "Failed", message }
}
