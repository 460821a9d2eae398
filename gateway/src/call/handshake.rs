//! 2xx and ACK: our duties as UAS on one leg and as UAC on the other, for the first INVITE and every later one.
//!
//! Towards whoever sent the INVITE we repeat the 2xx until its ACK comes (RFC 3261 §13.3.1.4); towards whoever answered
//! we send the ACK, at once when the INVITE carried the offer, else with the answer that the other ACK carries, and
//! again for each repeat of the 2xx (§13.2.2.4).

use std::collections::BTreeSet;
use std::time::Instant;

use sip::auth::{self, Challenge, Credentials, Secret};
use sip::dialog::{Dialog, UasAccept, UasAcceptOutput};
use sip::transaction::{ServerId, Timers};
use sip::{Message, Name};

use super::Call;
use super::body::{Body, Sent};
use super::ending::Receiver;
use super::io::{Action, Hop, RequestId};
use super::leg::{Leg, LegRef, Local, renewed};
use super::next_hop::is_by_flow;
use crate::clock::Now;
use crate::ids::Tokens;
use crate::media::Side;
use crate::peer::{Peer, Source};
use crate::reply::Cause;

/// So many late answers to one INVITE get ACK and BYE: a proxy may fork without end, and each costs us a transaction.
/// To the others we say nothing, and they hang up by themselves (RFC 3261 §13.3.1.4).
const MOST_RELEASED: u32 = 16;

/// So many challenges to one request of ours are answered: the first, and those that call its nonce stale.
pub(super) const MOST_PROOFS: u8 = 3;

/// One INVITE that was answered 2xx on the far leg.
#[derive(Debug)]
pub(super) struct Handshake {
    /// Who sent the INVITE.
    from: Side,
    /// Our INVITE on the other leg, and its CSeq there.
    request: RequestId,
    cseq: u32,
    /// What that INVITE proved to a carrier: its ACK must say the same (RFC 3261 §22.1).
    proof: Vec<(Name, String)>,
    /// The far leg has its ACK.
    acknowledged: bool,
    /// Our 2xx to `from`, once it is out, the transaction that it belongs to and its CSeq.
    accept: Option<(ServerId, u32, UasAccept<Message>)>,
}

impl Handshake {
    /// The far leg answered; `from` has not been told yet.
    ///
    /// - `invite`: what we sent to the other leg.
    pub fn awaiting(from: Side, request: RequestId, invite: &Message) -> Handshake {
        let cseq = invite.cseq().map_or(1, |cseq| cseq.number);
        Handshake { from, request, cseq, proof: proof(invite), acknowledged: false, accept: None }
    }

    /// When the 2xx is to be repeated or given up.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.accept.as_ref().and_then(|(_, _, accept)| accept.poll_timeout())
    }
}

/// An ACK that went out, kept for repeats of the 2xx.
#[derive(Debug)]
pub(super) struct SentAck {
    pub request: RequestId,
    /// The To tag of the 2xx: one INVITE may be answered by several (forks).
    remote_tag: String,
    message: Message,
    hop: Hop,
    /// The flow of its receiver.
    flow: Peer,
}

impl Call {
    /// Sends the 2xx to whoever sent the INVITE and repeats it until the ACK comes.
    pub(super) fn accept(&mut self, now: Now, from: Side, server: ServerId, answer: Message) {
        let waiting = self.handshakes.iter_mut().find(|one| one.from == from && one.accept.is_none());
        let Some(handshake) = waiting else { return };
        let cseq = answer.cseq().map_or(0, |cseq| cseq.number);
        handshake.accept = Some((server, cseq, UasAccept::new(now.instant, answer, Timers::default())));
        self.drain_handshakes();
    }

    /// Repeats 2xx, and gives up on ACKs that never come.
    pub(super) fn handshake_timeouts(&mut self, now: Now, tokens: &mut Tokens) {
        for (_, _, accept) in self.handshakes.iter_mut().filter_map(|one| one.accept.as_mut()) {
            accept.handle_timeout(now.instant);
        }
        for side in self.drain_handshakes() {
            self.no_ack(now, tokens, side);
        }
    }

