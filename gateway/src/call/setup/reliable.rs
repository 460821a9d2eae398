//! Reliable provisional responses (RFC 3262): those of the callee's that we acknowledge, and ours to the caller.
//!
//! ```text
//!   caller                us                 callee
//!     |                   |<-- 18x, RSeq ------|
//!     |<-- 18x, own RSeq -|--- PRACK --------->|   at once; where the 18x offers, with the answer of the caller's PRACK
//!     |--- PRACK -------->|<-- 200 ------------|
//!     |<-- 200 -----------|<-- 200 to INVITE --|   waits for the PRACK of what described a session
//! ```

use std::time::Instant;

use sip::dialog::offer_answer::Carrier;
use sip::dialog::offer_answer::Side::{Local, Remote};
use sip::dialog::{Early, Provisional, UacReliable, UacReliableVerdict, UasReliable, UasReliableOutput};
use sip::transaction::{ServerId, Timers};
use sip::{Message, Method, Name, RAck, RSeq};

use super::attempt::Fork;
use super::{Caller, Setup};
use crate::call::allow::Promises;
use crate::call::body::{Body, SentBody};
use crate::call::cx::Cx;
use crate::call::established::refusal;
use crate::call::io::{Failure, RequestId};
use crate::call::leg::Leg;
use crate::call::sent::Sent;
use crate::call::{Next, in_dialog};
use crate::media::Side;
use crate::reply::{Cause, demanded_beside_100rel};
use config::Prack;

/// What one fork has of them on both legs.
#[derive(Debug, Clone, Default)]
pub(super) struct Reliable {
    /// Ours to the caller, and the 2xx that they may hold up.
    pub to_caller: Option<UasReliable<Message>>,
    from_callee: Option<UacReliable>,
    /// The callee's response that offers: its PRACK waits for the caller's, which has the answer.
    owed: Option<RAck>,
}

/// A PRACK of ours, should it be challenged or not be delivered.
#[derive(Debug)]
pub(super) struct OwnPrack {
    sent: Sent,
    /// The callee's tag.
    tag: String,
}

/// What became of responses to the caller.
pub(super) enum Reached {
    /// Nothing that concerns the call.
    Nothing,
    /// The 2xx may go.
    Accepted(Message),
    /// The caller does not acknowledge.
    NoPrack,
}

impl Caller {
    /// Whether provisional responses to the caller may be reliable. Those to a call for help are not, even where their receiver
    /// demands it: the call must not fail for want of a PRACK, and who knows reliable responses takes the others too.
    pub fn takes_reliable(&self) -> bool {
        let says = |name: Name| self.invite.values(name).any(|tag| tag.eq_ignore_ascii_case("100rel"));
        self.server.is_some()
            && self.leg.profile.prack != Prack::Off
            && !self.emergency
            && (says(Name::Supported) || says(Name::Require))
    }

    /// Whether the caller wants all of them so.
    pub fn demands_reliable(&self) -> bool {
        let demands = self.invite.values(Name::Require).any(|tag| tag.eq_ignore_ascii_case("100rel"));
        self.takes_reliable() && (demands || self.leg.profile.prack == Prack::Required)
    }
}

impl Reliable {
    /// A provisional response of the callee's came.
    ///
    /// - `Err`: it came before, or one before it is missing: there is nothing to do.
    pub fn heard(&mut self, message: &Message, rseq: RSeq) -> Result<Option<RAck>, ()> {
        let Ok(cseq) = message.cseq() else { return Err(()) };
        match self.from_callee.get_or_insert_with(|| UacReliable::new(cseq)).handle_response(rseq) {
            UacReliableVerdict::Acknowledge(rack) => Ok(Some(rack)),
            UacReliableVerdict::Repeated | UacReliableVerdict::OutOfOrder => Err(()),
        }
    }

    /// Sends a provisional response to the caller reliably.
    ///
    /// - `session`: it describes one.
    pub fn respond(&mut self, cx: &mut Cx<'_>, caller: &Caller, response: Message, session: bool) {
        if self.to_caller.is_none() {
            let Ok(invite) = caller.invite.cseq() else { return };
            let first = RSeq::first(u32::try_from(cx.tokens.random().below(1 << 31)).unwrap_or(0));
            self.to_caller = Some(UasReliable::new(invite, first, Timers::default()));
        }
        if let Some(uas) = &mut self.to_caller {
            // What is one too many tells the caller nothing new.
            let _ = uas.send(cx.now.instant, Provisional { response, session });
        }
        self.drain(cx, caller);
    }

    /// Repeats what is not acknowledged.
    fn handle_timeout(&mut self, cx: &mut Cx<'_>, caller: &Caller) -> Reached {
        if let Some(uas) = &mut self.to_caller {
            uas.handle_timeout(cx.now.instant);
        }
        self.drain(cx, caller)
    }

