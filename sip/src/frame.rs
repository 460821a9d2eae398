//! Where messages begin and end on a stream. RFC 3261 §7.5, §18.3; RFC 5626 §3.5.1.

use bytes::{Bytes, BytesMut};

use crate::message::{Message, ParseError, content_lengths, phrase};
use crate::method::Method;
use crate::status::StatusCode;

/// What came whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A message, to be checked by [`Message::check`].
    Message(Message),
    /// CRLF CRLF between messages: answer with one CRLF. RFC 5626 §4.4.1.
    Ping,
    /// A single CRLF before a message: the answer to a ping of ours, or padding. Nothing to do.
    Pong,
}

/// The stream lost its framing: answer, if there is an answer, and close it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {text}")]
pub struct FrameError {
    /// The head of the request to answer; `None` if nothing can be answered (it was a response, or no SIP).
    pub answer: Option<Message>,
    /// 400, or 513 for what is too large.
    pub status: StatusCode,
    /// Reason phrase: names the header and the fault.
    pub text: String,
}

/// Cuts a stream into frames; the same frames wherever the stream was split.
///
/// Call [`push`](Self::push) with what was read, then [`next`](Self::next) until it gives `Ok(None)`. After an error
/// nothing more comes. Holds at most one unfinished message plus what was pushed since. Two CRLFs are a ping as soon as
/// the second is there; a single one is told when something else follows it.
#[derive(Debug)]
pub struct StreamFramer {
    buffer: BytesMut,
    max_header_bytes: usize,
    max_body_bytes: usize,
    /// No empty line begins before this offset.
    searched: usize,
    /// Head and body length of the message that is arriving.
    expected: Option<(usize, usize)>,
    failed: bool,
}

impl StreamFramer {
    /// `max_header_bytes`: most bytes of start line and headers together; `max_body_bytes`: most bytes of a body.
    pub fn new(max_header_bytes: usize, max_body_bytes: usize) -> StreamFramer {
        StreamFramer {
            buffer: BytesMut::new(),
            max_header_bytes,
            max_body_bytes,
            searched: 0,
            expected: None,
            failed: false,
        }
    }

    /// Takes what was read from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.failed {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Bytes of a message that has begun and not ended; 0 between messages. For time limits on half a message.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// The next whole frame; `Ok(None)` if more bytes are needed.
    #[expect(
        clippy::should_implement_trait,
        reason = "an error ends the stream, which an iterator cannot say"
    )]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.failed {
            return Ok(None);
        }
        let next = self.cut();
        if next.is_err() {
            self.failed = true;
            self.buffer = BytesMut::new();
        }
        next
    }

    fn cut(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(frame) = self.keep_alive() {
            return Ok(frame);
        }
        let (head, body) = match self.expected {
            Some(expected) => expected,
            None => match self.head_length()? {
                Some(head) => (head, self.body_length(head)?),
                None => return Ok(None),
            },
        };
        if self.buffer.len() < head + body {
            self.expected = Some((head, body));
            return Ok(None);
        }
        self.expected = None;
        self.searched = 0;
        let bytes = self.buffer.split_to(head + body).freeze();
        Message::parse_any_length(bytes).map(Frame::Message).map(Some).map_err(unreadable)
    }

    /// Line ends before a message. Outer `None`: a message begins.
    fn keep_alive(&mut self) -> Option<Option<Frame>> {
        let (frame, length) = match &*self.buffer {
            [b'\r', b'\n', b'\r', b'\n', ..] => (Frame::Ping, 4),
            [] | [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return Some(None),
            [b'\r', b'\n', ..] => (Frame::Pong, 2),
            _ => return None,
        };
        let _ = self.buffer.split_to(length);
        Some(Some(frame))
    }

    /// Bytes up to the end of the empty line.
    fn head_length(&mut self) -> Result<Option<usize>, FrameError> {
        let from = self.searched;
        let rest = self.buffer.get(from..).unwrap_or_default();
        let mut found = None;
        for (at, _) in rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            match rest.get(at + 1..).unwrap_or_default() {
                [b'\n', ..] => found = Some(from + at + 2),
                [b'\r', b'\n', ..] => found = Some(from + at + 3),
                _ => continue,
            }
            break;
        }
        // The end may be split after any of its bytes.
        self.searched = self.buffer.len().saturating_sub(2);
        if found.unwrap_or(self.buffer.len()) > self.max_header_bytes {
            return Err(self.too_large("Headers: too long"));
        }
        Ok(found)
    }

    /// What Content-Length says; without a good one the next message cannot be found. RFC 3261 §18.3.
    fn body_length(&self, head: usize) -> Result<usize, FrameError> {
        let head = self.buffer.get(..head).unwrap_or_default();
        let fault =
            |text: String| FrameError { answer: answerable(head), status: StatusCode::BAD_REQUEST, text };
        let mut lengths = content_lengths(head);
        let length = match lengths.next() {
            None => return Err(fault("Content-Length: missing".to_owned())),
            Some(Err(text)) => return Err(fault(phrase(&format!("Content-Length: bad number '{text}'")))),
            Some(Ok(length)) => length,
        };
        if lengths.any(|other| other != Ok(length)) {
            return Err(fault("Content-Length: more than one".to_owned()));
        }
        match usize::try_from(length) {
            Ok(length) if length <= self.max_body_bytes => Ok(length),
            _ => Err(FrameError {
                status: StatusCode::MESSAGE_TOO_LARGE,
                ..fault(format!("Content-Length: {length} is more than {}", self.max_body_bytes))
            }),
        }
    }

    fn too_large(&self, text: &str) -> FrameError {
        // What came of the headers may be enough for an answer: Via, From, To, Call-ID and CSeq stand first mostly.
        let head = self.buffer.get(..self.max_header_bytes.min(self.buffer.len())).unwrap_or_default();
        let whole = head.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let answer = answerable(head.get(..whole).unwrap_or_default());
        FrameError { answer, status: StatusCode::MESSAGE_TOO_LARGE, text: text.to_owned() }
    }
}

/// What a datagram holds: a message, or a keep-alive of line ends only.
///
/// CRLF CRLF is a ping; any other run of line ends is told as a pong, for there is nothing to answer (RFC 5626 knows
/// CRLF on streams only, but phones send it on UDP to keep a NAT open).
pub fn datagram(bytes: Bytes) -> Result<Frame, ParseError> {
    match &*bytes {
        b"\r\n\r\n" => Ok(Frame::Ping),
        [] => Err(ParseError::Empty),
        line_ends if line_ends.iter().all(|byte| matches!(byte, b'\r' | b'\n')) => Ok(Frame::Pong),
        _ => Message::parse(bytes).map(Frame::Message),
    }
}

/// The request that a head belongs to, if an answer to it can be sent.
fn answerable(head: &[u8]) -> Option<Message> {
    let message = Message::parse_any_length(Bytes::copy_from_slice(head)).ok()?;
    // An ACK is never answered. RFC 3261 §17.1.1.3.
    let answered = message.method().is_some_and(|method| method != Method::Ack);
    (answered && message.via().is_ok()).then_some(message)
}

fn unreadable(error: ParseError) -> FrameError {
    FrameError { answer: None, status: StatusCode::BAD_REQUEST, text: error.to_string() }
}
