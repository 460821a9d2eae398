//! Messages of our own. RFC 3261 §7, §8.2.6.

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use super::Message;
use super::index::{Index, Range, Span, Start};
use crate::grammar::{Digits, is_token_byte};
use crate::header::Name;
use crate::method::Method;
use crate::status::StatusCode;

/// A message in the making: start line, headers in order, body.
///
/// Nothing that is put in can break the message: a CR or LF in a value becomes a space, a name is reduced to the
/// characters of a token, and white space in a Request-URI is escaped.
#[derive(Debug, Clone)]
pub struct Builder {
    /// Start line and header lines as they will stand on the wire, without the empty line.
    head: Vec<u8>,
    start: Start,
    /// Where the lines are in `head`, in order, without a gap.
    headers: Vec<Span>,
    body: Bytes,
}

impl Builder {
    /// A request without headers.
    pub fn request(method: Method, uri: &str) -> Builder {
        // Room for an ordinary INVITE with its body, and for an ordinary request inside a dialog.
        let (size, lines) = if method == Method::Invite { (2048, 24) } else { (768, 16) };
        let mut head = Vec::with_capacity(size);
        let start = put_request_line(&mut head, method, uri);
        Builder { head, start, headers: Vec::with_capacity(lines), body: Bytes::new() }
    }

    /// A response without headers; `reason` may be empty.
    pub fn response(status: StatusCode, reason: &str) -> Builder {
        Builder::responding(512, status, reason)
    }

    /// - `size`: bytes that it has room for.
    fn responding(size: usize, status: StatusCode, reason: &str) -> Builder {
        let mut head = Vec::with_capacity(size);
        let start = put_status_line(&mut head, status, reason.as_bytes());
        Builder { head, start, headers: Vec::with_capacity(16), body: Bytes::new() }
    }

    /// A response to `request`: every Via, the first From, To, Call-ID and CSeq as they came, in a 100 the Timestamp too. To gets
    /// `to_tag` unless it has a tag. Record-Route is for [`record_routes`](Self::record_routes). RFC 3261 §8.2.6.
    pub fn reply(request: &Message, status: StatusCode, reason: &str, to_tag: Option<&str>) -> Builder {
        // A response that describes a session is about as long as its request.
        let mut reply = Builder::responding(request.bytes.len() + 256, status, reason);
        let to_tag = to_tag.filter(|_| request.to_tag().is_none());
        for span in &request.index.headers {
            let copied = match span.name {
                Name::Via => true,
                Name::From | Name::To | Name::CallId | Name::CSeq => !reply.has(&span.name),
                Name::Timestamp => status == StatusCode::TRYING,
                _ => false,
            };
            if copied {
                reply.copy(request, span, to_tag.filter(|_| span.name == Name::To));
            }
        }
        reply
    }

    /// Appends the Record-Routes of `request`, as every response that makes a dialog must. RFC 3261 §12.1.1.
    pub fn record_routes(mut self, request: &Message) -> Builder {
        for span in request.spans(&Name::RecordRoute) {
            self.copy(request, span, None);
        }
        self
    }

    pub(super) fn from_message(message: &Message) -> Builder {
        let index = &message.index;
        let mut head = Vec::with_capacity(message.bytes.len() + 256);
        let start = match &index.start {
            Start::Request { method, uri } => {
                let uri = String::from_utf8_lossy(uri.of(&message.bytes));
                put_request_line(&mut head, method.clone(), &uri)
            }
            Start::Response { status, reason } => {
                put_status_line(&mut head, *status, reason.of(&message.bytes))
            }
        };
        let headers = Vec::with_capacity(index.headers.len() + 8);
        let mut builder = Builder { head, start, headers, body: message.body.clone() };
        for span in &index.headers {
            // Names stay as they were written.
            let value = span.value(&message.bytes);
            builder.line(span.name.clone(), span.raw_name.of(&message.bytes), |head| head.extend(&*value));
        }
        builder
    }

