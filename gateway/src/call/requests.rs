//! Requests of ours that outlive the stage which sent them: INVITEs that may still be answered, ACKs that may have to be
//! repeated, BYEs on their way.

use std::net::SocketAddr;

use bytes::Bytes;
use sip::dialog::{Dialog, DialogId};
use sip::{Message, Method, Name, StatusCode};
use smol_str::SmolStr;

use super::body::SentBody;
use super::cx::Cx;
use super::headers::Lines;
use super::io::{Action, Failure, Hop, RequestId};
use super::leg::{End, Leg};
use super::next_hop::is_by_flow;
use super::sent::{Login, Sent, proof_of};
use crate::peer::Peer;
use crate::reply::Cause;

/// So many late answers to one INVITE get ACK and BYE: a proxy may fork without end, and each costs us a transaction.
/// To the others we say nothing, and they hang up by themselves (RFC 3261 §13.3.1.4).
const MOST_RELEASED: u32 = 16;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Requests {
    next: u32,
    next_query: u32,
    /// Client transactions that are still alive: the call cannot be forgotten before they end.
    open: Vec<RequestId>,
    /// INVITEs that nobody waits for any more.
    left: Vec<Left>,
    /// INVITEs inside a dialog that were sent again or given up, with that dialog: a late 2xx must have its ACK all the
    /// same.
    given_up: Vec<(RequestId, Box<Leg>)>,
    /// ACKs to 2xx, kept to answer repeats while the client transaction lives.
    acks: Vec<SentAck>,
    byes: Vec<Bye>,
    /// Our tags on all legs, as the core's index knows them.
    tags: Vec<SmolStr>,
}

/// An INVITE that began dialogs and that nobody waits for any more: a late 2xx gets ACK and BYE.
#[derive(Debug)]
pub(super) struct Left {
    request: RequestId,
    /// Its bytes, without the body: few of the calls that are up have any further use of it.
    invite: Bytes,
    /// Without media.
    pub end: Box<End>,
    pub login: Login,
    pub address: SocketAddr,
    /// The To tag that became a leg of the call.
    pub taken: Option<SmolStr>,
    /// A final response came, or none ever will.
    pub over: bool,
    /// How many late answers of it (forks, too) got ACK and BYE.
    released: u32,
}

impl Left {
    /// - `end`: without media.
    /// - `taken`: the To tag that became a leg of the call.
    /// - `over`: its final response came, or none ever will.
    pub fn new(
        sent: &Sent,
        end: Box<End>,
        login: Login,
        address: SocketAddr,
        taken: Option<SmolStr>,
        over: bool,
    ) -> Self {
        let message = &sent.message;
        let head = message.bytes().len().saturating_sub(message.body().len());
        let invite = Bytes::copy_from_slice(message.bytes().get(..head).unwrap_or_default());
        Left { request: sent.id, invite, end, login, address, taken, over, released: 0 }
    }

    /// An INVITE that an earlier run sent.
    ///
    /// - `invite`: without its body.
    pub fn resumed(request: RequestId, invite: &Message, end: Box<End>, login: Login) -> Self {
        let (invite, address) = (invite.bytes().clone(), end.flow.remote);
        Left { request, invite, end, login, address, taken: None, over: false, released: 0 }
    }
}

/// An ACK that went out, kept for repeats of the 2xx.
#[derive(Debug)]
struct SentAck {
    request: RequestId,
    /// The To tag of the 2xx: one INVITE may be answered by several (forks).
    remote_tag: SmolStr,
    /// Its bytes alone: few are ever sent again.
    ack: Bytes,
    hop: Hop,
    /// The flow of its receiver.
    flow: Peer,
}

/// A BYE of ours.
#[derive(Debug)]
enum Bye {
    /// It may be challenged, or not be delivered.
    Asked(Box<AskedBye>),
    /// The peer has answered it: what is late in the dialog is known by this.
    Taken(RequestId, DialogId),
}

#[derive(Debug)]
struct AskedBye {
    sent: Sent,
    /// Without its media.
    leg: Leg,
    login: Login,
}

impl Bye {
    fn new(sent: Sent, leg: Leg, login: Login) -> Self {
        Bye::Asked(Box::new(AskedBye { sent, leg, login }))
    }

    fn request(&self) -> RequestId {
        match self {
            Bye::Asked(bye) => bye.sent.id,
            Bye::Taken(request, _) => *request,
        }
    }

    fn ends(&self, message: &Message) -> bool {
        match self {
            Bye::Asked(bye) => bye.leg.dialog.matches(message),
            Bye::Taken(_, dialog) => dialog.matches(message),
        }
    }
}

impl Requests {
    /// A request that is about to be sent.
    pub fn open(&mut self) -> RequestId {
        self.next += 1;
        let request = RequestId(self.next);
        self.open.push(request);
        request
    }

    /// A question to the names.
    pub fn query(&mut self) -> u32 {
        self.next_query += 1;
        self.next_query
    }

    /// The newest question.
    pub fn last_query(&self) -> u32 {
        self.next_query
    }

