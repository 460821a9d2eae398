//! Where the parts of a message are.

use std::borrow::Cow;

use crate::grammar::unfold;
use crate::header::Name;
use crate::method::Method;
use crate::status::StatusCode;

/// What the parser found. Offsets count from the start of the message's bytes.
pub(super) struct Index {
    pub(super) start: Start,
    pub(super) headers: Vec<Span>,
    /// The first thing wrong with the form, if an answer can be built all the same.
    pub(super) fault: Option<Fault>,
}

#[derive(Clone)]
pub(super) enum Start {
    Request { method: Method, uri: Range },
    Response { status: StatusCode, reason: Range },
}

/// One header line.
#[derive(Clone)]
pub(super) struct Span {
    pub(super) name: Name,
    pub(super) raw_name: Range,
    /// Trimmed at both ends.
    pub(super) value: Range,
    pub(super) folded: bool,
}

/// Half-open, in bytes; four bytes an end, since no message is near 4 GiB.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) from: u32,
    pub(super) to: u32,
}

/// Wrong form of a message that can still be answered. The texts are reason phrases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not SIP/2.0: 505.
    Version,
    StartLineSpace,
    RequestUri,
    NoColon,
    HeaderName,
    LineEnd,
    FoldFirst,
    NoEnd,
}

impl Index {
    /// The index of the same message with another value in its header line number `at`.
    ///
    /// - `value`: where the new value is; all behind the old one has moved with its end.
    pub(super) fn with_value(&self, at: usize, value: Range, folded: bool) -> Option<Index> {
        let old = self.headers.get(at)?.value.to;
        let moved = |place: u32| if place >= old { (place - old).checked_add(value.to) } else { Some(place) };
        let moved = |range: Range| Some(Range { from: moved(range.from)?, to: moved(range.to)? });
        let mut headers = Vec::with_capacity(self.headers.len());
        for (index, span) in self.headers.iter().enumerate() {
            headers.push(match index == at {
                true => Span { value, folded, ..span.clone() },
                false => Span { raw_name: moved(span.raw_name)?, value: moved(span.value)?, ..span.clone() },
            });
        }
        Some(Index { start: self.start.clone(), headers, fault: self.fault.clone() })
    }
}

impl Range {
    /// `None` beyond 4 GiB.
    pub(super) fn new(from: usize, to: usize) -> Option<Range> {
        Some(Range { from: u32::try_from(from).ok()?, to: u32::try_from(to).ok()? })
    }

    pub(super) fn usize(self) -> std::ops::Range<usize> {
        // A u32 fits a usize on all that we build for.
        usize::try_from(self.from).unwrap_or(usize::MAX)..usize::try_from(self.to).unwrap_or(usize::MAX)
    }

    /// The bytes it stands for; empty if it is not of this message, which the parser never makes.
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.usize()).unwrap_or_default()
    }
}

impl Span {
    pub(super) fn value<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let value = self.value.of(bytes);
        if self.folded { Cow::Owned(unfold(value)) } else { Cow::Borrowed(value) }
    }

    pub(super) fn text<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        match self.value(bytes) {
            Cow::Borrowed(value) => match std::str::from_utf8(value) {
                Ok(text) => Cow::Borrowed(text), // Several times faster than the lossy reader.
                Err(_) => String::from_utf8_lossy(value),
            },
            Cow::Owned(value) => Cow::Owned(String::from_utf8_lossy(&value).into_owned()),
        }
    }
}

impl Fault {
    pub(super) fn text(&self) -> &'static str {
        match self {
            Fault::Version => "Version Not Supported",
            Fault::StartLineSpace => "Request-Line: needs single spaces and none at its end",
            Fault::RequestUri => "Request-URI: not UTF-8",
            Fault::NoColon => "Header line without a colon",
            Fault::HeaderName => "Header name is not a token",
            Fault::LineEnd => "Line does not end in CRLF",
            Fault::FoldFirst => "First header line begins with white space",
            Fault::NoEnd => "No empty line after the headers",
        }
    }
}
