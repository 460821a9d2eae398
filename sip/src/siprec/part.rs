//! The bodies that carry metadata. RFC 7866 §9.

use super::{Metadata, MetadataError};
use crate::body::BodyKind;
use crate::header::Name;
use crate::media_type::MediaType;
use crate::message::Message;
use crate::multipart::{Multipart, Part};

/// What metadata is: RFC 7865 §10.
pub const MEDIA_TYPE: &str = "application/rs-metadata+xml";

/// Parts of parts are looked into this deep, as those of a session description are.
const DEPTH: usize = 3;

/// The metadata that a message carries, as it stands: all of its body, or a part of it. `None`: it carries none.
///
/// Some write the type without `+xml`. Where a body or its parts can't be read there is none either: the session description
/// decides about the message.
pub fn metadata_in(message: &Message) -> Option<&[u8]> {
    if message.body().is_empty() {
        return None;
    }
    find(BodyKind::of_message(message).ok()?, message.body(), DEPTH)
}

/// Whether the recording server asks for a complete document. RFC 7866 §9.2.
pub fn asks_for_snapshot(message: &Message) -> bool {
    let content_type = message.value(Name::ContentType);
    content_type
        .as_deref()
        .and_then(MediaType::parse)
        .is_some_and(|media_type| media_type.is("application/rs-metadata-request"))
}

/// A body of two parts, the session description and the metadata, and its Content-Type. RFC 7866 §9.1.
///
/// - `boundary`: random, so that it stands in neither; of letters and digits, 70 at most.
pub fn with_metadata(boundary: &str, description: &[u8], metadata: &str) -> (String, Vec<u8>) {
    let head = format!(
        "--{boundary}\r\nContent-Type: application/sdp\r\nContent-Disposition: session;handling=required\r\n\r\n"
    );
    let between = format!(
        "\r\n--{boundary}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Disposition: recording-session\r\n\r\n"
    );
    let tail = format!("\r\n--{boundary}--\r\n");
    let body =
        [head.as_bytes(), description, between.as_bytes(), metadata.as_bytes(), tail.as_bytes()].concat();
    (format!("multipart/mixed;boundary={boundary}"), body)
}

impl Metadata {
    /// The metadata that a message carries; `None`: it carries none.
    ///
    /// # Errors
    /// As of [`Metadata::parse`].
    pub fn of(message: &Message) -> Option<Result<Metadata, MetadataError>> {
        metadata_in(message).map(Metadata::parse)
    }
}

fn find(kind: BodyKind, bytes: &[u8], depth: usize) -> Option<&[u8]> {
    match kind {
        BodyKind::Description => None,
        BodyKind::Other(media_type) => is_metadata(&media_type?).then_some(bytes),
        BodyKind::Multipart(_) if depth == 0 => None,
        BodyKind::Multipart(media_type) => {
            let parts = Multipart::of(&media_type, bytes).ok()?;
            parts.parts().iter().find_map(|part| in_part(part, depth))
        }
    }
}

fn in_part<'a>(part: &Part<'a>, depth: usize) -> Option<&'a [u8]> {
    find(BodyKind::of_part(part).ok()?, part.body(), depth - 1)
}

fn is_metadata(media_type: &MediaType) -> bool {
    [MEDIA_TYPE, "application/rs-metadata"].iter().any(|known| media_type.is(known))
}
