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
use sip::{CSeq, Message, Method, Name, RAck, RSeq, StatusCode};
use smol_str::SmolStr;

use super::accept::Accepting;
use super::attempt::Fork;
use super::dialled::{Dialled, EarlyCall};
use super::{Caller, Setup, Trying};
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
    tag: SmolStr,
}

/// What became of responses to the caller in one dialog.
pub(super) enum Said {
    /// Nothing that concerns the call.
    Nothing,
    /// The 2xx may go.
    Final(Message),
    /// The caller does not acknowledge.
    NoPrack,
}

/// How far the caller's acknowledgements let the call go.
pub(super) enum Reached {
    /// Nowhere.
    Nothing,
    /// The 2xx that was held back may go.
    Accepted(Box<Accepting>, Message),
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

    /// The CSeq of its INVITE, which had one: else there would be no dialog with the caller.
    fn cseq(&self) -> CSeq {
        self.invite.cseq().unwrap_or(CSeq { number: 0, method: Method::Invite })
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
        let cseq = message.cseq().map_err(drop)?;
        match self.from_callee.get_or_insert_with(|| UacReliable::new(cseq)).handle_response(rseq) {
            UacReliableVerdict::Acknowledge(rack) => Ok(Some(rack)),
            UacReliableVerdict::Repeated | UacReliableVerdict::OutOfOrder => Err(()),
        }
    }

    /// Sends a provisional response to the caller reliably.
    ///
    /// - `session`: it describes one.
    pub fn respond(&mut self, cx: &mut Cx<'_>, caller: &Caller, response: Message, session: bool) {
        let uas = self.to_caller.get_or_insert_with(|| {
            let first = RSeq::first(u32::try_from(cx.tokens.random().below(1 << 31)).unwrap_or(0));
            UasReliable::new(caller.cseq(), first, Timers::default())
        });
        // What is one too many tells the caller nothing new.
        let _ = uas.send(cx.now.instant, Provisional { response, session });
        self.drain(cx, caller);
    }

    /// Repeats what is not acknowledged.
    fn handle_timeout(&mut self, cx: &mut Cx<'_>, caller: &Caller) -> Said {
        if let Some(uas) = &mut self.to_caller {
            uas.handle_timeout(cx.now.instant);
        }
        self.drain(cx, caller)
    }

    /// Says to the caller what is to be said.
    pub fn drain(&mut self, cx: &mut Cx<'_>, caller: &Caller) -> Said {
        let mut said = Said::Nothing;
        while let Some(output) = self.to_caller.as_mut().and_then(UasReliable::poll_output) {
            match output {
                UasReliableOutput::Provisional(rseq, response) => {
                    let numbered = response.edit().header(Name::Require, "100rel");
                    caller.hears(cx, numbered.header(Name::RSeq, rseq.to_string()).build());
                }
                UasReliableOutput::Final(response) => said = Said::Final(response),
                UasReliableOutput::NoPrack => said = Said::NoPrack,
            }
        }
        said
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
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
        let mine = |fork: &Early<Fork>| side == Side::A && fork.data.a.dialog.matches(message);
        if let Some(mut dialled) = self.take_dialled() {
            let said =
                dialled.early(&self.caller, mine).map(|mut early| early.handle_prack(cx, server, message));
            let reached = said.map(|said| said.map(|said| dialled.reached(said)));
            match reached {
                Some(Ok(reached)) => return self.reached(cx, dialled, reached),
                Some(Err(cause)) => {
                    self.trying = Trying::Dialled(dialled);
                    return self.give_up(cx, cause);
                }
                None => self.trying = Trying::Dialled(dialled),
            }
        }
        in_dialog::refuse(cx, server, message, &unknown());
        Next::Stay
    }
}

/// The refusal of a PRACK that acknowledges nothing. RFC 3262 §3.
fn unknown() -> Cause {
    Cause::new(481, "Nothing waits for this PRACK")
}

