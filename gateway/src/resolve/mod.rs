//! Names to addresses, RFC 3263: which host, which port, in which order.
//!
//! [`Resolve`] is what the shards see; [`Resolver`] is the real one, and a test or a simulation brings its own.

mod dns;
mod locate;
mod order;
mod resolver;
mod results;

pub use dns::{Dns, DnsError, Naptr, Srv, SystemDns};
pub use locate::{Located, Target, locate};
pub use resolver::{Resolver, ResolverLimits};
pub use results::Results;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::peer::Transport;

/// A name to look up. The transport is settled; the addresses are wanted. RFC 3263 §4.2.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lookup {
    /// A host name or an IP address (IPv6 with or without brackets).
    pub host: Arc<str>,
    /// The port, where one was given: then only A and AAAA are asked.
    pub port: Option<u16>,
    /// Which service is asked for.
    pub transport: Transport,
}

/// Why there are no addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// DNS knows no such name, or no address of it.
    #[error("no address is known for {0}")]
    NotFound(Arc<str>),
    /// The name's owner says by an SRV record that the service is not offered. RFC 2782, target `.`.
    #[error("{0} does not offer this service")]
    NotOffered(Arc<str>),
    /// No answer in time.
    #[error("no answer from DNS about {0}")]
    TimedOut(Arc<str>),
    /// There is no name server to ask: no usable `/etc/resolv.conf`.
    #[error("cannot look up {0}: this host has no name server configured")]
    NoNameServer(Arc<str>),
    /// The name server refused or failed.
    #[error("looking up {host} failed: {reason}")]
    Failed {
        /// The name.
        host: Arc<str>,
        /// What the name server or the system said.
        reason: Arc<str>,
    },
    /// Too many look-ups are under way.
    #[error("too many look-ups under way, not asking for {0}")]
    Busy(Arc<str>),
}

/// What [`Resolve::resolve`] calls once with the addresses, in the order in which to try them; never empty.
pub type Answer = Box<dyn FnOnce(Result<Vec<SocketAddr>, ResolveError>) + Send>;

/// Looks up names without making anybody wait.
pub trait Resolve: Send + Sync {
    /// Calls `answer` exactly once, now or later, from any thread.
    fn resolve(&self, lookup: Lookup, answer: Answer);
}

impl Lookup {
    /// The address, where the host is one: nothing to ask then.
    pub fn literal(&self) -> Option<SocketAddr> {
        let bare = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host);
        let address = bare.parse().ok()?;
        Some(SocketAddr::new(address, self.port.unwrap_or(self.transport.default_port())))
    }
}
