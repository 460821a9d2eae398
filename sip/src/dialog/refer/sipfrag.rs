//! `message/sipfrag`, as REFER uses it. RFC 3420.

use std::fmt;

use crate::StatusCode;

/// The body of a REFER's NOTIFY: the status line of what the REFER led to, and nothing else of it, since headers would
/// show one peer the other's.
///
/// Source: RFC 3515 §2.4.5, RFC 3420.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sipfrag(pub StatusCode);

impl Sipfrag {
    /// Content-Type of the body.
    pub const CONTENT_TYPE: &str = "message/sipfrag;version=2.0";

    /// Reads the status line that a body begins with; `None` if it begins with something else, as a request line.
    pub fn parse(body: &[u8]) -> Option<Sipfrag> {
        let body = body.trim_ascii_start();
        let (version, rest) = body.split_at_checked(8)?;
        let code = rest.get(..3).filter(|_| rest.get(3).is_none_or(u8::is_ascii_whitespace))?;
        version.eq_ignore_ascii_case(b"SIP/2.0 ").then(|| StatusCode::parse(code).map(Sipfrag))?
    }
}

/// The status line with its line end; the phrase is that of the registry, not the other peer's.
impl fmt::Display for Sipfrag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0 {} {}\r\n", self.0, self.0.default_reason())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (body, written) in [
            ("SIP/2.0 100 Trying", Some("SIP/2.0 100 Trying\r\n")),
            ("\r\nsip/2.0 603 Nein\r\nTo: x\r\n", Some("SIP/2.0 603 Decline\r\n")),
            ("SIP/2.0 200", Some("SIP/2.0 200 OK\r\n")),
            ("SIP/2.0 200\r\n", Some("SIP/2.0 200 OK\r\n")),
            ("SIP/2.0 2000 OK", None),
            ("SIP/2.0 99 OK", None),
            ("SIP/3.0 200 OK", None),
            ("INVITE sip:a@b SIP/2.0", None),
            ("SIP/2.0 ", None),
            ("", None),
        ] {
            let read = Sipfrag::parse(body.as_bytes());
            assert_eq!(read.map(|body| body.to_string()).as_deref(), written, "{body:?}");
        }
    }
}