impl EarlyCall<'_> {
    /// A PRACK in this dialog.
    ///
    /// # Errors
    /// It lacks the answer that it owes, and the call can't go on.
    fn handle_prack(&mut self, cx: &mut Cx<'_>, server: ServerId, message: &Message) -> Result<Said, Cause> {
        let fork = &mut *self.fork;
        let refused = match fork.data.a.dialog.handle_request(message) {
            Err(error) => Some(refusal(&error)),
            Ok(()) => None,
        };
        if let Some(cause) = refused {
            in_dialog::refuse(cx, server, message, &cause);
            return Ok(Said::Nothing);
        }
        if let Some(demanded) = demanded_beside_100rel(message, self.caller.takes_reliable()) {
            in_dialog::refuse_demand(cx, server, message, &demanded);
            return Ok(Said::Nothing);
        }
        let uas = fork.data.reliable.to_caller.as_mut();
        let refused = match message.rack() {
            Ok(rack) if uas.is_some_and(|uas| uas.handle_prack(cx.now.instant, &rack)) => None,
            Ok(_) => Some(unknown()),
            Err(error) => Some(Cause::new(400, error.to_string())),
        };
        if let Some(cause) = refused {
            in_dialog::refuse(cx, server, message, &cause);
            return Ok(Said::Nothing);
        }
        self.acknowledged(cx, server, message)?;
        Ok(self.fork.data.reliable.drain(cx, self.caller))
    }

    /// A PRACK acknowledges what it should.
    ///
    /// # Errors
    /// It lacks the answer that it owes, and the call can't go on.
    fn acknowledged(&mut self, cx: &mut Cx<'_>, server: ServerId, message: &Message) -> Result<(), Cause> {
        let fork = &mut *self.fork;
        let (near, other) = (fork.data.a.profile.clone(), fork.data.b.allows);
        let promises = Some(Promises { to: &near, other });
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
            self.pracks.push(prack(cx, fork, &rack, body));
            let _ = fork.data.a.offers.take(Local, Carrier::PrackOk, None);
            in_dialog::respond_ok(cx, server, message, promises);
            return Ok(());
        }
        match body {
            Err(cause) => in_dialog::refuse(cx, server, message, &cause),
            Ok(body) if body.sdp().is_some() && fork.data.b.allows_update() == Some(true) => {
                self.forward_update(cx, Side::A, server, message);
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

    /// A final response to `own`, a PRACK of ours in this dialog.
    fn prack_answered(&mut self, cx: &mut Cx<'_>, mut own: OwnPrack, status: StatusCode, message: &Message) {
        let fork = &mut *self.fork;
        if status.is_success() {
            let _ = fork.data.b.offers.take(Remote, Carrier::PrackOk, None);
        } else if matches!(status.code(), 401 | 407) {
            let mut leg = Fork::far(fork);
            if own.sent.authenticate_in(cx, message, self.login, &mut leg) {
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
    }

    /// No response will come to `own`, a PRACK of ours in this dialog.
    fn prack_lost(&mut self, cx: &mut Cx<'_>, mut own: OwnPrack, lost: Failure) {
        let mut leg = Fork::far(self.fork);
        if own.sent.repeat_in(cx, &mut leg, lost == Failure::Timeout) {
            Fork::put_back(self.fork, leg);
            self.pracks.push(own);
        }
    }
}

impl Dialled {
    /// How far what was said in one dialog lets the call go.
    pub(super) fn reached(&mut self, said: Said) -> Reached {
        match (said, self.accepting.take()) {
            (Said::Final(response), Some(accepting)) => Reached::Accepted(accepting, response),
            (said, accepting) => {
                self.accepting = accepting;
                if let Said::NoPrack = said { Reached::NoPrack } else { Reached::Nothing }
            }
        }
    }

    /// Repeats what the caller has not acknowledged.
    pub(super) fn repeat_reliable(&mut self, cx: &mut Cx<'_>, caller: &Caller) -> Reached {
        let accepting = self.accepting.iter_mut().map(|accepting| &mut accepting.fork);
        let forks = accepting.chain(self.attempt.forks.iter_mut());
        let all: Vec<Said> = forks.map(|fork| fork.data.reliable.handle_timeout(cx, caller)).collect();
        for said in all {
            match self.reached(said) {
                Reached::Nothing => {}
                reached => return reached,
            }
        }
        Reached::Nothing
    }

    /// A response to a PRACK of ours; true: it is one.
    pub(super) fn prack_answered(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &Caller,
        request: RequestId,
        message: &Message,
    ) -> bool {
        let index = self.pracks.iter().position(|prack| prack.sent.id == request);
        if let (Some(index), Some(status)) = (index, message.status().filter(|status| status.is_final())) {
            let own = self.pracks.swap_remove(index);
            // A fork that has ended has no use for it.
            if let Some(mut early) = self.early(caller, |fork| fork.dialog.remote_tag == own.tag) {
                early.prack_answered(cx, own, status, message);
            }
        }
        index.is_some()
    }

    /// No response will come to a PRACK of ours; true: it is one.
    pub(super) fn prack_lost(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &Caller,
        request: RequestId,
        lost: Failure,
    ) -> bool {
        let index = self.pracks.iter().position(|prack| prack.sent.id == request);
        let own = index.map(|index| self.pracks.swap_remove(index));
        let known = own.is_some();
        if let Some(own) = own
            && let Some(mut early) = self.early(caller, |fork| fork.dialog.remote_tag == own.tag)
        {
            early.prack_lost(cx, own, lost);
        }
        known
    }
}
