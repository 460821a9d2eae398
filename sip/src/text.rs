//! A short string that is cheap to clone because it shares the message's bytes.

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
