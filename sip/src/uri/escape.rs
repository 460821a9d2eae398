//! `%HH` escapes. RFC 3261 §19.1.2.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::string::FromUtf8Error;

/// Resolves `%HH`; bytes that are no UTF-8 afterwards become U+FFFD, a `%` without two digits stays.
///
/// `%00` becomes NUL and truncates nothing. Split a URI into its parts first: an escaped `@` separates nothing.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        match rest {
            [b'%', high, low, tail @ ..] => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    plain.push(high << 4 | low);
                    rest = tail;
                    continue;
                }
                _ => plain.push(b'%'),
            },
            [byte, ..] => plain.push(*byte),
            [] => break,
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    let lossy = |error: FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
    Cow::Owned(String::from_utf8(plain).unwrap_or_else(lossy))
}

/// Escapes what a user part must not hold as it is. RFC 3261 §25.1 `user`.
pub fn escape_user(user: &str) -> Cow<'_, str> {
    let stands = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte);
    if user.bytes().all(stands) {
        return Cow::Borrowed(user);
    }
    let mut escaped = String::with_capacity(user.len() + 8);
    for byte in user.bytes() {
        match stands(byte) {
            true => escaped.push(char::from(byte)),
            // Writing to memory cannot fail.
            false => write!(escaped, "%{byte:02X}").unwrap_or_default(),
        }
    }
    Cow::Owned(escaped)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (text, plain) in [
            ("", ""),
            ("sips%3Auser%40example.com", "sips:user@example.com"),
            ("null-%00-null", "null-\0-null"),
            ("%e2%82%AC", "€"),
            ("%ff", "\u{fffd}"),
            ("100%", "100%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
            ("%%41", "%A"),
        ] {
            assert_eq!(unescape(text), plain, "{text:?}");
        }
    }
}
