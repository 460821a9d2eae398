//! The few scanners that every reader shares: tokens, white space, quotes, lists. RFC 3261 §25.1.

use std::borrow::Cow;

/// `token`: one or more of letters, digits and `-.!%*_+`'~`.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// White space inside a line, and what is left of a fold.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Cuts white space from both ends.
pub(crate) fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    let Some(first) = bytes.iter().position(|&byte| !is_space(byte)) else { return "" };
    let end = bytes.iter().rposition(|&byte| !is_space(byte)).map_or(bytes.len(), |last| last + 1);
    text.get(first..end).unwrap_or(text)
}

/// Where `stop` says yes for the first time outside quoted strings; `Err` if a quoted string does not end.
///
/// A backslash inside quotes takes the next byte with it.
pub(crate) fn find_unquoted(
    text: &str,
    mut stop: impl FnMut(u8) -> bool,
) -> Result<Option<usize>, Unbalanced> {
    let mut quoted = false;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' if quoted => {
                bytes.next();
            }
            b'"' => quoted = !quoted,
            _ if !quoted && stop(byte) => return Ok(Some(at)),
            _ => {}
        }
    }
    if quoted { Err(Unbalanced) } else { Ok(None) }
}

/// A quoted string or `<` without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unbalanced;

/// Splits before and after `at`, without the (one-byte) separator itself.
pub(crate) fn split_around(text: &str, at: usize) -> (&str, &str) {
    (text.get(..at).unwrap_or(text), text.get(at + 1..).unwrap_or_default())
}

/// Cuts the first element off a comma-separated list: (element, rest). Commas in quotes and in `<>` do not count.
///
/// Never fails: where a quote or `<` does not end, the rest of the text is the element; its own reader will object.
pub(crate) fn split_element(text: &str) -> (&str, Option<&str>) {
    // Most headers have one element, and finding that out by the byte is dear.
    if !text.as_bytes().contains(&b',') {
        return (trim(text), None);
    }
    let mut depth = false;
    let comma = find_unquoted(text, |byte| {
        match byte {
            b'<' => depth = true,
            b'>' => depth = false,
            _ => {}
        }
        byte == b',' && !depth
    });
    match comma {
        Ok(Some(at)) => {
            let (element, rest) = split_around(text, at);
            (trim(element), Some(rest))
        }
        _ => (trim(text), None),
    }
}

/// Takes the quotes and backslashes off a quoted string; text without quotes comes back as it is. RFC 3261 §25.1.
pub(crate) fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Cow::Borrowed(text);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => plain.extend(letters.next()),
            _ => plain.push(letter),
        }
    }
    Cow::Owned(plain)
}

/// Puts text into quotes, with backslashes where needed. RFC 3261 §25.1.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

/// Reads 1*DIGIT below 2^32; `None` for signs, spaces, anything else, or a larger number.
pub(crate) fn number(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Replaces each line fold and the white space around it by one space. RFC 3261 §7.3.1.
pub(crate) fn unfold(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.iter().position(|&byte| matches!(byte, b'\r' | b'\n')) {
        let (before, after) = rest.split_at(at);
        plain.extend_from_slice(before.trim_ascii_end());
        plain.push(b' ');
        rest = after.trim_ascii_start();
    }
    plain.extend_from_slice(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_split_outside_quotes_and_brackets() {
        let split = |text: &'static str| {
            let mut elements = Vec::new();
            let mut rest = Some(text);
            while let Some(text) = rest {
                let (element, next) = split_element(text);
                elements.push(element);
                rest = next;
            }
            elements
        };
        assert_eq!(split("a, b ,c"), ["a", "b", "c"]);
        assert_eq!(split(r#""a,\"b" <sip:c,d@e>;f="g,h", i"#), [r#""a,\"b" <sip:c,d@e>;f="g,h""#, "i"]);
        assert_eq!(split(",,"), ["", "", ""]);
        assert_eq!(split(r#"a, "b, c"#), ["a", r#""b, c"#]);
        assert_eq!(split(""), [""]);
    }

    #[test]
    fn quotes() {
        for (quoted, plain) in
            [(r#""a b""#, "a b"), (r#""a\"\\b""#, r#"a"\b"#), (r#""""#, ""), ("a", "a"), (r#"""#, r#"""#)]
        {
            assert_eq!(unquote(quoted), plain);
        }
        for plain in ["", "a", r#"a"b\c"#, "é"] {
            assert_eq!(unquote(&quote(plain)), plain);
        }
        assert_eq!(find_unquoted(r#"";\";";x"#, |byte| byte == b';'), Ok(Some(6)));
        assert_eq!(find_unquoted(r#"a;"b"#, |byte| byte == b'x'), Err(Unbalanced));
    }

    #[test]
    fn folds_become_one_space() {
        for (folded, plain) in [
            ("a\r\n b", "a b"),
            ("a \t\r\n \t b", "a b"),
            ("a\n b\r\n\tc", "a b c"),
            ("a  b", "a  b"),
            ("a\r\n \r\n b", "a b"),
        ] {
            assert_eq!(unfold(folded.as_bytes()), plain.as_bytes(), "{folded:?}");
        }
    }

    #[test]
    fn numbers_are_digits_only() {
        for (text, expect) in [
            ("0", Some(0)),
            ("0068", Some(68)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("-1", None),
            ("+1", None),
            ("", None),
            ("1 ", None),
            ("0x1", None),
        ] {
            assert_eq!(number(text), expect, "{text:?}");
        }
    }
}
