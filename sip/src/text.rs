//! Text: short strings that are cheap to clone because they share the message's bytes, and words of a peer as they may
//! be said again.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

/// UTF-8 text in shared bytes: a method or a header name that we have no word for.
///
/// Clones share the bytes. Made by [`Method`](crate::Method) and [`Name`](crate::Name) only, so that `Other` never
/// holds what has a variant of its own.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Bytes);

impl Text {
    /// Shares `bytes`; `None` unless they are UTF-8.
    pub(crate) fn new(bytes: Bytes) -> Option<Text> {
        std::str::from_utf8(&bytes).is_ok().then_some(Text(bytes))
    }

    /// Copies `text`.
    pub(crate) fn copy(text: &str) -> Text {
        Text(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        // Checked by the constructors; short, so checking again is cheaper than an `unsafe` to defend.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A word of a peer's as it may stand in a reason phrase, a header, a record and a log line: printable ASCII, at most 64
/// characters.
pub fn word(text: &str) -> String {
    text.chars().take(64).map(|letter| if matches!(letter, ' '..='~') { letter } else { '?' }).collect()
}

/// What a peer wrote, or a sentence with its words, as it may stand in a reason phrase, a record and a log line: no controls, at
/// most 160 characters.
pub fn phrase(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_words_stay_in_their_line() {
        assert_eq!(word("a\r\nX: \u{1b}[31mü\"b"), "a??X: ?[31m?\"b");
        assert_eq!(word(&"x".repeat(20_000)).len(), 64);
        assert_eq!(phrase("Besetzt \u{7}für\u{9b}alle"), "Besetzt ?für?alle");
        assert_eq!(phrase(&"ü".repeat(20_000)).chars().count(), 160);
    }
}
