//! One leg: our dialog with one party.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use sip::dialog::{Dialog, Role};
use sip::{Builder, Message, Method, Name, SipUri, Uri};

use super::io::Hop;
use super::sdes::{Policy, Sdes};
use crate::ids::Tokens;
use crate::listen::peer::{ListenerId, Peer, Transport};
use crate::resolve::Lookup;

/// Which leg of a call a dialog belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LegRef {
    /// Who called us.
    A,
    /// Whom we called: the attempt's number, from 0.
    B(u32),
}

/// What we are on a leg: the listener, and what the peer is told of it. Plain data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Local {
    pub listener: ListenerId,
    pub transport: Transport,
    /// The signalling address that peers are told.
    pub advertise: SocketAddr,
    /// Where media sockets are bound, and what SDP says instead.
    pub media: IpAddr,
    pub media_advertise: IpAddr,
}

impl Local {
    /// A Via value with a branch of ours. RFC 3261 §18.1.1; `rport` of RFC 3581.
    pub fn via(&self, branch: &str) -> String {
        format!("SIP/2.0/{} {};branch={branch};rport", self.transport.via(), self.advertise)
    }

    /// A Contact value; `user` as it stands on the wire, empty for none.
    pub fn contact(&self, user: &str) -> String {
        let at = if user.is_empty() { "" } else { "@" };
        match self.transport {
            Transport::Udp => format!("<sip:{user}{at}{}>", self.advertise),
            Transport::Tcp => format!("<sip:{user}{at}{};transport=tcp>", self.advertise),
            // Not `sips:`: it promises TLS on every hop, which nobody here asked for, and phones stumble over it.
            Transport::Tls => format!("<sip:{user}{at}{};transport=tls>", self.advertise),
        }
    }
}

/// How a party's systems speak, copied from the configuration: a call keeps what it began with. Plain data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Requests inside the dialog go by the flow that the peer came by.
    pub nat: Nat,
    /// Media goes where it comes from, whatever the SDP says.
    pub symmetric: bool,
    /// P-Asserted-Identity and Privacy are believed and given.
    pub trusted: bool,
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

    /// Whether requests to this party carry a header of the operator's, which stands in place of any other.
    pub fn adds(&self, name: &Name) -> bool {
        self.add_headers.iter().any(|(added, _)| Name::from(added.as_str()) == *name)
    }
}

/// A party of which nothing special is known.
pub const PLAIN: Profile = Profile {
    nat: Nat::Auto,
    symmetric: false,
    trusted: false,
    strip_headers: Vec::new(),
    add_headers: Vec::new(),
    codecs: None,
    srtp: Policy::Off,
    srtp_suites: Vec::new(),
};

/// The `nat` key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nat {
    /// The flow where the Contact is unroutable or differs from the source.
    Auto,
    /// Always the flow.
    Always,
    /// Always the Contact.
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
    pub local: Local,
    pub profile: Profile,
    pub sdp: SdpOut,
    /// The keys of its media.
    pub sdes: Sdes,
    /// The user part of our Contact on this leg.
    pub contact_user: String,
    /// Whether this leg's party holds (its SDP does not receive).
    pub on_hold: bool,
}

impl Leg {
    /// A leg whose SDP has not been sent yet.
    pub fn new(dialog: Dialog, flow: Peer, local: Local, profile: Profile) -> Leg {
        let suites: Vec<&str> = profile.srtp_suites.iter().map(String::as_str).collect();
        Leg {
            sdes: Sdes::new(profile.srtp, &suites),
            dialog,
            flow,
            local,
            profile,
            sdp: SdpOut::default(),
            contact_user: String::new(),
            on_hold: false,
        }
    }

