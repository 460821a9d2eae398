//! Messages of our own. RFC 3261 §7, §8.2.6.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::Message;
use super::index::{Index, Range, Span, Start};
use crate::grammar::is_token_byte;
use crate::header::Name;
use crate::method::Method;
use crate::status::StatusCode;

/// A message in the making: start line, headers in order, body.
///
/// Nothing that is put in can break the message: a CR or LF in a value becomes a space, a name is reduced to the
/// characters of a token, and white space in a Request-URI is escaped.
#[derive(Debug, Clone)]
pub struct Builder {
    start: Line,
    headers: Vec<Entry>,
    /// What was put in, one after the other.
    own: Vec<u8>,
    body: Bytes,
}

#[derive(Debug, Clone)]
enum Line {
    Request { method: Method, uri: String },
    Response { status: StatusCode, reason: Bytes },
}

#[derive(Debug, Clone)]
struct Entry {
    name: Name,
    /// As it is to be written, if not in its long form.
    raw: Option<Part>,
    value: Part,
}

/// Bytes that will stand in the message.
#[derive(Debug, Clone)]
enum Part {
    /// Of another message.
    Shared(Bytes),
    /// Of [`Builder::own`].
    Own(Range),
}

impl Part {
    fn bytes<'a>(&'a self, own: &'a [u8]) -> &'a [u8] {
        match self {
            Part::Shared(bytes) => bytes,
            Part::Own(range) => range.of(own),
        }
    }
}

impl Entry {
    fn write(self, own: &[u8], bytes: &mut BytesMut) -> Span {
        let raw = self.raw.as_ref().map(|raw| raw.bytes(own));
        let raw_name = put(bytes, raw.unwrap_or(self.name.as_str().as_bytes()));
        bytes.put_slice(b": ");
        let value = put(bytes, self.value.bytes(own));
        bytes.put_slice(b"\r\n");
        Span { name: self.name, raw_name, value, folded: false }
    }
}

impl Line {
    fn write(self, bytes: &mut BytesMut) -> Start {
        let start = match self {
            Line::Request { method, uri } => {
                bytes.put_slice(method.as_str().as_bytes());
                bytes.put_slice(b" ");
                let uri = put(bytes, uri.as_bytes());
                bytes.put_slice(b" SIP/2.0");
                Start::Request { method, uri }
            }
            Line::Response { status, reason } => {
                bytes.put_slice(b"SIP/2.0 ");
                bytes.put_slice(status.to_string().as_bytes());
                bytes.put_slice(b" ");
                Start::Response { status, reason: put(bytes, &reason) }
            }
        };
        bytes.put_slice(b"\r\n");
        start
    }
}

/// Writes `part` and says where it is.
fn put(bytes: &mut BytesMut, part: &[u8]) -> Range {
    let from = bytes.len();
    bytes.put_slice(part);
    // Nothing that we write is near 4 GiB.
    Range::new(from, bytes.len()).unwrap_or(Range { from: 0, to: 0 })
}

impl Builder {
    /// A request without headers.
    pub fn request(method: Method, uri: &str) -> Builder {
        Builder {
            start: Line::Request { method, uri: one_word(uri) },
            headers: Vec::with_capacity(24),
            own: Vec::with_capacity(1024),
            body: Bytes::new(),
        }
    }

    /// A response without headers; `reason` may be empty.
    pub fn response(status: StatusCode, reason: &str) -> Builder {
        let reason = one_line(reason.as_bytes());
        Builder {
            start: Line::Response { status, reason },
            headers: Vec::with_capacity(16),
            own: Vec::with_capacity(256),
            body: Bytes::new(),
        }
    }

    /// A response to `request`: every Via, the first From, To, Call-ID and CSeq as they came, in a 100 the Timestamp too. To gets
    /// `to_tag` unless it has a tag. Record-Route is for [`record_routes`](Self::record_routes). RFC 3261 §8.2.6.
    pub fn reply(request: &Message, status: StatusCode, reason: &str, to_tag: Option<&str>) -> Builder {
        let mut reply = Builder::response(status, reason);
        for span in &request.index.headers {
            let copied = match span.name {
                Name::Via => true,
                Name::From | Name::To | Name::CallId | Name::CSeq => !reply.has(&span.name),
                Name::Timestamp => status == StatusCode::TRYING,
                _ => false,
            };
            if copied {
                let entry = reply.shared(request, span);
                reply.headers.push(entry);
            }
        }
        if let Some(tag) = to_tag {
            reply.tag_to(request, tag);
        }
        reply
    }

