//! A page of calls.

use std::ops::Bound::{Excluded, Unbounded};

use sip::text::phrase;
use smol_str::SmolStr;

use super::super::{CallKey, Core, Slot};
use crate::call::Call;
use crate::clock::Now;
use crate::media::Side;
use crate::question::{CallFilter, CallLine, LOOKED_AT, Page};

/// So many calls are on one page, at most.
const LINES: usize = 64;

impl Core {
    /// The calls after `after`, as many as one question may look at.
    pub(super) fn page(&self, now: Now, filter: &CallFilter, after: Option<u64>) -> Page {
        let mut page = Page::default();
        let from = after.map_or(Unbounded, |after| Excluded(CallKey(after)));
        for (looked_at, (key, slot)) in self.calls.range((from, Unbounded)).enumerate() {
            if looked_at == LOOKED_AT || page.calls.len() == LINES {
                return page;
            }
            page.next = Some(key.0);
            if takes(filter, now, &slot.call) && !self.copies.has(*key) {
                page.calls.push(line(now, *key, slot));
            }
        }
        page.next = None;
        page
    }
}

/// Whether the filter takes a call.
fn takes(filter: &CallFilter, now: Now, call: &Call) -> bool {
    let CallFilter { number, connector, carrier, state, older_than, younger_than, id } = filter;
    let account = call.account();
    let is = |name: &Option<SmolStr>, asked: &str| name.as_deref() == Some(asked);
    let seconds = || seconds_since(now, call.times().started);
    let party = |asked: &str| {
        let sent_on = || account.forwards.iter().any(|forward| forward.connector == asked);
        is(&account.outbound, asked) || is(&account.inbound, asked) || sent_on()
    };
    state.map_or_else(|| call.is_live(), |state| call.state() == state)
        && number.as_deref().is_none_or(|part| account.caller.contains(part) || account.callee.contains(part))
        && connector.as_deref().is_none_or(party)
        && carrier.as_deref().is_none_or(|name| is(&account.carrier, name) || call.carrier() == Some(name))
        && older_than.is_none_or(|least| seconds() >= least)
        && younger_than.is_none_or(|most| seconds() <= most)
        && id.as_deref().is_none_or(|id| is_named(call, id))
}

fn is_named(call: &Call, id: &str) -> bool {
    let mut buffer = uuid::Uuid::encode_buffer();
    let own: &str = call.transaction_id.hyphenated().encode_lower(&mut buffer);
    own.get(..id.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(id))
        || [Side::A, Side::B].iter().any(|side| call.call_id(*side) == id)
}

pub(super) fn line(now: Now, key: CallKey, slot: &Slot) -> CallLine {
    let call = &slot.call;
    let (account, times) = (call.account(), call.times());
    CallLine {
        id: call.transaction_id.to_string(),
        key: key.0,
        state: call.state(),
        caller: phrase(&account.caller),
        callee: phrase(&account.callee),
        calling_voice_connector: account.outbound.as_deref().map(str::to_owned),
        called_voice_connector: account.inbound.as_deref().map(str::to_owned),
        calling_carrier: account.carrier.as_deref().map(str::to_owned),
        carrier: call.carrier().map(str::to_owned),
        emergency: account.emergency,
        started: u64::try_from(times.started.as_millis()).unwrap_or(u64::MAX),
        seconds: seconds_since(now, times.started),
        talked: times.answered.map(|answered| seconds_since(now, answered)),
        mos: slot.minutes.mos(),
    }
}

fn seconds_since(now: Now, then: std::time::Duration) -> u64 {
    now.unix.saturating_sub(then).as_secs()
}
