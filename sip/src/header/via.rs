//! Via. RFC 3261 §20.42, RFC 3581 (rport), RFC 5118 §4.5 (received).

use std::fmt;
use std::net::IpAddr;

use smol_str::SmolStr;

use super::HeaderFault;
use crate::grammar::{Digits, is_space, is_token, split_at_byte, trim};
use crate::params::Params;
use crate::uri::Host;

/// What every branch of RFC 3261 begins with. RFC 3261 §8.1.1.7.
pub(crate) const MAGIC_COOKIE: &str = "z9hG4bK";

/// One hop that a request took, and that its response goes back by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// `UDP`, `TCP`, `TLS` or another token, in the case that it came in.
    pub transport: SmolStr,
    /// The host of sent-by.
    pub host: Host,
    /// The port of sent-by; `None` means the default of the transport.
    pub port: Option<u16>,
    /// In order.
    pub params: Params,
}

impl Via {
    /// A hop of ours; add `branch` and `rport` by [`with_param`](Self::with_param).
    pub fn new(transport: &str, host: Host, port: Option<u16>) -> Via {
        Via { transport: transport.into(), host, port, params: Params::new() }
    }

    /// Reads one value, white space in all the places that RFC 3261 allows.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn parse(text: &str) -> Result<Via, HeaderFault> {
        let Hop { transport, host, port, params } = Hop::read(text)?;
        Ok(Via { transport: transport.into(), host, port, params: Params::parse(params)? })
    }

    /// Sent-by and branch of a value that has the magic cookie, without reading the rest.
    pub(crate) fn mark_in(text: &str) -> Option<(Host, Option<u16>, &str)> {
        let Head { sent_by, params, .. } = Head::split(text).ok()?;
        let branch = Params::value_in(params, "branch").filter(|branch| is_mark(branch))?;
        let (host, port) = Host::parse_with_port(sent_by).ok()?;
        Some((host, port, branch))
    }

    /// The branch of a value, without reading the rest: where that is broken, it may be there all the same.
    pub(crate) fn branch_in(text: &str) -> Option<&str> {
        Params::value_in(split_at_byte(text, b';')?.1, "branch").filter(|branch| !branch.is_empty())
    }

    /// The transaction's mark.
    pub fn branch(&self) -> Option<&str> {
        self.params.value("branch").filter(|branch| !branch.is_empty())
    }

    /// Where the request came from, as the next hop saw it; IPv6 in brackets or bare (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.unquoted("received")?;
        if let Ok(address) = text.parse() {
            return Some(address);
        }
        let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&text);
        Host::parse_v6(inner).map(IpAddr::V6)
    }

    /// Outer `None`: not asked for. `Some(None)`: asked for (RFC 3581 §3). `Some(Some(port))`: answered (§4).
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params
            .get("rport")
            .map(|value| value.and_then(|text| text.parse().ok()).filter(|&port| port != 0))
    }

    /// Where multicast responses would go.
    pub fn maddr(&self) -> Option<&str> {
        self.params.value("maddr")
    }

    /// With a parameter added or replaced.
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Via {
        self.params.set(name, value);
        self
    }
}

/// A value that was read, its words where they stand.
pub(crate) struct Hop<'a> {
    pub transport: &'a str,
    pub host: Host,
    pub port: Option<u16>,
    /// Fit for [`Params::within`].
    pub params: &'a str,
}

impl Hop<'_> {
    /// Like [`Via::parse`].
    pub(crate) fn read(text: &str) -> Result<Hop<'_>, HeaderFault> {
        let Head { transport, sent_by, params } = Head::split(text)?;
        let (host, port) = Host::parse_with_port(sent_by)?;
        Params::measure(params)?;
        Ok(Hop { transport, host, port, params })
    }

    /// Whether there is a parameter of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        Params::within(self.params).any(|param| param.name.eq_ignore_ascii_case(name))
    }
}

/// Whether a branch has the magic cookie of RFC 3261 and something behind it.
fn is_mark(branch: &str) -> bool {
    branch.len() > MAGIC_COOKIE.len()
        && branch.get(..MAGIC_COOKIE.len()).is_some_and(|start| start.eq_ignore_ascii_case(MAGIC_COOKIE))
}

