//! Reliable provisional responses to an INVITE inside the dialog that crossed: RFC 3262, RFC 6141 §3.
//!
//! ```text
//!   asker                 us               other side
//!     |--- INVITE, offer -->|--- INVITE, offer -->|
//!     |<-- 18x -------------|<-- 18x, answer -----|
//!     |                     |--- PRACK ---------->|
//!     |<-- 200, answer -----|<-- 200 to INVITE ---|
//! ```
//!
//! They are acknowledged here and go on as responses that may be lost, without the answer, which the 2xx brings the asker: so
//! neither side waits for the other's PRACK.

use sip::dialog::offer_answer::Carrier;
use sip::dialog::offer_answer::Side::{Local, Remote};
use sip::dialog::{UacReliable, UacReliableVerdict};
use sip::{Message, Method, Name};

use super::Established;
use super::crossing::Canceller;
use crate::call::body::Body;
use crate::call::cx::Cx;
use crate::call::io::{Failure, RequestId};
use crate::call::sent::Sent;
use crate::media::Side;

/// The option tag.
pub(super) const RELIABLE: &str = "100rel";

/// A reliable response came before, or one before it is missing: there is nothing to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Known;

/// A PRACK of ours, should it be challenged or not be delivered.
#[derive(Debug)]
pub(super) struct OwnPrack {
    to: Side,
    sent: Sent,
}

impl Established {
    /// Acknowledges a provisional response to a request that crossed, where it is reliable.
    pub(super) fn heard_reliably(
        &mut self,
        cx: &mut Cx<'_>,
        index: usize,
        message: &Message,
    ) -> Result<(), Known> {
        let Some(crossing) = self.crossings.get_mut(index) else { return Ok(()) };
        let asked = crossing.sent.message.values(Name::Supported).any(|tag| tag == RELIABLE);
        let rseq = message.reliable().ok().flatten().filter(|_| asked);
        let (Some(rseq), Ok(cseq)) = (rseq, message.cseq()) else { return Ok(()) };
        let uac = crossing.reliable.get_or_insert_with(|| UacReliable::new(cseq));
        let UacReliableVerdict::Acknowledge(rack) = uac.handle_response(rseq) else { return Err(Known) };
        let to = crossing.from.other();
        let crossed = Body::read(message).map_err(Into::into).and_then(|body| {
            let described = body.sdp().is_some();
            let bridge = &mut self.bridge(to);
            described
                .then(|| bridge.cross(cx, &body, Carrier::ReliableProvisional, Carrier::Provisional))
                .transpose()
        });
        let leg = self.legs.of_mut(to);
        let _ = leg.offers.take(Local, Carrier::Prack, None);
        let (builder, hop) = leg.request(Method::Prack, cx.tokens);
        let prack = builder.header(Name::RAck, rack.to_string()).build();
        self.pracks.push(OwnPrack { to, sent: Sent::new(cx, prack, hop) });
        // An answer of no use: the INVITE can come to nothing any more.
        if crossed.is_err() {
            self.cancel_crossing(cx, index, Canceller::TimerC, Vec::new());
        }
        Ok(())
    }

    /// A response to a PRACK of ours; true: it is one.
    pub(super) fn prack_heard(&mut self, cx: &mut Cx<'_>, request: RequestId, message: &Message) -> bool {
        let Some(index) = self.pracks.iter().position(|prack| prack.sent.id == request) else { return false };
        let Some(status) = message.status().filter(|status| status.is_final()) else { return true };
        let mut own = self.pracks.swap_remove(index);
        let (leg, login) = (self.legs.of_mut(own.to), self.logins.of(own.to));
        if status.is_success() {
            let _ = leg.offers.take(Remote, Carrier::PrackOk, None);
        } else if matches!(status.code(), 401 | 407) && own.sent.authenticate_in(cx, message, login, leg) {
            self.pracks.push(own);
        }
        true
    }

    /// No response will come to a PRACK of ours; true: it is one.
    pub(super) fn prack_lost(&mut self, cx: &mut Cx<'_>, request: RequestId, lost: Failure) -> bool {
        let Some(index) = self.pracks.iter().position(|prack| prack.sent.id == request) else { return false };
        let mut own = self.pracks.swap_remove(index);
        if own.sent.repeat_in(cx, self.legs.of_mut(own.to), lost == Failure::Timeout) {
            self.pracks.push(own);
        }
        true
    }
}
