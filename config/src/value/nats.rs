//! Where a NATS server is, and what its messages are published under.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{Host, HostPort, ValueError};

/// `tls://host[:port]` or `nats://host[:port]`; the port is 4222 unless written. Names no user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsUrl {
    at: HostPort,
    encrypted: bool,
}

impl NatsUrl {
    /// Whether TLS is asked for.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Whether nobody else sees what goes there: it is encrypted, or on this machine.
    #[must_use]
    pub fn is_private(&self) -> bool {
        let local = match &self.at.host {
            Host::Ip(address) => IpAddr::is_loopback(address),
            Host::Name(name) => name == "localhost",
        };
        self.encrypted || local
    }
}

impl FromStr for NatsUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // The text may hold a password: it is not repeated.
        let wrong = |problem: &str| ValueError::new(problem, "it as in \"tls://nats.example.com:4222\"");
        let (encrypted, rest) = match text.split_once("://") {
            Some(("tls", rest)) => (true, rest),
            Some(("nats", rest)) => (false, rest),
            _ => return Err(wrong("that is no URL of a NATS server")),
        };
        if rest.contains('@') {
            return Err(wrong("a URL with a user in it would stand in the log"));
        }
        let at = HostPort::or_port(rest, 4222).ok_or_else(|| wrong("that is no URL of a NATS server"))?;
        Ok(NatsUrl { at, encrypted })
    }
}

impl fmt::Display for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.encrypted { "tls" } else { "nats" }, self.at)
    }
}

/// A subject in which `{kind}` and `{connector}` stand for those of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsSubject(String);

impl NatsSubject {
    /// The subject of a record.
    ///
    /// - `connector`: `None`: it belongs to a whole call; `_` stands there instead.
    #[must_use]
    pub fn of(&self, kind: &str, connector: Option<&str>) -> String {
        self.0.replace("{kind}", kind).replace("{connector}", connector.unwrap_or("_"))
    }
}

impl Default for NatsSubject {
    fn default() -> Self {
        NatsSubject("voice-connector.{kind}.{connector}".to_owned())
    }
}

impl FromStr for NatsSubject {
    type Err = ValueError;

    /// Source: NATS documentation, subject-based messaging: tokens between dots, without blanks and wildcards; those that begin
    /// with `$` are the server's.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let subject = NatsSubject(text.to_owned());
        let token = |token: &str| {
            !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic() && !b"*>{}".contains(&byte))
        };
        if text.len() <= 256 && !text.starts_with('$') && subject.of("kind", None).split('.').all(token) {
            return Ok(subject);
        }
        Err(ValueError::new(
            format!("{text:?} is no subject to publish under"),
            "it as in \"calls.{kind}.{connector}\": tokens between dots, no wildcards, no other braces",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        for (text, private, whole) in [
            ("tls://nats.example.com", true, "tls://nats.example.com:4222"),
            ("nats://10.0.0.1:1", false, "nats://10.0.0.1:1"),
            ("nats://[::1]", true, "nats://[::1]:4222"),
            ("nats://localhost", true, "nats://localhost:4222"),
        ] {
            let url: NatsUrl = text.parse().unwrap();
            assert_eq!((url.is_private(), url.to_string().as_str()), (private, whole));
        }
        for text in ["nats.example.com", "http://n", "tls://", "tls://u:hunter2@n", "tls://n/x", "tls://n:0"]
        {
            let error = text.parse::<NatsUrl>().unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn subjects() {
        let default = NatsSubject::default();
        assert_eq!(default.of("call_detail", Some("abc")), "voice-connector.call_detail.abc");
        assert_eq!(default.of("call", None), "voice-connector.call._");
        assert_eq!(default.to_owned(), "voice-connector.{kind}.{connector}".parse().unwrap());
        for text in ["", "a..b", "a.", "a.*", "a.>", "a b", "$JS.API", "calls.{region}", "calls.{kind"] {
            assert!(text.parse::<NatsSubject>().is_err(), "{text}");
        }
    }
}
