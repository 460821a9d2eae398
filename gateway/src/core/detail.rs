//! The wide record of a call that is over.

use std::time::Duration;

use sip::text::phrase;

use super::Core;
use crate::call::Settled;
use crate::record::{CallDetail, DetailDirection, DetailTimes};

impl Core {
    /// All that is known of a call, in one place.
    pub(super) fn detail(&self, settled: &Settled) -> CallDetail {
        let (account, times) = (&settled.account, &settled.times);
        let tried = settled.b_call_id != settled.a_call_id;
        CallDetail {
            schema: CallDetail::SCHEMA,
            transaction_id: settled.transaction_id.to_string(),
            region: self.config.gateway.region.clone(),
            direction: match (&account.outbound, &account.inbound) {
                (Some(_), Some(_)) => DetailDirection::OnNet,
                (Some(_), None) => DetailDirection::Outbound,
                (None, _) => DetailDirection::Inbound,
            },
            caller: phrase(&account.caller),
            callee: phrase(&account.callee),
            calling_voice_connector: account.outbound.clone(),
            called_voice_connector: account.inbound.clone(),
            calling_carrier: account.carrier.clone(),
            carrier: settled.carrier.clone(),
            emergency: account.emergency,
            routing_number: account.routing_number.clone(),
            caller_call_id: phrase(&settled.a_call_id),
            callee_call_id: tried.then(|| phrase(&settled.b_call_id)),
            times: DetailTimes {
                invite: milliseconds(times.started),
                ringing: times.ringing.map(milliseconds),
                answer: times.answered.map(milliseconds),
                end: milliseconds(times.ended.unwrap_or(times.started)),
            },
            ended_by: settled.ended_by,
            status: settled.cause.status.code(),
            cause: phrase(&settled.cause.text),
            reason: settled.reason.clone(),
            notes: settled.notes.clone(),
            attempts: settled.attempts.clone(),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
