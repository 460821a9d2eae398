//! What a phone says again while nobody answers, over UDP.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// T1. RFC 3261 §17.1.1.1.
const FIRST: Duration = Duration::from_millis(500);
/// Repeats of one message; each waits twice as long as the one before.
const MOST: u32 = 4;

/// What waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    /// For a response.
    Invite,
    /// The 200 to an INVITE, for its ACK.
    Accepted,
    /// For its 200.
    Bye,
}

/// When to look at what was said.
#[derive(Debug, Default)]
pub struct Repeats {
    due: BinaryHeap<Reverse<(Instant, Said, usize, u32)>>,
}

/// What is due.
pub enum Due {
    /// To be said again, if nobody has answered.
    Again,
    /// To be given up, if nobody has answered.
    GiveUp,
}

impl Repeats {
    pub fn add(&mut self, now: Instant, said: Said, call: usize) {
        self.due.push(Reverse((now + FIRST, said, call, 0)));
    }

    /// The next that is due. `waits` says whether it still has no answer.
    pub fn next(&mut self, now: Instant, waits: impl Fn(Said, usize) -> bool) -> Option<(Said, usize, Due)> {
        while let Some(Reverse((due, said, call, count))) = self.due.peek().copied()
            && due <= now
        {
            self.due.pop();
            if !waits(said, call) {
                continue;
            }
            if count == MOST {
                return Some((said, call, Due::GiveUp));
            }
            self.due.push(Reverse((now + FIRST * 2_u32.pow(count + 1), said, call, count + 1)));
            return Some((said, call, Due::Again));
        }
        None
    }
}
