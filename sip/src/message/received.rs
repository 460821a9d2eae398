//! What a server notes in the top Via. RFC 3261 §18.2.1, RFC 3581 §4.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::BytesMut;

use super::Message;
use super::index::Range;
use crate::grammar::{Digits, split_element};
use crate::header::{Hop, Name};
use crate::params::Params;
use crate::uri::Host;

impl Message {
    /// The request with `received` in its top Via, if the source differs from sent-by or the client asked by `rport`,
    /// and with the source port in `rport`, if it asked. What the peer wrote into either itself is replaced.
    ///
    /// `source`: where the request came from. The message comes back unchanged if nothing is to be noted, or if its
    /// Via cannot be read.
    pub fn with_received(&self, source: SocketAddr) -> Message {
        self.noted(source).unwrap_or_else(|| self.clone())
    }

    fn noted(&self, source: SocketAddr) -> Option<Message> {
        let at = self.index.position(&Name::Via)?;
        let span = self.index.headers.get(at)?;
        let value = span.text(&self.bytes);
        let (top, _) = split_element(&value);
        let via = Hop::read(top).ok()?;
        let (asked, told) = (via.has("rport"), via.has("received"));
        let address = source.ip().to_canonical();
        if !asked && !told && via.host.address() == Some(address) {
            return None;
        }
        // Only the first element is rewritten; what follows it, comma and folds included, stays as it came.
        let line = span.value.usize();
        let raw = String::from_utf8_lossy(self.bytes.get(line.clone())?);
        let kept = match split_element(&raw) {
            (_, Some(rest)) => raw.get(raw.len() - rest.len() - 1..)?,
            (_, None) => "",
        };
        let mut bytes = BytesMut::with_capacity(self.bytes.len() + kept.len() + ROOM);
        bytes.extend_from_slice(self.bytes.get(..line.start)?);
        write_noted(&mut bytes, &via, address, asked.then_some(source.port())).ok()?;
        bytes.extend_from_slice(kept.as_bytes());
        let end = bytes.len();
        bytes.extend_from_slice(self.bytes.get(line.end..)?);
        let folded = kept.bytes().any(|byte| matches!(byte, b'\r' | b'\n'));
        let index = self.index.with_value(at, Range::new(line.start, end)?, folded)?;
        let bytes = bytes.freeze();
        let body = bytes.slice(bytes.len().checked_sub(self.body.len())?..);
        Some(Message { bytes, body, index: Arc::new(index) })
    }
}

/// What a Via may grow by: `;received=` with an address, and a port.
const ROOM: usize = 64;

