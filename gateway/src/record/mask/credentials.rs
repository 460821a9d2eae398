//! `Authorization`, `Proxy-Authorization`, `Authentication-Info`, `Proxy-Authentication-Info`.

use std::borrow::Cow;

use sip::auth::parameters;

use super::{MASK, address};

/// Parameters that everybody may see. What proves the password (`response`, `rspauth`) is not among them, for it can be
/// guessed from there; nor is what nobody knows. RFC 7616 §3.4, §3.5.
const PUBLIC: [&str; 12] = [
    "username",
    "userhash",
    "realm",
    "nonce",
    "uri",
    "algorithm",
    "cnonce",
    "opaque",
    "qop",
    "nc",
    "nextnonce",
    "stale",
];

/// Credentials of a request: a scheme and what it wants.
pub(super) fn request(value: &[u8]) -> Cow<'_, [u8]> {
    let Ok(text) = std::str::from_utf8(value) else { return Cow::Borrowed(MASK) };
    let Some((scheme, rest)) = text.split_once([' ', '\t', '\r', '\n']) else { return Cow::Borrowed(MASK) };
    if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Cow::Borrowed(MASK);
    }
    let masked = scheme.eq_ignore_ascii_case("digest").then(|| list(rest)).flatten();
    let masked = masked.unwrap_or_else(|| MASK.to_vec());
    let blank = text.get(scheme.len()..scheme.len() + 1).unwrap_or_default();
    Cow::Owned([scheme.as_bytes(), blank.as_bytes(), &masked].concat())
}

/// What a server proves: parameters without a scheme.
pub(super) fn info(value: &[u8]) -> Cow<'_, [u8]> {
    let masked = std::str::from_utf8(value).ok().and_then(list);
    Cow::Owned(masked.unwrap_or_else(|| MASK.to_vec()))
}

/// `None` for what is no list of parameters.
fn list(text: &str) -> Option<Vec<u8>> {
    let mut masked = Vec::with_capacity(text.len());
    let mut at = 0;
    for (name, range) in parameters(text).ok()? {
        masked.extend_from_slice(text.get(at..range.start)?.as_bytes());
        let value = text.get(range.clone())?;
        match PUBLIC.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            true if name.eq_ignore_ascii_case("uri") => {
                masked.extend_from_slice(address::uri(value).as_bytes())
            }
            true => masked.extend_from_slice(value.as_bytes()),
            false => masked.extend_from_slice(MASK),
        }
        at = range.end;
    }
    masked.extend_from_slice(text.get(at..)?.as_bytes());
    Some(masked)
}
