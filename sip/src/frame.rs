//! Where messages begin and end on a stream. RFC 3261 §7.5, §18.3; RFC 5626 §3.5.1.

use bytes::{Bytes, BytesMut};

use crate::grammar::is_token_byte;
use crate::message::{Message, ParseError, content_lengths};
use crate::method::Method;
use crate::status::StatusCode;
use crate::text::phrase;

/// What came whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A message, to be checked by [`Message::check`].
    Message(Message),
    /// CRLF CRLF between messages: answer with one CRLF. RFC 5626 §4.4.1.
    Ping,
    /// A single CRLF before a message: the answer to a ping of ours, or padding. Nothing to do. NUL bytes between
    /// messages, which some send to keep a connection open, are not even told.
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

    /// Bytes of a message that has begun and not ended; 0 between messages, where line ends may wait for what follows
    /// them. For time limits on half a message.
    pub fn pending(&self) -> usize {
        if self.buffer.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) { 0 } else { self.buffer.len() }
    }

    /// The next whole frame; `Ok(None)` if more bytes are needed.
    ///
    /// # Errors
    /// What came is no SIP, or too large: the stream can't go on.
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
            // Waiting for the end of its headers would be in vain.
            None if !begins_like_sip(&self.buffer) => return Err(not_sip(&self.buffer)),
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

    /// Line ends and NUL bytes before a message. Outer `None`: a message begins.
    fn keep_alive(&mut self) -> Option<Option<Frame>> {
        let padding = self.buffer.iter().take_while(|byte| **byte == 0).count();
        let _ = self.buffer.split_to(padding);
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
///
/// # Errors
/// What came is no SIP message.
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

/// A method or `SIP/2.0`: both begin with a character of a token. Line ends are no worse than they were. RFC 3261 §25.1.
fn begins_like_sip(buffer: &[u8]) -> bool {
    buffer.first().is_none_or(|&byte| matches!(byte, b'\r' | b'\n') || is_token_byte(byte))
}

fn not_sip(buffer: &[u8]) -> FrameError {
    // The record type of a handshake. RFC 8446 §5.1.
    let text = match buffer.first() {
        Some(0x16) => "TLS, where SIP without TLS is taken",
        _ => "No SIP",
    };
    FrameError { answer: None, status: StatusCode::BAD_REQUEST, text: text.to_owned() }
}

fn unreadable(error: ParseError) -> FrameError {
    FrameError { answer: None, status: StatusCode::BAD_REQUEST, text: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Name;

    /// Head, body: as they would be on the wire.
    fn request(method: &str, cseq: u32, length: Option<&str>, body: &str) -> String {
        let length = length.map(|length| format!("l: {length}\r\n")).unwrap_or_default();
        format!(
            "{method} sip:b@h SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK{cseq}\r\nCSeq: {cseq} {method}\r\n{length}\r\n{body}"
        )
    }

    /// Frames as text until the error, if any; the framer takes `piece` bytes at a time.
    fn read(stream: &[u8], piece: usize) -> Vec<String> {
        let mut framer = StreamFramer::new(512, 100);
        let mut read = Vec::new();
        for bytes in stream.chunks(piece) {
            framer.push(bytes);
            loop {
                match framer.next() {
                    Ok(Some(Frame::Message(message))) => {
                        let cseq = message.value(Name::CSeq).unwrap_or_default().into_owned();
                        read.push(format!("{cseq} {:?}", String::from_utf8_lossy(message.body())));
                    }
                    Ok(Some(other)) => read.push(format!("{other:?}")),
                    Ok(None) => break,
                    Err(error) => {
                        let answer = if error.answer.is_some() { "answer" } else { "close" };
                        read.push(format!("{answer} {error}"));
                    }
                }
            }
        }
        read
    }

    #[test]
    fn the_same_frames_wherever_it_is_split() {
        let one = request("INFO", 1, Some("5"), "hello");
        let two = request("BYE", 2, Some("0"), "");
        let longest = format!("X: {}", "y".repeat(600));
        for (stream, expect) in [
            (String::new(), vec![]),
            (one.clone(), vec!["1 INFO \"hello\""]),
            (format!("{one}{two}{one}"), vec!["1 INFO \"hello\"", "2 BYE \"\"", "1 INFO \"hello\""]),
            (
                format!("\r\n\r\n{one}\r\n\r\n\r\n\r\n{two}"),
                vec!["Ping", "1 INFO \"hello\"", "Ping", "Ping", "2 BYE \"\""],
            ),
            (format!("\r\n{one}\r\n{two}\r\n"), vec!["Pong", "1 INFO \"hello\"", "Pong", "2 BYE \"\""]),
            (format!("\r\n\r\n\r\n{one}"), vec!["Ping", "Pong", "1 INFO \"hello\""]),
            (request("INFO", 1, Some("5"), "\r\n\r\n!"), vec!["1 INFO \"\\r\\n\\r\\n!\""]),
            (request("INFO", 1, Some("\r\n 0005"), "hello"), vec!["1 INFO \"hello\""]),
            (request("INFO", 1, Some("5"), "hel"), vec![]),
            ("\u{16}\u{3}\u{1}".to_owned(), vec!["close 400 TLS, where SIP without TLS is taken"]),
            (format!("{one}\0\0{two}\0"), vec!["1 INFO \"hello\"", "2 BYE \"\""]),
            (format!("\0{one}\r\n\0{two}"), vec!["1 INFO \"hello\"", "Pong", "2 BYE \"\""]),
            (
                format!("{one}\r\n\r\n\0\r\n\0\r\n\r\n{two}"),
                vec!["1 INFO \"hello\"", "Ping", "Pong", "Ping", "2 BYE \"\""],
            ),
            (format!("{one}\0\u{1}{two}"), vec!["1 INFO \"hello\"", "close 400 No SIP"]),
            (format!("\r\n<{one}"), vec!["Pong", "close 400 No SIP"]),
            (request("INFO", 1, None, ""), vec!["answer 400 Content-Length: missing"]),
            (request("INFO", 1, Some(""), ""), vec!["answer 400 Content-Length: bad number ''"]),
            (request("INFO", 1, Some("-1"), ""), vec!["answer 400 Content-Length: bad number '-1'"]),
            (request("INFO", 1, Some("1\r\nContent-Length: 1"), "x"), vec!["1 INFO \"x\""]),
            (
                request("INFO", 1, Some("1\r\nContent-Length: 2"), "xx"),
                vec!["answer 400 Content-Length: more than one"],
            ),
            (
                request("INFO", 1, Some("1\r\nContent-Length: x"), "xx"),
                vec!["answer 400 Content-Length: more than one"],
            ),
            (request("INFO", 1, Some("101"), ""), vec!["answer 513 Content-Length: 101 is more than 100"]),
            (
                request("INFO", 1, Some("4294967295"), ""),
                vec!["answer 513 Content-Length: 4294967295 is more than 100"],
            ),
            (request("INFO", 1, Some(&format!("0\r\n{longest}")), ""), vec!["answer 513 Headers: too long"]),
            (request("ACK", 1, None, ""), vec!["close 400 Content-Length: missing"]),
            (
                "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP a\r\n\r\n".into(),
                vec!["close 400 Content-Length: missing"],
            ),
            ("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n".into(), vec!["close 400 no SIP start line"]),
            ("\u{1}\u{2}".repeat(400), vec!["close 400 No SIP"]),
            ("a".repeat(600), vec!["close 513 Headers: too long"]),
            (format!("{two}\n\n{one}"), vec!["2 BYE \"\"", "close 400 Content-Length: missing"]),
            (two.replace("\r\n", "\n"), vec!["2 BYE \"\""]),
        ] {
            for piece in [usize::MAX, 1, 2, 3, 7, 64] {
                assert_eq!(read(stream.as_bytes(), piece), expect, "{stream:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn after_an_error_nothing_more() {
        let mut framer = StreamFramer::new(512, 100);
        framer.push(request("INFO", 1, None, "").as_bytes());
        let error = framer.next().unwrap_err();
        let answer = crate::Builder::reply(&error.answer.unwrap(), error.status, &error.text, None).build();
        assert_eq!(answer.value(Name::Via).as_deref(), Some("SIP/2.0/TCP a;branch=z9hG4bK1"));
        framer.push(request("INFO", 1, Some("0"), "").as_bytes());
        assert_eq!((framer.next(), framer.pending()), (Ok(None), 0));
    }

    #[test]
    fn says_how_much_is_pending() {
        let mut framer = StreamFramer::new(512, 100);
        let whole = request("INFO", 1, Some("0"), "");
        framer.push(&whole.as_bytes()[..10]);
        assert_eq!((framer.next(), framer.pending()), (Ok(None), 10));
        framer.push(&whole.as_bytes()[10..]);
        assert!(matches!(framer.next(), Ok(Some(Frame::Message(_)))));
        assert_eq!(framer.pending(), 0);
    }

    #[test]
    fn datagrams() {
        for (bytes, expect) in [
            ("\r\n\r\n", Ok(Frame::Ping)),
            ("\r\n", Ok(Frame::Pong)),
            ("\n\n\n", Ok(Frame::Pong)),
            ("", Err(ParseError::Empty)),
            ("\0\0\0\0", Err(ParseError::StartLine)),
            ("jaK", Err(ParseError::StartLine)),
        ] {
            assert_eq!(datagram(Bytes::from_static(bytes.as_bytes())), expect, "{bytes:?}");
        }
        let message = request("INFO", 1, Some("2"), "hello");
        assert!(
            matches!(datagram(message.into()), Ok(Frame::Message(message)) if &message.body()[..] == b"he")
        );
    }
}
