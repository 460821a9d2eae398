//! The name that a peer calls us by.

use std::fmt;
use std::str::FromStr;

use super::host::is_domain_name;
use super::{Host, ValueError};

/// What a peer is to call us: a domain name, with a port where it is another one than the listener's.
///
/// Source: RFC 3261 §18.1.1 and §20.10, which recommend a name over an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContactName {
    /// In lower case, without a final dot.
    pub name: String,
    /// Default: the port that the listener advertises.
    pub port: Option<u16>,
}

impl FromStr for ContactName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0).map(Some)),
            None => (text, Some(None)),
        };
        let name = host.strip_suffix('.').unwrap_or(host);
        match port {
            Some(port) if is_domain_name(name) => Ok(Self { name: name.to_ascii_lowercase(), port }),
            _ => {
                let is_address = text.parse::<Host>().is_ok_and(|host| host.ip().is_some());
                let remedy = match is_address {
                    true => "a name, and the address as `advertise` of [[listen]]",
                    false => "a name, as in \"sbc.example.com\" or \"sbc.example.com:5061\"",
                };
                Err(ValueError::new(format!("{text:?} is not a name of this gateway"), remedy))
            }
        }
    }
}

impl fmt::Display for ContactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_or_without_a_port() {
        for (text, expected) in [
            ("sbc.example.com", Some("sbc.example.com")),
            ("SBC.example.com.:5061", Some("sbc.example.com:5061")),
            ("sbc.example.com:0", None),
            ("sbc.example.com:x", None),
            ("192.0.2.1", None),
            ("[2001:db8::1]:5060", None),
            ("sip:sbc.example.com", None),
            ("a@sbc.example.com", None),
            ("", None),
        ] {
            let shown = text.parse::<ContactName>().ok().map(|name| name.to_string());
            assert_eq!(shown.as_deref(), expected, "{text}");
        }
        let refused = "192.0.2.1".parse::<ContactName>().unwrap_err();
        assert_eq!(refused.remedy, "a name, and the address as `advertise` of [[listen]]");
    }
}
