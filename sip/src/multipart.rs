//! `multipart/*` bodies: find the session description, replace it, leave every other byte alone.
//!
//! An emergency call carries its location beside the SDP, and the `Geolocation` header field points at that part by
//! its Content-ID (RFC 6442 §3.2); so the parts, their header fields, their order and the text around them stay as they
//! are. RFC 2046 §5.1 (grammar), RFC 5621 (bodies in SIP).
//!
//! ```
//! use sip::multipart::Multipart;
//!
//! let body = b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b\r\nContent-ID: <l@x>\r\n\r\n<pidf/>\r\n--b--\r\n";
//! let multipart = Multipart::parse("multipart/mixed;boundary=b", body)?;
//! let sdp = multipart.parts().first().ok_or("no part")?;
//! assert_eq!(sdp.body(), b"v=0\r\n");
//! let ours = multipart.with_body(sdp, b"v=0\r\ns=ours\r\n").ok_or("boundary")?;
//! assert!(ours.starts_with(b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\ns=ours\r\n\r\n--b\r\nContent-ID: <l@x>"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::ops::Range;

use crate::media_type::MediaType;

/// Parts beyond this many are an attack, not a call.
const MAX_PARTS: usize = 32;

/// A body of parts. Borrows it: nothing is copied until something is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multipart<'a> {
    bytes: &'a [u8],
    boundary: String,
    parts: Vec<Part<'a>>,
}

/// One part: header fields and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    headers: Vec<(&'a str, String)>,
    body: &'a [u8],
    /// Where the body lies in the whole.
    range: Range<usize>,
    /// Where the value of a Content-Length lies, which RFC 2046 does not know but some write and read.
    length: Option<Range<usize>>,
    /// Whether an empty line stands before the body. A part without a body may lack it.
    separated: bool,
}

/// A body that is not the multipart that its Content-Type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MultipartError {
    /// The Content-Type is no `multipart/...`, or malformed.
    #[error("the Content-Type is not multipart")]
    Type,
    /// The Content-Type has no boundary of 1 to 70 characters.
    #[error("the Content-Type has no boundary of 1 to 70 characters")]
    Boundary,
    /// The boundary never stands in the body.
    #[error("the boundary is not in the body")]
    NoPart,
    /// The body ends without `--boundary--`.
    #[error("the closing boundary is missing")]
    Open,
    /// A part has a line among its header fields that is none, or no empty line after them.
    #[error("the header fields of part {0} are malformed")]
    Header(usize),
    /// More than 32 parts.
    #[error("more than 32 parts")]
    TooMany,
}

impl<'a> Multipart<'a> {
    /// Reads a body.
    ///
    /// - `content_type`: the value of the message's Content-Type, with its boundary (quoted or not).
    ///
    /// A missing line end after the closing boundary is fine, so are bare LFs. Parts inside parts stay closed: a part
    /// that is itself multipart is a body like any other.
    ///
    /// # Errors
    /// The Content-Type is no multipart one, or the parts are not as their boundary says.
    pub fn parse(content_type: &str, bytes: &'a [u8]) -> Result<Self, MultipartError> {
        Self::of(&MediaType::parse(content_type).ok_or(MultipartError::Type)?, bytes)
    }

    /// [`parse`](Self::parse), of a Content-Type that was read already.
    ///
    /// # Errors
    /// As of [`parse`](Self::parse).
    pub fn of(media_type: &MediaType, bytes: &'a [u8]) -> Result<Self, MultipartError> {
        let boundary = boundary(media_type)?;
        let mut delimiters = Delimiters { bytes, boundary: &boundary, at: 0 };
        let mut open = delimiters.next().ok_or(MultipartError::NoPart)?;
        let mut parts = Vec::new();
        while !open.closing {
            let next = delimiters.next().ok_or(MultipartError::Open)?;
            if parts.len() == MAX_PARTS {
                return Err(MultipartError::TooMany);
            }
            let part =
                Part::parse(bytes, open.end..next.start).ok_or(MultipartError::Header(parts.len() + 1))?;
            parts.push(part);
            open = next;
        }
        if parts.is_empty() {
            return Err(MultipartError::NoPart);
        }
        Ok(Self { bytes, boundary, parts })
    }

