//! Takes the secrets out of a SIP message before it is written down.
//!
//! Works on bytes, not on parsed headers: a message that nobody could parse must not leak either.
//! Where a malformed message leaves a doubt, more is masked rather than less.

use std::ops::Range;

/// Stands where a secret was.
const MASK: &[u8] = b"***";

/// Headers with digest values, in lower case. None of them has a compact form.
const CREDENTIAL_HEADERS: &[&[u8]] =
    &[b"authorization", b"proxy-authorization", b"authentication-info", b"proxy-authentication-info"];

/// Values that prove a password, from which it can be guessed.
const DIGEST_PROOFS: &[&[u8]] = &[b"response", b"rspauth"];

/// SDP lines that are secret from here to their end. RFC 8839 §5.4, RFC 4567 §3, RFC 4566 §5.12.
const SECRET_LINES: &[&[u8]] = &[b"a=ice-pwd:", b"a=key-mgmt:", b"k="];

/// The message with `***` in place of
///
/// - the keys of `a=crypto` lines (`inline:`, RFC 4568 §9.2), of `a=key-mgmt`, `a=ice-pwd` and `k=` lines,
/// - the `response` and `rspauth` of digest credentials (RFC 7616 §3.4), all of any other credentials,
/// - the password in a SIP URI (RFC 3261 §19.1.1), the credentials among its headers,
/// - a body that is compressed or encoded, which could hide any of these.
///
/// Header names match in any case, folded headers and multipart bodies included; everything else,
/// nonces and certificate fingerprints too, stays as it came.
#[must_use]
pub fn mask(message: &[u8]) -> Vec<u8> {
    let mut secrets = Vec::new();
    lines(message, &mut secrets);
    inline_keys(message, &mut secrets);
    uri_passwords(message, &mut secrets);
    uri_credentials(message, &mut secrets);
    encoded_body(message, &mut secrets);
    replace(message, secrets)
}

/// Headers with credentials and SDP lines with keys, wherever in the message they stand: a sipfrag
/// body has headers too.
fn lines(message: &[u8], secrets: &mut Vec<Range<usize>>) {
    for line in logical_lines(message) {
        let Some(text) = message.get(line.clone()) else { continue };
        for prefix in SECRET_LINES {
            if starts_with(text, prefix) {
                // SDP does not fold: what follows is another line, or a value that a fold would hide.
                secrets.push(line.start + prefix.len()..line.end);
            }
        }
        let Some(colon) = text.iter().position(|&b| b == b':') else { continue };
        let (name, value) = text.split_at(colon);
        let name = name.trim_ascii();
        if CREDENTIAL_HEADERS.iter().any(|header| name.eq_ignore_ascii_case(header)) {
            let start = line.start + colon + 1;
            credentials(value.get(1..).unwrap_or_default(), start, secrets);
        }
    }
}

/// A credentials header's value, which starts at `offset` of the message.
fn credentials(value: &[u8], offset: usize, secrets: &mut Vec<Range<usize>>) {
    let scheme_start = value.iter().take_while(|&&b| is_space(b)).count();
    let rest = value.get(scheme_start..).unwrap_or_default();
    let scheme_len = rest.iter().take_while(|&&b| !is_space(b)).count();
    let scheme = rest.get(..scheme_len).unwrap_or_default();
    // Authentication-Info has no scheme: its first word is a parameter.
    if !scheme.eq_ignore_ascii_case(b"digest") && !scheme.contains(&b'=') && scheme_len < rest.len() {
        secrets.push(offset + scheme_start + scheme_len + 1..offset + value.trim_ascii_end().len());
        return;
    }
    // Quotes are not tracked: an unbalanced one earlier in the header must not hide the proof.
    for name in DIGEST_PROOFS {
        let mut ends = Ahead::new(value, |b| is_space(b) || b == b',');
        for at in occurrences(value, name) {
            let mut cursor = Cursor { bytes: value, at: at + name.len() };
            cursor.skip_while(is_space);
            if !cursor.take(b'=') {
                continue;
            }
            cursor.skip_while(is_space);
            let quoted = cursor.take(b'"');
            let start = cursor.at;
            let end = if quoted {
                // No further than to the next one that is quoted: its quote would close this one.
                cursor.skip_quoted();
                cursor.at
            } else {
                ends.from(start)
            };
            secrets.push(offset + start..offset + end);
        }
    }
}