    /// Appends a header of `message`, with a tag if there is one to add.
    fn copy(&mut self, message: &Message, span: &Span, tag: Option<&str>) {
        let written = |head: &mut Vec<u8>| {
            head.extend(&*span.value(&message.bytes));
            if let Some(tag) = tag {
                head.extend(b";tag=");
                head.extend(tag.as_bytes());
            }
        };
        match &span.name {
            Name::Other(_) => self.line(span.name.clone(), span.raw_name.of(&message.bytes), written),
            name => self.line(name.clone(), name.as_str().as_bytes(), written),
        }
    }

    /// Appends a header whose value `write` writes.
    fn append(&mut self, name: Name, write: impl FnOnce(&mut Vec<u8>)) {
        match &name {
            Name::Other(text) => self.named(text, write),
            known => self.line(known.clone(), known.as_str().as_bytes(), write),
        }
    }

    /// The name as given; what it is called decides what it is, also after characters were taken out.
    fn named(&mut self, text: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let mut raw = Cow::Borrowed(text.as_bytes());
        if !raw.iter().copied().all(is_token_byte) {
            raw.to_mut().retain(|byte| is_token_byte(*byte));
        }
        // One that means nothing.
        let raw = if raw.is_empty() { &b"X-Invalid"[..] } else { &raw };
        self.line(Name::read(raw).unwrap_or(Name::Subject), raw, write);
    }

    /// Appends a header line: CR and LF in its value become spaces, the ends are trimmed.
    ///
    /// - `raw`: the name as it is written, a token.
    fn line(&mut self, name: Name, raw: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let raw_name = put(&mut self.head, raw);
        self.head.extend(b": ");
        let from = self.head.len();
        write(&mut self.head);
        let value = tidied(&mut self.head, from);
        self.head.extend(b"\r\n");
        self.headers.push(Span { name, raw_name, value, folded: false });
    }

    /// Moves the last header line before that which is number `at`.
    fn move_last(&mut self, at: usize) {
        let Some(place) = self.headers.get(at).map(|span| span.raw_name.from) else { return };
        let Some(last) = self.headers.pop() else { return };
        let written = Range { from: place, to: last.raw_name.from }.usize();
        let length = self.head.len() - written.end;
        if let Some(moved) = self.head.get_mut(written.start..) {
            moved.rotate_right(length);
        }
        for span in self.headers.iter_mut().skip(at) {
            span.shift(length, 0);
        }
        let mut last = last;
        last.shift(0, written.len());
        self.headers.insert(at.min(self.headers.len()), last);
    }

    /// Puts `with` in place of `old`, which is within the start line or one header line; the lines behind it move.
    fn replace(&mut self, old: std::ops::Range<usize>, with: &[u8]) {
        let (end, length) = (old.end, old.len());
        self.head.splice(old, with.iter().copied());
        for span in self.headers.iter_mut().filter(|span| span.raw_name.usize().start >= end) {
            span.shift(with.len(), length);
        }
    }

    fn retain(&mut self, stays: impl Fn(&Name) -> bool) {
        let mut at = 0;
        while let Some(span) = self.headers.get(at) {
            if stays(&span.name) {
                at += 1;
            } else {
                let line = span.line();
                self.headers.remove(at);
                self.replace(line, b"");
            }
        }
    }

    fn position(&self, name: &Name) -> Option<usize> {
        self.headers.iter().position(|span| span.name == *name)
    }

    fn has(&self, name: &Name) -> bool {
        self.position(name).is_some()
    }

    /// Appends a header.
    pub fn header(mut self, name: Name, value: impl AsRef<[u8]>) -> Builder {
        self.append(name, |head| head.extend(value.as_ref()));
        self
    }

    /// Appends a header whose value is written as it shows itself.
    pub fn shown(mut self, name: Name, value: impl fmt::Display) -> Builder {
        // Room is all that a vector could want for.
        self.append(name, |head| write!(head, "{value}").unwrap_or_default());
        self
    }