/// Writes `via` with what the client cannot know: each where it stood, `received` else at the end.
///
/// - `rport`: if the client asked.
fn write_noted(bytes: &mut BytesMut, via: &Hop<'_>, received: IpAddr, rport: Option<u16>) -> fmt::Result {
    let (mut received, mut rport) = (Some(received), rport);
    // Piece by piece, as the values of `sip` write themselves.
    for piece in ["SIP/2.0/", via.transport, " "] {
        bytes.write_str(piece)?;
    }
    match &via.host {
        Host::V4(address) => bytes.write_str(Digits::of_address(*address).as_str())?,
        other => write!(bytes, "{other}")?,
    }
    let write_port = |bytes: &mut BytesMut, before: &str, port: u16| {
        bytes.write_str(before)?;
        bytes.write_str(Digits::new(port.into()).as_str())
    };
    let write_address = |bytes: &mut BytesMut, address: IpAddr| match address {
        IpAddr::V4(address) => bytes.write_str(Digits::of_address(address).as_str()),
        IpAddr::V6(address) => write!(bytes, "{address}"),
    };
    if let Some(port) = via.port {
        write_port(bytes, ":", port)?;
    }
    for param in Params::within(via.params) {
        let is = |name: &str| param.name.eq_ignore_ascii_case(name);
        let address = if is("received") { received.take() } else { None };
        let port = if is("rport") { rport.take() } else { None };
        bytes.write_str(";")?;
        bytes.write_str(param.name)?;
        match (address, port, param.value) {
            (Some(address), ..) => {
                bytes.write_str("=")?;
                write_address(bytes, address)?;
            }
            (_, Some(port), _) => write_port(bytes, "=", port)?,
            (.., Some(value)) => {
                bytes.write_str("=")?;
                bytes.write_str(value)?;
            }
            _ => {}
        }
    }
    match received {
        Some(address) => {
            bytes.write_str(";received=")?;
            write_address(bytes, address)
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::Method;

    fn noted(via: &str, source: &str) -> String {
        let request = crate::Builder::request(Method::Options, "sip:a@b").header(Name::Via, via).build();
        request.with_received(source.parse().unwrap()).value(Name::Via).unwrap().into_owned()
    }

    #[test]
    fn notes_what_the_client_cannot_know() {
        for (via, source, expect) in [
            // Sent-by is the source: nothing to note, unless asked (RFC 3581 §4 wants received beside rport always).
            ("SIP/2.0/UDP 192.0.2.1:5060;branch=x", "192.0.2.1:9", "SIP/2.0/UDP 192.0.2.1:5060;branch=x"),
            (
                "SIP/2.0/UDP 192.0.2.1;rport",
                "192.0.2.1:9",
                "SIP/2.0/UDP 192.0.2.1;rport=9;received=192.0.2.1",
            ),
            // A name or another address.
            (
                "SIP/2.0/UDP pbx.example;branch=x",
                "192.0.2.1:9",
                "SIP/2.0/UDP pbx.example;branch=x;received=192.0.2.1",
            ),
            (
                "SIP/2.0/TCP 10.0.0.1;rport;branch=x",
                "192.0.2.1:9",
                "SIP/2.0/TCP 10.0.0.1;rport=9;branch=x;received=192.0.2.1",
            ),
            // What the client claims is not believed.
            (
                "SIP/2.0/UDP 10.0.0.1;received=203.0.113.1;rport=1",
                "192.0.2.1:9",
                "SIP/2.0/UDP 10.0.0.1;received=192.0.2.1;rport=9",
            ),
            (
                "SIP/2.0/UDP 192.0.2.1;received=203.0.113.1",
                "192.0.2.1:9",
                "SIP/2.0/UDP 192.0.2.1;received=192.0.2.1",
            ),
            // IPv6, and IPv4 that came by an IPv6 socket.
            (
                "SIP/2.0/UDP [2001:db8::2];rport",
                "[2001:db8::1]:9",
                "SIP/2.0/UDP [2001:db8::2];rport=9;received=2001:db8::1",
            ),
            ("SIP/2.0/UDP [2001:DB8::0001]", "[2001:db8::1]:9", "SIP/2.0/UDP [2001:DB8::0001]"),
            ("SIP/2.0/UDP 192.0.2.1", "[::ffff:192.0.2.1]:9", "SIP/2.0/UDP 192.0.2.1"),
            // Only the first of a list.
            (
                "SIP/2.0/UDP a;x=\"1,2\" ,  SIP/2.0/UDP b;rport",
                "192.0.2.1:9",
                "SIP/2.0/UDP a;x=\"1,2\";received=192.0.2.1,  SIP/2.0/UDP b;rport",
            ),
            // Nonsense stays: check() refuses it.
            ("nonsense", "192.0.2.1:9", "nonsense"),
        ] {
            assert_eq!(noted(via, source), expect, "{via}");
        }
    }

    #[test]
    fn touches_only_the_first_via() {
        let bytes = b"OPTIONS sip:a@b SIP/2.0\r\nX: \xff\r\nv  :  SIP/2.0/UDP a,\r\n SIP/2.0/UDP \xfe\r\nVia: SIP/2.0/UDP c\r\nl: 2\r\n\r\nhi";
        let request = Message::parse(bytes::Bytes::from_static(bytes)).unwrap();
        let noted = request.with_received("192.0.2.1:9".parse().unwrap());
        let text = String::from_utf8_lossy(noted.bytes()).into_owned();
        assert_eq!(
            text,
            "OPTIONS sip:a@b SIP/2.0\r\nX: \u{fffd}\r\nv  :  SIP/2.0/UDP a;received=192.0.2.1,\r\n SIP/2.0/UDP \u{fffd}\r\n\
             Via: SIP/2.0/UDP c\r\nl: 2\r\n\r\nhi"
        );
        assert!(noted.bytes().windows(4).any(|window| window == b": \xff\r"), "other lines keep their bytes");
        assert_eq!(&noted.body()[..], b"hi");
        assert_eq!(noted.vias().count(), 3);
    }
}
