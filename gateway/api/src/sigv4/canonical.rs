//! The canonical form of a request, made from what was received.

use ring::digest;

use super::hex;
use crate::Request;

/// The text whose digest is signed.
///
/// - `signed`: the names of the signed headers, lower case, in their order.
/// - `leave_out`: the query parameter that holds the signature itself.
///
/// `None` when a signed header is not there.
pub(super) fn canonical_request(
    request: &Request<'_>,
    signed: &[&str],
    leave_out: Option<&str>,
) -> Option<String> {
    let mut text = String::with_capacity(512);
    text.push_str(request.method);
    text.push('\n');
    text.push_str(&escaped(normal_path(request.path).as_bytes(), true));
    text.push('\n');
    text.push_str(&canonical_query(request.query, leave_out));
    text.push('\n');
    for name in signed {
        let mut values =
            request.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).peekable();
        values.peek()?;
        text.push_str(name);
        for (number, (_, value)) in values.enumerate() {
            text.push(if number == 0 { ':' } else { ',' });
            let mut words = value.split_ascii_whitespace();
            text.push_str(words.next().unwrap_or_default());
            for word in words {
                text.push(' ');
                text.push_str(word);
            }
        }
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&signed.join(";"));
    text.push('\n');
    text.push_str(&sha256(request.body));
    Some(text)
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// As clients write a path before they sign it: no empty segment, no `.` and `..`. RFC 3986 §5.2.4.
fn normal_path(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let end = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

/// Sorted by name, then value, each escaped anew.
fn canonical_query(query: &str, leave_out: Option<&str>) -> String {
    let mut pairs: Vec<(String, String)> = query_pairs(query)
        .filter(|(name, _)| leave_out.is_none_or(|left| left.as_bytes() != name))
        .map(|(name, value)| (escaped(&name, false), escaped(&value, false)))
        .collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The pairs of a query, unescaped; a plus sign is one.
pub(crate) fn query_pairs(query: &str) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// Without its `%XX`; what is no such triple stays as it is. RFC 3986 §2.1.
pub(crate) fn decoded(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    loop {
        match rest {
            [] => return bytes,
            [b'%', high, low, behind @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let value =
                    |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(value(high).unwrap_or(0) << 4 | value(low).unwrap_or(0));
                rest = behind;
            }
            [byte, behind @ ..] => {
                bytes.push(*byte);
                rest = behind;
            }
        }
    }
}

/// Everything but the unreserved characters as `%XX`. RFC 3986 §2.3.
fn escaped(bytes: &[u8], keep_slash: bool) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len()), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(*byte))
            }
            b'/' if keep_slash => text.push('/'),
            byte => {
                let _ = write!(text, "%{byte:02X}"); // A String takes everything.
            }
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_escaped_once_more() {
        assert_eq!(
            escaped(normal_path("/phone-numbers/%2B12065550100").as_bytes(), true),
            "/phone-numbers/%252B12065550100"
        );
    }

    #[test]
    fn a_path_is_signed_without_detours() {
        for (received, signed) in
            [("/a/../b", "/b"), ("//a//b/", "/a/b/"), ("", "/"), ("/", "/"), ("/..", "/"), ("/a/./b", "/a/b")]
        {
            assert_eq!(normal_path(received), signed, "{received}");
        }
    }

    #[test]
    fn a_query_is_sorted_and_escaped_anew() {
        assert_eq!(
            canonical_query("b=2&a=x%20y&a=%2b&c&X-Amz-Signature=0", Some("X-Amz-Signature")),
            "a=%2B&a=x%20y&b=2&c="
        );
    }
}
