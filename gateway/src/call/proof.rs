//! The caller's answer is held back while its source has to prove that it hears us: see `core/unproven.rs`.

use std::time::{Duration, Instant};

use super::{Action, Call, Phase, due};
use crate::clock::Now;
use crate::ids::Tokens;
use crate::peer::Transport;
use crate::reply::Cause;

/// How long an answer is held back before the call is refused. The callee, who is up, hears nothing so long.
const LONGEST: Duration = Duration::from_secs(4);
/// An ACK that is not there by then is missing: the answer was repeated three times.
const OVERDUE: Duration = Duration::from_secs(4);
/// How often it is asked whether it may go now.
const INTERVAL: Duration = Duration::from_millis(100);

/// Whether the caller is who it says.
#[derive(Debug, Default)]
pub(super) struct Proof {
    /// It has said something that only who hears us can know: our tag of an answer.
    given: bool,
    /// The answer is held back until then, and then refused.
    pub(super) until: Option<Instant>,
    /// When to ask again.
    pub(super) again: Option<Instant>,
}

impl Call {
    /// Asks whether the answer may go to the caller, unless nobody could have forged the INVITE: a stream has a handshake, a
    /// digest nonce was heard. Who calls for help is not kept waiting.
    pub(super) fn ask_to_answer(&mut self, now: Now, tokens: &mut Tokens) {
        if !self.is_unproven() {
            return self.answer_caller(now, tokens);
        }
        if self.proof.until.is_none() {
            self.proof.until = Some(now.instant + LONGEST);
            self.actions.push_back(Action::AskToAnswer);
        }
    }

    /// Whether the caller's address may be forged, for all we know.
    pub(super) fn is_unproven(&self) -> bool {
        let can_be_forged = self.a.local.transport == Transport::Udp && self.account.sip_auth_user.is_none();
        can_be_forged && !self.account.emergency && !self.proof.given
    }

    /// Whether the caller has shown that it hears us.
    pub fn is_proven(&self) -> bool {
        self.proof.given
    }

    /// It is time to ask again.
    pub(super) fn proof_timeouts(&mut self, now: Now) {
        if due(&mut self.proof.again, now) && matches!(self.phase, Phase::Answering) {
            self.actions.push_back(Action::AskToAnswer);
        }
    }

    /// What the record says of an answer that was never acknowledged: nobody is billed for what a forger may have asked for.
    pub(super) fn unacknowledged_note(&self, now: Now) -> Option<String> {
        let waited = self.answered_at.is_some_and(|at| now.instant.saturating_duration_since(at) >= OVERDUE);
        (waited && self.is_unproven()).then(|| "the answer was never acknowledged".to_owned())
    }

    /// The answer to [`Action::AskToAnswer`].
    pub(super) fn handle_may_answer(&mut self, now: Now, tokens: &mut Tokens, may: bool) {
        if !matches!(self.phase, Phase::Answering) {
            return;
        }
        if may {
            return self.answer_caller(now, tokens);
        }
        if self.proof.until.is_some_and(|until| until <= now.instant) {
            let cause = Cause::new(503, "Too many answers are not acknowledged");
            return self.hang_up(now, tokens, cause.later(LONGEST));
        }
        self.proof.again = Some(now.instant + INTERVAL);
    }

    /// The call was up before it was taken over.
    pub(super) fn caller_was_proven(&mut self) {
        self.proof.given = true;
    }

    /// The caller acknowledged, or asked for something in the dialog: nobody else knows our tag.
    pub(super) fn caller_is_proven(&mut self) {
        if !std::mem::replace(&mut self.proof.given, true) {
            self.actions.push_back(Action::Proven);
        }
    }
}
