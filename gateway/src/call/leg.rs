//! One leg: our dialog with one party.

use config::Pattern;
use serde::{Deserialize, Serialize};
use sip::dialog::{Dialog, Role};
use sip::{Builder, Message, Method, Name};

use super::allow::allowed_by;
use super::io::Hop;
use super::sdes::{Policy, Sdes};
use crate::ids::Tokens;
pub use crate::local::Local;
use crate::peer::{Peer, Transport};

/// Which leg of a call a dialog belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LegRef {
    /// Who called us.
    A,
    /// Whom we called: the attempt's number, from 0.
    B(u32),
}

/// How a party's systems speak, copied from the configuration: a call keeps what it began with. Plain data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// On which side of us the party is.
    #[serde(default)]
    pub kind: PartyKind,
    /// Whether requests inside the dialog go by the flow that the peer came by.
    pub nat: Nat,
    /// Media goes where it comes from, whatever the SDP says.
    pub symmetric: bool,
    /// What it says of who calls is believed of a carrier, and what its network says of either; see [`super::headers`].
    #[serde(default)]
    pub believed: bool,
    /// It is told who calls, and what the other side's network says.
    #[serde(default)]
    pub given: bool,
    /// Names of headers that the gateway has no rule for and that pass to this party and from it, in lower case, each with
    /// at most one `*`; `None`: `x-*` of a customer, nothing of a carrier.
    #[serde(default)]
    pub pass_headers: Option<Vec<String>>,
    /// Headers that are not passed on to this party, nor from it.
    pub strip_headers: Vec<String>,
    /// Headers that every request to this party gets.
    pub add_headers: Vec<(String, String)>,
    /// The codecs that this party is offered; `None`: whatever the other side has.
    pub codecs: Option<Vec<String>>,
    /// Whether its media is SRTP.
    pub srtp: Policy,
    /// The suites that it is offered and may offer, best first.
    pub srtp_suites: Vec<String>,
}

impl Profile {
    /// Whether a header is not passed on to this party, nor from it. However it is written: compact, or in odd case.
    pub fn strips(&self, name: &Name) -> bool {
        self.strip_headers.iter().any(|stripped| Name::from(stripped.as_str()) == *name)
    }

    /// Whether a header that the gateway has no rule for passes to this party, and from it.
    pub fn passes(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        match &self.pass_headers {
            Some(patterns) => patterns.iter().any(|pattern| Pattern::matched(pattern, &name).is_some()),
            None => self.kind == PartyKind::Customer && name.starts_with("x-"),
        }
    }

    /// Whether requests to this party carry a header of the operator's, which stands in place of any other.
    pub fn adds(&self, name: &Name) -> bool {
        self.add_headers.iter().any(|(added, _)| Name::from(added.as_str()) == *name)
    }
}

/// A party of which nothing special is known.
pub static PLAIN: Profile = Profile {
    kind: PartyKind::Customer,
    nat: Nat::Auto,
    symmetric: false,
    believed: false,
    given: false,
    pass_headers: None,
    strip_headers: Vec::new(),
    add_headers: Vec::new(),
    codecs: None,
    srtp: Policy::Off,
    srtp_suites: Vec::new(),
};

/// On which side of us a party is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartyKind {
    /// A voice connector's: what it says of numbers goes by its caller ID rule.
    #[default]
    Customer,
    /// A carrier.
    Carrier,
}

/// The `nat` key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nat {
    /// The route set or Contact; the flow where these lead nowhere from here, or where a connection of the peer's is
    /// open.
    Auto,
    /// Always the flow.
    Always,
    /// Always the route set or Contact.
    Never,
}

/// Our session with one leg's SDP: RFC 3264 §8 wants one origin and a version that grows with each change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SdpOut {
    pub session_id: u64,
    pub version: u64,
    /// The last body that the leg was sent.
    pub last: Vec<u8>,
}

/// One leg. Plain data: no configuration, no clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    pub dialog: Dialog,
    /// Where the peer came from, or where we reached it.
    pub flow: Peer,
    /// The peer has asked something by this flow; false where it only answered us there.
    #[serde(default)]
    pub peers_flow: bool,
    /// Nothing could be delivered where the route set or the Contact leads: the flow is all there is.
    #[serde(default)]
    pub target_fails: bool,
    pub local: Local,
    pub profile: Profile,
    pub sdp: SdpOut,
    /// The keys of its media.
    pub sdes: Sdes,
    /// The user part of our Contact on this leg.
    pub contact_user: String,
    /// Which of the methods that cross (UPDATE, INFO, MESSAGE) the party allows, by its last Allow; `None`: it has not said.
    pub allows: Option<Vec<String>>,
    /// Whether this leg's party holds (its SDP does not receive).
    pub on_hold: bool,
}