    /// Sends what the 2xx machines want sent; returns whose ACK will not come any more.
    fn drain_handshakes(&mut self) -> Vec<Side> {
        let mut given_up = Vec::new();
        for handshake in &mut self.handshakes {
            let Some((server, _, accept)) = &mut handshake.accept else { continue };
            while let Some(output) = accept.poll_output() {
                match output {
                    UasAcceptOutput::Respond(response) => {
                        self.actions.push_back(Action::Respond { server: *server, response });
                    }
                    UasAcceptOutput::NoAck => given_up.push(handshake.from),
                }
            }
        }
        given_up
    }

    /// The ACK of a 2xx never came: the leg that should have sent it is gone. RFC 3261 §13.3.1.4.
    fn no_ack(&mut self, now: Now, tokens: &mut Tokens, side: Side) {
        self.finish_handshakes(tokens, side);
        self.hang_up(now, tokens, Cause::new(408, "ACK missing"));
        self.send_deferred_bye(tokens, side);
    }

    /// An ACK of a 2xx.
    pub(super) fn handle_ack(
        &mut self,
        now: Now,
        tokens: &mut Tokens,
        leg: LegRef,
        message: &Message,
        source: &Source,
    ) {
        let side = side_of(leg);
        let Ok(cseq) = message.cseq() else { return };
        let mine = |one: &Handshake| {
            one.from == side && one.accept.as_ref().is_some_and(|(_, sent, _)| *sent == cseq.number)
        };
        let Some(index) = self.handshakes.iter().position(mine) else { return };
        let handshake = self.handshakes.remove(index);
        if let Some(leg) = self.leg_mut(side) {
            leg.came_by(source.peer());
        }
        if side == Side::A {
            self.caller_is_proven();
        }
        if !handshake.acknowledged {
            // A delayed offer: this ACK carries the answer (RFC 3261 §13.2.2.4).
            let body =
                Body::read(message).and_then(|body| self.cross_description(tokens, side, &body, false));
            let (body, cause) = body.map_or_else(|cause| (None, Some(cause)), |body| (Some(body), None));
            self.acknowledge(tokens, side, handshake.request, handshake.cseq, body);
            // An ACK can't be refused, and the two sides would be left with different ideas of the media.
            if let Some(cause) = cause {
                self.hang_up(now, tokens, cause);
            }
        }
        self.send_deferred_bye(tokens, side);
    }

    /// Sends the ACK of the handshake whose INVITE `from` sent and the other leg answered.
    pub(super) fn acknowledge(
        &mut self,
        tokens: &mut Tokens,
        from: Side,
        request: RequestId,
        cseq: u32,
        body: Option<Sent>,
    ) {
        let mut proof = Vec::new();
        for handshake in self.handshakes.iter_mut().filter(|one| one.request == request) {
            handshake.acknowledged = true;
            proof.clone_from(&handshake.proof);
        }
        if let Some(leg) = self.leg(from.other()) {
            let ack = acknowledgement(leg, request, cseq, proof, body, tokens);
            self.keep_ack(ack);
        }
    }

    /// The same for a handshake that is over, unless it had its ACK.
    fn acknowledge_at_last(&mut self, tokens: &mut Tokens, handshake: Handshake, body: Option<Sent>) {
        let Handshake { from, request, cseq, proof, acknowledged: false, .. } = handshake else { return };
        if let Some(leg) = self.leg(from.other()) {
            let ack = acknowledgement(leg, request, cseq, proof, body, tokens);
            self.keep_ack(ack);
        }
    }

    fn keep_ack(&mut self, ack: SentAck) {
        self.actions.push_back(Action::Transmit { message: ack.message.clone(), hop: ack.hop.clone() });
        self.acks.reserve_exact(1); // Mostly there is only one.
        self.acks.push(ack);
    }