/// `inline:` keys in SDP, and in SDP that travels escaped in a URI.
fn inline_keys(message: &[u8], secrets: &mut Vec<Range<usize>>) {
    for marker in [b"inline:".as_slice(), b"inline%3a"] {
        let mut ends = Ahead::new(message, |b| is_space(b) || b"|;>&\"".contains(&b));
        for at in occurrences(message, marker) {
            let mut cursor = Cursor { bytes: message, at: at + marker.len() };
            cursor.skip_while(|b| b == b' ' || b == b'\t');
            secrets.push(cursor.at..ends.from(cursor.at));
        }
    }
}

/// `sip:user:password@host`.
fn uri_passwords(message: &[u8], secrets: &mut Vec<Range<usize>>) {
    for scheme in [b"sip:".as_slice(), b"sips:"] {
        let mut ends = Ahead::new(message, |b| is_space(b) || b"<>\"".contains(&b));
        let mut colons = Ahead::new(message, |b| b == b':');
        let mut ats = Ahead::new(message, |b| b == b'@');
        // The end of the URI that was looked at last, and where its last @ is. A lenient parser may take that for the
        // end of the password.
        let (mut known, mut last_at) = (0, None);
        for at in occurrences(message, scheme) {
            let start = at + scheme.len();
            let end = ends.from(start);
            if known != end {
                known = end;
                let uri = message.get(start..end).unwrap_or_default();
                last_at = uri.iter().rposition(|&b| b == b'@').map(|at| start + at);
            }
            let colon = colons.from(start);
            if let Some(last_at) = last_at
                && colon < ats.from(start).min(last_at)
            {
                secrets.push(colon + 1..last_at);
            }
        }
    }
}

/// `<sip:...?Authorization=...>`.
fn uri_credentials(message: &[u8], secrets: &mut Vec<Range<usize>>) {
    let marker = b"authorization=";
    let mut ends = Ahead::new(message, |b| is_space(b) || b">&\"".contains(&b));
    for at in occurrences(message, marker) {
        let start = at + marker.len();
        secrets.push(start..ends.from(start));
    }
}

/// The body, where a header says that it cannot be read as it is.
fn encoded_body(message: &[u8], secrets: &mut Vec<Range<usize>>) {
    let Some(body) = body_start(message) else { return };
    let hidden = logical_lines(message).any(|line| {
        let Some(text) = message.get(line.clone()) else { return false };
        let Some(colon) = text.iter().position(|&b| b == b':') else { return false };
        let (name, value) = text.split_at(colon);
        let (name, value) = (name.trim_ascii(), value.get(1..).unwrap_or_default().trim_ascii());
        let names = |long: &[u8]| name.eq_ignore_ascii_case(long);
        let coded = names(b"content-encoding") || (line.start < body && names(b"e"));
        (coded && !value.is_empty() && !value.eq_ignore_ascii_case(b"identity"))
            || (names(b"content-transfer-encoding")
                && (starts_with(value, b"base64") || starts_with(value, b"quoted-printable")))
    });
    if hidden && body < message.len() {
        secrets.push(body..message.len());
    }
}

fn body_start(message: &[u8]) -> Option<usize> {
    let crlf = message.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
    let lf = message.windows(2).position(|w| w == b"\n\n").map(|at| at + 2);
    crlf.into_iter().chain(lf).min()
}

/// Lines with the folded ones joined; CR, LF and both together end a line, since peers differ.
fn logical_lines(message: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + message.get(at..)?.iter().take_while(|&&b| is_eol(b)).count();
        if start >= message.len() {
            return None;
        }
        let mut cursor = Cursor { bytes: message, at: start };
        let end = loop {
            cursor.skip_while(|b| !is_eol(b));
            let end = cursor.at;
            cursor.skip_while(is_eol);
            match message.get(cursor.at) {
                Some(b' ' | b'\t') => {} // Folded: the line goes on.
                _ => break end,
            }
        };
        at = cursor.at;
        Some(start..end)
    })
}

/// Where `needle` (in lower case) stands in `haystack`, in any case.
fn occurrences(haystack: &[u8], needle: &[u8]) -> Vec<usize> {
    haystack
        .windows(needle.len())
        .enumerate()
        .filter(|(_, window)| window.eq_ignore_ascii_case(needle))
        .map(|(at, _)| at)
        .collect()
}

