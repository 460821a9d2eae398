//! What each end of a leg can tell by itself, from all that it said and heard: the laws of offers, of reliable
//! responses, of session timers and of transfers. Between phones alone, and between a phone and the gateway.
//!
//! They read a phone's trace as text of SIP and share nothing with the phone's own state, but for
//! [`agreement`], which compares what two phones believe.

mod agreement;
mod offers;
mod reliable;
mod session;
mod transfer;

use std::time::Instant;

use sip::{Message, Method};

pub(crate) use self::agreement::{disagreement, rests};
use super::phone::{Phone, PhoneCall, Seen};

/// What is wrong at one end of a leg.
pub(crate) struct Broken {
    /// It is the phone itself that broke the law, and not who is at the other end.
    pub itself: bool,
    pub text: String,
    pub call_id: String,
}

/// The broken laws of all calls of these phones; `end`: when the simulation stopped.
pub(crate) fn broken(phones: &[Phone], end: Instant) -> Vec<Broken> {
    let mut broken = transfer::broken(phones);
    for (phone, call) in phones.iter().flat_map(|phone| phone.calls.iter().map(move |call| (phone, call))) {
        let of_call =
            [offers::broken(call), reliable::broken(call), session::broken(call, end).into_iter().collect()];
        broken.extend(of_call.into_iter().flatten().map(|(itself, text)| Broken {
            itself,
            text: format!("{}: {text}", phone.name),
            call_id: call.call_id(),
        }));
    }
    broken
}

impl Seen {
    /// Whether the phone itself sent the request, or the request that is answered here.
    fn is_ours(&self) -> bool {
        self.said == self.message.is_request()
    }

    fn status(&self) -> u16 {
        self.message.status().map_or(0, |status| status.code())
    }

    fn cseq(&self) -> (u32, Method) {
        self.message.cseq().map_or((0, Method::Ack), |cseq| (cseq.number, cseq.method))
    }

    /// The tag of the callee, which tells the dialogs of a call apart; empty where there is none yet.
    fn callee_tag(&self, call: &PhoneCall) -> String {
        let asker_is_caller = self.is_ours() == call.caller;
        let tag = if asker_is_caller { self.message.to_tag() } else { self.message.from_tag() };
        tag.unwrap_or_default().into_owned()
    }

    fn is_success_of(&self, method: &Method) -> bool {
        (200..300).contains(&self.status()) && self.cseq().1 == *method
    }
}

/// A provisional response that must be acknowledged: its RSeq.
fn rseq(message: &Message) -> Option<u32> {
    let requires = message.values(sip::Name::Require).any(|one| one == "100rel");
    message.value(sip::Name::RSeq)?.trim().parse().ok().filter(|_| requires)
}
