//! All about one call.

use std::time::Duration;

use super::super::{CallKey, Core};
use super::calls::line;
use crate::clock::Now;
use crate::media::Side;
use crate::question::CallView;
use crate::reply::Cause;

impl Core {
    /// What is known of a call here; none: there is no such call any more.
    pub(super) fn view(&self, now: Now, key: CallKey) -> Option<CallView> {
        let slot = self.calls.get(&key)?;
        let settled = slot.call.settled(Cause::new(200, "OK"));
        let times = settled.times;
        let after = |then: Duration| {
            u64::try_from(then.saturating_sub(times.started).as_millis()).unwrap_or(u64::MAX)
        };
        Some(CallView {
            line: line(now, key, slot),
            ringing: times.ringing.map(after),
            answered: times.answered.map(after),
            caller: slot.call.leg_view(Side::A),
            callee: slot.call.leg_view(Side::B),
            attempts: settled.attempts,
            notes: settled.notes.into_iter().chain(slot.call.recorded()).collect(),
            ladder: slot.ladder.lines(),
            minutes: slot.minutes.views(),
            media: None,
        })
    }
}
