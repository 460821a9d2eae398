//! What the body of a message, or a part of one, is to a session. RFC 3261 §7.4, RFC 5621.
//!
//! Media goes where descriptions say. One that is not seen for what it is would lead media around whoever is in the
//! middle, so what may be one and can't be read is an error here, never something else.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::header::Name;
use crate::media_type::MediaType;
use crate::message::Message;
use crate::multipart::Part;

/// What a body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyKind {
    /// A description of the session: `application/sdp`, or bytes of such without any type.
    Description,
    /// Parts, each of which is one of these again.
    Multipart(MediaType),
    /// Nothing that describes a session. `None`: without a type, or with one that is malformed.
    Other(Option<MediaType>),
}

/// A body that may be a session description and can't be read as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The Content-Type is malformed, or there are two of them; the bytes are a session description.
    #[error("malformed")]
    Type,
    /// Content-Encoding or Content-Transfer-Encoding change the bytes.
    #[error("the session description is encoded")]
    Encoding,
    /// Content-Disposition has it for something else than the session: RFC 3959, say.
    #[error("the session description is not for the session")]
    Disposition,
    /// What is inside can't be seen: it is encrypted for the receiver, or elsewhere.
    #[error("a session description may be inside, and can't be seen")]
    Sealed,
    /// Under another type, the bytes are a session description.
    #[error("the body is a session description")]
    Disguised,
}

impl BodyKind {
    /// What the body of a message is; it has one.
    ///
    /// # Errors
    /// It may be a session description in disguise, or nobody can tell.
    pub fn of_message(message: &Message) -> Result<BodyKind, BodyError> {
        let field = |name: Name| message.value(name);
        read(
            field(Name::ContentType).as_deref().map(MediaType::parse),
            [field(Name::ContentEncoding), field(TRANSFER_ENCODING.clone())],
            field(Name::ContentDisposition),
            message.body(),
        )
    }

    /// What a part is.
    ///
    /// # Errors
    /// As of [`BodyKind::of_message`].
    pub fn of_part(part: &Part<'_>) -> Result<BodyKind, BodyError> {
        // `c` and `e` are SIP's compact forms; they do not belong into a part, yet come.
        let all = |names: [&str; 2]| {
            let mine = |name: &str| names.iter().any(|known| name.eq_ignore_ascii_case(known));
            let values = part.headers().filter(|(name, _)| mine(name)).map(|(_, value)| value.to_owned());
            values.collect::<Vec<String>>()
        };
        let media_type = match all(["Content-Type", "c"]).as_slice() {
            [] => None,
            [one] => Some(MediaType::parse(one)),
            _ => Some(None),
        };
        // What is said twice is said as what no reader takes for harmless.
        let once = |names| Some(all(names).join(", ")).filter(|value| !value.is_empty()).map(Cow::Owned);
        let encodings = [once(["Content-Encoding", "e"]), once(["Content-Transfer-Encoding", ""])];
        read(media_type, encodings, once(["Content-Disposition", ""]), part.body())
    }
}

/// A part's, and now and then a message's. RFC 2045 §6. Made once, since the name is longer than what needs no room of its own.
static TRANSFER_ENCODING: LazyLock<Name> = LazyLock::new(|| Name::from("Content-Transfer-Encoding"));

/// What may hold any other type, unseen: encrypted bodies (RFC 8551, RFC 1847) and references (RFC 4483).
const SEALED: [&str; 4] =
    ["application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted", "message/external-body"];

/// - `media_type`: `None` without a Content-Type, `Some(None)` for one that is malformed.
fn read(
    media_type: Option<Option<MediaType>>,
    encodings: [Option<Cow<'_, str>>; 2],
    disposition: Option<Cow<'_, str>>,
    bytes: &[u8],
) -> Result<BodyKind, BodyError> {
    let sealed = |media_type: &MediaType| SEALED.iter().any(|known| media_type.is(known));
    let kind = match media_type {
        Some(Some(media_type)) if sealed(&media_type) => return Err(BodyError::Sealed),
        Some(Some(media_type)) if media_type.is_multipart() => BodyKind::Multipart(media_type),
        Some(Some(media_type)) if media_type.is("application/sdp") => BodyKind::Description,
        None if bytes.trim_ascii_start().starts_with(b"v=0") => BodyKind::Description,
        other if !describes(bytes) => return Ok(BodyKind::Other(other.flatten())),
        Some(None) => return Err(BodyError::Type),
        _ => return Err(BodyError::Disguised),
    };
    if !encodings.iter().flatten().all(|encoding| is_plain(encoding)) {
        return Err(BodyError::Encoding);
    }
    let session = |value: &Cow<'_, str>| {
        value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("session"))
    };
    if kind == BodyKind::Description && !disposition.as_ref().is_none_or(session) {
        return Err(BodyError::Disposition);
    }
    Ok(kind)
}

