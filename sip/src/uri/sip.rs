//! `sip:` and `sips:` URIs. RFC 3261 §19.1.

use std::fmt;

use smol_str::SmolStr;

use super::{Host, UriError, escape_user, unescape};
use crate::grammar::{Digits, split_at_byte};
use crate::params::Params;

/// A `sip:` or `sips:` URI, its parts as on the wire (escapes stay).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipUri {
    /// `sips:`.
    pub secure: bool,
    /// What stands before `@` and before the first `:`; escaped as it came. `None` without `@`.
    pub user: Option<SmolStr>,
    /// What stands between `:` and `@`; deprecated, but carried.
    pub password: Option<SmolStr>,
    /// Never empty.
    pub host: Host,
    /// 1 to 65535; `None` means the default of the transport.
    pub port: Option<u16>,
    /// `;name=value`, in order.
    pub params: Params,
    /// What follows `?`, as on the wire; not allowed in a Request-URI.
    pub headers: Option<SmolStr>,
}

impl SipUri {
    /// `sip:user@host:port`. The user part is escaped where it must be.
    pub fn new(user: Option<&str>, host: Host, port: Option<u16>) -> SipUri {
        let user = user.map(|user| escape_user(user).into());
        SipUri { secure: false, user, password: None, host, port, params: Params::new(), headers: None }
    }

    /// Reads what follows `sip:` or `sips:`.
    pub(super) fn parse_after_scheme(secure: bool, text: &str) -> Result<SipUri, UriError> {
        // "@" is escaped everywhere but here, so it is looked for first: users may hold ";", "?", "/" and ",".
        let (userinfo, rest) = match split_at_byte(text, b'@') {
            Some((_, rest)) if rest.as_bytes().contains(&b'@') => return Err(UriError::User),
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, text),
        };
        let (user, password) = match userinfo.map(|userinfo| split_at_byte(userinfo, b':')) {
            None => (None, None),
            Some(Some((user, password))) => (Some(user), Some(password)),
            Some(None) => (userinfo, None),
        };
        if user == Some("") {
            return Err(UriError::User);
        }
        let (rest, headers) = match split_at_byte(rest, b'?') {
            Some((rest, headers)) => (rest, Some(headers)),
            None => (rest, None),
        };
        let (hostport, params) = match split_at_byte(rest, b';') {
            Some((hostport, params)) => (hostport, Params::parse(params).map_err(|_| UriError::Parameter)?),
            None => (rest, Params::new()),
        };
        let (host, port) = Host::parse_with_port(hostport)?;
        Ok(SipUri {
            secure,
            user: user.map(SmolStr::from),
            password: password.map(SmolStr::from),
            host,
            port,
            params,
            headers: headers.map(SmolStr::from),
        })
    }

    /// `sip` or `sips`.
    pub fn scheme(&self) -> &'static str {
        if self.secure { "sips" } else { "sip" }
    }

    /// The user part with its `%HH` resolved; bytes that are no UTF-8 become U+FFFD.
    pub fn user_unescaped(&self) -> Option<String> {
        Some(unescape(self.user.as_deref()?).into_owned())
    }

    /// The value of a URI parameter, as on the wire.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.value(name)
    }

    /// Whether a URI parameter is there, with a value or without: `lr`.
    pub fn has_param(&self, name: &str) -> bool {
        self.params.has(name)
    }

    /// With one more URI parameter, or that one replaced.
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> SipUri {
        self.params.set(name, value);
        self
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Piece by piece: a format of them all takes several times longer.
        f.write_str(self.scheme())?;
        f.write_str(":")?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if let Some(password) = &self.password {
                f.write_str(":")?;
                f.write_str(password)?;
            }
            f.write_str("@")?;
        }
        self.host.fmt(f)?;
        if let Some(port) = self.port {
            f.write_str(":")?;
            f.write_str(Digits::new(port.into()).as_str())?;
        }
        self.params.fmt(f)?;
        if let Some(headers) = &self.headers {
            f.write_str("?")?;
            f.write_str(headers)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uri::Uri;

    fn read(text: &str) -> Result<SipUri, UriError> {
        Uri::parse(text).map(|uri| uri.as_sip().cloned().unwrap())
    }

    #[test]
    fn writes_what_it_read() {
        for text in [
            "sip:example.com",
            "sips:alice:secret@example.com:5061;transport=tls;lr?subject=a&to=b%40c",
            "sip:+15550100@[2001:db8::1]:5060;user=phone",
            "sip:user;par=u%40example.net@example.com",
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
            "sip:sips%3Auser%40example.com@example.net",
            "sip:null-%00-null@example.com",
            "sip:a:@b",
            "sip:a@b;transport=udp;transport=udp",
            "sip:%c3%a9@b;x=y;maddr=[::1]",
        ] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        assert_eq!(read("SIP:a@B:05060;").unwrap().to_string(), "sip:a@B:5060");
    }

    #[test]
    fn parts() {
        let uri = read("sips:a%20b:c@[::1]:5061;Transport=TLS;lr?x=y").unwrap();
        assert_eq!(
            (uri.secure, uri.user.as_deref(), uri.password.as_deref()),
            (true, Some("a%20b"), Some("c"))
        );
        assert_eq!((uri.user_unescaped().as_deref(), uri.port), (Some("a b"), Some(5061)));
        assert_eq!(
            (uri.param("transport"), uri.has_param("LR"), uri.has_param("ob")),
            (Some("TLS"), true, false)
        );
        assert_eq!(uri.headers.as_deref(), Some("x=y"));
        let uri = read("sip:user;par=u%40example.net@example.com").unwrap();
        assert_eq!(uri.user_unescaped().as_deref(), Some("user;par=u@example.net"));
    }

    #[test]
    fn faults() {
        for (text, fault) in [
            ("sip:", UriError::Host("".into())),
            ("sip:@a", UriError::User),
            ("sip::b@a", UriError::User),
            ("sip:a@b@c", UriError::User),
            ("sip:a@", UriError::Host("".into())),
            ("sip:2001:db8::10", UriError::Port("db8::10".into())),
            ("sip:a@b:0", UriError::Port("0".into())),
            ("sip:a@b:99999", UriError::Port("99999".into())),
            ("sip:a@b;=c", UriError::Parameter),
            ("sip:a@b,c", UriError::Host("b,c".into())),
        ] {
            assert_eq!(read(text), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn makes_and_escapes() {
        let uri =
            SipUri::new(Some("+1 555@x"), Host::V4([192, 0, 2, 1].into()), Some(5060)).with_param("lr", None);
        assert_eq!(uri.to_string(), "sip:+1%20555%40x@192.0.2.1:5060;lr");
        assert_eq!(uri.user_unescaped().as_deref(), Some("+1 555@x"));
        assert_eq!(read(&uri.to_string()), Ok(uri));
    }
}
