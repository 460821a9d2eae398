//! One leg: our dialog with one party, and what both ends know of each other beside it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use config::Srtp;
use serde::{Deserialize, Serialize};
use sip::dialog::offer_answer::OfferAnswer;
use sip::dialog::{Dialog, Role};
use sip::header::Replaces;
use sip::{Builder, Message, Method, Name};
use smol_str::SmolStr;

use super::allow::Allows;
use super::io::Hop;
use super::profile::{Local, Profile};
use super::rtcp::RtcpTerms;
use super::sdes::Sdes;
use crate::ids::Tokens;
use crate::media::Side;
use crate::peer::{Peer, Transport};

/// Whether Replaces names that dialog of ours. Its tags are those of whoever receives it (RFC 3891 §3); some phones write them
/// as they see them themselves.
pub(super) fn names(replaces: &Replaces, dialog: &Dialog) -> bool {
    let Dialog { call_id, local_tag, remote_tag, .. } = dialog;
    replaces.names(call_id, local_tag, remote_tag) || replaces.names(call_id, remote_tag, local_tag)
}

/// Which leg of a call a dialog belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LegRef {
    /// The leg of the caller.
    A,
    /// Whom we called: the attempt's number, from 0.
    B(u32),
}

impl LegRef {
    /// Its side.
    pub fn side(self) -> Side {
        match self {
            LegRef::A => Side::A,
            LegRef::B(_) => Side::B,
        }
    }
}

/// Our session with one leg's SDP: RFC 3264 §8 wants one origin and a version that grows with each change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SdpOut {
    pub session_id: u64,
    pub version: u64,
    /// The last body that the leg was sent.
    #[serde(with = "list")]
    pub last: Bytes,
}

/// Bytes as a list of numbers.
mod list {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        bytes.as_ref().serialize(serializer)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Bytes, D::Error> {
        Vec::deserialize(deserializer).map(Bytes::from)
    }
}

/// One leg. Plain data: no configuration, no clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    pub dialog: Dialog,
    #[serde(flatten)]
    pub end: End,
}

/// The party at the end of a leg: where it is, how it speaks, what was said of media. It is there before the dialog is,
/// and each early dialog of a forked INVITE has one of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Where the peer came from, or where we reached it.
    pub flow: Peer,
    /// The peer has asked something by this flow; false where it only answered us there.
    #[serde(default)]
    pub peers_flow: bool,
    /// Nothing could be delivered where the route set or the Contact leads: the flow is all there is.
    #[serde(default)]
    pub target_fails: bool,
    pub local: Local,
    pub profile: Arc<Profile>,
    /// The offers and answers of the dialog: what is open, and what holds. A call that is gone on with begins with no offer open.
    #[serde(skip)]
    pub offers: OfferAnswer<Bytes>,
    pub sdp: SdpOut,
    /// The keys of its media.
    pub sdes: Sdes,
    /// What was agreed on of RTCP.
    #[serde(default)]
    pub rtcp: RtcpTerms,
    /// The user part of our Contact on this leg.
    pub contact_user: SmolStr,
    /// Its number, as the records of the call had it that it came from; none where it is a party of this call's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<SmolStr>,
    /// Which of the methods that cross (UPDATE, INFO, MESSAGE, REFER) the party allows, by its last Allow; `None`: it has not said.
    pub allows: Option<Allows>,
    /// Whether this leg's party holds (its SDP does not receive).
    pub on_hold: bool,
}

impl std::ops::Deref for Leg {
    type Target = End;
    fn deref(&self) -> &End {
        &self.end
    }
}

impl std::ops::DerefMut for Leg {
    fn deref_mut(&mut self) -> &mut End {
        &mut self.end
    }
}

impl Leg {
    /// A leg whose SDP has not been sent yet.
    pub fn new(dialog: Dialog, flow: Peer, local: Local, profile: Arc<Profile>) -> Self {
        let peers_flow = dialog.role == Role::Uas;
        Leg { dialog, end: End { peers_flow, ..End::new(flow, local, profile) } }
    }

    /// The leg without its session descriptions and keys.
    pub fn without_media(&self) -> Self {
        Leg { dialog: self.dialog.clone(), end: self.end.without_media() }
    }

    /// Goes on from a record of this leg that may be older than what was sent since: numbers below would be refused
    /// as out of order (RFC 3261 §12.2.2).
    pub fn skip_ahead(&mut self) {
        self.dialog.local_cseq = self.dialog.local_cseq.saturating_add(1_000);
    }

    /// A request inside the dialog, complete but for crossing headers and the body, and where it goes.
    pub fn request(&mut self, method: Method, tokens: &mut Tokens) -> (Builder, Hop) {
        self.end.request(&mut self.dialog, method, tokens)
    }

    /// The ACK to a 2xx; `cseq` is the INVITE's. RFC 3261 §13.2.2.4.
    pub fn ack(&self, cseq: u32, tokens: &mut Tokens) -> (Builder, Hop) {
        (self.end.dress(self.dialog.ack(cseq), tokens), self.hop())
    }

