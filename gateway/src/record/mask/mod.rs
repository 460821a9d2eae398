//! Takes the secrets out of a SIP message before it is written down.
//!
//! The message is read as the gateway itself reads it, part by part, and a part passes only if it was understood and is
//! known to hold no secret. So it does not matter how a key is spelt: what is not understood is masked whole.

mod address;
mod body;
mod credentials;
mod head;
mod sdp;

use bytes::Bytes;
use sip::Message;

/// Stands where a secret was, or what could not be read.
const MASK: &[u8] = b"***";

/// A message in a message in a message: no deeper.
const MAX_DEPTH: usize = 4;

/// The message with `***` in place of
///
/// - credentials: a digest's `response` and `rspauth` and whatever parameter is not known to be public (RFC 7616 §3.4),
///   all of any other scheme, and of header fields whose name tells of tokens, keys or passwords,
/// - the password in a SIP URI (RFC 3261 §19.1.1) and what is in its headers,
/// - the keys of SDP (`a=crypto`, `a=key-mgmt`, `a=ice-pwd`, `k=`), and the value of each attribute that is not known,
/// - the digits that a caller pressed (INFO): they may be a card's number,
/// - bodies that are encoded, that are not what their Content-Type says, or of a type that is not known here,
/// - lines, addresses and bodies that cannot be read, and all of a message that is none.
///
/// Everything else stays as it came, nonces, fingerprints, `Identity` and a caller's location too, except that the
/// header fields of a multipart body's parts are unfolded and the text around the parts is left out.
#[must_use]
pub fn mask(message: &Bytes) -> Vec<u8> {
    nested(message.clone(), 0)
}

/// A message that stands `depth` messages or multipart bodies deep.
fn nested(message: Bytes, depth: usize) -> Vec<u8> {
    let Ok(message) = Message::parse(message) else { return MASK.to_vec() };
    let mut masked = Vec::with_capacity(message.bytes().len());
    head::write(&message, &mut masked);
    body::write(&body::of_message(&message), depth, &mut masked);
    masked
}

/// Whether text that is open otherwise has a description's key in it, in a place where none belongs.
fn holds_a_key(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["inline:", "inline%3a", "crypto:", "crypto%3a", "key-mgmt:", "ice-pwd:"]
        .iter()
        .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests;
