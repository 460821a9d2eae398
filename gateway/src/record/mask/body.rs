//! Bodies, by their type.

use bytes::Bytes;
use sip::body::BodyKind;
use sip::media_type::MediaType;
use sip::multipart::{Multipart, Part};
use sip::{Message, Name};

use super::{MASK, MAX_DEPTH, head, holds_a_key, nested, sdp};

/// Documents that tell nothing which the call's parties should not know, and no digits (as KPML would, RFC 4730).
const OPEN: [&str; 6] = [
    "application/pidf+xml",
    "application/media_control+xml",
    "application/dialog-info+xml",
    "application/conference-info+xml",
    "application/resource-lists+xml",
    "application/rlmi+xml",
];

/// A body, and what its header fields say of it.
pub(super) struct Body<'a> {
    /// `None` where they say nothing, or nothing that is true.
    kind: Option<BodyKind>,
    /// Whether it must be decoded before anybody can read it.
    encoded: bool,
    bytes: &'a [u8],
}

pub(super) fn of_message(message: &Message) -> Body<'_> {
    let one_type = message.lines(Name::ContentType).count() == 1;
    let transfer = Name::from("Content-Transfer-Encoding");
    let encoded = message.lines(Name::ContentEncoding).any(|value| is_coding(&value))
        || message.lines(transfer).any(|value| is_transfer_coding(&value));
    let kind = BodyKind::of_message(message).ok().filter(|_| one_type);
    Body { kind, encoded, bytes: message.body() }
}

fn of_part<'a>(part: &Part<'a>) -> Body<'a> {
    let named = |name: Name| part.headers().filter(move |(known, _)| Name::from(*known) == name);
    let encoded = named(Name::ContentEncoding).any(|(_, value)| is_coding(value))
        || named(Name::from("Content-Transfer-Encoding")).any(|(_, value)| is_transfer_coding(value));
    Body { kind: BodyKind::of_part(part).ok(), encoded, bytes: part.body() }
}

fn is_coding(value: &str) -> bool {
    !value.is_empty() && !value.eq_ignore_ascii_case("identity")
}

fn is_transfer_coding(value: &str) -> bool {
    !["7bit", "8bit", "binary"].iter().any(|known| value.eq_ignore_ascii_case(known))
}

/// The body, where it is understood and open; else `***`.
pub(super) fn write(body: &Body<'_>, depth: usize, masked: &mut Vec<u8>) {
    if body.bytes.is_empty() {
        return;
    }
    match shown(body, depth) {
        Some(shown) => masked.extend_from_slice(&shown),
        None => masked.extend_from_slice(MASK),
    }
}

fn shown(body: &Body<'_>, depth: usize) -> Option<Vec<u8>> {
    match body.kind.as_ref().filter(|_| !body.encoded && depth < MAX_DEPTH)? {
        BodyKind::Description => sdp::masked(body.bytes),
        BodyKind::Multipart(media_type) => parts(media_type, body.bytes, depth),
        BodyKind::Other(media_type) => other(media_type.as_ref()?, body.bytes, depth),
    }
}

fn other(media_type: &MediaType, bytes: &[u8], depth: usize) -> Option<Vec<u8>> {
    match media_type.name() {
        "message/sip" | "message/sipfrag" => Some(nested(Bytes::copy_from_slice(bytes), depth + 1)),
        "application/dtmf-relay" => Some(digits(bytes)),
        name if OPEN.contains(&name) => {
            let text = std::str::from_utf8(bytes).ok()?;
            let is_xml = text.trim_start_matches('\u{feff}').trim_start().starts_with('<');
            (is_xml && !holds_a_key(text)).then(|| bytes.to_vec())
        }
        _ => None,
    }
}

/// The parts, each with its header fields on a line of their own.
fn parts(media_type: &MediaType, bytes: &[u8], depth: usize) -> Option<Vec<u8>> {
    let multipart = Multipart::of(media_type, bytes).ok()?;
    let mut masked = Vec::with_capacity(bytes.len());
    for part in multipart.parts() {
        masked.extend_from_slice(format!("--{}\r\n", multipart.boundary()).as_bytes());
        for (name, value) in part.headers() {
            masked.extend_from_slice(format!("{name}: ").as_bytes());
            masked.extend_from_slice(&head::value(&Name::from(name), value.as_bytes()));
            masked.extend_from_slice(b"\r\n");
        }
        masked.extend_from_slice(b"\r\n");
        write(&of_part(part), depth + 1, &mut masked);
        masked.extend_from_slice(b"\r\n");
    }
    masked.extend_from_slice(format!("--{}--\r\n", multipart.boundary()).as_bytes());
    Some(masked)
}

/// `Signal=5` and `Duration=160`: how long a key was pressed, not which.
fn digits(bytes: &[u8]) -> Vec<u8> {
    let mut masked = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| matches!(byte, b'\r' | b'\n')) {
        let text = line.trim_ascii();
        let (name, value) = text.split_at(text.iter().position(|byte| *byte == b'=').unwrap_or(0));
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let is = |known: &[u8]| name.trim_ascii().eq_ignore_ascii_case(known);
        let duration = is(b"duration") && value.iter().all(u8::is_ascii_digit);
        if text.is_empty() || duration {
            masked.extend_from_slice(line);
            continue;
        }
        masked.extend_from_slice(if is(b"signal") { b"Signal=***" } else { MASK });
        masked.extend_from_slice(line.get(line.trim_ascii_end().len()..).unwrap_or_default());
    }
    masked
}
