//! What is written down of calls: the journal before the 200, the records at the end.

use super::{CallKey, Core, Effect, sound};
use crate::call::Event;
use crate::clock::Now;
use crate::media::{CallStatistics, MediaKey};
use crate::metrics::RecordKind;
use crate::record::{self, AnsweredCall, CallDetail, CallFacts, Record, Settled, Times};
use crate::reply::Cause;

/// The end of a call, while the last figures of its media are waited for.
pub(super) struct Unwritten {
    pub settled: Box<Settled>,
    /// The log tells of it.
    pub has_line: bool,
}

impl Core {
    /// The answered call goes into the journal before its 200 leaves.
    pub(super) fn journal(&mut self, now: Now, key: CallKey) -> Option<Event> {
        let slot = self.calls.get_mut(&key)?;
        let times = slot.call.times();
        let times = Times { answered: times.answered.or(Some(now.unix)), ended: None, ..times };
        let state = slot.call.orphan_state();
        let streamed = sound::streamed(&self.live.config, slot.call.account()).collect();
        let settled = Settled { times, streamed, ..slot.call.settled(Cause::new(200, "OK")) };
        let entries = entries(settled, &self.live.config.gateway, state);
        self.rings_no_more(key, entries.iter().map(|entry| &entry.facts));
        if entries.is_empty() {
            return Some(Event::Journaled);
        }
        self.calls.get_mut(&key)?.journaled = true;
        self.effect(Effect::Answered { call: key.0, entries });
        None
    }