    /// What separates the parts, without quotes and dashes: 1 to 70 characters.
    pub fn boundary(&self) -> &str {
        &self.boundary
    }

    /// The parts in their order, at least one.
    pub fn parts(&self) -> &[Part<'a>] {
        &self.parts
    }

    /// The whole, with one part's body replaced and every other byte as it came.
    ///
    /// A Content-Length among the part's header fields is set right.
    ///
    /// `None` if `part` is not of this body, has header fields only, or the new body contains the boundary.
    pub fn with_body(&self, part: &Part<'_>, body: &[u8]) -> Option<Vec<u8>> {
        if (Delimiters { bytes: body, boundary: &self.boundary, at: 0 }).next().is_some() {
            return None;
        }
        let ours = part.separated && self.parts.iter().any(|known| known.range == part.range);
        let length = part.length.clone().unwrap_or(part.range.start..part.range.start);
        let written = part.length.as_ref().map(|_| body.len().to_string()).unwrap_or_default();
        let between = self.bytes.get(length.end..part.range.start)?;
        let (before, after) = (self.bytes.get(..length.start)?, self.bytes.get(part.range.end..)?);
        ours.then(|| [before, written.as_bytes(), between, body, after].concat())
    }
}

impl<'a> Part<'a> {
    fn parse(bytes: &'a [u8], range: Range<usize>) -> Option<Self> {
        let part = bytes.get(range.clone())?;
        let mut headers: Vec<(&str, String)> = Vec::new();
        let mut rest = part;
        let mut length = None;
        let separated = loop {
            let at = range.end.checked_sub(rest.len())?;
            let (line, after) = match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => rest.split_at_checked(end + 1)?,
                // Header fields and no body: allowed, an empty body.
                None => (rest, &b""[..]),
            };
            rest = after;
            let ended = line.ends_with(b"\n");
            let line = std::str::from_utf8(line).ok()?.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                break ended;
            }
            if line.starts_with([' ', '\t']) {
                let (_, value) = headers.last_mut()?;
                value.push(' ');
                value.push_str(line.trim());
            } else {
                let (name, value) = line.split_once(':')?;
                let (name, after_colon) = (name.trim_end(), at + name.len() + 1);
                if ["Content-Length", "l"].iter().any(|known| name.eq_ignore_ascii_case(known)) {
                    let start = after_colon + (value.len() - value.trim_start().len());
                    length = Some(start..start + value.trim().len());
                }
                headers.push((name, value.trim().to_owned()));
            }
        };
        let start = range.end.checked_sub(rest.len())?;
        Some(Self { headers, body: rest, range: start..range.end, length, separated })
    }

    /// The header fields in their order: name as written, value unfolded.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The first value of a header field, found without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The body: the line end before the next boundary belongs to the boundary.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// Finds `--boundary` at the start of lines.
struct Delimiters<'a> {
    bytes: &'a [u8],
    boundary: &'a str,
    at: usize,
}

/// From the line end before the dashes to past the line end after them. RFC 2046 §5.1.1.
struct Delimiter {
    start: usize,
    end: usize,
    closing: bool,
}

impl Iterator for Delimiters<'_> {
    type Item = Delimiter;

    fn next(&mut self) -> Option<Delimiter> {
        while let Some(rest) = self.bytes.get(self.at..).filter(|rest| !rest.is_empty()) {
            let line_start = self.at;
            let line_end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
            let line = rest.get(..line_end)?;
            self.at += line_end;
            if let Some(closing) = delimiter(line, self.boundary) {
                return Some(Delimiter {
                    start: before_line_end(self.bytes, line_start),
                    end: self.at,
                    closing,
                });
            }
        }
        None
    }
}

/// Whether the line is a delimiter, and then whether it closes.
fn delimiter(line: &[u8], boundary: &str) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary.as_bytes())?;
    let (rest, closing) = match rest.strip_prefix(b"--") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    // Blanks may pad it; anything else is a longer boundary of somebody else.
    rest.iter().all(|byte| b" \t\r\n".contains(byte)).then_some(closing)
}

