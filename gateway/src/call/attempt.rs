//! One INVITE towards one address, and the route that it belongs to.

use std::net::SocketAddr;
use std::sync::Arc;

use sip::auth::Secret;
use sip::{Message, Name};

use super::body::Sent;
use super::io::RequestId;
use super::leg::{Local, Profile};
use crate::local::Locals;
use crate::peer::Peer;
use crate::route;

/// One place that the b-leg may be tried at, and how we speak there.
#[derive(Debug, Clone)]
pub struct Route {
    /// Where, and the numbers as that side wants them.
    pub attempt: route::Attempt,
    /// What we are towards it: towards the address that is tried, once that is known.
    pub local: Local,
    /// What we are towards any address of it.
    pub locals: Arc<Locals>,
    /// How it speaks.
    pub profile: Profile,
    /// The user part of From; `None`: the caller is anonymous.
    pub caller_user: Option<String>,
    /// Who calls, asserted to a party that we trust: a header and its value (RFC 3325).
    pub asserted: Option<(Name, String)>,
    /// For the carrier's digest challenge: user and secret.
    pub credentials: Option<(String, Secret)>,
}

impl Route {
    /// What we are towards an address behind its host, under the name that we have there; `None` where no listener has the
    /// transport and the address family.
    fn local_at(&self, address: SocketAddr) -> Option<Local> {
        let local = match self.attempt.registered.as_ref().and_then(|registered| registered.flow.as_ref()) {
            Some(flow) => self.locals.by(flow.listener, flow.remote.ip()),
            None => self.locals.towards(self.attempt.lookup.transport, address.ip()),
        };
        let local = local?;
        Some(local.named(self.attempt.via.peer().contact.as_ref()))
    }

    /// Whether a listener reaches `address`.
    pub(super) fn reaches(&self, address: SocketAddr) -> bool {
        self.local_at(address).is_some()
    }

    /// `address` is tried now.
    pub(super) fn settle_on(&mut self, address: SocketAddr) {
        if let Some(local) = self.local_at(address) {
            self.local = local;
        }
    }

    /// The connector whose customer is called; `None` at a carrier.
    pub fn connector(&self) -> Option<&str> {
        self.attempt.via.connector().map(|id| id.as_str())
    }
}

/// An INVITE that went out.
#[derive(Debug)]
pub(super) struct Attempt {
    pub request: RequestId,
    pub invite: Message,
    pub local_tag: String,
    pub flow: Peer,
    pub address: SocketAddr,
    pub local: Local,
    pub profile: Profile,
    /// For the carrier's digest challenges.
    pub credentials: Option<(String, Secret)>,
    /// Nobody waits for it any more: a late 2xx gets ACK and BYE.
    pub abandoned: bool,
    /// How many late answers of it (forks, too) got ACK and BYE.
    pub released: u32,
    /// A final answer came.
    pub over: bool,
    /// How many challenges were answered.
    pub proofs: u8,
    /// It said something.
    pub heard: bool,
    /// It was sent again, by another connection.
    pub again: bool,
    /// The newest description that came with its ringing: the To tag of whoever sent it, and what the caller heard.
    pub early: Option<(String, Sent)>,
}
