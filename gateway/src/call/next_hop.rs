//! Where a request inside a dialog goes: by the route set or the Contact (RFC 3261 §12.2.1.1), or by the flow that the
//! peer came by, as the `nat` key has it. The Route headers stay what they are.

use std::net::SocketAddr;

use config::Nat;
use sip::dialog::{Dialog, Role};
use sip::{SipUri, Uri};

use super::io::Hop;
use super::leg::{End, Leg};
use crate::peer::{Peer, Transport};
use crate::realm::{is_nobodys, leads_nowhere};
use crate::resolve::Lookup;

impl End {
    /// Where the next request inside `dialog` goes.
    pub fn hop(&self, dialog: &Dialog) -> Hop {
        let uri = match dialog.next_hop() {
            Ok(Uri::Sip(uri)) if !self.target_fails => uri,
            _ => return Hop::Peer(self.flow.clone()),
        };
        // Our listener speaks one transport, and our Via and Contact say so: another one leads nowhere.
        let speaks = transport_of(&uri).is_none_or(|transport| transport == Some(self.flow.transport));
        if self.reaches_nobody(&uri) {
            return Hop::Peer(self.flow.clone());
        }
        if speaks && !self.prefers_flow(&uri) {
            return self.towards(&uri);
        }
        let mut peer = self.flow.clone();
        let called_us = dialog.role == Role::Uas;
        // Once the peer's connection is gone, its Contact is where it may be dialled, unless what we dialled before is
        // somewhere else.
        match uri.host.address() {
            _ if !peer.transport.is_reliable() => {}
            Some(ip) if called_us || ip.to_canonical() == peer.remote.ip().to_canonical() => {
                peer.remote = SocketAddr::new(ip, uri.port.unwrap_or_else(|| peer.transport.default_port()));
            }
            None if called_us && speaks && peer.connection.is_none() => return self.by_name(&uri),
            _ => {}
        }
        Hop::Peer(peer)
    }

    fn prefers_flow(&self, uri: &SipUri) -> bool {
        let (at, from) = (uri.host.address(), self.flow.remote.ip());
        match self.profile.nat {
            Nat::Always => true,
            Nat::Never => false,
            Nat::Auto => {
                // A stream that the peer opened serves its dialogs, and so does one that we dialled to that address.
                let there = at.is_none_or(|ip| ip.to_canonical() == from.to_canonical());
                let serves = self.flow.connection.is_some() && (self.peers_flow || there);
                serves || at.is_some_and(|ip| leads_nowhere(ip, from))
            }
        }
    }

    /// Whether `uri` names an address that is nobody's, or the one or the name that we told the peer of as ours: no error would say
    /// that what is sent there reaches nobody.
    fn reaches_nobody(&self, uri: &SipUri) -> bool {
        let port = uri.port.unwrap_or_else(|| self.flow.transport.default_port());
        let is_our_port = port == self.local.advertise.port();
        match uri.host.address().map(|ip| ip.to_canonical()) {
            Some(ip) => {
                let ours = ip == self.local.advertise.ip() || Some(ip) == self.flow.local;
                is_nobodys(ip) || ours && is_our_port
            }
            None => {
                let host = uri.host.to_string();
                is_our_port && self.local.name.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(&host))
            }
        }
    }

    fn towards(&self, uri: &SipUri) -> Hop {
        let Some(ip) = uri.host.address() else { return self.by_name(uri) };
        let remote = SocketAddr::new(ip, uri.port.unwrap_or_else(|| self.flow.transport.default_port()));
        let connection = self.flow.connection.filter(|_| remote == self.flow.remote);
        Hop::Peer(Peer { remote, connection, ..self.flow.clone() })
    }

    fn by_name(&self, uri: &SipUri) -> Hop {
        let (host, flow) = (uri.host.to_string(), self.flow.clone());
        // What answered when this name was called needs no second look-up, which might lead to another of its hosts.
        let answered = flow.server_name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&host));
        if answered && uri.port.is_none_or(|port| port == flow.remote.port()) {
            return Hop::Peer(flow);
        }
        let lookup = Lookup { host: host.into(), port: uri.port, transport: flow.transport };
        Hop::Name { lookup, fallback: flow }
    }
}

impl Leg {
    /// Where a request goes that could not be delivered at `failed`: on a stream first by a new connection, at last by
    /// the flow.
    ///
    /// - `tries`: how often it was sent again already.
    pub fn after_failure(&mut self, failed: &Hop, tries: u8) -> Option<Hop> {
        let by_flow = is_by_flow(&self.flow, failed);
        if by_flow {
            self.lost_connection();
        }
        let stream = self.flow.transport.is_reliable();
        if stream && tries == 0 {
            return Some(if by_flow { self.hop() } else { failed.clone() });
        }
        // Nobody listens at the port that a connection to us came from.
        let leads = !stream || self.flow.connection.is_some() || self.dialog.role == Role::Uac;
        self.target_fails |= !by_flow && leads;
        (!by_flow && leads && tries < 2).then(|| Hop::Peer(self.flow.clone()))
    }
}

/// Whether what goes to `hop` goes by the flow of its party.
pub(super) fn is_by_flow(flow: &Peer, hop: &Hop) -> bool {
    match hop {
        Hop::Peer(peer) => {
            peer.remote == flow.remote || (peer.connection.is_some() && peer.connection == flow.connection)
        }
        Hop::Name { .. } => false,
    }
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
