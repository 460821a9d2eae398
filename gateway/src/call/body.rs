//! A message's body, with its session description found.

use std::borrow::Cow;

use bytes::Bytes;
use sip::multipart::Multipart;
use sip::sdp::{Sdp, Stream};
use sip::text::word;
use sip::{BodyError, BodyKind, Builder, MediaType, Message, Name};

use crate::reply::Cause;

/// Multipart bodies inside of multipart bodies are looked into this deep; what is deeper is not passed on.
const DEPTH: usize = 3;

/// What a message carries.
#[derive(Debug, Clone)]
pub enum Body {
    /// Nothing.
    None,
    /// A session description alone.
    Sdp { raw: Bytes, sdp: Sdp },
    /// A session description among other parts, which pass byte for byte (an emergency call's location, say). It may be
    /// a part of a part. RFC 5621 §3.
    Multipart { content_type: String, whole: Bytes, at: Path, sdp: Sdp },
    /// Something that is no session description; passes as it is.
    Other { content_type: String, body: Bytes },
}

/// Where a part stands: its number among the parts, from 0, then its number inside of that one.
type Path = Vec<usize>;

/// A body as it is sent.
#[derive(Debug, Clone)]
pub struct SentBody {
    content_type: Cow<'static, str>,
    bytes: Bytes,
    /// What the headers of the message say of its body (Content-Disposition, Content-ID ...) is so of this one.
    theirs: bool,
}

impl Body {
    /// Reads a message's body.
    ///
    /// # Errors
    /// 400 with what is wrong with a session description or a multipart body; 415 for what may be a session
    /// description that we cannot rewrite, which would lead media around us.
    pub fn read(message: &Message) -> Result<Body, Cause> {
        let body = message.body();
        if body.is_empty() {
            return Ok(Body::None);
        }
        let content_type = message.value(Name::ContentType).unwrap_or_default();
        match BodyKind::of_message(message).map_err(|error| unsupported(&content_type, error))? {
            BodyKind::Description => Ok(Body::Sdp { raw: body.clone(), sdp: sdp(body)? }),
            BodyKind::Other(_) => {
                Ok(Body::Other { content_type: content_type.into_owned(), body: body.clone() })
            }
            BodyKind::Multipart(media_type) => {
                let content_type = content_type.into_owned();
                let mut found = Vec::new();
                find(&parts(&media_type, body)?, DEPTH, &mut Vec::new(), &mut found)?;
                match found.pop() {
                    None => Ok(Body::Other { content_type, body: body.clone() }),
                    Some(_) if !found.is_empty() => Err(Cause::new(415, "More than one session description")),
                    Some((at, sdp)) => Ok(Body::Multipart { content_type, whole: body.clone(), at, sdp }),
                }
            }
        }
    }

    /// The session description, if there is one.
    pub fn sdp(&self) -> Option<&Sdp> {
        match self {
            Body::Sdp { sdp, .. } | Body::Multipart { sdp, .. } => Some(sdp),
            Body::None | Body::Other { .. } => None,
        }
    }

    /// The streams of the session description that we could carry.
    pub fn relayed_streams(&self) -> impl Iterator<Item = &Stream> {
        let streams = self.sdp().map(Sdp::streams).unwrap_or_default();
        streams.iter().filter(|stream| stream.is_relayed())
    }

    /// The session description as it came, in memory of its own: the message need not be kept for it.
    pub fn description(&self) -> Option<Bytes> {
        match self {
            Body::Sdp { raw, .. } => Some(Bytes::copy_from_slice(raw)),
            Body::Multipart { sdp, .. } => Some(sdp.to_bytes()),
            Body::None | Body::Other { .. } => None,
        }
    }

    /// The body with `sdp` in place of its own.
    pub fn with_sdp(&self, sdp: Bytes) -> SentBody {
        if let Body::Multipart { content_type, whole, at, .. } = self
            && let Some(media_type) = MediaType::parse(content_type)
            && let Some(bytes) = described(&media_type, whole, at, &sdp)
        {
            return SentBody { content_type: content_type.clone().into(), bytes: bytes.into(), theirs: true };
        }
        SentBody::description(sdp)
    }

    /// The body as it came; for what holds no session description.
    pub fn as_is(&self) -> Option<SentBody> {
        match self {
            Body::Other { content_type, body } => Some(SentBody {
                content_type: content_type.clone().into(),
                bytes: body.clone(),
                theirs: true,
            }),
            _ => None,
        }
    }
}

impl SentBody {
    /// A session description of ours.
    pub fn description(sdp: Bytes) -> SentBody {
        SentBody { content_type: "application/sdp".into(), bytes: sdp, theirs: false }
    }

    /// The message with this body, and with what its headers say of a body only where that is so of this one.
    pub fn attach(body: Option<SentBody>, builder: Builder) -> Builder {
        match body {
            None => builder.no_body(),
            Some(SentBody { content_type, bytes, theirs: false }) => {
                builder.no_body().body(&content_type, bytes)
            }
            Some(SentBody { content_type, bytes, .. }) if content_type.is_empty() => {
                builder.body(&content_type, bytes).remove(Name::ContentType)
            }
            Some(SentBody { content_type, bytes, theirs: true }) => builder.body(&content_type, bytes),
        }
    }
}

/// The refusal of a body that may be a session description and can't be read as one.
pub fn unsupported(content_type: &str, error: BodyError) -> Cause {
    Cause::new(415, format!("Content-Type {}: {error}", word(content_type)))
}

/// The session descriptions among `parts`, wherever they stand.
fn find(
    parts: &Multipart<'_>,
    depth: usize,
    path: &mut Path,
    found: &mut Vec<(Path, Sdp)>,
) -> Result<(), Cause> {
    for (number, part) in parts.parts().iter().enumerate().filter(|(_, part)| !part.body().is_empty()) {
        path.push(number);
        let content_type = part.header("Content-Type").unwrap_or_default();
        match BodyKind::of_part(part).map_err(|error| unsupported(content_type, error))? {
            BodyKind::Description => found.push((path.clone(), sdp(part.body())?)),
            BodyKind::Other(_) => {}
            BodyKind::Multipart(_) if depth == 0 => {
                return Err(Cause::new(415, "Too many multipart bodies inside of each other"));
            }
            BodyKind::Multipart(media_type) => {
                find(&self::parts(&media_type, part.body())?, depth - 1, path, found)?;
            }
        }
        path.pop();
    }
    Ok(())
}

/// The body with `sdp` in place of the part at `path`; every other byte as it came.
fn described(media_type: &MediaType, whole: &[u8], path: &[usize], sdp: &[u8]) -> Option<Vec<u8>> {
    let (number, deeper) = path.split_first()?;
    let parts = Multipart::of(media_type, whole).ok()?;
    let part = parts.parts().get(*number)?;
    match BodyKind::of_part(part).ok()? {
        BodyKind::Multipart(inner) => parts.with_body(part, &described(&inner, part.body(), deeper, sdp)?),
        _ => parts.with_body(part, sdp),
    }
}

fn parts<'a>(media_type: &MediaType, body: &'a [u8]) -> Result<Multipart<'a>, Cause> {
    let name = word(media_type.name());
    Multipart::of(media_type, body).map_err(|error| Cause::new(400, format!("Content-Type {name}: {error}")))
}

fn sdp(bytes: &[u8]) -> Result<Sdp, Cause> {
    #[cfg(test)]
    crate::effort::spend("parse SDP");
    Sdp::parse(bytes).map_err(|error| Cause::new(400, format!("SDP: {error}")))
}
