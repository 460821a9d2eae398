//! The operator ends a call.

use super::super::{CallKey, Core};
use crate::call::Event;
use crate::clock::Now;
use crate::record::EndedBy;
use crate::reply::Cause;

impl Core {
    /// Ends a call as its own door does it. Says whether there was one to end.
    pub(super) fn hang_up(&mut self, now: Now, key: CallKey, cause: Cause) -> bool {
        let Some(slot) = self.calls.get(&key).filter(|slot| slot.call.is_live()) else { return false };
        tracing::warn!(transaction_id = %slot.call.transaction_id, cause = cause.text.as_str(), "the operator ends a call");
        self.event(now, key, Event::HangUp { cause, by: EndedBy::Operator });
        true
    }
}
