//! Where an HTTP server is.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{Host, ValueError};

/// `https://host[:port][/path]`, or `http://`. Names no user. Displays as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    text: String,
    private: bool,
}

impl HttpUrl {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether nobody else sees what goes there: it is encrypted, or on this machine.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.private
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for HttpUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // The text may hold a password: it is not repeated.
        let wrong =
            |problem: &str| ValueError::new(problem, "it as in \"https://records.example.com/calls\"");
        let (encrypted, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err(wrong("that is no URL of an HTTP server")),
        };
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(wrong("a URL with a user in it would stand in the log"));
        }
        let printable = rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte));
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map(|(host, port)| (host, port.strip_prefix(':'))),
            None => {
                Some(authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))))
            }
        };
        let Some((host, port)) = host.filter(|_| printable && text.len() <= 2_048) else {
            return Err(wrong("that is no URL of an HTTP server"));
        };
        if host.parse::<Host>().is_err() || port.is_some_and(|port| !matches!(port.parse::<u16>(), Ok(1..))) {
            return Err(wrong("that is no URL of an HTTP server"));
        }
        let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        Ok(Self { text: text.to_owned(), private: encrypted || local })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_others() {
        for (text, private) in [
            ("https://records.example.com/calls?of=1", Some(true)),
            ("http://10.0.0.1:9000", Some(false)),
            ("http://localhost:9000/x", Some(true)),
            ("http://[::1]:9000/", Some(true)),
            ("https://u:hunter2@h/", None),
            ("ftp://h/", None),
            ("https://", None),
            ("https://h:0/", None),
            ("https://h/a b", None),
            ("h", None),
        ] {
            let url = text.parse::<HttpUrl>();
            assert_eq!(url.as_ref().ok().map(HttpUrl::is_private), private, "{text}");
            assert!(!url.is_err_and(|error| error.to_string().contains("hunter2")));
        }
    }
}
