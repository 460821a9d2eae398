//! Text: short strings that are cheap to clone, and words of a peer as they may
//! be said again.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use smol_str::SmolStr;

/// The most characters of a [`phrase`].
const PHRASE: usize = 160;

/// A method or a header name that we have no word for.
///
/// Short ones need no room of their own, clones of long ones share it. Made by [`Method`](crate::Method) and
/// [`Name`](crate::Name) only, so that `Other` never holds what has a variant of its own.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(SmolStr);

impl Text {
    /// `None` unless `bytes` are UTF-8.
    pub(crate) fn new(bytes: &[u8]) -> Option<Text> {
        std::str::from_utf8(bytes).ok().map(Text::copy)
    }

    /// Copies `text`.
    pub(crate) fn copy(text: &str) -> Text {
        Text(text.into())
    }

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.0
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
    as_phrase(text).into_owned()
}

/// [`phrase`], which most texts are already.
pub fn as_phrase(text: &str) -> Cow<'_, str> {
    // No text has more characters than bytes.
    if text.len() <= PHRASE && !text.chars().any(char::is_control) {
        return text.into();
    }
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).take(PHRASE).collect()
}

/// [`phrase`] of a text that may be shared: then it shares that one.
pub fn shared_phrase(text: &SmolStr) -> SmolStr {
    match as_phrase(text) {
        Cow::Borrowed(_) => text.clone(),
        Cow::Owned(phrase) => phrase.into(),
    }
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
        assert_eq!(phrase(&"ü".repeat(160)), "ü".repeat(160));
    }

    #[test]
    fn a_phrase_is_lent_or_shared_where_it_was_one() {
        let long = "3c26700b1f6a4d2e8f1d@192.0.2.1";
        assert!(matches!(as_phrase(long), Cow::Borrowed(same) if same == long));
        let shared = SmolStr::from(long);
        assert_eq!(shared_phrase(&shared).as_ptr(), shared.as_ptr());
        assert_eq!(shared_phrase(&"a\r\nb".into()), "a??b");
    }
}
