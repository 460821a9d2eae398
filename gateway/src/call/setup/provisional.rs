//! Provisional responses to the INVITE that is out: each early dialog of the callee's side is one of the caller's too.

use sip::dialog::offer_answer::Carrier;
use sip::dialog::{Early, Heard};
use sip::{Message, Name, StatusCode};

use super::Caller;
use super::attempt::{Fork, SentInvite};
use super::dialled::Dialled;
use crate::call::body::{Body, SentBody};
use crate::call::cx::Cx;
use crate::call::leg::{End, LegRef};
use crate::call::negotiation::{Bridge, Refused};
use crate::call::response;
use crate::media::Side;

impl Dialled {
    /// A provisional response to the INVITE.
    ///
    /// # Errors
    /// What it describes reliably can't cross: both sides would believe something else of what this INVITE has agreed on.
    pub(super) fn handle_provisional(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &mut Caller,
        status: StatusCode,
        message: &Message,
    ) -> Result<(), Refused> {
        let Self { attempt, pracks, crossings, .. } = self;
        // 199 ends one of several early dialogs (RFC 6228 §4).
        let progress = !matches!(status.code(), 100 | 199);
        attempt.heard(cx.now, progress);
        let heard = attempt.forks.handle_response(cx.now.instant, &attempt.sent.message, message);
        let rseq = if attempt.reliable { message.reliable().ok().flatten() } else { None };
        let fork = match heard {
            Ok(Heard::Ended(mut fork)) => {
                if let Some(Ok(Some(rack))) = rseq.map(|rseq| fork.data.reliable.heard(message, rseq)) {
                    pracks.extend(Fork::acknowledge(cx, &mut fork, rack));
                }
                for (_, crossing) in crossings.extract_if(.., |(tag, _)| *tag == fork.dialog.remote_tag) {
                    crossing.end(cx);
                }
                // The caller's dialog with it ends too, if the caller knows what that means.
                if fork.data.has_tag && caller.knows_199() {
                    let (from, to) = (&fork.data.b, &fork.data.a);
                    caller.hears(cx, response::cross(from, to, message, None, &caller.invite));
                }
                return Ok(());
            }
            _ if !progress => return Ok(()),
            Ok(Heard::Began(fork) | Heard::Early(fork)) => fork,
            // Without a tag there is no dialog that an answer could belong to, nor a PRACK.
            Ok(Heard::NoDialog) if message.to_tag().is_none() => {
                if !caller.demands_reliable() {
                    let response = response::cross(attempt.end(), &caller.leg, message, None, &caller.invite);
                    caller.rings(cx, attempt, response);
                }
                rings(cx, caller, attempt, status);
                return Ok(());
            }
            Ok(_) | Err(_) => return Ok(()),
        };
        let rack = match rseq.map(|rseq| fork.data.reliable.heard(message, rseq)) {
            Some(Err(())) => return Ok(()),
            Some(Ok(rack)) => rack,
            None => None,
        };
        fork.data.b.heard(message);
        fork.data.take_tag(cx, &mut caller.tag_is_taken);
        let reliably = caller.demands_reliable() || rack.is_some() && caller.takes_reliable();
        let (body, session) = match early_body(cx, fork, message, rack.is_some(), reliably) {
            Ok(body) => body,
            Err(refused) if rack.is_some() => return Err(refused),
            Err(_) => (None, false),
        };
        let response = response::cross(&fork.data.b, &fork.data.a, message, body, &caller.invite);
        if let Some(rack) = rack {
            pracks.extend(Fork::acknowledge(cx, fork, rack));
        }
        if reliably {
            fork.data.reliable.respond(cx, caller, response, session);
        } else {
            caller.rings(cx, attempt, response);
        }
        rings(cx, caller, attempt, status);
        Ok(())
    }
}

/// The caller has heard a route ring.
fn rings(cx: &mut Cx<'_>, caller: &mut Caller, attempt: &mut SentInvite, status: StatusCode) {
    if matches!(status.code(), 180..=189) {
        caller.rang = true;
        attempt.rings();
        cx.history.times.ringing.get_or_insert(cx.now.unix);
    }
}

impl Caller {
    /// Hears a provisional response that may be lost.
    fn rings(&self, cx: &mut Cx<'_>, attempt: &mut SentInvite, response: Message) {
        if self.server.is_some() {
            attempt.said(cx.now, &response);
        }
        self.hears(cx, response);
    }

    /// RFC 6228 §4.
    fn knows_199(&self) -> bool {
        let is = |tag: std::borrow::Cow<'_, str>| tag == "199";
        self.server.is_some() && self.invite.values(Name::Supported).any(is)
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
        self.bridge_from(Side::B)
    }

    /// What `side` says to the other leg.
    pub(super) fn bridge_from(&mut self, side: Side) -> Bridge<'_> {
        match side {
            Side::A => Bridge { from: &mut self.a.end, to: &mut self.b, side },
            Side::B => Bridge { from: &mut self.b, to: &mut self.a.end, side },
        }
    }

    /// The party on `side`.
    pub(super) fn end(&self, side: Side) -> &End {
        match side {
            Side::A => &self.a.end,
            Side::B => &self.b,
        }
    }
}

/// What crosses with a ringing, and whether it describes a session. An offer has no place in a response that may be lost
/// (RFC 3261 §13.2.1); the answer that a party shows in one is not final, and so has none in a response that the caller can
/// rely on.
///
/// - `came`, `leaves`: whether the response is reliable on the callee's leg, and on the caller's.
fn early_body(
    cx: &mut Cx<'_>,
    fork: &mut Early<Fork>,
    message: &Message,
    came: bool,
    leaves: bool,
) -> Result<(Option<SentBody>, bool), Refused> {
    let body = Body::read(message)?;
    if leaves && !came {
        return Ok((body.as_is(), false));
    }
    let carrier = |reliable: bool| if reliable { Carrier::ReliableProvisional } else { Carrier::Provisional };
    if body.sdp().is_some() {
        fork.data.takes_media(cx);
    }
    let sent = fork.data.bridge().cross(cx, &body, carrier(came), carrier(leaves))?;
    let session = sent.is_some() && body.sdp().is_some();
    if session {
        fork.data.described(cx);
    }
    Ok((sent, session))
}
