//! Bytes to [`Message`]: one pass over the lines, no value is read. RFC 3261 §7, §18.3.

use std::sync::Arc;

use bytes::Bytes;

use super::index::{Fault, Index, Range, Span, Start};
use super::{Message, loose};
use crate::grammar::{find_byte, is_token, number};
use crate::header::Name;
use crate::method::Method;
use crate::status::StatusCode;

/// Most header lines of a message; one with more is refused, so that nobody pays for a list of ten thousand Vias.
pub const MAX_HEADERS: usize = 256;

/// Most bytes of a datagram, and so of a message that came in one.
pub const MAX_BYTES: usize = 65_535;

/// Why bytes are no message, and nothing could be answered. The sender hears nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Nothing but line ends (a keep-alive), or nothing at all.
    #[error("empty")]
    Empty,
    /// The first line is neither a request line nor a status line of SIP.
    #[error("no SIP start line")]
    StartLine,
    /// The status code is not from 100 to 699.
    #[error("bad status code")]
    StatusCode,
    /// More than [`MAX_HEADERS`] header lines.
    #[error("more than {MAX_HEADERS} headers")]
    TooManyHeaders,
    /// More than [`MAX_BYTES`] bytes.
    #[error("longer than {MAX_BYTES} bytes")]
    TooLong,
}

impl Message {
    /// Reads a datagram: one message, whose body ends where Content-Length says (what follows is cut off), or with the
    /// datagram if there is none or it is not understood. Line ends before the start line are skipped (RFC 3261 §7.5).
    /// One that ends before its empty line, or whose lines all end in LF alone, is read as it was meant, and written so
    /// in [`bytes`](Self::bytes).
    ///
    /// Lenient: succeeds whenever an answer could be built; [`check`](Self::check) says what is wrong.
    ///
    /// # Errors
    /// What came is no SIP message, and no response to it could be built.
    pub fn parse(datagram: Bytes) -> Result<Message, ParseError> {
        if datagram.len() > MAX_BYTES {
            return Err(ParseError::TooLong);
        }
        let message = Self::parse_any_length(datagram.clone())?;
        match message.index.fault {
            Some(Fault::LineEnd | Fault::NoEnd) => match loose::mended(&datagram) {
                Some(mended) => Self::parse_any_length(mended),
                None => Ok(message),
            },
            _ => Ok(message),
        }
    }

    /// Without the limit of a datagram: the framer has its own.
    pub(crate) fn parse_any_length(mut bytes: Bytes) -> Result<Message, ParseError> {
        let leading = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let _ = bytes.split_to(leading);
        if bytes.is_empty() {
            return Err(ParseError::Empty);
        }
        let mut lines = Lines { bytes: &bytes, at: 0, fault: None };
        let first = lines.next().ok_or(ParseError::Empty)?;
        let start = start_line(&bytes, first, &mut lines.fault)?;
        // Room for the headers of an ordinary INVITE.
        let mut headers = Vec::with_capacity(24);
        let mut ended = false;
        while let Some(line) = lines.next() {
            if line.from == line.to {
                ended = true;
                break;
            }
            if headers.len() == MAX_HEADERS {
                return Err(ParseError::TooManyHeaders);
            }
            header_line(&bytes, line, &mut headers, &mut lines.fault);
        }
        if !ended {
            lines.note(Fault::NoEnd);
        }
        let (head, fault) = (lines.at, lines.fault);
        let length = stated_length(&bytes, &headers);
        if let Some(end) = length.and_then(|length| head.checked_add(length)) {
            bytes.truncate(end);
        }
        let body = bytes.slice(head.min(bytes.len())..);
        Ok(Message { bytes, body, index: Arc::new(Index::new(start, headers, fault)) })
    }
}

/// The first Content-Length, if it is a number. That others agree is for `check` to say.
fn stated_length(bytes: &[u8], headers: &[Span]) -> Option<usize> {
    let span = headers.iter().find(|span| span.name == Name::ContentLength)?;
    number(&span.text(bytes)).and_then(|length| usize::try_from(length).ok())
}