fn before_line_end(bytes: &[u8], line_start: usize) -> usize {
    let before = bytes.get(..line_start).unwrap_or_default();
    let before = before.strip_suffix(b"\n").unwrap_or(before);
    before.strip_suffix(b"\r").unwrap_or(before).len()
}

/// `multipart/mixed;boundary="..."`
fn boundary(media_type: &MediaType) -> Result<String, MultipartError> {
    if !media_type.is_multipart() {
        return Err(MultipartError::Type);
    }
    let boundary = media_type.param("boundary").ok_or(MultipartError::Boundary)?.into_owned();
    let text = |byte: u8| (b' '..0x7f).contains(&byte);
    let sound = (1..=70).contains(&boundary.len()) && boundary.bytes().all(text) && !boundary.ends_with(' ');
    if sound { Ok(boundary) } else { Err(MultipartError::Boundary) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/mixed; boundary=\"unique-boundary-1\"";
    /// After RFC 4475 §3.1.1.11 and an emergency call with its location.
    const BODY: &str = "preamble\r\n--unique-boundary-1\r\nContent-Type: application/SDP; charset=ISO-10646\r\n\r\n\
        v=0\r\ns=-\r\n\r\n--unique-boundary-1  \r\nContent-Type: application/pidf+xml\r\n\
        Content-ID: <alice123@atlanta.example.com>\r\nContent-Disposition: by-reference;\r\n handling=optional\r\n\r\n\
        <presence>--unique-boundary-1</presence>\r\n--unique-boundary-12\r\n\r\n--unique-boundary-1--\r\nepilogue";

    #[test]
    fn a_parts_own_length_is_set_right() {
        for (head, expect) in [
            ("Content-Length: 5\r\n", "Content-Length: 12\r\n"),
            ("content-length :\t 5  \r\nX: y\r\n", "content-length :\t 12  \r\nX: y\r\n"),
            ("l:5\n", "l:12\n"),
            ("l:\r\n", "l:12\r\n"),
            ("X-Content-Length: 5\r\n", "X-Content-Length: 5\r\n"),
        ] {
            let body = |head: &str, sdp: &str| {
                format!("--b\r\nX: \u{e9}\r\n\r\n1\r\n--b\r\nc: application/sdp\r\n{head}\r\n{sdp}\r\n--b--")
            };
            let old = body(head, "v=0\r\n");
            let multipart = Multipart::parse("multipart/mixed;boundary=b", old.as_bytes()).unwrap();
            let new = multipart.with_body(&multipart.parts()[1], b"v=0\r\ns=ours\r").unwrap();
            assert_eq!(String::from_utf8(new).unwrap(), body(expect, "v=0\r\ns=ours\r"), "{head:?}");
        }
    }

    #[test]
    fn parts_are_found_by_their_boundaries() {
        let multipart = Multipart::parse(TYPE, BODY.as_bytes()).unwrap();
        let bodies: Vec<_> = multipart.parts().iter().map(|part| part.body()).collect();
        assert_eq!(
            bodies,
            [&b"v=0\r\ns=-\r\n"[..], b"<presence>--unique-boundary-1</presence>\r\n--unique-boundary-12\r\n"]
        );
        let location = &multipart.parts()[1];
        assert_eq!(location.header("content-id"), Some("<alice123@atlanta.example.com>"));
        assert_eq!(location.header("Content-Disposition"), Some("by-reference; handling=optional"));
        assert_eq!(location.headers().count(), 3);
    }

    #[test]
    fn only_the_sdp_changes() {
        let multipart = Multipart::parse(TYPE, BODY.as_bytes()).unwrap();
        let ours = multipart.with_body(&multipart.parts()[0], b"v=0\r\ns=ours\r\n").unwrap();
        assert_eq!(String::from_utf8(ours).unwrap(), BODY.replace("s=-", "s=ours"));
    }

    #[test]
    fn odd_endings_are_read() {
        let check = |body: &str, expect: &[&str]| {
            let multipart = Multipart::parse("Multipart/Related;type=x;Boundary=b", body.as_bytes()).unwrap();
            let bodies: Vec<_> = multipart.parts().iter().map(|part| part.body()).collect();
            assert_eq!(bodies, expect.iter().map(|body| body.as_bytes()).collect::<Vec<_>>(), "{body:?}");
        };
        check("--b\r\n\r\nx\r\n--b--", &["x"]);
        check("--b\n\nx\n--b--\n", &["x"]);
        check("\r\n--b\r\n\r\n\r\n--b--\r\n", &[""]);
        check("--b\r\n\r\n--b--\r\n", &[""]);
        check("--b\r\nContent-Type: a/b\r\n--b--", &[""]);
        check("--b\r\nX: y\r\n\r\n--b\r\n\r\nz\r\n--b--", &["", "z"]);
    }

    #[test]
    fn broken_bodies_are_refused() {
        let check = |content_type: &str, body: &[u8], expect| {
            assert_eq!(Multipart::parse(content_type, body).err(), Some(expect), "{content_type} {body:?}");
        };
        let good = b"--b\r\n\r\nx\r\n--b--";
        check("application/sdp", good, MultipartError::Type);
        check("multipart", good, MultipartError::Type);
        check("multipart/mixed", good, MultipartError::Boundary);
        check("multipart/mixed;boundary=", good, MultipartError::Boundary);
        check("multipart/mixed;boundary=\"b", good, MultipartError::Boundary);
        check(&format!("multipart/mixed;boundary={}", "b".repeat(71)), good, MultipartError::Boundary);
        check("multipart/mixed;boundary=c", good, MultipartError::NoPart);
        let check = |body: &[u8], expect| check("multipart/mixed;boundary=b", body, expect);
        check(b"", MultipartError::NoPart);
        check(b"--b--", MultipartError::NoPart);
        check(b"--b\r\n\r\nx", MultipartError::Open);
        check(b"--b\r\n\r\nx--b--", MultipartError::Open);
        check(b"--b\r\nrubbish\r\n\r\nx\r\n--b--", MultipartError::Header(1));
        check(b"--b\r\n\r\nx\r\n--b\r\n folded: y\r\n\r\n--b--", MultipartError::Header(2));
        check(b"--b\r\nX: \xff\r\n\r\n--b--", MultipartError::Header(1));
        check(&b"--b\r\n\r\n".repeat(40), MultipartError::TooMany);
    }

    #[test]
    fn boundaries_may_be_quoted_and_odd() {
        let check = |content_type: &str, expect: &str| {
            assert_eq!(boundary(&MediaType::parse(content_type).unwrap()).as_deref(), Ok(expect))
        };
        check("multipart/mixed;boundary=b", "b");
        check("multipart/mixed; charset=x ; boundary = b ; y=z", "b");
        check("multipart/related;type=\"a;boundary=c\";boundary=\"a b:'()+_,-./=?\"", "a b:'()+_,-./=?");
        check("multipart/mixed;boundary=\"q\\\"q\"", "q\"q");
        check("multipart/mixed;boundary=----=_Part_1", "----=_Part_1");
    }

    #[test]
    fn a_part_without_a_body_gets_none() {
        for body in [&b"--b\r\nContent-Type: application/sdp\r\n--b--"[..], b"--b\r\n\r\n--b--"] {
            let multipart = Multipart::parse("multipart/mixed;boundary=b", body).unwrap();
            assert_eq!(multipart.with_body(&multipart.parts()[0], b"v=0\r\n"), None);
        }
        let body = b"--b\r\nContent-Type: application/sdp\r\n\r\n\r\n--b--";
        let multipart = Multipart::parse("multipart/mixed;boundary=b", body).unwrap();
        let filled = multipart.with_body(&multipart.parts()[0], b"v=0\r\n").unwrap();
        assert_eq!(filled, b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--");
    }

    #[test]
    fn a_new_body_must_not_hold_the_boundary() {
        let multipart = Multipart::parse(TYPE, BODY.as_bytes()).unwrap();
        let sdp = &multipart.parts()[0];
        assert_eq!(multipart.with_body(sdp, b"v=0\r\n--unique-boundary-1\r\n"), None);
        let other = Multipart::parse("multipart/x;boundary=b", b"--b\r\n\r\nx\r\n--b--").unwrap();
        assert_eq!(multipart.with_body(&other.parts()[0], b"v=0\r\n"), None);
    }
}