    /// [`prepend`](Self::prepend) with a value that is written as it shows itself.
    pub fn prepend_shown(mut self, name: Name, value: impl fmt::Display) -> Builder {
        let at = self.position(&name).unwrap_or(0);
        self = self.shown(name, value);
        self.move_last(at);
        self
    }

    /// Appends a header whose name is written as given, compact or in odd case.
    pub fn raw(mut self, name: &str, value: impl AsRef<[u8]>) -> Builder {
        self.named(name, |head| head.extend(value.as_ref()));
        self
    }

    /// Puts a header before the first of its name, or before all others if there is none.
    pub fn prepend(mut self, name: Name, value: impl AsRef<[u8]>) -> Builder {
        let at = self.position(&name).unwrap_or(0);
        self = self.header(name, value);
        self.move_last(at);
        self
    }

    /// Replaces the first header of that name where it stands and removes the others, or appends one.
    pub fn set(mut self, name: Name, value: impl AsRef<[u8]>) -> Builder {
        let at = self.position(&name);
        self = self.remove(name.clone()).header(name, value);
        if let Some(at) = at {
            self.move_last(at);
        }
        self
    }

    /// Removes every header of that name.
    pub fn remove(mut self, name: Name) -> Builder {
        self.retain(|other| *other != name);
        self
    }

    /// Each header of that name with the value that `change` makes of its own; where it makes none, it stays.
    pub fn rewrite(mut self, name: &Name, change: impl Fn(&str) -> Option<String>) -> Builder {
        for at in 0..self.headers.len() {
            let Some(span) = self.headers.get(at).filter(|span| span.name == *name) else { continue };
            let old = span.value.usize();
            let Some(value) = change(&String::from_utf8_lossy(span.value.of(&self.head))) else { continue };
            let mut written = value.into_bytes();
            let Range { from, to } = tidied(&mut written, 0);
            self.replace(old, &written);
            if let Some(Span { value, .. }) = self.headers.get_mut(at) {
                *value = Range { from: value.from + from, to: value.from + to };
            }
        }
        self
    }

    /// Another status, under its own phrase; a request has none, and stays as it is.
    pub fn status(mut self, status: StatusCode, reason: &str) -> Builder {
        if let Start::Response { .. } = &self.start {
            let mut line = Vec::new();
            let start = put_status_line(&mut line, status, reason.as_bytes());
            self.begin_anew(start, &line);
        }
        self
    }

    /// Another Request-URI; a response has none, and stays as it is.
    pub fn uri(mut self, uri: &str) -> Builder {
        if let Start::Request { method, .. } = &self.start {
            let mut line = Vec::new();
            let start = put_request_line(&mut line, method.clone(), uri);
            self.begin_anew(start, &line);
        }
        self
    }

    fn begin_anew(&mut self, start: Start, line: &[u8]) {
        let end = self.headers.first().map_or(self.head.len(), |first| first.raw_name.usize().start);
        self.replace(0..end, line);
        self.start = start;
    }

    /// Sets body and Content-Type; Content-Length follows by itself.
    pub fn body(mut self, content_type: &str, body: Bytes) -> Builder {
        self.body = body;
        self.set(Name::ContentType, content_type)
    }

    /// Removes the body and its Content-Type, -Encoding, -Disposition, -Language and -ID.
    pub fn no_body(mut self) -> Builder {
        self.body = Bytes::new();
        self.retain(|name| {
            !matches!(
                name,
                Name::ContentType
                    | Name::ContentEncoding
                    | Name::ContentDisposition
                    | Name::ContentLanguage
                    | Name::ContentId
            )
        });
        self
    }