fn starts_with(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_eol(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// The next byte of a kind from places that only grow: a message is walked once, however many words of it overlap.
struct Ahead<'a, F> {
    bytes: &'a [u8],
    wanted: F,
    /// All before it is known to be of the other kind, as far back as the last place that was asked for.
    at: usize,
}

impl<'a, F: Fn(u8) -> bool> Ahead<'a, F> {
    fn new(bytes: &'a [u8], wanted: F) -> Ahead<'a, F> {
        Ahead { bytes, wanted, at: 0 }
    }

    /// Where the next one is from `start` on; the end of the bytes if there is none.
    fn from(&mut self, start: usize) -> usize {
        self.at = self.at.max(start);
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|&&b| !(self.wanted)(b)).count();
        self.at
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn skip_while(&mut self, skip: impl Fn(u8) -> bool) {
        self.at += self.bytes.get(self.at..).unwrap_or_default().iter().take_while(|&&b| skip(b)).count();
    }

    fn take(&mut self, byte: u8) -> bool {
        let taken = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(taken);
        taken
    }

    /// To the closing quote, past escaped ones; to the end where none closes.
    fn skip_quoted(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => return,
                b'\\' => self.at = (self.at + 2).min(self.bytes.len()),
                _ => self.at += 1,
            }
        }
    }
}