    /// Gives To a tag unless it has one.
    fn tag_to(&mut self, request: &Message, tag: &str) {
        let Some(at) = self.headers.iter().position(|entry| entry.name == Name::To) else { return };
        let to = self.headers.get(at).map(|to| to.value.clone()).filter(|_| request.to_tag().is_none());
        let Some(to) = to else { return };
        let from = self.own.len();
        match to {
            Part::Shared(to) => self.own.extend_from_slice(&to),
            Part::Own(to) => self.own.extend_from_within(to.usize()),
        }
        self.own.extend_from_slice(b";tag=");
        self.own.extend_from_slice(tag.as_bytes());
        let value = self.since(from);
        if let Some(to) = self.headers.get_mut(at) {
            to.value = value;
        }
    }

    /// Appends the Record-Routes of `request`, as every response that makes a dialog must. RFC 3261 §12.1.1.
    pub fn record_routes(mut self, request: &Message) -> Builder {
        for span in request.spans(&Name::RecordRoute) {
            let entry = self.shared(request, span);
            self.headers.push(entry);
        }
        self
    }

    pub(super) fn from_message(message: &Message) -> Builder {
        let start = match &message.index.start {
            Start::Request { method, uri } => Line::Request {
                method: method.clone(),
                uri: one_word(&String::from_utf8_lossy(uri.of(&message.bytes))),
            },
            Start::Response { status, reason } => {
                Line::Response { status: *status, reason: plain(message.bytes.slice(reason.usize())) }
            }
        };
        let headers = Vec::with_capacity(message.index.headers.len() + 8);
        let mut builder = Builder { start, headers, own: Vec::new(), body: message.body.clone() };
        for span in &message.index.headers {
            // Names stay as they were written.
            let raw = Some(Part::Shared(message.bytes.slice(span.raw_name.usize())));
            let entry = Entry { raw, ..builder.shared(message, span) };
            builder.headers.push(entry);
        }
        builder
    }

    /// A header of `message`; its bytes are shared unless it was folded.
    fn shared(&mut self, message: &Message, span: &Span) -> Entry {
        let value = match span.value(&message.bytes) {
            Cow::Borrowed(value) if !has_line_end(value) => {
                Part::Shared(message.bytes.slice(span.value.usize()))
            }
            value => self.one_line(&value),
        };
        let is_other = matches!(span.name, Name::Other(_));
        let raw = is_other.then(|| Part::Shared(message.bytes.slice(span.raw_name.usize())));
        Entry { name: span.name.clone(), raw, value }
    }

    fn entry(&mut self, name: Name, value: &[u8]) -> Entry {
        match &name {
            Name::Other(text) => self.named(text, value),
            _ => Entry { name, raw: None, value: self.one_line(value) },
        }
    }

    /// The name as given; what it is called decides what it is, also after characters were taken out.
    fn named(&mut self, text: &str, value: &[u8]) -> Entry {
        let from = self.own.len();
        self.own.extend(text.bytes().filter(|byte| is_token_byte(*byte)));
        if self.own.len() == from {
            // One that means nothing.
            self.own.extend_from_slice(b"X-Invalid");
        }
        let raw = self.since(from);
        let name = Name::read(raw.bytes(&self.own)).unwrap_or(Name::Subject);
        Entry { name, raw: Some(raw), value: self.one_line(value) }
    }

    /// One line: CR and LF become spaces, the ends are trimmed.
    fn one_line(&mut self, value: &[u8]) -> Part {
        let from = self.own.len();
        self.own.extend(value.trim_ascii().iter().map(clean));
        self.since(from)
    }

    fn since(&self, from: usize) -> Part {
        // Nothing that we write is near 4 GiB.
        Part::Own(Range::new(from, self.own.len()).unwrap_or(Range { from: 0, to: 0 }))
    }

    /// Appends a header.
    pub fn header(mut self, name: Name, value: impl AsRef<[u8]>) -> Builder {
        let entry = self.entry(name, value.as_ref());
        self.headers.push(entry);
        self
    }

    /// Appends a header whose value is in several parts, one after the other.
    pub(crate) fn header_of(mut self, name: Name, parts: &[&[u8]]) -> Builder {
        let from = self.own.len();
        self.own.extend(parts.iter().copied().flatten().map(clean));
        let value = self.since(from);
        self.headers.push(Entry { name, raw: None, value });
        self
    }

    /// Appends a header whose name is written as given, compact or in odd case.
    pub fn raw(mut self, name: &str, value: impl AsRef<[u8]>) -> Builder {
        let entry = self.named(name, value.as_ref());
        self.headers.push(entry);
        self
    }

    /// Puts a header before the first of its name, or before all others if there is none.
    pub fn prepend(mut self, name: Name, value: impl AsRef<[u8]>) -> Builder {
        let at = self.headers.iter().position(|entry| entry.name == name).unwrap_or(0);
        let entry = self.entry(name, value.as_ref());
        self.headers.insert(at, entry);
        self
    }

    /// Replaces the first header of that name where it stands and removes the others, or appends one.
    pub fn set(mut self, name: Name, value: impl AsRef<[u8]>) -> Builder {
        let at = self.headers.iter().position(|entry| entry.name == name).unwrap_or(self.headers.len());
        self.headers.retain(|entry| entry.name != name);
        let entry = self.entry(name, value.as_ref());
        self.headers.insert(at.min(self.headers.len()), entry);
        self
    }

