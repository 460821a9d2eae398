//! Refusals inside a call that goes on.

use sip::text::phrase;
use sip::{Message, Method, Name};
use smol_str::SmolStr;

use super::{Alike, Looked, party, said, share_of, told};
use crate::clock::Now;
use crate::core::{CallKey, Core};
use crate::media::Side;
use crate::question::CallState;
use crate::record::EndedBy;
use crate::reply::Cause;
use crate::why::{Explanation, Leg, What, of_end};

impl Core {
    /// A request inside a call was refused, by us or by the other party: the call goes on.
    pub(in crate::core) fn explain_in_call(&mut self, now: Now, key: CallKey, response: &Message) {
        let Some(slot) = self.calls.get(&key) else { return };
        let (Some(status), Ok(cseq)) = (response.status(), response.cseq()) else { return };
        let refuses = slot.call.state() == CallState::Up && status.code() >= 300;
        // Whoever is asked for credentials, or to come again, does so.
        let comes_again = matches!(status.code(), 401 | 407 | 422 | 491) || response.has(Name::RetryAfter);
        if !refuses || comes_again || cseq.method == Method::Bye {
            return;
        }
        let leg = slot.call.leg_of(response);
        let (other, side) = if leg == Leg::B { (Leg::A, Side::B) } else { (Leg::B, Side::A) };
        let by = match slot.ladder.last_response(other) {
            Some(said) if said == status.code() && other == Leg::A => EndedBy::Caller,
            Some(said) if said == status.code() => EndedBy::Callee,
            _ => EndedBy::Gateway,
        };
        let Some(source) = slot.call.endpoint(side) else { return };
        let (account, method) = (slot.call.account(), cseq.method.to_string());
        let told = told(response);
        let words = response.reason_phrase().map(String::from_utf8_lossy).unwrap_or_default();
        let text = phrase(&words);
        let alike = Alike(share_of(source), status.code(), &text, &account.caller, &account.callee, &method);
        let id = slot.call.transaction_id.to_string();
        let [a, b] = [Side::A, Side::B].map(|side| slot.call.call_id(side));
        if self.explained.again(now, &alike, &[a, b, &id]) {
            return;
        }
        let ladder = slot.ladder.clone();
        let meaning = of_end(by, status.code(), &text, true, true);
        let said = Explanation {
            what: What::InCall(phrase(&method)),
            transaction_id: Some(id),
            call_ids: vec![phrase(a), phrase(b)],
            caller: phrase(&account.caller),
            callee: phrase(&account.callee),
            from: party(&account.outbound, &account.carrier),
            to: party(&account.inbound, &slot.call.carrier().map(SmolStr::from)),
            ended_by: by,
            told: Some(told),
            ..said(now, ladder.origin(), &Cause::new(status.code(), text.as_str()), meaning)
        };
        self.explained.keep(now, &alike, said, Looked::default(), ladder);
    }
}
