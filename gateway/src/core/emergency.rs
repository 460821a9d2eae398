//! Emergency calls in the log and the counters: whoever watches the gateway shall see each of them.

use sip::Message;
use sip::text::phrase;

use super::Core;
use crate::admit::Admitted;
use crate::record::Settled;

impl Core {
    /// A call is admitted. If it is for help, that is said at once, whatever becomes of it.
    pub(super) fn watch_for_emergency(&self, admitted: &Admitted, invite: &Message) {
        if admitted.emergency.is_none() {
            return;
        }
        self.shared.metrics.connector(admitted.connector.as_str()).emergency();
        tracing::warn!(
            call_id = phrase(invite.call_id().unwrap_or_default()),
            connector = admitted.connector.as_str(),
            caller = self.shown(&admitted.caller.text),
            digits = phrase(&admitted.dialled),
            routing_number = admitted.number.to_string(),
            "emergency call"
        );
    }

    /// A call is over. One for help that nobody answered may be a life.
    pub(super) fn watch_for_unanswered_emergency(&self, settled: &Settled) {
        if settled.account.emergency && settled.times.answered.is_none() {
            tracing::warn!(
                transaction_id = %settled.transaction_id,
                call_id = phrase(&settled.a_call_id),
                connector = settled.account.outbound,
                caller = self.shown(&settled.account.caller),
                by = settled.ended_by.as_label(),
                cause = settled.cause.status.code(),
                text = self.shown(&settled.cause.text),
                "emergency call was not answered"
            );
        }
    }
}
