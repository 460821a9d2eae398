//! Start line and header fields.

use std::borrow::Cow;

use sip::{Message, Name};

use super::{MASK, address, credentials, holds_a_key};

/// The head with its empty line.
pub(super) fn write(message: &Message, masked: &mut Vec<u8>) {
    let bytes = message.bytes();
    let slice = |from: usize, to: usize| bytes.get(from..to).unwrap_or_default();
    let end = bytes.len() - message.body().len();
    let first = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(end).min(end);
    start_line(message, slice(0, first), masked);
    let mut at = first;
    for (name, name_range, value_range) in message.header_ranges() {
        between(slice(at, name_range.start), masked);
        masked.extend_from_slice(slice(name_range.start, value_range.start));
        masked.extend_from_slice(&value(&name, slice(value_range.start, value_range.end)));
        at = value_range.end;
    }
    between(slice(at, end), masked);
}

/// What a header field of this name may show of its value.
pub(super) fn value<'a>(name: &Name, value: &'a [u8]) -> Cow<'a, [u8]> {
    match name {
        Name::Authorization | Name::ProxyAuthorization => credentials::request(value),
        Name::AuthenticationInfo => credentials::info(value),
        // Their grammar has no URI, or none of a user's, and some of them an `@` without meaning.
        Name::Via
        | Name::CallId
        | Name::CSeq
        | Name::ContentDisposition
        | Name::ContentId
        | Name::ContentType
        | Name::InReplyTo
        | Name::Join
        | Name::PChargingVector
        | Name::ProxyAuthenticate
        | Name::Replaces
        | Name::SessionId
        | Name::TargetDialog
        | Name::WwwAuthenticate => Cow::Borrowed(value),
        Name::Other(name) if name.eq_ignore_ascii_case("Proxy-Authentication-Info") => {
            credentials::info(value)
        }
        Name::Other(name) if tells_of_a_secret(name) => Cow::Borrowed(MASK),
        _ if holds_a_key(&String::from_utf8_lossy(value)) => Cow::Borrowed(MASK),
        _ => address::field(name, value),
    }
}

/// Header fields that are nobody's standard: `X-Auth-Token`, `Cookie`, `X-Api-Key`.
fn tells_of_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["auth", "token", "secret", "passw", "passphrase", "cookie", "credential", "key", "pin", "otp"]
        .iter()
        .any(|word| name.split(['-', '_', '.']).any(|part| part.starts_with(word) || part.ends_with(word)))
}

/// The first line, up to its end.
fn start_line(message: &Message, line: &[u8], masked: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(line);
    let (open, hidden) = match (message.request_uri(), message.reason_phrase()) {
        (Some(uri), _) => (text.split_once(uri), address::uri(uri)),
        (None, Some(_)) if address::may_hide(&text) => {
            (text.get(..11).map(|status| (status, "")), " ***".into())
        }
        (None, Some(_)) => (Some((text.as_ref(), "")), "".into()),
        // A Request-URI that is no text.
        (None, None) => (None, "***".into()),
    };
    let (before, after) = open.unwrap_or_default();
    masked.extend_from_slice([before, &hidden, after].concat().as_bytes());
}

/// What is between two header fields: the line end, and lines that are no header field.
fn between(gap: &[u8], masked: &mut Vec<u8>) {
    for line in gap.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii();
        if text.is_empty() {
            masked.extend_from_slice(line);
        } else {
            masked.extend_from_slice(MASK);
            masked.extend_from_slice(if line.ends_with(b"\n") { b"\r\n" } else { b"" });
        }
    }
}
