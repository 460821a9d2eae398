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
    raw: Option<Bytes>,
    value: Bytes,
}

impl Entry {
    fn new(name: Name, value: &[u8]) -> Entry {
        match &name {
            Name::Other(text) => Self::named(text, value),
            _ => Entry { name, raw: None, value: one_line(value) },
        }
    }

    /// The name as given; what it is called decides what it is, also after characters were taken out.
    fn named(text: &str, value: &[u8]) -> Entry {
        let raw = token(text);
        let name = Name::from(std::str::from_utf8(&raw).unwrap_or_default());
        Entry { name, raw: Some(raw), value: one_line(value) }
    }
}

impl Entry {
    /// A header of `message`; its bytes are shared unless it was folded.
    fn shared(message: &Message, span: &Span) -> Entry {
        let value = match span.value(&message.bytes) {
            Cow::Borrowed(_) => plain(message.bytes.slice(span.value.usize())),
            Cow::Owned(unfolded) => one_line(&unfolded),
        };
        let raw = matches!(span.name, Name::Other(_)).then(|| message.bytes.slice(span.raw_name.usize()));
        Entry { name: span.name.clone(), raw, value }
    }

    fn write(self, bytes: &mut BytesMut) -> Span {
        let raw_name = put(bytes, self.raw.as_deref().unwrap_or(self.name.as_str().as_bytes()));
        bytes.put_slice(b": ");
        let value = put(bytes, &self.value);
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
            headers: Vec::with_capacity(16),
            body: Bytes::new(),
        }
    }

    /// A response without headers; `reason` may be empty.
    pub fn response(status: StatusCode, reason: &str) -> Builder {
        let reason = one_line(reason.as_bytes());
        Builder {
            start: Line::Response { status, reason },
            headers: Vec::with_capacity(12),
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
                reply.headers.push(Entry::shared(request, span));
            }
        }
        if let Some(tag) = to_tag {
            reply.tag_to(request, tag);
        }
        reply
    }

    /// Gives To a tag unless it has one.
    fn tag_to(&mut self, request: &Message, tag: &str) {
        let to = self.headers.iter_mut().find(|entry| entry.name == Name::To);
        if let (Some(to), None) = (to, request.to_tag()) {
            to.value = one_line(&[&to.value, &b";tag="[..], tag.as_bytes()].concat());
        }
    }

    /// Appends the Record-Routes of `request`, as every response that makes a dialog must. RFC 3261 §12.1.1.
    pub fn record_routes(mut self, request: &Message) -> Builder {
        let lines = request.spans(&Name::RecordRoute).map(|span| Entry::shared(request, span));
        self.headers.extend(lines);
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
        // Names stay as they were written.
        let entry = |span: &Span| Entry {
            raw: Some(message.bytes.slice(span.raw_name.usize())),
            ..Entry::shared(message, span)
        };
        Builder {
            start,
            headers: message.index.headers.iter().map(entry).collect(),
            body: message.body.clone(),
        }
    }

    /// Appends a header.
    pub fn header(mut self, name: Name, value: impl AsRef<[u8]>) -> Builder {
        self.headers.push(Entry::new(name, value.as_ref()));
        self
    }

    /// Appends a header whose name is written as given, compact or in odd case.
    pub fn raw(mut self, name: &str, value: impl AsRef<[u8]>) -> Builder {
        self.headers.push(Entry::named(name, value.as_ref()));
        self
    }

    /// Puts a header before the first of its name, or before all others if there is none.
    pub fn prepend(mut self, name: Name, value: impl AsRef<[u8]>) -> Builder {
        let at = self.headers.iter().position(|entry| entry.name == name).unwrap_or(0);
        self.headers.insert(at, Entry::new(name, value.as_ref()));
        self
    }

    /// Replaces the first header of that name where it stands and removes the others, or appends one.
    pub fn set(mut self, name: Name, value: impl AsRef<[u8]>) -> Builder {
        let at = self.headers.iter().position(|entry| entry.name == name).unwrap_or(self.headers.len());
        self.headers.retain(|entry| entry.name != name);
        self.headers.insert(at.min(self.headers.len()), Entry::new(name, value.as_ref()));
        self
    }

    /// Removes every header of that name.
    pub fn remove(mut self, name: Name) -> Builder {
        self.headers.retain(|entry| entry.name != name);
        self
    }

    /// Each header of that name with the value that `change` makes of its own; where it makes none, it stays.
    pub fn rewrite(mut self, name: &Name, change: impl Fn(&str) -> Option<String>) -> Builder {
        for entry in self.headers.iter_mut().filter(|entry| entry.name == *name) {
            if let Some(value) = change(&String::from_utf8_lossy(&entry.value)) {
                entry.value = one_line(value.as_bytes());
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
        let length = self.body.len().to_string();
        let Builder { start, headers, body } = self.set_length(&length);
        let size: usize = headers.iter().map(|entry| entry.value.len() + 28).sum();
        let mut bytes = BytesMut::with_capacity(size + body.len() + 256);
        let start = start.write(&mut bytes);
        // Not collected in place: the message would keep the builder's larger allocation for as long as it lives.
        let mut spans = Vec::with_capacity(headers.len());
        spans.extend(headers.into_iter().map(|entry| entry.write(&mut bytes)));
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

/// One line: CR and LF become spaces, the ends are trimmed.
fn one_line(value: &[u8]) -> Bytes {
    let value = value.trim_ascii();
    if !has_line_end(value) {
        return Bytes::copy_from_slice(value);
    }
    let clean = |byte: &u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte };
    value.iter().map(clean).collect()
}

/// Shares what is one line already.
fn plain(value: Bytes) -> Bytes {
    if has_line_end(&value) { one_line(&value) } else { value }
}

fn has_line_end(value: &[u8]) -> bool {
    value.iter().any(|byte| matches!(byte, b'\r' | b'\n'))
}

/// A name of token characters only; one that means nothing if none is left.
fn token(name: &str) -> Bytes {
    let clean: Bytes = name.bytes().filter(|byte| is_token_byte(*byte)).collect();
    if clean.is_empty() { Bytes::from_static(b"X-Invalid") } else { clean }
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