impl Leg {
    /// A leg whose SDP has not been sent yet.
    pub fn new(dialog: Dialog, flow: Peer, local: Local, profile: Profile) -> Leg {
        let suites: Vec<&str> = profile.srtp_suites.iter().map(String::as_str).collect();
        Leg {
            sdes: Sdes::new(profile.srtp, &suites),
            peers_flow: dialog.role == Role::Uas,
            target_fails: false,
            dialog,
            flow,
            local,
            profile,
            sdp: SdpOut::default(),
            contact_user: String::new(),
            allows: None,
            on_hold: false,
        }
    }

    /// The leg without its session descriptions and keys.
    pub fn without_media(&self) -> Leg {
        let (flow, local, profile) = (self.flow.clone(), self.local.clone(), self.profile.clone());
        let (contact_user, peers_flow) = (self.contact_user.clone(), self.peers_flow);
        Leg {
            contact_user,
            peers_flow,
            target_fails: self.target_fails,
            allows: self.allows.clone(),
            ..Leg::new(self.dialog.clone(), flow, local, profile)
        }
    }

    /// Goes on from a record of this leg that may be older than what was sent since: numbers below would be refused
    /// as out of order (RFC 3261 §12.2.2).
    pub fn skip_ahead(&mut self) {
        self.dialog.local_cseq = self.dialog.local_cseq.saturating_add(1_000);
    }

    /// A request inside the dialog, complete but for crossing headers and the body, and where it goes.
    pub fn request(&mut self, method: Method, tokens: &mut Tokens) -> (Builder, Hop) {
        let builder = self.dialog.request(method);
        (self.dress(builder, tokens), self.hop())
    }

    /// The ACK to a 2xx; `cseq` is the INVITE's. RFC 3261 §13.2.2.4.
    pub fn ack(&self, cseq: u32, tokens: &mut Tokens) -> (Builder, Hop) {
        (self.dress(self.dialog.ack(cseq), tokens), self.hop())
    }

    /// `request` once more, under a new number: its hop failed.
    pub fn again(&mut self, request: &Message, tokens: &mut Tokens) -> Message {
        self.dialog.local_cseq = self.dialog.local_cseq.saturating_add(1);
        renewed(request, self.dialog.local_cseq, &self.local, tokens).build()
    }

    fn dress(&self, builder: Builder, tokens: &mut Tokens) -> Builder {
        let via = self.local.via(&tokens.branch());
        let mut builder = builder
            .prepend(Name::Via, via)
            .header(Name::MaxForwards, "70")
            .header(Name::Contact, self.local.contact(&self.contact_user));
        for (name, value) in &self.profile.add_headers {
            builder = builder.raw(name, value);
        }
        builder
    }

    /// Whether requests of this leg may come and go so: where TLS and SRTP are demanded, what tells the keys, and who
    /// calls whom, stays under TLS, whatever a Contact or a route set says.
    pub fn may_use(&self, transport: Transport) -> bool {
        let secret = self.local.transport == Transport::Tls && self.profile.srtp == Policy::Required;
        !secret || transport == Transport::Tls
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
        if !self.may_use(flow.transport) {
            return;
        }
        let before = &self.flow;
        // Nobody listens at the port that a connection to us came from: what we dialled is what may be dialled again.
        let dialled = self.dialog.role == Role::Uac && before.transport == flow.transport;
        let remote = if dialled && flow.connection.is_some() { before.remote } else { flow.remote };
        let (server_name, party) = (before.server_name.clone(), before.party.clone());
        self.flow = Peer { remote, server_name, party, ..flow };
    }

    /// Remembers what the party allows, where a message of its says so.
    pub fn heard(&mut self, message: &Message) {
        self.allows = allowed_by(message).or(self.allows.take());
    }

    /// The connection that the peer was last heard by is gone.
    pub fn lost_connection(&mut self) {
        self.flow.connection = None;
    }
}

/// `request` as a new one: CSeq `number`, new branch.
pub fn renewed(request: &Message, number: u32, local: &Local, tokens: &mut Tokens) -> Builder {
    let method = request.method().unwrap_or(Method::Options);
    request.edit().set(Name::CSeq, format!("{number} {method}")).set(Name::Via, local.via(&tokens.branch()))
}