    /// `request` once more, under a new number: its hop failed.
    pub fn again(&mut self, request: &Message, tokens: &mut Tokens) -> Message {
        self.dialog.local_cseq = self.dialog.local_cseq.saturating_add(1);
        renewed(request, self.dialog.local_cseq, &self.end.local, tokens).build()
    }

    /// The peer asked something inside the dialog by `flow`: that is the way back now, for a peer behind a NAT or on a
    /// new connection.
    pub fn came_by(&mut self, flow: Peer) {
        if self.may_use(flow.transport) {
            self.moved(flow);
            self.peers_flow = true;
        }
    }

    /// The peer answered by `flow`.
    pub fn moved(&mut self, flow: Peer) {
        if self.may_use(flow.transport) {
            self.end.moved(self.dialog.role, flow);
        }
    }

    /// Where the next request inside the dialog goes.
    pub fn hop(&self) -> Hop {
        self.end.hop(&self.dialog)
    }

    /// The dialog and the party.
    pub fn both(&self) -> (Option<&Dialog>, &End) {
        (Some(&self.dialog), &self.end)
    }
}

impl End {
    /// A party to which no SDP has been sent yet.
    pub fn new(flow: Peer, local: Local, profile: Arc<Profile>) -> Self {
        End {
            sdes: Sdes::new(profile.srtp, &profile.srtp_suites),
            peers_flow: false,
            target_fails: false,
            flow,
            local,
            profile,
            offers: OfferAnswer::default(),
            sdp: SdpOut::default(),
            rtcp: RtcpTerms::default(),
            contact_user: SmolStr::default(),
            number: None,
            allows: None,
            on_hold: false,
        }
    }

    /// The same without its session descriptions and keys.
    pub fn without_media(&self) -> Self {
        End {
            contact_user: self.contact_user.clone(),
            number: self.number.clone(),
            peers_flow: self.peers_flow,
            target_fails: self.target_fails,
            allows: self.allows,
            ..End::new(self.flow.clone(), self.local.clone(), self.profile.clone())
        }
    }

    /// A request inside `dialog`, complete but for crossing headers and the body, and where it goes.
    pub fn request(&self, dialog: &mut Dialog, method: Method, tokens: &mut Tokens) -> (Builder, Hop) {
        let builder = dialog.request(method);
        (self.dress(builder, tokens), self.hop(dialog))
    }

    fn dress(&self, builder: Builder, tokens: &mut Tokens) -> Builder {
        let mut builder = builder
            .prepend_shown(Name::Via, self.local.via(tokens.branch()))
            .header(Name::MaxForwards, "70")
            .shown(Name::Contact, self.contact());
        for (name, value) in &self.profile.add_headers {
            builder = builder.raw(name, value);
        }
        builder
    }

    /// Our Contact on this leg.
    pub fn contact(&self) -> impl fmt::Display {
        self.local.contact(&self.contact_user)
    }

    /// Whether requests of this leg may come and go so: where TLS and SRTP are demanded, what tells the keys, and who
    /// calls whom, stays under TLS, whatever a Contact or a route set says.
    pub fn may_use(&self, transport: Transport) -> bool {
        let secret = self.local.transport == Transport::Tls && self.profile.srtp == Srtp::Required;
        !secret || transport == Transport::Tls
    }

    fn moved(&mut self, role: Role, flow: Peer) {
        let before = &self.flow;
        // Nobody listens at the port that a connection to us came from: what we dialled is what may be dialled again.
        let dialled = role == Role::Uac && before.transport == flow.transport;
        let remote = if dialled && flow.connection.is_some() { before.remote } else { flow.remote };
        let (server_name, party) = (before.server_name.clone(), before.party.clone());
        self.flow = Peer { remote, server_name, party, ..flow };
    }

    /// Whether the party takes UPDATE; `None`: it has not said what it allows.
    pub fn allows_update(&self) -> Option<bool> {
        Some(self.allows?.has("UPDATE"))
    }

    /// The party takes no UPDATE, whatever it said.
    pub fn refuses_update(&mut self) {
        self.allows.get_or_insert(Allows::ALL).remove("UPDATE");
    }

    /// Remembers what the party allows, where a message of its says so.
    pub fn heard(&mut self, message: &Message) {
        self.allows = Allows::of(message).or(self.allows);
    }

    /// The connection that the peer was last heard by is gone.
    pub fn lost_connection(&mut self) {
        self.flow.connection = None;
    }
}

/// `request` as a new one: CSeq `number`, new branch.
pub(super) fn renewed(request: &Message, number: u32, local: &Local, tokens: &mut Tokens) -> Builder {
    let method = request.method().unwrap_or(Method::Options);
    let via = local.via(tokens.branch()).to_string();
    request.edit().set(Name::CSeq, format!("{number} {method}")).set(Name::Via, via)
}
