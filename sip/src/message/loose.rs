//! Datagrams that are written loosely, where there is but one way to read them.

use bytes::{Bytes, BytesMut};

const CRLF: &[u8] = b"\r\n";

/// The datagram as it should have been written: each line of its head ends in CRLF, and an empty one ends the head.
/// RFC 3261 §7, §25.1.
///
/// Taken: a head whose lines all end in LF alone, and a datagram that ends with its head, before the empty line or in
/// the last line of the head. `None` where there is nothing to mend, and where two readers could disagree: a bare LF
/// among CRLFs shows a header line to one and hides it from another.
pub(super) fn mended(datagram: &[u8]) -> Option<Bytes> {
    let leading = datagram.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let bytes = datagram.get(leading..)?;
    let first = bytes.iter().position(|&byte| byte == b'\n')?;
    let bare = !bytes.get(..first)?.ends_with(b"\r");
    let (end, empty_line): (&[u8], &[u8]) = if bare { (b"\n", b"\n\n") } else { (CRLF, b"\r\n\r\n") };
    let found = bytes.windows(empty_line.len()).position(|window| window == empty_line);
    if found.is_some() && !bare {
        return None;
    }
    let (head, body) = bytes.split_at_checked(found.map_or(bytes.len(), |at| at + empty_line.len()))?;
    let mut mended = BytesMut::with_capacity(bytes.len() + 64);
    for line in (Lines { head, end }) {
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
            return None;
        }
        mended.extend_from_slice(line);
        mended.extend_from_slice(CRLF);
    }
    if found.is_none() {
        mended.extend_from_slice(CRLF);
    }
    mended.extend_from_slice(body);
    Some(mended.freeze())
}

/// The lines of a head, split at `end`; the last one may lack it.
struct Lines<'a> {
    head: &'a [u8],
    end: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.head.is_empty() {
            return None;
        }
        let at = self.head.windows(self.end.len()).position(|window| window == self.end);
        let line = self.head.get(..at.unwrap_or(self.head.len()));
        self.head = at.and_then(|at| self.head.get(at + self.end.len()..)).unwrap_or_default();
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_all_read_alike_is_mended() {
        for (datagram, expect) in [
            // Written as it should be.
            ("A\r\nB: c\r\n\r\n", None),
            ("A\r\nB: c\r\n\r\nbody\nbody", None),
            // The end is missing.
            ("A\r\nB: c\r\n", Some("A\r\nB: c\r\n\r\n")),
            ("A\r\nB: c", Some("A\r\nB: c\r\n\r\n")),
            ("\r\n\r\nA\r\nB: c\r\n", Some("A\r\nB: c\r\n\r\n")),
            ("A\nB: c\n", Some("A\r\nB: c\r\n\r\n")),
            ("A\nB: c", Some("A\r\nB: c\r\n\r\n")),
            // Line feeds alone; the body is nobody's to change.
            ("A\nB: c\n d\n\nbody\r\nbody\n", Some("A\r\nB: c\r\n d\r\n\r\nbody\r\nbody\n")),
            ("\nA\nB: c\n\n", Some("A\r\nB: c\r\n\r\n")),
            // Both kinds: where a line ends, or the head, is a matter of taste.
            ("A\r\nB: c\nD: e\r\n\r\n", None),
            ("A\r\nB: c\nD: e\r\n", None),
            ("A\nB: c\r\nD: e\n\n", None),
            ("A\nB: c\r\n\r\n", None),
            ("A\r\nB: c\n\nD: e\r\n", None),
            ("A\nB: c\r", None),
            ("A\r\nB: c\r", None),
            ("A\r\nB: c\rd\r\n", None),
            ("A", None),
            ("", None),
        ] {
            let mended = mended(datagram.as_bytes());
            assert_eq!(mended.as_deref(), expect.map(str::as_bytes), "{datagram:?}");
        }
    }
}
