//! What a 2xx waits for before it leaves: the journal has the call, and a caller whose address may be forged has a place among
//! those that have not shown that they hear us (`core/unproven.rs`).

use std::time::{Duration, Instant};

use super::cx::Cx;
use super::due;
use super::io::Action;
use crate::reply::Cause;

/// How long an answered call waits for the journal before it goes on without.
const JOURNAL_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a 2xx is held back before the call is refused. The callee, who is up, hears nothing so long.
const LONGEST: Duration = Duration::from_secs(4);
/// How often it is asked whether it may go now.
const INTERVAL: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug)]
pub(super) struct Clearance {
    /// When to go on without the journal.
    journal: Option<Instant>,
    /// The 2xx is held back until then, and then refused.
    held_until: Option<Instant>,
    /// When to ask again whether it may go.
    again: Option<Instant>,
}

/// Whether the 2xx may leave.
#[derive(Debug)]
#[must_use]
pub(super) enum Cleared {
    Yes,
    NotYet,
    Never(Cause),
}

impl Clearance {
    /// Asks the journal.
    pub fn begin(cx: &mut Cx<'_>) -> Self {
        cx.act(Action::Journal);
        Clearance { journal: Some(cx.now.instant + JOURNAL_TIMEOUT), held_until: None, again: None }
    }

    /// The answered call is safe: the caller may know, if it is there. Nobody can have forged an INVITE that came by a
    /// stream, which has a handshake, or with a digest nonce, which was heard; who calls for help is not kept waiting.
    pub fn handle_journaled(&mut self, cx: &mut Cx<'_>) -> Cleared {
        self.journal = None;
        if !cx.history.is_unproven() {
            return Cleared::Yes;
        }
        if self.held_until.is_none() {
            self.held_until = Some(cx.now.instant + LONGEST);
            cx.act(Action::AskToAnswer);
        }
        Cleared::NotYet
    }

    /// Whether the journal has the call, or was waited for in vain.
    pub fn is_journaled(&self) -> bool {
        self.journal.is_none()
    }

    /// The response to [`Action::AskToAnswer`].
    pub fn handle_may_answer(&mut self, cx: &Cx<'_>, may: bool) -> Cleared {
        if may {
            return Cleared::Yes;
        }
        if self.held_until.is_some_and(|until| until <= cx.now.instant) {
            return Cleared::Never(Cause::new(503, "Too many answers are not acknowledged").later(LONGEST));
        }
        self.again = Some(cx.now.instant + INTERVAL);
        Cleared::NotYet
    }

    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Cleared {
        if due(&mut self.again, cx.now) {
            cx.act(Action::AskToAnswer);
        }
        match due(&mut self.journal, cx.now) {
            true => self.handle_journaled(cx),
            false => Cleared::NotYet,
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.journal.into_iter().chain(self.again).min()
    }
}