    /// The leg without its session descriptions and keys.
    pub fn without_media(&self) -> Leg {
        let (flow, local, profile) = (self.flow.clone(), self.local.clone(), self.profile.clone());
        let contact_user = self.contact_user.clone();
        Leg { contact_user, ..Leg::new(self.dialog.clone(), flow, local, profile) }
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

    /// `request` once more, under a new number, for a peer that may not have heard it: its connection broke.
    pub fn again(&mut self, request: &Message, tokens: &mut Tokens) -> (Message, Hop) {
        self.dialog.local_cseq = self.dialog.local_cseq.saturating_add(1);
        (renewed(request, self.dialog.local_cseq, &self.local, tokens).build(), self.hop())
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

    /// Something inside the dialog came by `flow`: that is the way back now, for a peer behind a NAT or on a new
    /// connection.
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

    /// The process that held the connections is gone.
    pub fn lost_connection(&mut self) {
        self.flow.connection = None;
    }

    /// Where a request inside the dialog goes: the route set exactly; where there is none, the Contact, or the flow
    /// where the Contact is of no use.
    pub fn hop(&self) -> Hop {
        let Ok(Uri::Sip(uri)) = self.dialog.next_hop() else { return Hop::Peer(self.flow.clone()) };
        let routed = !self.dialog.route_set.is_empty();
        // Our listener speaks one transport, and our Via and Contact say so: another one leads nowhere.
        let speaks = transport_of(&uri).is_none_or(|transport| transport == Some(self.flow.transport));
        if speaks && (routed || !self.prefers_flow(&uri)) {
            return self.towards(&uri);
        }
        let mut peer = self.flow.clone();
        // Once the peer's connection is gone, its Contact is where it may be dialled, unless what we dialled before is
        // somewhere else.
        if let (true, Some(ip)) = (peer.transport.is_reliable(), uri.host.address())
            && (self.dialog.role == Role::Uas || ip.to_canonical() == peer.remote.ip().to_canonical())
        {
            peer.remote = SocketAddr::new(ip, uri.port.unwrap_or_else(|| peer.transport.default_port()));
        }
        Hop::Peer(peer)
    }

    fn prefers_flow(&self, contact: &SipUri) -> bool {
        match self.profile.nat {
            Nat::Always => true,
            Nat::Never => false,
            // An address that is not where the peer came from is behind a NAT or a mistake: the flow works. A name
            // is looked up. A stream that the peer opened serves its dialogs (design: connection reuse).
            Nat::Auto => match contact.host.address() {
                Some(ip) => {
                    self.flow.connection.is_some()
                        || ip.to_canonical() != self.flow.remote.ip().to_canonical()
                }
                None => self.flow.connection.is_some(),
            },
        }
    }

    fn towards(&self, uri: &SipUri) -> Hop {
        let transport = self.flow.transport;
        let listener = self.local.listener;
        match uri.host.address() {
            Some(ip) => {
                let port = uri.port.unwrap_or_else(|| transport.default_port());
                let remote = SocketAddr::new(ip, port);
                let connection = self.flow.connection.filter(|_| remote == self.flow.remote);
                let server_name = self.flow.server_name.clone();
                Hop::Peer(Peer {
                    transport,
                    listener,
                    remote,
                    local: self.flow.local,
                    connection,
                    server_name,
                    party: self.flow.party.clone(),
                })
            }
            None => {
                let host = uri.host.to_string().into();
                let lookup = Lookup { host, port: uri.port, transport };
                Hop::Name { lookup, fallback: self.flow.clone() }
            }
        }
    }
}

/// `request` as a new one: CSeq `number`, new branch.
pub fn renewed(request: &Message, number: u32, local: &Local, tokens: &mut Tokens) -> Builder {
    let method = request.method().unwrap_or(Method::Options);
    request.edit().set(Name::CSeq, format!("{number} {method}")).set(Name::Via, local.via(&tokens.branch()))
}

/// The transport that a URI asks for, if it asks for one; `Some(None)`: for one that we do not have.
fn transport_of(uri: &SipUri) -> Option<Option<Transport>> {
    if uri.secure {
        return Some(Some(Transport::Tls));
    }
    let known = [Transport::Udp, Transport::Tcp, Transport::Tls];
    let asked = uri.param("transport")?;
    Some(known.into_iter().find(|transport| transport.parameter().eq_ignore_ascii_case(asked)))
}
