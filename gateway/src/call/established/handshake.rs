//! 2xx and ACK: our duties as UAS on one leg and as UAC on the other, for the first INVITE and every later one.
//!
//! Towards whoever sent the INVITE we repeat the 2xx until its ACK comes (RFC 3261 §13.3.1.4); towards whoever accepted
//! it we send the ACK, at once when the INVITE carried the offer, else with the answer that the other ACK carries, and
//! again for each repeat of the 2xx (§13.2.2.4).

use std::time::Instant;

use sip::dialog::{UasAccept, UasAcceptOutput};
use sip::transaction::{ServerId, Timers};
use sip::{Message, Name};

use crate::call::body::SentBody;
use crate::call::cx::Cx;
use crate::call::io::{Action, RequestId};
use crate::call::leg::Leg;
use crate::call::sent::Sent;

/// An INVITE of ours that was accepted, and whether its ACK went out.
#[derive(Debug)]
pub(in crate::call) struct FarInvite {
    request: RequestId,
    cseq: u32,
    /// The digest credentials that it carried.
    proof: Vec<(Name, String)>,
    acknowledged: bool,
}

impl FarInvite {
    pub fn new(sent: &Sent) -> Self {
        FarInvite { request: sent.id, cseq: sent.cseq(), proof: sent.proof(), acknowledged: false }
    }

    /// What its ACK repeats.
    pub fn parts(&self) -> (RequestId, u32, &[(Name, String)]) {
        (self.request, self.cseq, &self.proof)
    }

    /// Sends the ACK to the party of `leg`, unless it has had one.
    pub fn acknowledge(&mut self, cx: &mut Cx<'_>, leg: &Leg, body: Option<SentBody>) {
        if !std::mem::replace(&mut self.acknowledged, true) {
            cx.acknowledge(leg, self.parts(), body);
        }
    }

    /// Its receiver ended the dialog: no ACK is owed any more.
    pub fn forgive(&mut self) {
        self.acknowledged = true;
    }

    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged
    }
}

/// A 2xx of ours to an INVITE that waits for its ACK.
#[derive(Debug)]
pub(in crate::call) struct Handshake {
    server: ServerId,
    cseq: u32,
    accept: UasAccept<Message>,
    /// The INVITE on the other leg; none where it was none that crossed.
    pub invite: Option<FarInvite>,
}

impl Handshake {
    /// Sends `response`, a 2xx, for the first time.
    pub fn begin(cx: &mut Cx<'_>, server: ServerId, response: Message, invite: Option<FarInvite>) -> Self {
        let cseq = response.cseq().map_or(0, |cseq| cseq.number);
        let accept = UasAccept::new(cx.now.instant, response, Timers::default());
        let mut this = Handshake { server, cseq, accept, invite };
        this.drain(cx);
        this
    }

    /// Whether an ACK with this CSeq is what it waits for.
    pub fn is_acknowledged_by(&self, ack: &Message) -> bool {
        ack.cseq().is_ok_and(|cseq| cseq.number == self.cseq)
    }

    /// Repeats the 2xx; returns whether the ACK will not come any more.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> bool {
        self.accept.handle_timeout(cx.now.instant);
        self.drain(cx)
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.accept.poll_timeout()
    }

    /// Sends what is to be sent; returns whether the ACK will not come any more.
    fn drain(&mut self, cx: &mut Cx<'_>) -> bool {
        let mut given_up = false;
        while let Some(output) = self.accept.poll_output() {
            match output {
                UasAcceptOutput::Respond(response) => {
                    cx.act(Action::Respond { server: self.server, response });
                }
                UasAcceptOutput::NoAck => given_up = true,
            }
        }
        given_up
    }
}
