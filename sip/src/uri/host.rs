//! `host` of URIs and Vias: name, IPv4, IPv6 in brackets. RFC 3261 §25.1, RFC 5118.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smol_str::SmolStr;

use super::UriError;
use crate::grammar::Digits;

/// A host. Writes an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A domain name, in the case that it came in; compare without case.
    Name(SmolStr),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
}

impl Host {
    /// Reads a host; IPv6 only in brackets. `[2001:db8:::192.0.2.1]` is read as `[2001:db8::192.0.2.1]`, since the
    /// grammar of RFC 3261 made people write it (RFC 5118 §4.10). Names may have underscores: the field has them.
    ///
    /// # Errors
    /// The text is neither an address nor a name.
    pub fn parse(text: &str) -> Result<Host, UriError> {
        let broken = || UriError::Host(text.to_owned());
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or_else(broken)?;
            return Self::parse_v6(inner).map(Host::V6).ok_or_else(broken);
        }
        if let Ok(address) = text.parse() {
            return Ok(Host::V4(address));
        }
        let letters =
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if text.is_empty()
            || !letters
            || text.starts_with('.')
            || text.as_bytes().windows(2).any(|two| two == b"..")
        {
            return Err(broken());
        }
        Ok(Host::Name(text.into()))
    }

    /// Reads an IPv6 address without brackets, `:::` tolerated.
    pub(crate) fn parse_v6(text: &str) -> Option<Ipv6Addr> {
        text.parse()
            .ok()
            .or_else(|| text.contains(":::").then(|| text.replacen(":::", "::", 1).parse().ok())?)
    }

    /// Reads `host[:port]`, both trimmed of white space around the `:`.
    pub(crate) fn parse_with_port(text: &str) -> Result<(Host, Option<u16>), UriError> {
        // A colon inside brackets is the address's own.
        let brackets = text.bytes().rposition(|byte| byte == b']').map_or(0, |at| at + 1);
        let after = text.get(brackets..).unwrap_or_default();
        let colon = after.bytes().position(|byte| byte == b':').map(|at| brackets + at);
        let (host, port) = match colon {
            Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
            None => (text, None),
        };
        let host = Host::parse(host.trim_end_matches([' ', '\t']))?;
        let port = port.map(|port| parse_port(port.trim_start_matches([' ', '\t']))).transpose()?;
        Ok((host, port))
    }

    /// The address, unless it is a name.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(address) => Some((*address).into()),
            Host::V6(address) => Some((*address).into()),
        }
    }

    /// Same name without regard to case, or same address.
    pub fn matches(&self, other: &Host) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            _ => self == other,
        }
    }
}

/// Reads a port from 1 to 65535. RFC 3261 leaves leading zeros open; they are read.
pub(crate) fn parse_port(text: &str) -> Result<u16, UriError> {
    match crate::grammar::number(text).map(u16::try_from) {
        Some(Ok(port)) if port != 0 => Ok(port),
        _ => Err(UriError::Port(text.to_owned())),
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Host {
        match address {
            IpAddr::V4(address) => Host::V4(address),
            IpAddr::V6(address) => Host::V6(address),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(address) => f.write_str(Digits::of_address(*address).as_str()),
            Host::V6(address) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (text, expect) in [
            ("example.com", Some("example.com")),
            ("Example.COM.", Some("Example.COM.")),
            ("my_host", Some("my_host")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("[2001:DB8::0010]", Some("[2001:db8::10]")),
            ("[2001:db8::10:5070]", Some("[2001:db8::10:5070]")),
            ("[::ffff:192.0.2.2]", Some("[::ffff:192.0.2.2]")),
            ("[2001:db8:::192.0.2.1]", Some("[2001:db8::c000:201]")),
            ("2001:db8::10", None),
            ("[2001:db8::10", None),
            ("[192.0.2.1]", None),
            ("[::1::2]", None),
            ("a b", None),
            ("a,b", None),
            (".a", None),
            ("a..b", None),
            ("", None),
        ] {
            assert_eq!(Host::parse(text).ok().map(|host| host.to_string()).as_deref(), expect, "{text:?}");
        }
    }

    #[test]
    fn ports() {
        for (text, expect) in [
            ("a:5060", Some(("a", Some(5060)))),
            ("a : 05060", Some(("a", Some(5060)))),
            ("a", Some(("a", None))),
            ("[::1]:1", Some(("[::1]", Some(1)))),
            ("[::1]", Some(("[::1]", None))),
            ("a:0", None),
            ("a:65536", None),
            ("a:", None),
            ("a:b", None),
            ("a:1:2", None),
            ("[::1]x:1", None),
            (":1", None),
        ] {
            let read = Host::parse_with_port(text).ok().map(|(host, port)| (host.to_string(), port));
            assert_eq!(read, expect.map(|(host, port)| (host.to_owned(), port)), "{text:?}");
        }
    }
}