    /// Says to the caller what is to be said.
    fn drain(&mut self, cx: &mut Cx<'_>, caller: &Caller) -> Reached {
        let Some(uas) = &mut self.to_caller else { return Reached::Nothing };
        let mut reached = Reached::Nothing;
        while let Some(output) = uas.poll_output() {
            match output {
                UasReliableOutput::Provisional(rseq, response) => {
                    let numbered = response.edit().header(Name::Require, "100rel");
                    caller.hears(cx, numbered.header(Name::RSeq, rseq.to_string()).build());
                }
                UasReliableOutput::Final(response) => reached = Reached::Accepted(response),
                UasReliableOutput::NoPrack => reached = Reached::NoPrack,
            }
        }
        reached
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.to_caller.as_ref().and_then(UasReliable::poll_timeout)
    }
}

impl Fork {
    /// Takes note of a reliable response of the callee's that was gone on with: its PRACK goes out, or waits where the
    /// response offers.
    pub(super) fn acknowledge(cx: &mut Cx<'_>, fork: &mut Early<Fork>, rack: RAck) -> Option<OwnPrack> {
        let open = fork.data.b.offers.open();
        if open.is_some_and(|offer| offer.by() == Remote && offer.carrier() == Carrier::ReliableProvisional) {
            fork.data.reliable.owed = Some(rack);
            return None;
        }
        let _ = fork.data.b.offers.take(Local, Carrier::Prack, None);
        Some(prack(cx, fork, &rack, None))
    }

    /// The leg of the callee's.
    pub(super) fn far(fork: &Early<Fork>) -> Leg {
        Leg { dialog: fork.dialog.clone(), end: fork.data.b.clone() }
    }
}

/// Sends our PRACK.
fn prack(cx: &mut Cx<'_>, fork: &mut Early<Fork>, rack: &RAck, body: Option<SentBody>) -> OwnPrack {
    let Early { dialog, data } = fork;
    let (builder, hop) = data.b.request(dialog, Method::Prack, cx.tokens);
    let builder = builder.header(Name::RAck, rack.to_string());
    let message = SentBody::attach(body, builder).build();
    OwnPrack { sent: Sent::new(cx, message, hop), tag: dialog.remote_tag.clone() }
}

impl Setup {
    /// A PRACK of the caller's.
    pub(super) fn handle_prack(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        server: ServerId,
        message: &Message,
    ) -> Next {
        let unknown = Cause::new(481, "Nothing waits for this PRACK");
        let takes = self.caller.takes_reliable();
        let Some(fork) = self.fork_mut(|fork| side == Side::A && fork.data.a.dialog.matches(message)) else {
            in_dialog::refuse(cx, server, message, &unknown);
            return Next::Stay;
        };
        if let Err(error) = fork.data.a.dialog.handle_request(message) {
            in_dialog::refuse(cx, server, message, &refusal(&error));
            return Next::Stay;
        }
        if let Some(demanded) = demanded_beside_100rel(message, takes) {
            in_dialog::refuse_demand(cx, server, message, &demanded);
            return Next::Stay;
        }
        let rack = match message.rack() {
            Ok(rack) => rack,
            Err(error) => {
                in_dialog::refuse(cx, server, message, &Cause::new(400, error.to_string()));
                return Next::Stay;
            }
        };
        let now = cx.now.instant;
        let uas = fork.data.reliable.to_caller.as_mut();
        if !uas.is_some_and(|uas| uas.handle_prack(now, &rack)) {
            in_dialog::refuse(cx, server, message, &unknown);
            return Next::Stay;
        }
        let tag = fork.dialog.remote_tag.clone();
        match self.acknowledged(cx, &tag, server, message) {
            Ok(()) => self.go_on(cx, &tag),
            Err(cause) => self.give_up(cx, cause),
        }
    }

    /// The caller's PRACK acknowledges what it should.
    ///
    /// # Errors
    /// It lacks the answer that it owes, and the call can't go on.
    fn acknowledged(
        &mut self,
        cx: &mut Cx<'_>,
        tag: &str,
        server: ServerId,
        message: &Message,
    ) -> Result<(), Cause> {
        let Some(fork) = self.fork_mut(|fork| fork.dialog.remote_tag == tag) else { return Ok(()) };
        let (near, other) = (fork.data.a.profile.clone(), fork.data.b.allows.clone());
        let promises = Some(Promises { to: &near, other: other.as_deref() });
        let body = Body::read(message);
        if let Some(rack) = fork.data.reliable.owed.take() {
            fork.data.takes_media(cx);
            let mut bridge = fork.data.bridge_from(Side::A);
            let crossed = body.map_err(Into::into);
            let crossed = crossed.and_then(|body| bridge.cross(cx, &body, Carrier::Prack, Carrier::Prack));
            let body = match crossed {
                Ok(body) => body,
                Err(refused) => {
                    let cause = Cause::new(488, refused.text().text);
                    in_dialog::refuse(cx, server, message, &cause);
                    return Err(cause);
                }
            };
            fork.data.described(cx);
            let own = prack(cx, fork, &rack, body);
            let _ = fork.data.a.offers.take(Local, Carrier::PrackOk, None);
            in_dialog::respond_ok(cx, server, message, promises);
            self.pracks.push(own);
            return Ok(());
        }
        match body {
            Err(cause) => in_dialog::refuse(cx, server, message, &cause),
            Ok(body) if body.sdp().is_some() && fork.data.b.allows_update() == Some(true) => {
                self.cross_early(cx, tag, Side::A, server, message);
            }
            Ok(body) => {
                let _ = fork.data.a.offers.take(Remote, Carrier::Prack, None);
                let _ = fork.data.a.offers.take(Local, Carrier::PrackOk, None);
                match body.sdp() {
                    None => in_dialog::respond_ok(cx, server, message, promises),
                    // The response is acknowledged all the same.
                    Some(_) => {
                        let cause = Cause::new(488, "The other side takes no offer now");
                        in_dialog::refuse(cx, server, message, &cause);
                    }
                }
            }
        }
        Ok(())
    }

