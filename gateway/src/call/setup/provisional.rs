//! Provisional responses to the INVITE that is out: each early dialog of the callee's side is one of the caller's too.

use sip::dialog::offer_answer::Carrier;
use sip::dialog::{Early, Heard};
use sip::{Message, StatusCode};

use super::Setup;
use super::attempt::Fork;
use crate::call::body::{Body, SentBody};
use crate::call::cx::Cx;
use crate::call::leg::LegRef;
use crate::call::negotiation::Bridge;
use crate::call::response;
use crate::media::Side;

impl Setup {
    pub(super) fn handle_provisional(&mut self, cx: &mut Cx<'_>, status: StatusCode, message: &Message) {
        let Setup { caller, attempt: Some(attempt), .. } = self else { return };
        // 199 ends one of several early dialogs (RFC 6228 §4).
        let progress = !matches!(status.code(), 100 | 199);
        attempt.heard(cx.now, progress);
        let heard = attempt.forks.handle_response(cx.now.instant, &attempt.sent.message, message);
        if !progress {
            return;
        }
        let response = match heard {
            Ok(Heard::Began(fork) | Heard::Early(fork)) => {
                fork.data.b.heard(message);
                fork.data.take_tag(cx, &mut self.tag_is_taken);
                let body = early_body(cx, fork, message);
                response::cross(&fork.data.b, &fork.data.a, message, body, &caller.invite)
            }
            // Without a tag there is no dialog that an answer could belong to.
            Ok(Heard::NoDialog) if message.to_tag().is_none() => {
                response::cross(attempt.end(), &caller.leg, message, None, &caller.invite)
            }
            Ok(_) | Err(_) => return,
        };
        if matches!(status.code(), 180..=189) {
            self.rang = true;
            attempt.rings();
            cx.history.times.ringing.get_or_insert(cx.now.unix);
        }
        caller.hears(cx, response);
    }
}

impl Fork {
    /// The fork's dialog with the caller: the first has that of the first responses.
    pub(super) fn take_tag(&mut self, cx: &mut Cx<'_>, first_is_taken: &mut bool) {
        if std::mem::replace(&mut self.has_tag, true) {
            return;
        }
        if std::mem::replace(first_is_taken, true) {
            let tag = cx.tokens.tag();
            cx.bind(&tag, LegRef::A);
            self.a.dialog.local_tag = tag;
        }
    }

    /// What is said from the callee to the caller.
    pub(super) fn bridge(&mut self) -> Bridge<'_> {
        Bridge { from: &mut self.b, to: &mut self.a.end, side: Side::B }
    }
}

/// What crosses with a ringing: a preview of the answer, or what describes no session. An offer has no place in a
/// response that may be lost (RFC 3261 §13.2.1).
fn early_body(cx: &mut Cx<'_>, fork: &mut Early<Fork>, message: &Message) -> Option<SentBody> {
    let body = Body::read(message).ok()?;
    fork.data.bridge().cross(cx, &body, Carrier::Provisional, Carrier::Provisional).ok()?
}