    /// A call whose INVITE may ring goes into the journal: should this run die, the next one tells both sides.
    pub(super) fn journal_ringing(&mut self, key: CallKey) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        let Some(state) = slot.call.ringing_state() else { return };
        let settled = slot.call.settled(Cause::new(503, "Gateway restarted"));
        let (emergency, calls) = (settled.account.emergency, settled.account.outbound.is_some());
        let entries = entries(settled, &self.live.config.gateway, state);
        self.rings_no_more(key, entries.iter().map(|entry| &entry.facts));
        if let Some(slot) = self.calls.get_mut(&key).filter(|_| !entries.is_empty()) {
            slot.journaled = true;
            // Who calls stays the same.
            slot.ringing = entries.iter().skip(usize::from(calls)).map(|entry| entry.facts.key()).collect();
            self.effect(Effect::Rings { emergency, entries });
        }
    }

    /// What the journal has of a call that rang is replaced or ended, for each connector that the call belongs to now; it
    /// forgets the others.
    fn rings_no_more<'a>(&mut self, key: CallKey, now: impl Iterator<Item = &'a CallFacts> + Clone) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        let mut entries = std::mem::take(&mut slot.ringing);
        let is_still = |key: &record::CallKey| {
            now.clone().any(|facts| {
                facts.direction == key.direction && facts.voice_connector_id == key.voice_connector_id
            })
        };
        entries.retain(|key| !is_still(key));
        if !entries.is_empty() {
            self.effect(Effect::HungUp { entries });
        }
    }

    /// The call is over: limits back, counters. Its line of the log and its records wait for the last figures of its media. Whether
    /// it has a line: a flood of calls that find no room is told of once.
    pub(super) fn settle(&mut self, now: Now, key: CallKey, settled: &Settled) -> bool {
        let refused = self.close_permits(now, key, settled);
        let has_line = refused.is_none_or(|source| self.refusal_lines.has_line(source));
        self.watch_for_unanswered_emergency(now, settled);
        self.explain_end(now, key, settled);
        has_line
    }

    /// The last line of a call in the log.
    fn log_end(&self, settled: &Settled, figures: Option<&CallStatistics>) {
        let times = settled.times;
        let talked = times.answered.and_then(|answered| Some(times.ended?.saturating_sub(answered)));
        tracing::info!(
            transaction_id = %settled.transaction_id,
            outbound = settled.account.outbound.as_deref(),
            inbound = settled.account.inbound.as_deref(),
            calling_carrier = settled.account.carrier.as_deref(),
            carrier = settled.carrier.as_deref(),
            by = settled.ended_by.as_label(),
            seconds = talked.map(|talked| talked.as_secs_f64()),
            cause = settled.cause.status.code(),
            text = self.shown(&settled.cause.text),
            reason = settled.reason.as_deref().map(|reason| self.shown(reason)),
            sound = figures.and_then(record::verdict),
            "call ended"
        );
    }

    /// The media worker's last figures of a call: now its records are whole, if it is over.
    pub(super) fn hear_figures(&mut self, media: MediaKey, figures: &CallStatistics) {
        let key = self.copies.call_of(media);
        let slot = self.calls.get_mut(&key).filter(|slot| slot.call.has_media(media));
        // Of ports that never were open there is nothing to say.
        let figures = Some(figures).filter(|figures| !figures.period.is_zero());
        let Some(slot) = slot else { return };
        match slot.unwritten.take() {
            Some(unwritten) => self.write_ended(key, unwritten, figures),
            // Its parties are in other calls, and who asked for that has not hung up.
            None => slot.figures = figures.copied().map(Box::new),
        }
    }

    /// Writes the records of a call whose media worker has said all, or was waited for in vain.
    pub(super) fn write_records(&mut self, key: CallKey) {
        let Some(slot) = self.calls.get_mut(&key).filter(|slot| slot.call.has_no_media()) else { return };
        if let Some(unwritten) = slot.unwritten.take() {
            let figures = slot.figures.take();
            self.write_ended(key, unwritten, figures.as_deref());
        }
    }

    /// The records of a call that is over. Where its parties have not all heard so, the journal keeps its legs until
    /// [`Effect::HungUp`].
    fn write_ended(&mut self, key: CallKey, unwritten: Unwritten, figures: Option<&CallStatistics>) {
        let Unwritten { mut settled, has_line } = unwritten;
        if has_line {
            self.log_end(&settled, figures);
        }
        let hanging_up = self.calls.get(&key).is_some_and(|slot| slot.journaled && !slot.call.is_hung_up());
        let kept = self.write_settled(Some(key), &mut settled, figures, hanging_up);
        if let Some(slot) = self.calls.get_mut(&key) {
            slot.hanging_up = kept;
        }
    }

    /// Writes down a call of `connector` that never began, unless there are too many of them, or no room. Both are
    /// counted.
    pub(super) fn write_refusal(&mut self, now: Now, connector: &str, settled: &mut Settled) {
        if !self.shared.records_accept_calls() || !self.refusals.take(now, connector) {
            let dropped = CallFacts::of(settled, &self.live.config.gateway).count() as u64;
            return self.shared.metrics.records().dropped(RecordKind::CallDetail, dropped);
        }
        self.write_settled(None, settled, None, false);
    }

    /// One record of the call, and one for each connector that it belongs to.
    ///
    /// - `key`: of a call that began.
    /// - `hanging_up`: the journal is to keep its legs; returned is what of it.
    fn write_settled(
        &mut self,
        key: Option<CallKey>,
        settled: &mut Settled,
        figures: Option<&CallStatistics>,
        hanging_up: bool,
    ) -> Vec<record::CallKey> {
        let mut kept = Vec::new();
        let detail = CallDetail::of(settled, &self.live.config.gateway.region, figures);
        self.write(Record::Detail(Box::new(detail)));
        let live = self.live.clone();
        if let Some(key) = key.filter(|key| self.calls.get(key).is_some_and(|slot| !slot.ringing.is_empty()))
        {
            let facts: Vec<_> = CallFacts::of(settled, &live.config.gateway).collect();
            self.rings_no_more(key, facts.iter());
        }
        for facts in CallFacts::of(settled, &live.config.gateway) {
            self.write(match hanging_up {
                true => {
                    kept.push(facts.key());
                    Record::HangingUp(Box::new(facts))
                }
                false => Record::CallDetail(Box::new(facts)),
            });
        }
        kept
    }
}

/// What the journal is to have of a call, an entry for each of its connectors; one has the wide record.
fn entries(mut settled: Settled, gateway: &config::Gateway, state: Vec<u8>) -> Vec<AnsweredCall> {
    let mut detail = Some(Box::new(CallDetail::of(&mut settled, &gateway.region, None)));
    // One takes the state, the others, which are rare, a copy.
    let mut entries: Vec<_> = CallFacts::of(&settled, gateway)
        .map(|facts| AnsweredCall { facts, detail: detail.take(), state: Vec::new() })
        .collect();
    if let Some((last, others)) = entries.split_last_mut() {
        others.iter_mut().for_each(|entry| entry.state.clone_from(&state));
        last.state = state;
    }
    entries
}
