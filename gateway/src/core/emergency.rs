//! Emergency calls in the log and the counters: whoever watches the gateway shall see each of them.

use sip::Message;
use sip::text::phrase;

use super::Core;
use crate::admit::Admitted;
use crate::clock::Now;
use crate::record::Settled;

/// What is told of a connector's emergency calls, each with lines of its own: a flood of one leaves the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Told {
    /// Emergency calls of this connector began.
    Begun(String),
    /// Emergency calls of this connector were not answered.
    Unanswered(String),
}

impl Core {
    /// A call is admitted. If it is for help, that is said at once, whatever becomes of it.
    pub(super) fn watch_for_emergency(&mut self, now: Now, admitted: &Admitted, invite: &Message) {
        if admitted.emergency.is_none() {
            return;
        }
        self.shared.metrics.connector(admitted.connector.as_str()).emergency();
        let told = Told::Begun(admitted.connector.to_string());
        if !self.emergency_lines.take(now.instant, told) {
            return;
        }
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
    pub(super) fn watch_for_unanswered_emergency(&mut self, now: Now, settled: &Settled) {
        let told = || Told::Unanswered(settled.account.outbound.as_deref().unwrap_or_default().to_owned());
        if settled.account.emergency
            && settled.times.answered.is_none()
            && self.emergency_lines.take(now.instant, told())
        {
            tracing::warn!(
                transaction_id = %settled.transaction_id,
                call_id = phrase(&settled.a_call_id),
                connector = settled.account.outbound.as_deref(),
                caller = self.shown(&settled.account.caller),
                by = settled.ended_by.as_label(),
                cause = settled.cause.status.code(),
                text = self.shown(&settled.cause.text),
                "emergency call was not answered"
            );
        }
    }

    /// A flood of calls for help, or what looks like one, must not fill the log: the first of each connector are told.
    pub(super) fn count_emergency_lines(&mut self, now: Now) {
        for (told, left_out) in self.emergency_lines.handle_timeout(now.instant) {
            match told {
                Some(Told::Begun(connector)) => tracing::warn!(connector, left_out, "more emergency calls"),
                Some(Told::Unanswered(connector)) => {
                    tracing::warn!(connector, left_out, "more emergency calls were not answered");
                }
                None => tracing::warn!(left_out, "more emergency calls, begun or not answered"),
            }
        }
    }
}
