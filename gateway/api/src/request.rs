//! What the host hands over and what it gets back: HTTP without a socket.

use std::net::IpAddr;

/// A request as it was received.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `PUT`, `POST`, `DELETE`; anything else is no operation.
    pub method: &'a str,
    /// The path as it stands on the wire: still escaped, with the base path, without the query.
    pub path: &'a str,
    /// What stands behind the question mark, still escaped; empty without one.
    pub query: &'a str,
    /// Names in any case, in the order of the wire; a name may come more than once.
    pub headers: &'a [(String, String)],
    /// The raw body. The host reads no more than [`crate::MAX_BODY`] and one byte.
    pub body: &'a [u8],
    /// Who is connected.
    pub source: IpAddr,
}

impl<'a> Request<'a> {
    /// The first header of that name.
    ///
    /// - `name`: in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// What goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case; no value has a control character.
    pub headers: Vec<(&'static str, String)>,
    /// JSON, or nothing with status 204.
    pub body: Vec<u8>,
}
