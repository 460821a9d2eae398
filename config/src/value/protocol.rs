use std::fmt;

/// The transport of SIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// `udp`, port 5060 by default.
    Udp,
    /// `tcp`, port 5060 by default.
    Tcp,
    /// `tls`, port 5061 by default.
    Tls,
}

impl Protocol {
    pub(crate) const CHOICES: &[(&'static str, Self)] =
        &[("udp", Protocol::Udp), ("tcp", Protocol::Tcp), ("tls", Protocol::Tls)];

    /// Port 5061 for TLS, else 5060. Source: RFC 3261 §19.1.2.
    pub fn default_port(self) -> u16 {
        match self {
            Protocol::Udp | Protocol::Tcp => 5060,
            Protocol::Tls => 5061,
        }
    }
}

impl fmt::Display for Protocol {
    /// As in the file: lower case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Udp => "udp",
            Protocol::Tcp => "tcp",
            Protocol::Tls => "tls",
        })
    }
}
