//! One INVITE towards one address, and the route that it belongs to.

use std::net::SocketAddr;
use std::time::Duration;

use sip::auth::Secret;
use sip::{Host, Message};

use super::io::RequestId;
use super::leg::{Local, Profile};
use crate::listen::peer::{Peer, Transport};

/// One host that the b-leg may be tried at.
#[derive(Debug, Clone)]
pub struct Route {
    pub host: Host,
    pub port: Option<u16>,
    pub transport: Transport,
    /// The user part of the Request-URI and To, as this host wants its numbers.
    pub callee_user: String,
    /// The user part of From, likewise; `None`: the caller is anonymous.
    pub caller_user: Option<String>,
    /// The connector whose customer is called; `None`: a carrier's host.
    pub connector: Option<String>,
    /// The carrier's name; `None`: a connector's host.
    pub carrier: Option<String>,
    pub local: Local,
    pub profile: Profile,
    /// How long the host may say nothing before the next route is tried.
    pub first_response_timeout: Duration,
    /// Answers that send the call on, beside the standard ones.
    pub failover_on: Vec<u16>,
    /// For the carrier's digest challenge: user and secret.
    pub credentials: Option<(String, Secret)>,
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
    /// Nobody waits for it any more: a late 2xx gets ACK and BYE.
    pub abandoned: bool,
    /// A final answer came.
    pub over: bool,
    /// A challenge was answered already.
    pub authenticated: bool,
}