fn replace(message: &[u8], mut secrets: Vec<Range<usize>>) -> Vec<u8> {
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort_by_key(|secret| secret.start);
    let mut masked = Vec::with_capacity(message.len());
    let mut at = 0;
    for secret in secrets {
        if secret.start >= at {
            masked.extend_from_slice(message.get(at..secret.start).unwrap_or_default());
            masked.extend_from_slice(MASK);
        }
        at = at.max(secret.end);
    }
    masked.extend_from_slice(message.get(at..).unwrap_or_default());
    masked
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(message: &str, expect: &str) {
        assert_eq!(String::from_utf8(mask(message.as_bytes())).unwrap(), expect);
    }

    #[test]
    fn digest_responses() {
        check(
            "Authorization: Digest username=\"bob\", nonce=\"n\", cnonce=\"c\", response=\"6629fa\", nc=01\r\n",
            "Authorization: Digest username=\"bob\", nonce=\"n\", cnonce=\"c\", response=\"***\", nc=01\r\n",
        );
        check(
            "PROXY-authorization \t:DIGEST RESPONSE=abc,uri=x\r\n",
            "PROXY-authorization \t:DIGEST RESPONSE=***,uri=x\r\n",
        );
        // Folded, before, within and after the parameter.
        check(
            "Authorization:\r\n Digest a=b,\r\n\tresponse\r\n =\r\n \"ab\\\"cd\"\r\nTo: x\r\n",
            "Authorization:\r\n Digest a=b,\r\n\tresponse\r\n =\r\n \"***\"\r\nTo: x\r\n",
        );
        // Bare line ends, an unbalanced quote, no closing quote.
        check(
            "Authorization: Digest\n response=\"ab\"\nTo: x",
            "Authorization: Digest\n response=\"***\"\nTo: x",
        );
        check(
            "Authorization: Digest username=\"bob, response=\"ab\"",
            "Authorization: Digest username=\"bob, response=\"***\"",
        );
        check("Authorization: Digest response=\"ab, nc=1", "Authorization: Digest response=\"***");
        check("Authentication-Info: rspauth=\"ab\", nc=1", "Authentication-Info: rspauth=\"***\", nc=1");
        // Twice, and in the body of a sipfrag.
        check(
            "Authorization: Digest response=1\r\nAuthorization: Digest response=2\r\n\r\nAuthorization: Digest response=3\r\n",
            "Authorization: Digest response=***\r\nAuthorization: Digest response=***\r\n\r\nAuthorization: Digest response=***\r\n",
        );
        // Only there.
        check(
            "Subject: response=\"x\"\r\nWWW-Authenticate: Digest nonce=\"n\"\r\n",
            "Subject: response=\"x\"\r\nWWW-Authenticate: Digest nonce=\"n\"\r\n",
        );
    }

    #[test]
    fn other_credentials() {
        check("Authorization: Basic dXNlcjpw\r\nTo: x\r\n", "Authorization: Basic ***\r\nTo: x\r\n");
        check("Proxy-Authorization:  Bearer a b=c \r\n", "Proxy-Authorization:  Bearer *** \r\n");
    }

    #[test]
    fn media_keys() {
        check(
            "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1j|2^20|1:32;inline:QUJD|2^20 FEC\r\na=fingerprint:sha-256 AB:CD\r\n",
            "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***|2^20|1:32;inline:***|2^20 FEC\r\na=fingerprint:sha-256 AB:CD\r\n",
        );
        check("A=CRYPTO:1 X INLINE:abc+/=\n", "A=CRYPTO:1 X INLINE:***\n");
        check("a=crypto:1 X inline: abc\r\n", "a=crypto:1 X inline: ***\r\n");
        check("a=ice-pwd:secret\r\na=ice-ufrag:u\r\n", "a=ice-pwd:***\r\na=ice-ufrag:u\r\n");
        check("k=base64:abc\r\nk: timer\r\n", "k=***\r\nk: timer\r\n");
        check("a=key-mgmt:mikey AQAFg\r\n", "a=key-mgmt:***\r\n");
        check(
            "Content-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\nContent-Type: application/sdp\r\n\r\na=crypto:1 X inline:abc\r\n--b--\r\n",
            "Content-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\nContent-Type: application/sdp\r\n\r\na=crypto:1 X inline:***\r\n--b--\r\n",
        );
        check(
            "<sip:a@b?body=a%3Dcrypto%3A1%20X%20inline%3Aabc%7C2>",
            "<sip:a@b?body=a%3Dcrypto%3A1%20X%20inline%3A***>",
        );
    }

    #[test]
    fn uris() {
        check("INVITE sip:bob:secret@a.example SIP/2.0\r\n", "INVITE sip:bob:***@a.example SIP/2.0\r\n");
        check("To: <SIPS:bob:se@cret@a.example:5061>;tag=x", "To: <SIPS:bob:***@a.example:5061>;tag=x");
        check("Contact: sip:a@h:5060,sip:b@h:5060\r\n", "Contact: sip:a@h:5060,sip:b@h:5060\r\n");
        check("OPTIONS sip:10.0.0.1:5060 SIP/2.0\r\n", "OPTIONS sip:10.0.0.1:5060 SIP/2.0\r\n");
        check(
            "Refer-To: <sip:a@b?Authorization=Digest%20response%3D1&X=2>",
            "Refer-To: <sip:a@b?Authorization=***&X=2>",
        );
    }

    #[test]
    fn bodies_that_hide_what_they_say() {
        check("A: b\r\nContent-Encoding: gzip\r\n\r\nzzz", "A: b\r\nContent-Encoding: gzip\r\n\r\n***");
        check("A: b\r\nE: gzip\r\n\r\nzzz", "A: b\r\nE: gzip\r\n\r\n***");
        check("A: b\r\ne: identity\r\n\r\nv=0", "A: b\r\ne: identity\r\n\r\nv=0");
        check("A: b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJj", "A: b\r\n\r\n***");
        check(
            "A: b\r\n\r\n--b\r\nContent-Transfer-Encoding: binary\r\n\r\nv=0",
            "A: b\r\n\r\n--b\r\nContent-Transfer-Encoding: binary\r\n\r\nv=0",
        );
    }

    /// Two megabytes of words that begin anew within each other: looking each of them through to its end would take
    /// hours.
    #[test]
    fn a_message_is_walked_once() {
        for (before, words) in [
            ("", "sip:"),
            ("", "sips:"),
            ("", "sip:a@"),
            ("", "sip:a:b@"),
            ("", "inline:"),
            ("", "inline%3a"),
            ("", "authorization="),
            ("Authorization: Digest ", "response="),
            ("Authorization: Digest ", "response=\""),
            ("Authorization: Digest ", "response=\"\\"),
            ("Authorization: Digest ", "rspauth=\\\""),
        ] {
            let message = before.to_owned() + &words.repeat((2 << 20) / words.len());
            assert!(mask(message.as_bytes()).len() <= message.len(), "{words}");
        }
    }

    #[test]
    fn uris_within_a_uri() {
        check("X: sip:sip:a:b@c sip:d", "X: sip:sip:***@c sip:d");
        check("X: sip:a@sip:b:c@d", "X: sip:a@sip:b:***@d");
        check("X: sip:sip:sip: sip:a:b@c", "X: sip:sip:sip: sip:a:***@c");
        check("X: sip:a@b:1 sips:c:d@e", "X: sip:a@b:1 sips:c:***@e");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived_and_masking_again_changes_nothing(message: Vec<u8>) {
            let once = mask(&message);
            prop_assert_eq!(mask(&once), once);
        }

        #[test]
        fn a_key_never_gets_through(before in "[ -~\r\n\t]{0,60}", after in "([|; \r\n][ -~\r\n]{0,20})?") {
            let key = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY";
            let crypto = format!("{before}\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}{after}");
            prop_assert!(!String::from_utf8_lossy(&mask(crypto.as_bytes())).contains(key));
            let folded = before.replace('\r', "").replace('\n', "\r\n ");
            let digest = format!("A: b\r\nAuthorization: Digest {folded}response=\"{key}\"{after}");
            prop_assert!(!String::from_utf8_lossy(&mask(digest.as_bytes())).contains(key), "{}", digest);
        }
    }
}
