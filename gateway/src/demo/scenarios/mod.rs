//! The table of all scenarios, in the order in which they are played.

mod calls;
mod failover;
mod refusals;

use super::scenario::Scenario;

/// Chapters: a heading and its scenarios.
pub const CHAPTERS: [(&str, &[Scenario]); 3] = [
    ("Calls, with audio both ways", calls::TABLE),
    ("Failing over, and when not to", failover::TABLE),
    ("Refusals, one for each rule", refusals::TABLE),
];

/// The head office's own number.
const HEAD_OFFICE: &str = "+12065550100";
/// The branch's.
const BRANCH_NUMBER: &str = "+12065550101";
/// The number of the encrypted trunk.
const ENCRYPTED_NUMBER: &str = "+12065550105";
/// The number of the group of both.
const MAIN_LINE: &str = "+12065550199";
/// Somebody behind the carriers.
const OUTSIDE: &str = "+14155550123";
