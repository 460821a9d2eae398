//! Request methods. RFC 3261 §7.1 and the registry that its extensions filled.

use std::fmt;

use crate::grammar::is_token;
use crate::text::Text;

/// The method of a request or of a CSeq. Case-sensitive: `invite` is not INVITE. RFC 3261 §7.1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// Opens a session. RFC 3261 §13.
    Invite,
    /// Confirms the final answer to an INVITE. RFC 3261 §13.
    Ack,
    /// Ends a session. RFC 3261 §15.
    Bye,
    /// Gives up a pending INVITE. RFC 3261 §9.
    Cancel,
    /// Asks for capabilities, or whether somebody is there. RFC 3261 §11.
    Options,
    /// Binds an address of record. RFC 3261 §10.
    Register,
    /// Confirms a reliable provisional answer. RFC 3262.
    Prack,
    /// Changes a session before or after its answer. RFC 3311.
    Update,
    /// Carries application data inside a session. RFC 6086.
    Info,
    /// Asks the peer to call somebody else. RFC 3515.
    Refer,
    /// Reports an event. RFC 6665.
    Notify,
    /// Asks for events. RFC 6665.
    Subscribe,
    /// Instant message. RFC 3428.
    Message,
    /// Publishes event state. RFC 3903.
    Publish,
    /// A method that we have no word for; always a token, never one of the above.
    Other(Text),
}

impl Method {
    /// Reads a method; `None` unless `text` is a token. RFC 3261 §25.1.
    pub fn parse(text: &str) -> Option<Method> {
        Self::known(text.as_bytes())
            .or_else(|| is_token(text.as_bytes()).then(|| Method::Other(Text::copy(text))))
    }

    /// Like [`parse`](Self::parse).
    pub(crate) fn read(text: &[u8]) -> Option<Method> {
        let other = || is_token(text).then(|| Text::new(text).map(Method::Other))?;
        Self::known(text).or_else(other)
    }

    fn known(bytes: &[u8]) -> Option<Method> {
        Some(match bytes {
            b"INVITE" => Method::Invite,
            b"ACK" => Method::Ack,
            b"BYE" => Method::Bye,
            b"CANCEL" => Method::Cancel,
            b"OPTIONS" => Method::Options,
            b"REGISTER" => Method::Register,
            b"PRACK" => Method::Prack,
            b"UPDATE" => Method::Update,
            b"INFO" => Method::Info,
            b"REFER" => Method::Refer,
            b"NOTIFY" => Method::Notify,
            b"SUBSCRIBE" => Method::Subscribe,
            b"MESSAGE" => Method::Message,
            b"PUBLISH" => Method::Publish,
            _ => return None,
        })
    }

    /// The method as it is written on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Method::Invite => "INVITE",
            Method::Ack => "ACK",
            Method::Bye => "BYE",
            Method::Cancel => "CANCEL",
            Method::Options => "OPTIONS",
            Method::Register => "REGISTER",
            Method::Prack => "PRACK",
            Method::Update => "UPDATE",
            Method::Info => "INFO",
            Method::Refer => "REFER",
            Method::Notify => "NOTIFY",
            Method::Subscribe => "SUBSCRIBE",
            Method::Message => "MESSAGE",
            Method::Publish => "PUBLISH",
            Method::Other(text) => text,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(text: &str) -> Option<Method> {
        Method::read(text.as_bytes())
    }

    #[test]
    fn reads_and_writes() {
        for text in [
            "INVITE",
            "ACK",
            "BYE",
            "CANCEL",
            "OPTIONS",
            "REGISTER",
            "PRACK",
            "UPDATE",
            "INFO",
            "REFER",
            "NOTIFY",
            "SUBSCRIBE",
            "MESSAGE",
            "PUBLISH",
            "invite",
            "RE%47IST%45R",
            "!interesting-Method0123456789_*+`.%indeed'~",
        ] {
            assert_eq!(Method::parse(text).unwrap().as_str(), text);
            assert_eq!(share(text), Method::parse(text));
        }
        assert_eq!(Method::parse("INVITE"), Some(Method::Invite));
        assert_ne!(Method::parse("invite"), Some(Method::Invite));
        for text in ["", "IN VITE", "INVITE\r", "IN:VITE", "É"] {
            assert_eq!(Method::parse(text), None, "{text:?}");
            assert_eq!(share(text), None, "{text:?}");
        }
    }
}
