//! What a server notes in the top Via. RFC 3261 §18.2.1, RFC 3581 §4.

use std::net::SocketAddr;

use bytes::BytesMut;

use super::Message;
use crate::grammar::split_element;
use crate::header::{Name, Via};

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
        let span = self.spans(&Name::Via).next()?;
        let value = span.text(&self.bytes);
        let (top, _) = split_element(&value);
        let mut via = Via::parse(top).ok()?;
        let asked = via.params.has("rport");
        let told = via.params.has("received");
        let address = source.ip().to_canonical();
        if !asked && !told && via.host.address() == Some(address) {
            return None;
        }
        via.params.set("received", Some(&address.to_string()));
        if asked {
            via.params.set("rport", Some(&source.port().to_string()));
        }
        // Only the first element is rewritten; what follows it, comma and folds included, stays as it came.
        let line = span.value.usize();
        let raw = String::from_utf8_lossy(self.bytes.get(line.clone())?);
        let kept = match split_element(&raw) {
            (_, Some(rest)) => raw.get(raw.len() - rest.len() - 1..)?,
            (_, None) => "",
        };
        let via = via.to_string();
        let mut bytes = BytesMut::with_capacity(self.bytes.len() + via.len());
        bytes.extend_from_slice(self.bytes.get(..line.start)?);
        bytes.extend_from_slice(via.as_bytes());
        bytes.extend_from_slice(kept.as_bytes());
        bytes.extend_from_slice(self.bytes.get(line.end..)?);
        Message::parse_any_length(bytes.freeze()).ok()
    }
}