/// The parts of a value as text.
struct Head<'a> {
    transport: &'a str,
    sent_by: &'a str,
    params: &'a str,
}

impl Head<'_> {
    fn split(text: &str) -> Result<Head<'_>, HeaderFault> {
        let text = trim(text);
        if text.is_empty() {
            return Err(HeaderFault::Empty);
        }
        let (head, params) = split_at_byte(text, b';').unwrap_or((text, ""));
        let (protocol, rest) = split_at_byte(head, b'/').ok_or(HeaderFault::Via)?;
        let (version, rest) = split_at_byte(rest, b'/').ok_or(HeaderFault::Via)?;
        let rest = trim(rest);
        let at = rest.bytes().position(is_space).ok_or(HeaderFault::Via)?;
        let (transport, sent_by) =
            (rest.get(..at).unwrap_or_default(), trim(rest.get(at..).unwrap_or_default()));
        if !trim(protocol).eq_ignore_ascii_case("SIP")
            || !is_token(trim(version).as_bytes())
            || !is_token(transport.as_bytes())
        {
            return Err(HeaderFault::Via);
        }
        Ok(Head { transport, sent_by, params })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SIP/2.0/")?;
        f.write_str(&self.transport)?;
        f.write_str(" ")?;
        self.host.fmt(f)?;
        if let Some(port) = self.port {
            f.write_str(":")?;
            f.write_str(Digits::new(port.into()).as_str())?;
        }
        self.params.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, written) in [
            ("SIP/2.0/UDP a", "SIP/2.0/UDP a"),
            (
                "SIP  / 2.0  / TCP     a.b   ;  branch  =   z9hG4bK9ikj8  ",
                "SIP/2.0/TCP a.b;branch=z9hG4bK9ikj8",
            ),
            (
                "SIP/2.0/TLS [2001:db8::9:1]:6050;received=[2001:db8::9:255]",
                "SIP/2.0/TLS [2001:db8::9:1]:6050;received=[2001:db8::9:255]",
            ),
            ("SIP/2.0/UNKNOWN a : 5060;rport", "SIP/2.0/UNKNOWN a:5060;rport"),
            ("sip/2.0/udp 192.0.2.1;hidden;x=\"y;z\"", "SIP/2.0/udp 192.0.2.1;hidden;x=\"y;z\""),
        ] {
            let via = Via::parse(text).unwrap_or_else(|fault| panic!("{text:?}: {fault}"));
            assert_eq!(via.to_string(), written, "{text:?}");
            assert_eq!(Via::parse(written), Ok(via), "{text:?}");
        }
        for text in [
            "",
            ";",
            "SIP/2.0/UDP",
            "SIP/2.0 a",
            "HTTP/2.0/UDP a",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP 2001:db8::1",
            "SIP/2.0/UDP ;branch=x",
            "SIP/2.0/U DP a:99999",
            "SIP//UDP a",
        ] {
            assert!(Via::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn parts() {
        let parse = |params: &str| Via::parse(&format!("SIP/2.0/UDP a;{params}")).unwrap();
        for (params, received) in [
            ("received=192.0.2.1", Some("192.0.2.1")),
            ("received=2001:db8::1", Some("2001:db8::1")),
            ("received=[2001:db8::1]", Some("2001:db8::1")),
            ("received=host", None),
            ("", None),
        ] {
            assert_eq!(parse(params).received(), received.map(|text| text.parse().unwrap()), "{params}");
        }
        for (params, rport) in [
            ("", None),
            ("rport", Some(None)),
            ("rport=", Some(None)),
            ("rport=5060", Some(Some(5060))),
            ("rport=x", Some(None)),
        ] {
            assert_eq!(parse(params).rport(), rport, "{params}");
        }
        for (params, cookie) in [
            ("branch=z9hG4bKx", true),
            ("branch=Z9HG4BKx", true),
            ("branch=z9hG4bK", false),
            ("branch=1", false),
            ("", false),
        ] {
            let text = format!("SIP/2.0/UDP [2001:db8::1]:5062;rport;{params}");
            let via = Via::parse(&text).unwrap();
            let mark = via.branch().map(|branch| (via.host.clone(), via.port, branch)).filter(|_| cookie);
            assert_eq!(Via::mark_in(&text), mark, "{params}");
        }
    }
}