    /// A repeated 2xx: its ACK again, the one that went out; by the flow too, since it may not have arrived where it should
    /// go. False when we know nothing of this answer (a fork).
    pub(super) fn acknowledge_again(&mut self, request: RequestId, message: &Message) -> bool {
        let tag = message.to_tag().unwrap_or_default();
        if let Some(ack) = self.acks.iter().find(|ack| ack.request == request && ack.remote_tag == tag) {
            let by_flow = (!is_by_flow(&ack.flow, &ack.hop)).then(|| Hop::Peer(ack.flow.clone()));
            for hop in [ack.hop.clone()].into_iter().chain(by_flow) {
                self.actions.push_back(Action::Transmit { message: ack.message.clone(), hop });
            }
            return true;
        }
        // Still waiting for the other leg's ACK.
        let waiting = self.handshakes.iter().find(|one| one.request == request && !one.acknowledged);
        waiting.is_some_and(|one| self.leg(one.from.other()).is_some_and(|leg| leg.dialog.remote_tag == tag))
    }

    /// A 2xx that nobody waits for any more (the attempt was left, the caller gave up, a fork lost): ACK and BYE.
    pub(super) fn release_late_answer(&mut self, tokens: &mut Tokens, index: usize, message: &Message) {
        let Some(attempt) = self.attempts.get(index) else { return };
        if attempt.released >= MOST_RELEASED || self.acknowledge_again(attempt.request, message) {
            return;
        }
        // The b-leg's own 2xx, and no ACK of it is kept: its party hung up before it had one.
        let is_of = |leg: &Leg| {
            message.call_id().is_ok_and(|id| id == leg.dialog.call_id)
                && message.to_tag().is_some_and(|tag| tag == leg.dialog.remote_tag)
        };
        if self.b.as_ref().is_some_and(is_of) {
            return;
        }
        self.release_answer(tokens, index, message, &Cause::new(487, "Answered too late"));
        if let Some(attempt) = self.attempts.get_mut(index) {
            attempt.released += 1;
        }
    }

    /// A 2xx to an attempt that becomes no leg of the call: ACK and BYE.
    pub(super) fn release_answer(
        &mut self,
        tokens: &mut Tokens,
        index: usize,
        message: &Message,
        cause: &Cause,
    ) {
        let Some(attempt) = self.attempts.get(index) else { return };
        let Ok(dialog) = Dialog::uac(&attempt.invite, message) else { return };
        let (request, proof) = (attempt.request, proof(&attempt.invite));
        let cseq = attempt.invite.cseq().map_or(1, |cseq| cseq.number);
        let mut leg = Leg::new(dialog, attempt.flow.clone(), attempt.local.clone(), attempt.profile.clone());
        let credentials = attempt.credentials.clone();
        let ack = acknowledgement(&leg, request, cseq, proof, None, tokens);
        self.keep_ack(ack);
        let (bye, hop) = leg.request(sip::Method::Bye, tokens);
        let receiver = Receiver::new(&leg, hop, credentials);
        self.send_bye(bye.header(Name::Reason, cause.reason()).build(), receiver);
    }

    /// What the record says of late answers.
    pub(super) fn released_note(&self) -> Option<String> {
        let released = || self.attempts.iter().filter(|attempt| attempt.released > 0);
        let addresses: BTreeSet<_> = released().map(|attempt| attempt.address.ip().to_string()).collect();
        let addresses = Vec::from_iter(addresses).join(", ");
        match released().map(|attempt| attempt.released).sum::<u32>() {
            0 => None,
            1 => Some(format!("late answer of {addresses} released")),
            count => Some(format!("{count} late answers of {addresses} released")),
        }
    }

    /// Ends what `side` still owes us an ACK for; the other leg gets its ACK all the same, since a dialog that is up
    /// can only be ended after it.
    pub(super) fn finish_handshakes(&mut self, tokens: &mut Tokens, side: Side) {
        let (mine, others) =
            std::mem::take(&mut self.handshakes).into_iter().partition(|one| one.from == side);
        self.handshakes = others;
        for handshake in Vec::<Handshake>::from_iter(mine) {
            self.acknowledge_at_last(tokens, handshake, None);
        }
    }

