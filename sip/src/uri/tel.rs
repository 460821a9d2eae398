//! `tel:` URIs. RFC 3966.

use std::fmt;

use smol_str::SmolStr;

use super::UriError;
use crate::params::Params;

/// A telephone number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelUri {
    /// As on the wire, visual separators and all: `+1-555-0100`.
    pub number: SmolStr,
    /// `;phone-context=...`, in order.
    pub params: Params,
}

impl TelUri {
    /// Reads what follows `tel:`.
    pub(super) fn parse_after_scheme(text: &str) -> Result<TelUri, UriError> {
        let (number, params) = match text.split_once(';') {
            Some((number, params)) => (number, Params::parse(params).map_err(|_| UriError::Parameter)?),
            None => (text, Params::new()),
        };
        let broken = || UriError::Number(number.to_owned());
        let body = number.strip_prefix('+').unwrap_or(number);
        let digit = |byte: &u8| byte.is_ascii_hexdigit() || b"*#".contains(byte);
        if !body.as_bytes().iter().any(digit)
            || !body.as_bytes().iter().all(|byte| digit(byte) || b"-.()".contains(byte))
        {
            return Err(broken());
        }
        Ok(TelUri { number: number.into(), params })
    }

    /// The number without visual separators: `+15550100`. RFC 3966 §5.1.1.
    pub fn digits(&self) -> String {
        self.number.chars().filter(|letter| !"-.()".contains(*letter)).collect()
    }
}

impl fmt::Display for TelUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tel:{}{}", self.number, self.params)
    }
}

#[cfg(test)]
mod tests {
    use crate::uri::Uri;

    #[test]
    fn reads_and_writes() {
        for (text, digits) in [
            ("tel:+1-201-555-0123", "+12015550123"),
            ("tel:7042;phone-context=example.com", "7042"),
            ("tel:+1(555).0100;ext=1;isub=2", "+15550100"),
            ("tel:*69#;phone-context=+1", "*69#"),
        ] {
            let Ok(Uri::Tel(uri)) = Uri::parse(text) else { panic!("{text}") };
            assert_eq!((uri.to_string().as_str(), uri.digits().as_str()), (text, digits));
        }
        for text in ["tel:", "tel:+", "tel:-", "tel:+1+2", "tel:alice", "tel:1;=2", "tel:1@b"] {
            assert!(Uri::parse(text).is_err(), "{text:?}");
        }
    }
}
