//! The few scanners that every reader shares: tokens, white space, quotes, lists. RFC 3261 §25.1.

use std::borrow::Cow;
use std::io::BufRead as _;
use std::net::Ipv4Addr;

/// `token`: one or more of letters, digits and `-.!%*_+`'~`.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    // A pattern becomes one look at a mask, a search in a list of bytes does not.
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
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

/// Where a byte stands for the first time in a text that may be long.
pub(crate) fn find_byte(bytes: &[u8], byte: u8) -> Option<usize> {
    // By the one search of the standard library that looks at many bytes at once and says where.
    let passed = { bytes }.skip_until(byte).ok()?;
    let at = passed.checked_sub(1)?;
    (bytes.get(at) == Some(&byte)).then_some(at)
}

/// A number, or numbers with points between them, as decimal digits: in a tenth of the time that the formatting of the standard
/// library takes.
pub(crate) struct Digits {
    text: [u8; 15],
    length: usize,
}

impl Digits {
    pub(crate) fn new(number: u32) -> Digits {
        Digits { text: [0; 15], length: 0 }.and(number)
    }

    pub(crate) fn of_address(address: Ipv4Addr) -> Digits {
        let [first, rest @ ..] = address.octets();
        rest.into_iter().fold(Digits::new(first.into()), |digits, octet| digits.with(b'.').and(octet.into()))
    }

    fn with(mut self, byte: u8) -> Digits {
        // Four octets and three points, or ten digits: there is room.
        if let Some(place) = self.text.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
        self
    }

    fn and(self, number: u32) -> Digits {
        let digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        match number / 10 {
            0 => self.with(digit),
            more => self.and(more).with(digit),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        let text = self.text.get(..self.length).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

/// Splits at the first byte of that kind, which is ASCII; `None` if there is none.
///
/// Most texts here are short: going through them is quicker than what searches long ones.
pub(crate) fn split_at_byte(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|one| one == byte)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Splits before and after `at`, without the (one-byte) separator itself.
pub(crate) fn split_around(text: &str, at: usize) -> (&str, &str) {
    (text.get(..at).unwrap_or(text), text.get(at + 1..).unwrap_or_default())
}

/// Cuts the first element off a comma-separated list: (element, rest). Commas in quotes and in `<>` do not count.
///
/// Never fails: where a quote or `<` does not end, the rest of the text is the element; its own reader will object.
pub(crate) fn split_element(text: &str) -> (&str, Option<&str>) {
    // Most headers have one element, and finding that out by the byte is dear.
    let Some(comma) = find_byte(text.as_bytes(), b',') else { return (trim(text), None) };
    // Quotes and brackets hide a comma if they open before it.
    let (element, rest) = split_around(text, comma);
    if !element.bytes().any(|byte| matches!(byte, b'"' | b'<')) {
        return (trim(element), Some(rest));
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
    fn digits_are_those_of_the_standard_library() {
        for number in [0, 1, 9, 10, 99, 100, 5_060, 65_535, 4_294_967_295] {
            assert_eq!(Digits::new(number).as_str(), number.to_string());
        }
        for address in ["0.0.0.0", "10.0.0.1", "192.0.2.100", "255.255.255.255"] {
            assert_eq!(Digits::of_address(address.parse().unwrap()).as_str(), address);
        }
    }

    #[test]
    fn bytes_are_found() {
        for (bytes, at) in [("", None), ("a", None), (";", Some(0)), ("ab;c;", Some(2)), ("abc;", Some(3))] {
            assert_eq!(find_byte(bytes.as_bytes(), b';'), at);
            assert_eq!(split_at_byte(bytes, b';'), bytes.split_once(';'));
        }
    }

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