    /// Requests with `tag` in To come to this call.
    pub fn bound(&mut self, tag: &SmolStr) {
        self.tags.reserve_exact(1); // Mostly there is one for each leg.
        self.tags.push(tag.clone());
    }

    /// Our tags on all legs.
    pub fn tags(&self) -> impl Iterator<Item = &SmolStr> {
        self.tags.iter()
    }

    /// The client transaction is over; nothing more comes of it.
    pub fn done(&mut self, request: RequestId) {
        self.open.retain(|open| *open != request);
        self.acks.retain(|ack| ack.request != request);
        self.given_up.retain(|(given_up, _)| *given_up != request);
        self.left.retain(|left| left.request != request);
        self.byes.retain(|bye| bye.request() != request);
        // What held the INVITE of a call is of no use to the call while it is up.
        give_back(&mut self.acks);
        give_back(&mut self.left);
        give_back(&mut self.open);
        give_back(&mut self.byes);
    }

    /// Whether no client transaction is alive.
    pub fn are_over(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether an INVITE that was cancelled has had no final response.
    pub fn await_cancelled(&self) -> bool {
        self.left.iter().any(|left| !left.over)
    }

    /// Nobody waits for this INVITE any more.
    pub fn leave(&mut self, left: Left) {
        self.left.reserve_exact(1); // Mostly there is only one.
        self.left.push(left);
    }

    /// An INVITE inside the dialog of `leg` was sent again, or is given up.
    pub fn give_up(&mut self, request: RequestId, leg: &Leg) {
        self.given_up.push((request, Box::new(leg.without_media())));
    }

    /// Whether `message` is inside a dialog that a BYE of ours ends.
    pub fn is_dialog_of(&self, message: &Message) -> bool {
        self.byes.iter().any(|bye| bye.ends(message))
    }

    /// A party has hung up itself, by `bye`: one of ours that did not reach it is not sent again.
    pub fn forget_bye_of(&mut self, bye: &Message) {
        self.byes.retain(|ours| !ours.ends(bye));
        self.given_up.retain(|(_, leg)| !leg.dialog.matches(bye));
    }

    /// Whether every party that was sent a BYE has answered it, or never will.
    pub fn byes_are_answered(&self) -> bool {
        self.byes.iter().all(|bye| matches!(bye, Bye::Taken(..)))
    }

    fn keep_bye(&mut self, bye: Bye) {
        self.byes.reserve_exact(1); // Mostly there is only one.
        self.byes.push(bye);
    }

    fn take_bye(&mut self, request: RequestId) -> Option<AskedBye> {
        let mine = |bye: &Bye| matches!(bye, Bye::Asked(bye) if bye.sent.id == request);
        match self.byes.swap_remove(self.byes.iter().position(mine)?) {
            Bye::Asked(bye) => Some(*bye),
            Bye::Taken(..) => None,
        }
    }
}

impl Cx<'_> {
    /// A response to a request of ours that outlived its stage, or to one that `stage` has done with: repeats of a 2xx,
    /// late answers, challenges of a BYE.
    pub fn late_response(&mut self, request: RequestId, message: &Message) {
        if let Some(status) = message.status().filter(|status| status.is_final()) {
            self.late_final(request, status, message);
        }
    }

    fn late_final(&mut self, request: RequestId, status: StatusCode, message: &Message) {
        if let Some(index) = self.requests.left.iter().position(|left| left.request == request) {
            let mut left = self.requests.left.swap_remove(index);
            left.over = true;
            if status.is_success() {
                self.release_late_answer(&mut left, message);
            }
            return self.requests.left.push(left);
        }
        // In a dialog that is over nobody waits for an ACK.
        if !matches!(status.code(), 401 | 407)
            && let Some(AskedBye { leg, .. }) = self.requests.take_bye(request)
        {
            let ended = leg.dialog.id();
            self.requests.given_up.retain(|(_, leg)| leg.dialog.local_tag != ended.local_tag);
            self.requests.keep_bye(Bye::Taken(request, ended));
        }
        match status.code() {
            200..=299 if self.acknowledge_again(request, message) => {}
            200..=299 => self.acknowledge_given_up(request, message),
            401 | 407 => {
                if let Some(bye) = self.requests.take_bye(request) {
                    self.authenticate_bye(bye, message);
                }
            }
            _ => {}
        }
    }

    /// No response will come to a request of ours that outlived its stage.
    pub fn late_failure(&mut self, request: RequestId, lost: Failure) {
        if let Some(left) = self.requests.left.iter_mut().find(|left| left.request == request) {
            left.over = true;
        } else if let Some(bye) = self.requests.take_bye(request) {
            self.repeat_bye(bye, lost);
        }
    }

    /// Sends the ACK of a 2xx of `leg`'s party, and keeps it for repeats.
    ///
    /// - `request`, `cseq`, `proof`: of the INVITE.
    pub fn acknowledge(
        &mut self,
        leg: &Leg,
        (request, cseq, proof): (RequestId, u32, &[(Name, String)]),
        body: Option<SentBody>,
    ) {
        let (builder, hop) = leg.ack(cseq, self.tokens);
        let builder =
            proof.iter().fold(builder, |builder, (name, value)| builder.header(name.clone(), value));
        let message = SentBody::attach(body, builder).build();
        let (remote_tag, flow) = (leg.dialog.remote_tag.clone(), leg.flow.clone());
        let ack = Bytes::copy_from_slice(message.bytes());
        self.act(Action::Transmit { message, hop: hop.clone() });
        self.requests.acks.reserve_exact(1); // Mostly there is only one.
        self.requests.acks.push(SentAck { request, remote_tag, ack, hop, flow });
    }

