//! Media ports for an emergency call where none are left: an ordinary call that is not answered yet gives way.
//!
//! A call that is up is never cut off for another. What the call held is drawn by the emergency call, which asks again, before
//! any ordinary call finds it: ports that rest are for emergencies.

use std::time::Duration;

use super::{CallKey, Core, Output};
use crate::call::Event;
use crate::record::EndedBy;
use crate::reply::Cause;

/// When to come again.
const RETRY: Duration = Duration::from_secs(5);

impl Core {
    /// Ends one call of this shard, that which began last, or has the next shard do so.
    ///
    /// - `for_call`: the emergency call, where it is this shard's: another call of its connector goes first.
    /// - `asked`: so many shards had none.
    pub(super) fn make_room(&mut self, for_call: Option<CallKey>, asked: u16) {
        let whose = |key: &CallKey| self.calls.get(key)?.call.account().outbound.as_deref();
        let connector = for_call.as_ref().and_then(whose);
        let candidates = self.calls.iter().filter(|(_, slot)| slot.call.may_give_way());
        let ranked = candidates.map(|(key, slot)| {
            let its = slot.call.account().outbound.as_deref();
            ((connector.is_some() && its == connector, *key), slot.call.transaction_id)
        });
        let Some(((_, key), transaction_id)) = ranked.max() else {
            return self.outputs.push_back(Output::MakeRoom { asked: asked.saturating_add(1) });
        };
        let cause = Cause::new(503, "An emergency call needs the room").later(RETRY);
        self.shared.metrics.refusal("gave_way");
        tracing::warn!(%transaction_id, "a call that was not answered gives way to an emergency call");
        self.told.push_back((key, key, Event::HangUp { cause, by: EndedBy::Gateway }));
    }
}
