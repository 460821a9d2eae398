//! Hosts of peers.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::ValueError;

/// Where a peer is: an address, or a name to resolve (RFC 3263).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address; written without brackets.
    Ip(IpAddr),
    /// A domain name in lower case, without a final dot.
    Name(String),
}

impl Host {
    /// The address, where this is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Ip(address) => Some(*address),
            Host::Name(_) => None,
        }
    }
}

/// Whether `text` is a domain name: labels of letters, digits, `-` and `_`, 63 each, 253 together.
///
/// Source: RFC 1035 §2.3.1, RFC 1123 §2.1; `_` because field names carry it. A last label of digits only is
/// refused: such a text is a mistyped address.
pub(crate) fn is_domain_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

impl FromStr for Host {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(Host::Ip(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if is_domain_name(name) {
            return Ok(Host::Name(name.to_ascii_lowercase()));
        }
        let remedy = match text.rsplit_once(':') {
            Some((host, port)) if host.parse::<Host>().is_ok() && port.parse::<u16>().is_ok() => {
                format!("host = \"{host}\" and port = {port}")
            }
            _ => "an address, as in \"192.0.2.1\", or a name, as in \"sbc.example.com\"".into(),
        };
        Err(ValueError::new(format!("{text:?} is not a host"), remedy))
    }
}

impl fmt::Display for Host {
    /// As in a URI: an IPv6 address stands in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ip(IpAddr::V4(address)) => write!(f, "{address}"),
            Host::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_pass() {
        for (text, shown) in [
            ("127.0.0.1", Some("127.0.0.1")),
            ("::1", Some("[::1]")),
            ("[::1]", Some("[::1]")),
            ("SBC.Example.com.", Some("sbc.example.com")),
            ("localhost", Some("localhost")),
            ("_sip._udp.example.com", Some("_sip._udp.example.com")),
            ("127.0.0.256", None),
            ("a..b", None),
            ("", None),
            (".", None),
            ("-a.b", None),
            ("exämple.com", None),
            ("a b", None),
        ] {
            let host = text.parse::<Host>().ok().map(|host| host.to_string());
            assert_eq!(host.as_deref(), shown, "{text}");
        }
        let remedy = |text: &str| text.parse::<Host>().unwrap_err().remedy;
        assert_eq!(remedy("sbc.example.com:5060"), "host = \"sbc.example.com\" and port = 5060");
    }
}