/// The lines of the head; folds are joined to the line that they continue.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    fault: Option<Fault>,
}

/// A line without its end.
#[derive(Clone, Copy)]
struct Line {
    from: usize,
    to: usize,
    folded: bool,
}

impl Lines<'_> {
    fn note(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// `None` at the end of the bytes.
    fn next(&mut self) -> Option<Line> {
        let from = self.at;
        let mut folded = false;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                return (from < self.at).then_some(Line { from, to: self.at, folded });
            }
            let Some(length) = find_byte(rest, b'\n') else {
                self.at = self.bytes.len();
                self.note(Fault::NoEnd);
                return Some(Line { from, to: self.at, folded });
            };
            let line = rest.get(..length).unwrap_or_default();
            let text = line.strip_suffix(b"\r");
            if text.is_none() || text.is_some_and(|text| find_byte(text, b'\r').is_some()) {
                self.note(Fault::LineEnd);
            }
            let to = self.at + text.unwrap_or(line).len();
            let empty = to == from;
            self.at += length + 1;
            // A line that begins with white space continues this one; after the empty line the body begins.
            if !empty && matches!(self.bytes.get(self.at), Some(b' ' | b'\t')) {
                folded = true;
                continue;
            }
            return Some(Line { from, to, folded });
        }
    }
}

fn start_line(bytes: &Bytes, line: Line, fault: &mut Option<Fault>) -> Result<Start, ParseError> {
    let mut note = |found| {
        fault.get_or_insert(found);
    };
    let mut to = line.to;
    if line.folded {
        // What was folded onto the start line is no header of it; only the first physical line counts.
        let text = bytes.get(line.from..line.to).unwrap_or_default();
        to = line.from + text.iter().position(|&byte| matches!(byte, b'\r' | b'\n')).unwrap_or(text.len());
        note(Fault::FoldFirst);
    }
    let text = bytes.get(line.from..to).unwrap_or_default();
    let range = |from, to| Range::new(line.from + from, line.from + to).ok_or(ParseError::TooLong);
    if is_version(text.get(..7).unwrap_or_default()) && text.get(7) == Some(&b' ') {
        return status_line(text, range);
    }
    let trimmed = text.trim_ascii_end().len();
    if trimmed != text.len() {
        note(Fault::StartLineSpace);
    }
    let text = text.get(..trimmed).unwrap_or_default();
    let method_end = text.iter().position(|&byte| byte == b' ').ok_or(ParseError::StartLine)?;
    let version_from = text.iter().rposition(|&byte| byte == b' ').ok_or(ParseError::StartLine)? + 1;
    let version = text.get(version_from..).unwrap_or_default();
    if !version.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"SIP/")) {
        return Err(ParseError::StartLine);
    }
    if !is_version(version) {
        note(Fault::Version);
    }
    let method = Method::read(text.get(..method_end).unwrap_or_default()).ok_or(ParseError::StartLine)?;
    let between = text.get(method_end..version_from).unwrap_or_default();
    let uri = between.trim_ascii();
    let uri_from = method_end + between.len() - between.trim_ascii_start().len();
    if uri.is_empty() {
        return Err(ParseError::StartLine);
    }
    if between.len() != uri.len() + 2 || uri.iter().any(|byte| matches!(byte, b' ' | b'\t')) {
        note(Fault::StartLineSpace);
    }
    if std::str::from_utf8(uri).is_err() {
        note(Fault::RequestUri);
    }
    Ok(Start::Request { method, uri: range(uri_from, uri_from + uri.len())? })
}

fn status_line(
    text: &[u8],
    range: impl Fn(usize, usize) -> Result<Range, ParseError>,
) -> Result<Start, ParseError> {
    let digits = text.get(8..).unwrap_or_default();
    let length = digits.iter().position(|&byte| byte == b' ').unwrap_or(digits.len());
    let status = StatusCode::parse(digits.get(..length).unwrap_or_default()).ok_or(ParseError::StatusCode)?;
    // The space before an empty reason phrase is left out by many.
    let reason = (8 + length + 1).min(text.len());
    Ok(Start::Response { status, reason: range(reason, text.len())? })
}

