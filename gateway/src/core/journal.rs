//! What is written down of calls: the journal before the 200, the records at the end.

use super::{CallKey, Core, Effect};
use crate::call::Event;
use crate::clock::Now;
use crate::metrics::RecordKind;
use crate::record::{AnsweredCall, CallDetail, CallFacts, Record, Settled, Times};
use crate::reply::Cause;

impl Core {
    /// The answered call goes into the journal before its 200 leaves.
    pub(super) fn journal(&mut self, now: Now, key: CallKey) -> Option<Event> {
        let slot = self.calls.get(&key)?;
        let times = slot.call.times();
        let times = Times { answered: times.answered.or(Some(now.unix)), ended: None, ..times };
        let state = slot.call.orphan_state();
        let settled = Settled { times, ..slot.call.settled(Cause::new(200, "OK")) };
        let mut detail = Some(Box::new(CallDetail::of(&settled, &self.live.config.gateway.region)));
        let entry = |facts| AnsweredCall { facts, detail: detail.take(), state: state.clone() };
        let entries: Vec<_> =
            CallFacts::of(&settled, &self.live.config.gateway).into_iter().map(entry).collect();
        if entries.is_empty() {
            return Some(Event::Journaled);
        }
        self.effect(Effect::Answered { call: key.0, entries });
        None
    }

    /// The call is over: limits back, counters, one record for each connector that it belongs to.
    pub(super) fn write_records(&mut self, now: Now, key: CallKey, settled: &Settled) {
        let refused = self.close_permits(now, key, settled);
        let times = settled.times;
        let talked = times.answered.and_then(|answered| Some(times.ended?.saturating_sub(answered)));
        // A flood of calls that find no room is told of once.
        if refused.is_none_or(|source| self.refusal_lines.has_line(source)) {
            tracing::info!(
                transaction_id = %settled.transaction_id,
                outbound = settled.account.outbound,
                inbound = settled.account.inbound,
                calling_carrier = settled.account.carrier,
                carrier = settled.carrier,
                by = settled.ended_by.as_label(),
                seconds = talked.map(|talked| talked.as_secs_f64()),
                cause = settled.cause.status.code(),
                text = self.shown(&settled.cause.text),
                reason = settled.reason.as_deref().map(|reason| self.shown(reason)),
                "call ended"
            );
        }
        self.watch_for_unanswered_emergency(now, settled);
        self.write_settled(settled);
    }

    /// Writes down a call of `connector` that never began, unless there are too many of them, or no room. Both are
    /// counted.
    pub(super) fn write_refusal(&mut self, now: Now, connector: &str, settled: &Settled) {
        if !self.shared.records_accept_calls() || !self.refusals.take(now, connector) {
            let dropped = CallFacts::of(settled, &self.live.config.gateway).len() as u64;
            return self.shared.metrics.records().dropped(RecordKind::CallDetail, dropped);
        }
        self.write_settled(settled);
    }

    fn write_settled(&mut self, settled: &Settled) {
        let detail = CallDetail::of(settled, &self.live.config.gateway.region);
        self.write(Record::Detail(Box::new(detail)));
        for facts in CallFacts::of(settled, &self.live.config.gateway) {
            self.write(Record::CallDetail(Box::new(facts)));
        }
    }
}
