//! A message as it came: one buffer, and an index of where its parts are. RFC 3261 §7.

mod build;
mod check;
mod index;
mod loose;
mod parse;
mod received;
mod views;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

pub use build::Builder;
pub use check::Malformed;
pub(crate) use parse::content_lengths;
pub use parse::{MAX_BYTES, MAX_HEADERS, ParseError};

use crate::grammar::split_element;
use crate::header::Name;
use crate::method::Method;
use crate::status::StatusCode;
use index::{Index, Span, Start};

/// A request or response. Clones share the bytes and the index.
///
/// Everything is as it came: names, order, values, reason phrases, bytes >= 0x80. Typed values are read when asked for;
/// [`check`](Self::check) reads all that a gateway must understand.
#[derive(Clone)]
pub struct Message {
    /// Start line, headers, empty line and body; nothing behind the body.
    bytes: Bytes,
    body: Bytes,
    index: Arc<Index>,
}

/// One header line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name, compact forms resolved.
    pub name: Name,
    /// The name as it came.
    pub raw_name: &'a str,
    /// The value without white space at its ends; a folded one with each fold replaced by a space.
    pub value: Cow<'a, [u8]>,
}

impl Header<'_> {
    /// The value as text; bytes that are no UTF-8 become U+FFFD.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.value)
    }
}

impl Message {
    /// Whether it asks.
    pub fn is_request(&self) -> bool {
        matches!(self.index.start, Start::Request { .. })
    }

    /// Whether it answers.
    pub fn is_response(&self) -> bool {
        !self.is_request()
    }

    /// The method of a request; `None` for a response.
    pub fn method(&self) -> Option<Method> {
        match &self.index.start {
            Start::Request { method, .. } => Some(method.clone()),
            Start::Response { .. } => None,
        }
    }

    /// The Request-URI as it came; `None` for a response, or if it is no UTF-8.
    pub fn request_uri(&self) -> Option<&str> {
        match &self.index.start {
            Start::Request { uri, .. } => std::str::from_utf8(uri.of(&self.bytes)).ok(),
            Start::Response { .. } => None,
        }
    }

    /// The status code of a response; `None` for a request.
    pub fn status(&self) -> Option<StatusCode> {
        match self.index.start {
            Start::Response { status, .. } => Some(status),
            Start::Request { .. } => None,
        }
    }

    /// The reason phrase of a response as it came, maybe empty, maybe no UTF-8; `None` for a request.
    pub fn reason_phrase(&self) -> Option<&[u8]> {
        match &self.index.start {
            Start::Response { reason, .. } => Some(reason.of(&self.bytes)),
            Start::Request { .. } => None,
        }
    }

    /// Every header line in order.
    pub fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        self.index.headers.iter().map(|span| Header {
            name: span.name.clone(),
            raw_name: std::str::from_utf8(span.raw_name.of(&self.bytes)).unwrap_or_default(),
            value: span.value(&self.bytes),
        })
    }

    /// Where each header line stands in [`bytes`](Self::bytes), in order: its name as it came, its value with the folds
    /// inside. What lies between them is white space and one colon within a line; between lines also what is no header.
    pub fn header_ranges(&self) -> impl Iterator<Item = (Name, Range<usize>, Range<usize>)> {
        self.index.headers.iter().map(|span| (span.name.clone(), span.raw_name.usize(), span.value.usize()))
    }

    /// The value of the first header of that name, as text; bytes that are no UTF-8 become U+FFFD (the bytes
    /// themselves are in [`headers`](Self::headers)). A list header's whole line.
    pub fn value(&self, name: Name) -> Option<Cow<'_, str>> {
        self.index.first(&name).map(|span| span.text(&self.bytes))
    }

    /// Whether a header of that name is there.
    pub fn has(&self, name: Name) -> bool {
        self.index.position(&name).is_some()
    }

    /// The elements of a list header, split at commas outside quotes and angle brackets, across all header lines of
    /// that name, in order. Empty elements are skipped.
    ///
    /// Only for headers whose values are lists: a comma in a From or a Date separates nothing.
    pub fn values(&self, name: Name) -> impl Iterator<Item = Cow<'_, str>> {
        self.elements(name).filter(|element| !element.is_empty())
    }

    /// Like [`values`](Self::values), with the empty elements.
    pub(crate) fn elements(&self, name: Name) -> impl Iterator<Item = Cow<'_, str>> {
        self.lines(name).flat_map(split_list)
    }

    /// Every header line of that name, whole, as text.
    pub fn lines(&self, name: Name) -> impl Iterator<Item = Cow<'_, str>> {
        self.index.all(&name).map(|span| span.text(&self.bytes))
    }

    /// What follows the empty line, as long as Content-Length says.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The whole message as on the wire.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// A builder that begins with this message's start line, headers and body.
    pub fn edit(&self) -> Builder {
        Builder::from_message(self)
    }

    fn spans(&self, name: &Name) -> impl Iterator<Item = &Span> {
        self.index.all(name)
    }
}

/// Splits a list that is borrowed into borrowed elements, one that had to be unfolded into owned ones.
///
/// The text is kept as it is and walked once: it may be one long row of commas.
fn split_list(text: Cow<'_, str>) -> impl Iterator<Item = Cow<'_, str>> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let from = next.take()?;
        let tail_at = |tail: Option<&str>| tail.map(|tail| text.len() - tail.len());
        Some(match &text {
            Cow::Borrowed(all) => {
                let (element, tail) = split_element(all.get(from..)?);
                next = tail_at(tail);
                Cow::Borrowed(element)
            }
            Cow::Owned(all) => {
                let (element, tail) = split_element(all.get(from..)?);
                next = tail_at(tail);
                Cow::Owned(element.to_owned())
            }
        })
    })
}

/// Same bytes on the wire.
impl PartialEq for Message {
    fn eq(&self, other: &Message) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Message {}

/// Start line and size only: headers hold what must not reach a log.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = match &self.index.start {
            Start::Request { method, uri, .. } => {
                format!("{method} {}", String::from_utf8_lossy(uri.of(&self.bytes)))
            }
            Start::Response { status, reason } => {
                format!("{status} {}", String::from_utf8_lossy(reason.of(&self.bytes)))
            }
        };
        write!(f, "Message({start:?}, {} headers, {} bytes)", self.index.headers.len(), self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_the_same_whether_the_text_is_borrowed_or_owned() {
        for (text, expect) in [
            ("a, b,c", vec!["a", "b", "c"]),
            ("", vec![""]),
            (",", vec!["", ""]),
            (" <x,y> , \"p,q\" ,", vec!["<x,y>", "\"p,q\"", ""]),
            ("ü,,\u{fffd}", vec!["ü", "", "\u{fffd}"]),
        ] {
            assert_eq!(split_list(Cow::Borrowed(text)).collect::<Vec<_>>(), expect);
            assert_eq!(split_list(Cow::Owned(text.to_owned())).collect::<Vec<_>>(), expect);
        }
    }

    /// A copy of the tail for each of the commas would be 8 TB.
    #[test]
    fn a_row_of_commas_is_walked_once() {
        let commas = 4 << 20;
        assert_eq!(split_list(Cow::Owned(",".repeat(commas))).count(), commas + 1);
    }
}
