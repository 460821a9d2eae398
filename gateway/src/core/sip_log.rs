//! The SIP message log, for the connectors that want one.

use bytes::Bytes;
use sip::Message;
use sip::text::as_phrase;
use smol_str::SmolStr;

use super::{CallKey, Core};
use crate::clock::Now;
use crate::record::{Record, SipMessageFacts};

impl Core {
    /// One line in the SIP message log of the connector that the message's leg belongs to, if it wants it.
    pub(super) fn log_message(&mut self, now: Now, key: CallKey, message: &Message) {
        let Some((connector, call_id)) = self.calls.get(&key).and_then(|slot| slot.call.log_of(message))
        else {
            return;
        };
        // The log of a connector has the carrier's leg as well, under the Call-ID of its own.
        if message.call_id().is_ok_and(|own| own == call_id) {
            self.count_response(connector, message);
        }
        if self.live.config.connector(connector).is_some_and(|connector| connector.logging.sip_messages) {
            let line = self.sip_line(now, connector.into(), call_id, message.bytes().clone());
            self.write(Record::SipMessage(Box::new(line)));
        }
    }

    /// The same for messages of a call that never began.
    pub(super) fn log_outside(
        &mut self,
        now: Now,
        connector: Option<&str>,
        request: &Message,
        messages: &[&Message],
    ) {
        let Some(connector) = connector.and_then(|id| self.live.config.connector(id)) else {
            return;
        };
        messages.iter().for_each(|message| self.count_response(connector.id.as_str(), message));
        if !connector.logging.sip_messages {
            return;
        }
        let id = SmolStr::from(connector.id.as_str());
        let call_id = request.call_id().unwrap_or_default();
        for message in messages {
            let line = self.sip_line(now, id.clone(), call_id, message.bytes().clone());
            self.write(Record::SipMessage(Box::new(line)));
        }
    }

    fn count_response(&self, connector: &str, message: &Message) {
        if let Some(status) = message.status() {
            self.shared.metrics.connector(connector).sip_response(status.code());
        }
    }

    fn sip_line(&self, now: Now, connector: SmolStr, call_id: &str, message: Bytes) -> SipMessageFacts {
        SipMessageFacts {
            voice_connector_id: connector,
            region: self.live.config.gateway.region.as_str().into(),
            event_timestamp: now.unix,
            call_id: as_phrase(call_id).into(),
            message,
        }
    }
}
