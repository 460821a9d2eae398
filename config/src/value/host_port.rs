//! A server's place: a host and a port.

use std::fmt;
use std::str::FromStr;

use super::{Host, ValueError};

/// `host:port`, an IPv6 address in brackets. Displays as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// An address or a name.
    pub host: Host,
    /// From 1 on.
    pub port: u16,
}

impl HostPort {
    /// The same, where a port may be left out.
    pub(crate) fn or_port(text: &str, port: u16) -> Option<HostPort> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, digits)) if !digits.contains(']') => (host, digits.parse().ok()?),
            _ => (text, port),
        };
        let bare = host.contains(':') && !host.starts_with('[');
        (port > 0 && !bare).then_some(HostPort { host: host.parse().ok()?, port })
    }
}

impl FromStr for HostPort {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        HostPort::or_port(text, 0).ok_or_else(|| {
            ValueError::new(format!("{text:?} is no host with a port"), "it as in \"homer.example.com:9060\"")
        })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_ports() {
        for (text, whole) in [
            ("homer.example.com:9060", Some("homer.example.com:9060")),
            ("192.0.2.1:1", Some("192.0.2.1:1")),
            ("[2001:db8::1]:9060", Some("[2001:db8::1]:9060")),
            ("2001:db8::1:9060", None),
            ("homer.example.com", None),
            ("homer.example.com:0", None),
            ("homer.example.com:99999", None),
            (":9060", None),
            ("a b:9060", None),
        ] {
            assert_eq!(text.parse::<HostPort>().ok().map(|it| it.to_string()).as_deref(), whole, "{text}");
        }
        let known = |text| HostPort::or_port(text, 4222).map(|it| it.to_string());
        assert_eq!(known("nats.example.com").as_deref(), Some("nats.example.com:4222"));
        assert_eq!(known("[::1]").as_deref(), Some("[::1]:4222"));
        assert_eq!(known("[::1]:1").as_deref(), Some("[::1]:1"));
        assert_eq!(known("::1"), None);
    }
}
