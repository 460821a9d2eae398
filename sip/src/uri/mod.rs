//! Request targets and addresses: `sip:`, `sips:`, `tel:` and schemes that we only carry. RFC 3261 §19.1, RFC 3966.

mod escape;
mod host;
mod sip;
mod tel;

use std::fmt;
use std::str::FromStr;

use crate::grammar::split_at_byte;
use crate::text::word;

pub use escape::{escape_user, unescape};
pub use host::Host;
pub use sip::SipUri;
pub use tel::TelUri;

/// Why text is no URI. Carries what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// No `scheme:`, or the scheme has bytes that a scheme must not have.
    #[error("no URI scheme")]
    Scheme,
    /// White space, control, quotes or angle brackets inside.
    #[error("character that a URI must not contain")]
    Character,
    /// Host missing, or neither name nor address; an IPv6 address needs its brackets.
    #[error("bad host '{}'", word(.0))]
    Host(String),
    /// Port is not a number from 1 to 65535.
    #[error("bad port '{}'", word(.0))]
    Port(String),
    /// A user part that is empty, or a second `@`.
    #[error("bad user part")]
    User,
    /// A parameter without a name.
    #[error("bad URI parameter")]
    Parameter,
    /// A telephone number without digits, or with characters that it must not have.
    #[error("bad telephone number '{}'", word(.0))]
    Number(String),
}

/// A URI. Writing gives the text that was read, save that the scheme is in lower case, an IPv6 address in its
/// canonical form (RFC 5952), and the port without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Uri {
    /// `sip:` or `sips:`.
    Sip(SipUri),
    /// `tel:`.
    Tel(TelUri),
    /// Any other scheme, carried as it is.
    Other {
        /// In the case that it came in.
        scheme: String,
        /// All after the first `:`.
        rest: String,
    },
}

impl Uri {
    /// Reads a URI, without angle brackets around it.
    ///
    /// # Errors
    /// What is wrong with the URI.
    pub fn parse(text: &str) -> Result<Uri, UriError> {
        let (scheme, rest) = split_at_byte(text, b':').ok_or(UriError::Scheme)?;
        let letter = scheme.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        if !letter
            || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        {
            return Err(UriError::Scheme);
        }
        if rest.bytes().any(|byte| matches!(byte, 0..=b' ' | 127 | b'<' | b'>' | b'"')) {
            return Err(UriError::Character);
        }
        if scheme.eq_ignore_ascii_case("sip") {
            SipUri::parse_after_scheme(false, rest).map(Uri::Sip)
        } else if scheme.eq_ignore_ascii_case("sips") {
            SipUri::parse_after_scheme(true, rest).map(Uri::Sip)
        } else if scheme.eq_ignore_ascii_case("tel") {
            TelUri::parse_after_scheme(rest).map(Uri::Tel)
        } else {
            Ok(Uri::Other { scheme: scheme.to_owned(), rest: rest.to_owned() })
        }
    }

    /// The `sip:` or `sips:` URI, if it is one.
    pub fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Uri::Sip(uri) => Some(uri),
            _ => None,
        }
    }

    /// The user part of `sip:` as on the wire, or the number of `tel:`; what a call is dialled by.
    pub fn user(&self) -> Option<&str> {
        match self {
            Uri::Sip(uri) => uri.user.as_deref(),
            Uri::Tel(uri) => Some(&uri.number),
            Uri::Other { .. } => None,
        }
    }

    /// The host of `sip:`.
    pub fn host(&self) -> Option<&Host> {
        self.as_sip().map(|uri| &uri.host)
    }

    /// `sip`, `sips`, `tel`, or the other scheme as it came.
    pub fn scheme(&self) -> &str {
        match self {
            Uri::Sip(uri) => uri.scheme(),
            Uri::Tel(_) => "tel",
            Uri::Other { scheme, .. } => scheme,
        }
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Uri, UriError> {
        Uri::parse(text)
    }
}

impl From<SipUri> for Uri {
    fn from(uri: SipUri) -> Uri {
        Uri::Sip(uri)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Uri::Sip(uri) => uri.fmt(f),
            Uri::Tel(uri) => uri.fmt(f),
            Uri::Other { scheme, rest } => write!(f, "{scheme}:{rest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes() {
        for (text, expect) in [
            ("sip:a@b", Ok("sip")),
            ("SIPS:a@b", Ok("sips")),
            ("tel:+15550100", Ok("tel")),
            ("nobodyKnowsThisScheme:totallyopaquecontent", Ok("nobodyKnowsThisScheme")),
            ("soap.beep://192.0.2.103:3002", Ok("soap.beep")),
            ("urn:service:sos", Ok("urn")),
            ("http://a/?b=c", Ok("http")),
            ("*", Err(UriError::Scheme)),
            ("", Err(UriError::Scheme)),
            (":a", Err(UriError::Scheme)),
            ("1a:b", Err(UriError::Scheme)),
            ("<sip:a@b>", Err(UriError::Scheme)),
            ("sip:a b@c", Err(UriError::Character)),
            ("sip:a@b>", Err(UriError::Character)),
            ("urn:a\tb", Err(UriError::Character)),
        ] {
            assert_eq!(Uri::parse(text).as_ref().map(Uri::scheme), expect.as_ref().copied(), "{text:?}");
        }
    }
}