    /// A repeated 2xx: its ACK again, the one that went out; by the flow too, since it may not have arrived where it should
    /// go. False when we know nothing of this answer (a fork).
    pub fn acknowledge_again(&mut self, request: RequestId, message: &Message) -> bool {
        let tag = message.to_tag().unwrap_or_default();
        let mine = |ack: &&SentAck| ack.request == request && *ack.remote_tag == *tag;
        let ack = self.requests.acks.iter().find(mine);
        let ack = ack.and_then(|ack| Some((Message::parse(ack.ack.clone()).ok()?, ack)));
        let known = ack.is_some();
        if let Some((message, ack)) = ack {
            let by_flow = (!is_by_flow(&ack.flow, &ack.hop)).then(|| Hop::Peer(ack.flow.clone()));
            for hop in [ack.hop.clone()].into_iter().chain(by_flow) {
                self.out.push_back(Action::Transmit { message: message.clone(), hop });
            }
        }
        known
    }

    fn acknowledge_given_up(&mut self, request: RequestId, message: &Message) {
        let index = self.requests.given_up.iter().position(|(given_up, _)| *given_up == request);
        if let (Some(index), Ok(cseq)) = (index, message.cseq()) {
            let (_, leg) = self.requests.given_up.swap_remove(index);
            self.acknowledge(&leg, (request, cseq.number, &[]), None);
        }
    }

    /// A 2xx that nobody waits for any more (the attempt was left, the caller gave up, a fork lost): ACK and BYE.
    fn release_late_answer(&mut self, left: &mut Left, message: &Message) {
        let request = left.request;
        let acknowledged = self.acknowledge_again(request, message);
        // What became a leg of the call has its ACK, or hung up before it had one.
        let taken = left.taken.as_deref() == Some(&*message.to_tag().unwrap_or_default());
        if acknowledged || taken || left.released >= MOST_RELEASED {
            return;
        }
        left.released += 1;
        self.history.released(left.address.ip());
        let Ok(invite) = Message::parse(left.invite.clone()) else { return };
        // Where it begins no dialog there is none that could be ended.
        if let Ok(dialog) = Dialog::uac(&invite, message) {
            let (cseq, proof) = (invite.cseq().map_or(1, |cseq| cseq.number), proof_of(&invite));
            let leg = Leg { dialog, end: (*left.end).clone() };
            let cause = Cause::new(487, "Answered too late");
            self.release(leg, (request, cseq, &proof), left.login.clone(), &cause);
        }
    }

    /// A 2xx that becomes no leg of the call: ACK and BYE.
    pub fn release(
        &mut self,
        leg: Leg,
        invite: (RequestId, u32, &[(Name, String)]),
        login: Login,
        cause: &Cause,
    ) {
        self.acknowledge(&leg, invite, None);
        self.bye(leg, login, reason_of(cause));
    }

    /// Sends BYE in a dialog that is confirmed, and keeps it for what may become of it.
    ///
    /// - `says`: headers of it.
    pub fn bye(&mut self, mut leg: Leg, login: Login, says: Lines) {
        let (builder, hop) = leg.request(Method::Bye, self.tokens);
        let builder = says.iter().fold(builder, |builder, (name, value)| builder.raw(name, value));
        let sent = Sent::new(self, builder.no_body().build(), hop);
        self.requests.keep_bye(Bye::new(sent, leg.without_media(), login));
    }

    /// A carrier challenged our BYE, the last request of its dialog.
    fn authenticate_bye(&mut self, bye: AskedBye, response: &Message) {
        let AskedBye { mut sent, mut leg, login } = bye;
        let hop = sent.hop.clone();
        if sent.authenticate(self, response, &login, &leg.local.clone(), sent.cseq().saturating_add(1)) {
            leg.dialog.local_cseq = sent.cseq();
            sent.hop = hop;
            self.requests.keep_bye(Bye::new(sent, leg, login));
        }
    }

    /// Our BYE could not be delivered, or nobody answered it: the peer must hear it, or its side of the call stays up.
    fn repeat_bye(&mut self, bye: AskedBye, lost: Failure) {
        let AskedBye { mut sent, mut leg, login } = bye;
        if sent.repeat_in(self, &mut leg, lost == Failure::Timeout) {
            self.requests.keep_bye(Bye::new(sent, leg, login));
        }
    }
}

/// An empty list keeps no room.
fn give_back<T>(list: &mut Vec<T>) {
    if list.is_empty() {
        *list = Vec::new();
    }
}

/// What a BYE or CANCEL of ours says of its cause.
pub(super) fn reason_of(cause: &Cause) -> Lines {
    vec![(Name::Reason.as_str().to_owned(), cause.reason().into_bytes())]
}