/// Whether an encoding leaves the bytes as they are: RFC 2045 §6.2, RFC 3261 §20.12.
fn is_plain(encoding: &str) -> bool {
    ["identity", "7bit", "8bit", "binary", ""].iter().any(|known| encoding.trim().eq_ignore_ascii_case(known))
}

/// Whether there is a session description among the lines: `v=0`, then `m=`.
fn describes(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).map(<[u8]>::trim_ascii);
    lines.any(|line| line == b"v=0") && lines.any(|line| line.starts_with(b"m="))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::multipart::Multipart;

    const SDP: &str = "v=0\r\nm=audio 4000 RTP/AVP 0\r\n";

    /// The head of a message as well as of a part.
    fn check(head: &str, body: &str, expect: Result<&str, BodyError>) {
        let name = |kind| match kind {
            BodyKind::Description => "sdp".to_owned(),
            BodyKind::Multipart(_) => "multipart".to_owned(),
            BodyKind::Other(media_type) => media_type.map_or("text".to_owned(), |one| one.name().to_owned()),
        };
        let message =
            Message::parse(Bytes::from(format!("INFO sip:a@b SIP/2.0\r\n{head}\r\n{body}"))).unwrap();
        let of_message = BodyKind::of_message(&message).map(name);
        let bytes = format!("--b\r\n{head}\r\n{body}\r\n--b--");
        let parts = Multipart::parse("multipart/mixed;boundary=b", bytes.as_bytes()).unwrap();
        let of_part = BodyKind::of_part(&parts.parts()[0]).map(name);
        assert_eq!(of_part.as_deref(), expect.as_ref().map(|name| *name), "{head:?}");
        assert_eq!(of_message.as_deref(), expect.as_ref().map(|name| *name), "{head:?}");
    }

    #[test]
    fn a_description_is_one_by_its_type_or_without_any() {
        check("Content-Type: application/sdp\r\n", SDP, Ok("sdp"));
        check("c:APPLICATION\r\n /\tSDP;x=y\r\n", "nonsense", Ok("sdp"));
        check("", SDP, Ok("sdp"));
        check("", "\r\n v=0", Ok("sdp"));
        check(
            "Content-Type: application/sdp\r\nContent-Disposition: SESSION;handling=optional\r\n",
            SDP,
            Ok("sdp"),
        );
        check("Content-Type: application/sdp\r\nContent-Encoding: Identity\r\n", SDP, Ok("sdp"));
        check("Content-Type: application/sdp\r\nContent-Transfer-Encoding: 8bit\r\n", SDP, Ok("sdp"));
    }

    #[test]
    fn other_bodies_are_told_apart() {
        check("Content-Type: multipart/Mixed;boundary=x\r\n", "x", Ok("multipart"));
        check(
            "Content-Type: Application/pidf+xml\r\nContent-Encoding: gzip\r\n",
            "x",
            Ok("application/pidf+xml"),
        );
        check("Content-Type: text/plain\r\n", "v=0 is how it begins, and m=audio follows", Ok("text/plain"));
        check("Subject: x\r\n", "Signal=1", Ok("text"));
        check("Content-Type: dtmf\r\n", "5", Ok("text"));
        check("Content-Type: \r\n", "x", Ok("text"));
    }

    #[test]
    fn what_may_hold_anything_is_an_error() {
        for sealed in [
            "application/pkcs7-mime;smime-type=enveloped-data",
            "Application / X-PKCS7-MIME",
            "multipart/encrypted;boundary=x",
            "message/external-body;access-type=URL;URL=\"http://a/b\"",
        ] {
            check(&format!("Content-Type: {sealed}\r\n"), "x", Err(BodyError::Sealed));
        }
        check("Content-Type: application/pkcs7-signature\r\n", "x", Ok("application/pkcs7-signature"));
    }

    #[test]
    fn what_may_be_a_description_is_an_error_where_it_cannot_be_read() {
        check("Content-Type: \"application/sdp\"\r\n", SDP, Err(BodyError::Type));
        check("Content-Type: nonsense\r\n", SDP, Err(BodyError::Type));
        check("Content-Type: \r\n", SDP, Err(BodyError::Type));
        check("Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n", "x", Err(BodyError::Encoding));
        check("e: gzip\r\nContent-Type: multipart/x\r\n", "x", Err(BodyError::Encoding));
        check("Content-Transfer-Encoding: base64\r\n", SDP, Err(BodyError::Encoding));
        check(
            "Content-Type: application/sdp\r\nContent-Disposition: early-session\r\n",
            SDP,
            Err(BodyError::Disposition),
        );
        check("Content-Type: text/plain\r\n", SDP, Err(BodyError::Disguised));
        check(
            "Content-Type: message/sip\r\n",
            &format!("ACK sip:a@b SIP/2.0\r\n\r\n {SDP}"),
            Err(BodyError::Disguised),
        );
        check("Subject: x\r\n", &format!("Hello\n{SDP}"), Err(BodyError::Disguised));
    }
}