    /// Writes the message. Content-Length is the body's: where there was one, else at the end.
    pub fn build(self) -> Message {
        let Builder { head: mut bytes, start, headers, body } = self.with_length();
        bytes.reserve_exact(body.len() + 2);
        bytes.extend(b"\r\n");
        let head = bytes.len();
        bytes.extend(&*body);
        let bytes = Bytes::from(bytes);
        let body = bytes.slice(head..);
        Message { bytes, body, index: Arc::new(Index::new(start, headers, None)) }
    }

    fn with_length(mut self) -> Builder {
        // Nothing that we write is near 4 GiB.
        let length = Digits::new(u32::try_from(self.body.len()).unwrap_or(u32::MAX));
        let length = length.as_str();
        let Some(at) = self.position(&Name::ContentLength) else {
            return self.header(Name::ContentLength, length);
        };
        let raw = self.headers.get(at).map(|span| span.raw_name.of(&self.head).to_vec()).unwrap_or_default();
        self.retain(|name| *name != Name::ContentLength);
        self.line(Name::ContentLength, &raw, |head| head.extend(length.as_bytes()));
        self.move_last(at);
        self
    }
}

impl Span {
    /// The line with its end, as a [`Builder`] wrote it.
    fn line(&self) -> std::ops::Range<usize> {
        self.raw_name.usize().start..self.value.usize().end + 2
    }

    /// What stood before the line has become longer by `more`, and shorter by `less`.
    fn shift(&mut self, more: usize, less: usize) {
        // Nothing that we write is near 4 GiB.
        let length = |length| u32::try_from(length).unwrap_or_default();
        let (more, less) = (length(more), length(less));
        let shift = |place: u32| place.saturating_add(more).saturating_sub(less);
        for range in [&mut self.raw_name, &mut self.value] {
            *range = Range { from: shift(range.from), to: shift(range.to) };
        }
    }
}

fn put_request_line(head: &mut Vec<u8>, method: Method, uri: &str) -> Start {
    head.extend(method.as_str().as_bytes());
    head.push(b' ');
    let uri = put_word(head, uri);
    head.extend(b" SIP/2.0\r\n");
    Start::Request { method, uri }
}

fn put_status_line(head: &mut Vec<u8>, status: StatusCode, reason: &[u8]) -> Start {
    head.extend(b"SIP/2.0 ");
    head.extend(Digits::new(status.code().into()).as_str().as_bytes());
    head.push(b' ');
    let from = head.len();
    head.extend(reason);
    let reason = tidied(head, from);
    head.extend(b"\r\n");
    Start::Response { status, reason }
}

/// Writes `part` and says where it is.
fn put(head: &mut Vec<u8>, part: &[u8]) -> Range {
    let from = head.len();
    head.extend(part);
    since(head, from)
}

/// Writes a Request-URI without white space or control characters, and never empty.
fn put_word(head: &mut Vec<u8>, uri: &str) -> Range {
    let from = head.len();
    let uri = if uri.is_empty() { "sip:invalid.invalid" } else { uri };
    if uri.bytes().all(|byte| byte > b' ') {
        return put(head, uri.as_bytes());
    }
    for byte in uri.bytes() {
        match byte {
            // Room is all that a vector could want for.
            ..=b' ' => write!(head, "%{byte:02X}").unwrap_or_default(),
            _ => head.push(byte),
        }
    }
    since(head, from)
}

/// Makes one line of what was written since `from`: CR and LF become spaces, white space at the ends goes.
fn tidied(head: &mut Vec<u8>, from: usize) -> Range {
    let written = head.get_mut(from..).unwrap_or_default();
    for byte in written.iter_mut() {
        *byte = if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte };
    }
    let trimmed = written.trim_ascii_end();
    let (end, text) = (trimmed.len(), trimmed.trim_ascii_start().len());
    head.truncate(from + end);
    if end > text {
        head.drain(from..from + end - text);
    }
    since(head, from)
}

fn since(head: &[u8], from: usize) -> Range {
    // Nothing that we write is near 4 GiB.
    Range::new(from, head.len()).unwrap_or(Range { from: 0, to: 0 })
}

#[cfg(test)]
mod tests;