    /// Says to the caller what this fork has for it now.
    pub(super) fn go_on(&mut self, cx: &mut Cx<'_>, tag: &str) -> Next {
        let Setup { caller, attempt, accepting, .. } = self;
        let forks = attempt.iter_mut().flat_map(|attempt| attempt.forks.iter_mut());
        let mut forks = accepting.iter_mut().map(|accepting| &mut accepting.fork).chain(forks);
        let Some(fork) = forks.find(|fork| fork.dialog.remote_tag == tag) else { return Next::Stay };
        let reached = fork.data.reliable.drain(cx, caller);
        drop(forks);
        self.reached(cx, reached)
    }

    /// Repeats what the caller has not acknowledged.
    pub(super) fn repeat_reliable(&mut self, cx: &mut Cx<'_>) -> Next {
        let Setup { caller, attempt, accepting, .. } = self;
        let forks = attempt.iter_mut().flat_map(|attempt| attempt.forks.iter_mut());
        let forks = accepting.iter_mut().map(|accepting| &mut accepting.fork).chain(forks);
        let mut all = Vec::new();
        for fork in forks {
            all.push(fork.data.reliable.handle_timeout(cx, caller));
        }
        for reached in all {
            match self.reached(cx, reached) {
                Next::Stay => {}
                next => return next,
            }
        }
        Next::Stay
    }

    /// When to repeat.
    pub(super) fn poll_reliable(&self) -> Option<Instant> {
        let forks = self.attempt.iter().flat_map(|attempt| attempt.forks.iter());
        let forks = self.accepting.iter().map(|accepting| &accepting.fork).chain(forks);
        forks.filter_map(|fork| fork.data.reliable.poll_timeout()).min()
    }

    fn reached(&mut self, cx: &mut Cx<'_>, reached: Reached) -> Next {
        match reached {
            Reached::Nothing => Next::Stay,
            Reached::Accepted(response) => self.go_on_accepting(cx, &response),
            // RFC 3262 §3.
            Reached::NoPrack => self.give_up(cx, Cause::new(500, "No PRACK came")),
        }
    }

    /// A response to a PRACK of ours; true: it is one.
    pub(super) fn prack_answered(&mut self, cx: &mut Cx<'_>, request: RequestId, message: &Message) -> bool {
        let Some(index) = self.pracks.iter().position(|prack| prack.sent.id == request) else { return false };
        let Some(status) = message.status().filter(|status| status.is_final()) else { return true };
        let mut own = self.pracks.swap_remove(index);
        let login = self.target.as_ref().and_then(|target| target.route.credentials.clone());
        let Some(fork) = self.fork_mut(|fork| fork.dialog.remote_tag == own.tag) else { return true };
        if status.is_success() {
            let _ = fork.data.b.offers.take(Remote, Carrier::PrackOk, None);
        } else if matches!(status.code(), 401 | 407) {
            let mut leg = Fork::far(fork);
            if own.sent.authenticate_in(cx, message, &login, &mut leg) {
                fork.dialog = leg.dialog;
                self.pracks.push(own);
            }
        } else if own.sent.cseq() < fork.dialog.local_cseq {
            // An UPDATE overtook it, so that it came out of order: RFC 3261 §12.2.2.
            let mut leg = Fork::far(fork);
            own.sent.number_anew(cx, &mut leg);
            fork.dialog = leg.dialog;
            self.pracks.push(own);
        }
        true
    }

    /// No response will come to a PRACK of ours; true: it is one.
    pub(super) fn prack_lost(&mut self, cx: &mut Cx<'_>, request: RequestId, lost: Failure) -> bool {
        let Some(index) = self.pracks.iter().position(|prack| prack.sent.id == request) else { return false };
        let mut own = self.pracks.swap_remove(index);
        let Some(fork) = self.fork_mut(|fork| fork.dialog.remote_tag == own.tag) else { return true };
        let mut leg = Fork::far(fork);
        if own.sent.repeat_in(cx, &mut leg, lost == Failure::Timeout) {
            Fork::put_back(fork, leg);
            self.pracks.push(own);
        }
        true
    }
}
