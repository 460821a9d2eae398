//! What is logged and counted of the attempts at hosts: which carrier took a call, which was left, and why.

use std::net::SocketAddr;

use super::{CallKey, Core};
use crate::call::AttemptEnd;
use crate::record::AttemptDetail;
use crate::route::{RouteEnd, Via};

impl Core {
    /// An INVITE goes out.
    pub(super) fn attempt_begins(&self, key: CallKey, via: &Via, address: SocketAddr) {
        if let Some(name) = via.carrier() {
            self.shared.metrics.carrier_attempt(name.as_str());
        }
        let Some(slot) = self.calls.get(&key) else { return };
        tracing::debug!(
            transaction_id = %slot.call.transaction_id,
            carrier = via.carrier().map(|name| name.as_str()),
            voice_connector = via.connector().map(|id| id.as_str()),
            %address,
            "host tried"
        );
    }

    /// The attempt is over, or ended before anything was sent.
    pub(super) fn attempt_ends(&mut self, key: CallKey, detail: &AttemptDetail, end: AttemptEnd) {
        let Some(slot) = self.calls.get(&key) else { return };
        let transaction_id = slot.call.transaction_id;
        if let AttemptEnd::Failed { end, .. } = end {
            self.attempt_failed(key, end);
        }
        match (end, &detail.carrier) {
            (AttemptEnd::Answered, Some(name)) => self.shared.metrics.carrier_answered(name),
            (AttemptEnd::Failed { end, left }, Some(name)) => {
                self.shared.metrics.carrier_failed(name, end, left);
            }
            _ => {}
        }
        if let AttemptEnd::Failed { end: RouteEnd::Answer { status: status @ (401 | 407), .. }, .. } = end {
            tracing::warn!(
                %transaction_id,
                carrier = detail.carrier.as_deref(),
                voice_connector = detail.voice_connector.as_deref(),
                status,
                "credentials are wanted that we do not have, or ours are refused"
            );
        }
        let what = match end {
            AttemptEnd::Answered => "host took the call",
            AttemptEnd::Failed { left: true, .. } => "host was left for the next",
            AttemptEnd::Failed { left: false, .. } => "host did not take the call",
            AttemptEnd::GivenUp => return, // The end of the call says it.
        };
        tracing::info!(
            %transaction_id,
            carrier = detail.carrier.as_deref(),
            voice_connector = detail.voice_connector.as_deref(),
            host = detail.host.as_str(),
            address = detail.address.map(tracing::field::display),
            milliseconds = detail.ended.unwrap_or_default().saturating_sub(detail.started),
            cause = self.shown(&detail.cause),
            because = detail.because.as_deref(),
            "{what}"
        );
    }
}