fn is_version(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"SIP/2.0")
}

fn header_line(bytes: &Bytes, line: Line, headers: &mut Vec<Span>, fault: &mut Option<Fault>) {
    let text = bytes.get(line.from..line.to).unwrap_or_default();
    let Some((raw_name, after)) = split_header(text) else {
        fault.get_or_insert(Fault::NoColon);
        return;
    };
    if !is_token(raw_name) {
        fault.get_or_insert(Fault::HeaderName);
        return;
    }
    let name_to = line.from + raw_name.len();
    let value = after.trim_ascii();
    let from = line.to - after.trim_ascii_start().len();
    let ranges = (Range::new(line.from, name_to), Range::new(from, from + value.len()));
    let (Some(name), (Some(raw_name), Some(range))) = (Name::read(raw_name), ranges) else {
        return; // Beyond 4 GiB.
    };
    let folded = line.folded && value.iter().any(|&byte| matches!(byte, b'\r' | b'\n'));
    headers.push(Span { name, raw_name, value: range, folded });
}

/// Name without the white space behind it, and all after the colon.
fn split_header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    Some((line.get(..colon)?.trim_ascii_end(), line.get(colon + 1..)?))
}

/// The values of the Content-Length lines of a head; what the framer needs before the message is whole.
pub(crate) fn content_lengths(head: &[u8]) -> impl Iterator<Item = Result<u32, String>> {
    let mut lines = Lines { bytes: head, at: 0, fault: None };
    lines.next(); // The start line.
    std::iter::from_fn(move || lines.next().filter(|line| line.from != line.to))
        .filter_map(|line| split_header(head.get(line.from..line.to)?))
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"Content-Length") || name.eq_ignore_ascii_case(b"l"))
        .map(|(_, value)| {
            let text = String::from_utf8_lossy(value.trim_ascii());
            number(&text).ok_or_else(|| text.into_owned())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: impl AsRef<[u8]>) -> Result<Message, ParseError> {
        Message::parse(Bytes::copy_from_slice(text.as_ref()))
    }

    #[test]
    fn names_order_and_values_as_they_came() {
        let message = parse(
            b"SIP/2.0 183 \xd0\x9d\xff  ok \r\nvIa:SIP/2.0/UDP a\r\nX-A :  1 \t \r\nx-a:\r\nS: a\r\n\t b \r\n\r\nbody",
        )
        .unwrap();
        assert_eq!(message.reason_phrase(), Some(&b"\xd0\x9d\xff  ok "[..]));
        let headers: Vec<_> = message
            .headers()
            .map(|header| (header.name.clone(), header.raw_name, header.value.to_vec()))
            .collect();
        assert_eq!(
            headers,
            [
                (Name::Via, "vIa", b"SIP/2.0/UDP a".to_vec()),
                (Name::from("x-A"), "X-A", b"1".to_vec()),
                (Name::from("x-A"), "x-a", b"".to_vec()),
                (Name::Subject, "S", b"a b".to_vec()),
            ]
        );
        assert_eq!(&message.body()[..], b"body");
        assert_eq!((message.is_response(), message.status()), (true, StatusCode::new(183)));
        assert_eq!((message.method(), message.request_uri()), (None, None));
    }

    #[test]
    fn lists_across_lines() {
        let message = parse(
            "OPTIONS sip:a@b SIP/2.0\r\nk: a, b\r\nSupported:\r\nSUPPORTED: c ,\r\n d,,\r\n\
             P-Asserted-Identity: \"x, y\" <sip:a,b@c>, <tel:1>\r\n\r\n",
        )
        .unwrap();
        let list = |name| message.values(name).map(|value| value.into_owned()).collect::<Vec<_>>();
        assert_eq!(list(Name::Supported), ["a", "b", "c", "d"]);
        assert_eq!(list(Name::PAssertedIdentity), ["\"x, y\" <sip:a,b@c>", "<tel:1>"]);
        assert_eq!(list(Name::Require), [""; 0]);
        assert_eq!(message.lines(Name::Supported).collect::<Vec<_>>(), ["a, b", "", "c , d,,"]);
        let users: Vec<_> = message
            .addresses(Name::PAssertedIdentity)
            .map(|address| address.unwrap().user().unwrap().to_owned())
            .collect();
        assert_eq!(users, ["a,b", "1"]);
    }

    #[test]
    fn where_the_body_ends() {
        for (head, body, expect) in [
            ("", "hello", "hello"),
            ("l: 5\r\n", "hello", "hello"),
            ("Content-Length: 2\r\n", "hello", "he"),
            ("Content-Length: 0\r\n", "hello", ""),
            ("Content-Length: 9\r\n", "hello", "hello"),
            ("Content-Length: -2\r\n", "hello", "hello"),
            ("Content-Length: 2\r\nl: 3\r\n", "hello", "he"),
            ("Content-Length:\r\n 3\r\n", "hello", "hel"),
            ("", "", ""),
        ] {
            let message = parse(format!("OPTIONS sip:a@b SIP/2.0\r\n{head}\r\n{body}")).unwrap();
            assert_eq!(&message.body()[..], expect.as_bytes(), "{head:?}");
            assert!(message.bytes().ends_with(expect.as_bytes()));
        }
    }

    #[test]
    fn line_ends() {
        let whole = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nl: 0\r\n\r\n";
        assert_eq!(
            parse(format!("\r\n\r\n{whole}")).unwrap(),
            parse(whole).unwrap(),
            "leading line ends are skipped"
        );
        for loose in [whole.replace("\r\n", "\n"), whole[..whole.len() - 2].to_owned()] {
            assert_eq!(parse(loose).unwrap(), parse(whole).unwrap(), "read as it was meant");
        }
        let mixed = parse(whole.replace("\r\nl:", "\nl:")).unwrap();
        assert_eq!(mixed.headers().count(), 2, "understood, so that the 400 finds its way");
        assert_eq!(mixed.check().unwrap_err().text, "Line does not end in CRLF");
        let cut = parse(whole.replace("l: 0\r\n\r\n", "l: 5\r\n")).unwrap();
        assert_eq!((cut.content_length(), cut.body().len()), (Ok(Some(5)), 0), "for check to refuse");
        for (nothing, error) in
            [("", ParseError::Empty), ("\r\n", ParseError::Empty), ("\0\0\0\0", ParseError::StartLine)]
        {
            assert_eq!(parse(nothing), Err(error));
        }
        let folded = parse("OPTIONS sip:a@b SIP/2.0\r\n Via: x\r\nTo: y\r\n\r\n").unwrap();
        assert_eq!((folded.request_uri(), folded.headers().count()), (Some("sip:a@b"), 1));
        assert!(folded.check().unwrap_err().text.starts_with("First header line"));
    }

    #[test]
    fn limits() {
        let many = |count: usize| format!("OPTIONS sip:a@b SIP/2.0\r\n{}\r\n", "X: y\r\n".repeat(count));
        assert_eq!(parse(many(MAX_HEADERS)).unwrap().headers().count(), MAX_HEADERS);
        assert_eq!(parse(many(MAX_HEADERS + 1)), Err(ParseError::TooManyHeaders));
        assert_eq!(parse(vec![b'a'; MAX_BYTES + 1]), Err(ParseError::TooLong));
        let long = format!("OPTIONS sip:a@b SIP/2.0\r\nX: {}\r\n\r\n", "y".repeat(MAX_BYTES - 32));
        assert!(parse(&long[..]).is_ok(), "{}", long.len());
    }

    #[test]
    fn debug_shows_no_header() {
        let text = "REGISTER sip:b SIP/2.0\r\nAuthorization: Digest response=\"secret\"\r\n\r\nsecret";
        let shown = format!("{:?}", parse(text).unwrap());
        assert_eq!(shown, "Message(\"REGISTER sip:b\", 1 headers, 73 bytes)");
    }
}