    /// Removes every header of that name.
    pub fn remove(mut self, name: Name) -> Builder {
        self.headers.retain(|entry| entry.name != name);
        self
    }

    /// Each header of that name with the value that `change` makes of its own; where it makes none, it stays.
    pub fn rewrite(mut self, name: &Name, change: impl Fn(&str) -> Option<String>) -> Builder {
        for at in 0..self.headers.len() {
            let entry = self.headers.get(at).filter(|entry| entry.name == *name);
            let said = entry.map(|entry| String::from_utf8_lossy(entry.value.bytes(&self.own)));
            if let Some(value) = said.and_then(|said| change(&said)) {
                let value = self.one_line(value.as_bytes());
                if let Some(entry) = self.headers.get_mut(at) {
                    entry.value = value;
                }
            }
        }
        self
    }

    /// Another status, under its own phrase; a request has none, and stays as it is.
    pub fn status(mut self, status: StatusCode, reason: &str) -> Builder {
        if let Line::Response { .. } = &self.start {
            self.start = Line::Response { status, reason: one_line(reason.as_bytes()) };
        }
        self
    }

    /// Another Request-URI; a response has none, and stays as it is.
    pub fn uri(mut self, text: &str) -> Builder {
        if let Line::Request { uri, .. } = &mut self.start {
            *uri = one_word(text);
        }
        self
    }

    /// Sets body and Content-Type; Content-Length follows by itself.
    pub fn body(mut self, content_type: &str, body: Bytes) -> Builder {
        self.body = body;
        self.set(Name::ContentType, content_type)
    }

    /// Removes the body and its Content-Type, -Encoding, -Disposition, -Language and -ID.
    pub fn no_body(mut self) -> Builder {
        self.body = Bytes::new();
        self.headers.retain(|entry| {
            !matches!(
                entry.name,
                Name::ContentType
                    | Name::ContentEncoding
                    | Name::ContentDisposition
                    | Name::ContentLanguage
                    | Name::ContentId
            )
        });
        self
    }

    fn has(&self, name: &Name) -> bool {
        self.headers.iter().any(|entry| entry.name == *name)
    }

    /// Writes the message. Content-Length is the body's: where there was one, else at the end.
    pub fn build(self) -> Message {
        let length = smol_str::format_smolstr!("{}", self.body.len());
        let Builder { start, headers, own, body } = self.set_length(&length);
        let size: usize = headers.iter().map(|entry| entry.value.bytes(&own).len() + 28).sum();
        let mut bytes = BytesMut::with_capacity(size + body.len() + 256);
        let start = start.write(&mut bytes);
        // Not collected in place: the message would keep the builder's larger allocation for as long as it lives.
        let mut spans = Vec::with_capacity(headers.len());
        spans.extend(headers.into_iter().map(|entry| entry.write(&own, &mut bytes)));
        bytes.put_slice(b"\r\n");
        let head = bytes.len();
        bytes.put_slice(&body);
        let bytes = bytes.freeze();
        let body = bytes.slice(head..);
        Message { bytes, body, index: Arc::new(Index { start, headers: spans, fault: None }) }
    }

    fn set_length(self, length: &str) -> Builder {
        let raw = self
            .headers
            .iter()
            .find(|entry| entry.name == Name::ContentLength)
            .and_then(|entry| entry.raw.clone());
        let mut this = self.set(Name::ContentLength, length);
        if let Some(entry) = this.headers.iter_mut().find(|entry| entry.name == Name::ContentLength) {
            entry.raw = raw;
        }
        this
    }
}

/// CR and LF become spaces.
fn clean(byte: &u8) -> u8 {
    if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }
}

/// One line, as [`Builder::one_line`] makes it.
fn one_line(value: &[u8]) -> Bytes {
    value.trim_ascii().iter().map(clean).collect()
}

/// Shares what is one line already.
fn plain(value: Bytes) -> Bytes {
    if has_line_end(&value) { one_line(&value) } else { value }
}

fn has_line_end(value: &[u8]) -> bool {
    value.iter().any(|byte| matches!(byte, b'\r' | b'\n'))
}

/// A Request-URI without white space or control characters, and never empty.
fn one_word(uri: &str) -> String {
    if uri.is_empty() {
        return "sip:invalid.invalid".to_owned();
    }
    if !uri.bytes().any(|byte| byte <= b' ') {
        return uri.to_owned();
    }
    let mut clean = String::with_capacity(uri.len() + 8);
    for letter in uri.chars() {
        if letter <= ' ' {
            clean.push_str(&format!("%{:02X}", u32::from(letter)));
        } else {
            clean.push(letter);
        }
    }
    clean
}

#[cfg(test)]
mod tests;