    /// `side` ended its dialog: a 2xx of its own that waits for the other leg's ACK needs none any more.
    pub(super) fn forgive_acks(&mut self, side: Side) {
        for handshake in self.handshakes.iter_mut().filter(|one| one.from == side.other()) {
            handshake.acknowledged = true;
        }
    }

    /// Our INVITEs that `from` asked for whose 2xx has had no ACK yet: request and CSeq.
    pub(super) fn unacknowledged(&self, from: Side) -> Vec<(RequestId, u32)> {
        let owed = self.handshakes.iter().filter(|one| one.from == from && !one.acknowledged);
        owed.map(|one| (one.request, one.cseq)).collect()
    }

    /// Forgets handshakes whose 2xx never went out; the far leg has its ACK.
    pub(super) fn drop_unanswered_handshakes(&mut self) {
        self.handshakes.retain(|one| one.accept.is_some());
    }

    /// Whether `side` has not acknowledged a 2xx of ours: a UAS may not send BYE before (RFC 3261 §15).
    pub(super) fn awaits_ack(&self, side: Side) -> bool {
        self.handshakes.iter().any(|one| one.from == side && one.accept.is_some())
    }
}

fn acknowledgement(
    leg: &Leg,
    request: RequestId,
    cseq: u32,
    proof: Vec<(Name, String)>,
    body: Option<Sent>,
    tokens: &mut Tokens,
) -> SentAck {
    let (mut builder, hop) = leg.ack(cseq, tokens);
    for (name, value) in proof {
        builder = builder.header(name, value);
    }
    let message = Sent::attach(body, builder).build();
    let (remote_tag, flow) = (leg.dialog.remote_tag.clone(), leg.flow.clone());
    SentAck { request, remote_tag, message, hop, flow }
}

/// The digest answers that an INVITE of ours carried.
fn proof(invite: &Message) -> Vec<(Name, String)> {
    let lines = |name: Name| {
        let all: Vec<_> = invite.lines(name.clone()).map(|line| (name.clone(), line.into_owned())).collect();
        all
    };
    [Name::Authorization, Name::ProxyAuthorization].into_iter().flat_map(lines).collect()
}

/// The leg's side.
pub(super) fn side_of(leg: LegRef) -> Side {
    match leg {
        LegRef::A => Side::A,
        LegRef::B(_) => Side::B,
    }
}

/// `request` again with an answer to the challenge in `response`: CSeq `number`, new branch. `None` when there is no
/// credential or no challenge that we can answer, or where `request` answered one of that realm and its nonce was not
/// stale: the answer was wrong. RFC 3261 §22.2, RFC 8760 §2.4: the first that we support.
pub(super) fn authenticated(
    request: &Message,
    response: &Message,
    credentials: Option<&(String, Secret)>,
    local: &Local,
    number: u32,
    tokens: &mut Tokens,
) -> Option<Message> {
    let (user, secret) = credentials?;
    let cseq = request.cseq().ok()?;
    let (asks, answers) = match response.status()?.code() {
        401 => (Name::WwwAuthenticate, Name::Authorization),
        _ => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
    };
    let uri = request.request_uri()?;
    let method = cseq.method.to_string();
    let cnonce = tokens.cnonce();
    let challenges: Vec<_> = response.lines(asks).collect();
    let challenge = Challenge::choose(challenges.iter().map(AsRef::as_ref), secret)?;
    let given = request.value(answers.clone()).and_then(|given| Credentials::parse(&given).ok());
    if given.is_some_and(|given| given.realm == challenge.realm) && !challenge.stale {
        return None;
    }
    let answer = auth::answer(&challenge, user, secret, &method, uri, &cnonce, 1)?;
    Some(renewed(request, number, local, tokens).set(answers, answer.to_string()).build())
}
