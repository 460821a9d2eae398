//! Where the parts of a message are.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::grammar::unfold;
use crate::header::{CSeq, Name};
use crate::method::Method;
use crate::status::StatusCode;

/// What the parser found. Offsets count from the start of the message's bytes.
pub(super) struct Index {
    pub(super) start: Start,
    pub(super) headers: Vec<Span>,
    /// The first thing wrong with the form, if an answer can be built all the same.
    pub(super) fault: Option<Fault>,
    /// Which header line is the first of each name of [`often`], [`NONE`] if there is none: they are asked for again and again.
    firsts: [u16; OFTEN],
    /// What was found when it was asked for first.
    pub(super) found: Found,
}

/// What is asked of a message at every step: where the tags of From and To are, and the CSeq.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) from_tag: OnceLock<Option<Range>>,
    pub(super) to_tag: OnceLock<Option<Range>>,
    pub(super) cseq: OnceLock<CSeq>,
}

const OFTEN: usize = 8;
const NONE: u16 = u16::MAX;

/// The number of a name that every message has, or is asked for.
fn often(name: &Name) -> Option<usize> {
    Some(match name {
        Name::Via => 0,
        Name::From => 1,
        Name::To => 2,
        Name::CallId => 3,
        Name::CSeq => 4,
        Name::Contact => 5,
        Name::ContentLength => 6,
        Name::ContentType => 7,
        _ => return None,
    })
}

#[derive(Debug, Clone)]
pub(super) enum Start {
    Request { method: Method, uri: Range },
    Response { status: StatusCode, reason: Range },
}

/// One header line.
#[derive(Debug, Clone)]
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
    pub(super) fn new(start: Start, headers: Vec<Span>, fault: Option<Fault>) -> Index {
        let mut firsts = [NONE; OFTEN];
        for (at, span) in headers.iter().enumerate().rev() {
            if let Some(first) = often(&span.name).and_then(|number| firsts.get_mut(number)) {
                // No message has so many lines.
                *first = u16::try_from(at).unwrap_or(NONE);
            }
        }
        Index { start, headers, fault, firsts, found: Found::default() }
    }

    /// Which header line is the first of that name.
    pub(super) fn position(&self, name: &Name) -> Option<usize> {
        match often(name).and_then(|number| self.firsts.get(number)) {
            Some(&first) => (first != NONE).then_some(usize::from(first)),
            None => self.headers.iter().position(|span| span.name == *name),
        }
    }

    /// The header lines of that name, in order.
    pub(super) fn all<'a>(&'a self, name: &Name) -> impl Iterator<Item = &'a Span> + use<'a> {
        let first = self.position(name).unwrap_or(self.headers.len());
        let name = name.clone();
        self.headers.get(first..).unwrap_or_default().iter().filter(move |span| span.name == name)
    }

    /// The first header line of that name.
    pub(super) fn first(&self, name: &Name) -> Option<&Span> {
        self.headers.get(self.position(name)?)
    }

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
        let (start, fault) = (self.start.clone(), self.fault.clone());
        Some(Index { start, headers, fault, firsts: self.firsts, found: Found::default() })
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

impl Range {
    /// The text it stands for, if it is one.
    pub(super) fn text_of(self, bytes: &[u8]) -> Option<&str> {
        std::str::from_utf8(self.of(bytes)).ok()
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
