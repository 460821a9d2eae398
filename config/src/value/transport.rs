//! Transports of SIP.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What carries a SIP message. RFC 3261 §18.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Transport {
    /// One message a datagram; the transaction layer repeats what may be lost.
    Udp,
    /// A stream of messages.
    Tcp,
    /// A stream of messages under TLS 1.2 or 1.3.
    Tls,
}

impl Transport {
    pub(crate) const CHOICES: &[(&'static str, Self)] =
        &[("udp", Transport::Udp), ("tcp", Transport::Tcp), ("tls", Transport::Tls)];

    /// Whether nothing is lost while the connection lives, so that the transaction layer sends once.
    pub fn is_reliable(self) -> bool {
        !matches!(self, Transport::Udp)
    }

    /// The `transport` parameter of a URI, and the word in the file: `udp`, `tcp`, `tls`. RFC 3261 §19.1.1.
    pub fn parameter(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        }
    }

    /// The transport of a Via header: `UDP`, `TCP`, `TLS`. RFC 3261 §20.42.
    pub fn via(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        }
    }

    /// The port where none is given: 5060, or 5061 for TLS. RFC 3261 §19.1.2.
    pub fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.parameter())
    }
}
