//! A message's body, with its session description found.

use bytes::Bytes;
use sip::multipart::{Multipart, Part};
use sip::sdp::{Sdp, Stream};
use sip::{Message, Name};

use super::Cause;

/// Multipart bodies inside of multipart bodies are looked into this deep.
const DEPTH: usize = 3;

/// What a message carries.
#[derive(Debug, Clone)]
pub enum Body {
    /// Nothing.
    None,
    /// A session description alone.
    Sdp(Sdp),
    /// A session description among other parts, which pass byte for byte (an emergency call's location, say). It may be
    /// a part of a part. RFC 5621 §3.
    Multipart { content_type: String, whole: Bytes, sdp: Sdp },
    /// Something that is no session description; passes as it is.
    Other { content_type: String, body: Bytes },
}

/// A body as it is sent: its Content-Type and its bytes.
pub type Sent = (String, Bytes);

impl Body {
    /// Reads a message's body.
    ///
    /// # Errors
    /// 400 with what is wrong with a session description or a multipart body; 415 for session
    /// descriptions that we cannot rewrite, which would lead media around us.
    pub fn read(message: &Message) -> Result<Body, Cause> {
        let body = message.body();
        if body.is_empty() {
            return Ok(Body::None);
        }
        let content_type = message.value(Name::ContentType).unwrap_or_default().to_string();
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if media_type == "application/sdp" {
            return Ok(Body::Sdp(sdp(body)?));
        }
        if media_type.starts_with("multipart/") {
            let parts = Multipart::parse(&content_type, body)
                .map_err(|error| Cause::new(400, format!("Content-Type {media_type}: {error}")))?;
            let sdp = description(&parts, DEPTH).map(sdp).transpose()?;
            match (descriptions(&parts, DEPTH), &sdp) {
                (0, _) | (1, Some(_)) => {}
                (1, None) => {
                    return Err(Cause::new(415, "The session description is encoded, or an early one"));
                }
                _ => return Err(Cause::new(415, "More than one session description")),
            }
            if let Some(sdp) = sdp {
                return Ok(Body::Multipart { content_type, whole: body.clone(), sdp });
            }
        }
        Ok(Body::Other { content_type, body: body.clone() })
    }

    /// The session description, if there is one.
    pub fn sdp(&self) -> Option<&Sdp> {
        match self {
            Body::Sdp(sdp) | Body::Multipart { sdp, .. } => Some(sdp),
            Body::None | Body::Other { .. } => None,
        }
    }

    /// The body with `sdp` in place of its own.
    pub fn with_sdp(&self, sdp: Bytes) -> Sent {
        if let Body::Multipart { content_type, whole, .. } = self
            && let Ok(parts) = Multipart::parse(content_type, whole)
            && let Some(bytes) = described(&parts, &sdp, DEPTH)
        {
            return (content_type.clone(), bytes.into());
        }
        ("application/sdp".to_owned(), sdp)
    }

    /// The body as it came; for what holds no session description.
    pub fn as_is(&self) -> Option<Sent> {
        match self {
            Body::Other { content_type, body } => Some((content_type.clone(), body.clone())),
            _ => None,
        }
    }
}

/// The session description of a multipart body, or of one inside it.
fn description<'a>(parts: &Multipart<'a>, depth: usize) -> Option<&'a [u8]> {
    let nested = || inner(parts, depth).find_map(|(_, inner)| description(&inner, depth - 1));
    parts.sdp().map(Part::body).or_else(nested)
}

/// How many session descriptions there are, also those that are passed over.
fn descriptions(parts: &Multipart<'_>, depth: usize) -> usize {
    let own = parts.parts().iter().filter(|part| part.is("application/sdp")).count();
    own + inner(parts, depth).map(|(_, inner)| descriptions(&inner, depth - 1)).sum::<usize>()
}

/// The body with `sdp` in place of its own; every other byte as it came.
fn described(parts: &Multipart<'_>, sdp: &[u8], depth: usize) -> Option<Vec<u8>> {
    if let Some(part) = parts.sdp() {
        return parts.with_body(part, sdp);
    }
    inner(parts, depth).find_map(|(part, inner)| parts.with_body(part, &described(&inner, sdp, depth - 1)?))
}

/// The parts that are multipart themselves; what only says so stays closed.
fn inner<'p, 'a>(
    parts: &'p Multipart<'a>,
    depth: usize,
) -> impl Iterator<Item = (&'p Part<'a>, Multipart<'a>)> {
    let looked_into = parts.parts().iter().filter(move |_| depth > 0);
    looked_into.filter_map(|part| {
        let inner = Multipart::parse(part.header("Content-Type")?, part.body()).ok()?;
        Some((part, inner))
    })
}

/// The streams of a message's session description that we could carry.
pub fn offered_streams(message: &Message) -> Vec<Stream> {
    let body = Body::read(message);
    let streams = body.ok().and_then(|body| body.sdp().map(Sdp::streams)).unwrap_or_default();
    streams.into_iter().filter(Stream::is_relayed).collect()
}

fn sdp(bytes: &[u8]) -> Result<Sdp, Cause> {
    Sdp::parse(bytes).map_err(|error| Cause::new(400, format!("SDP: {error}")))
}
