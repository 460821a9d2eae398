//! What is wrong with a request by the protocol's own rules.

use sip::dialog::SessionHeaders;
use sip::text::word;
use sip::{BodyKind, Builder, MediaType, Message, Name, Uri};
use smol_str::SmolStr;

use crate::call::{session_timer_with, unsupported_body};
use crate::number::is_emergency_service;
use crate::reply::{Cause, demanded_beside_100rel, demanded_but, demanded_of_recorder};

/// What an INVITE may carry: an offer, others with it, or a caller's location alone (RFC 6442), whose offer comes later.
pub(super) const BODIES: &str = "application/sdp, multipart/mixed, application/pidf+xml";

/// A fault that is answered by the protocol's own rules.
pub(super) struct Fault {
    cause: Cause,
    headers: Vec<(Name, String)>,
}

impl Fault {
    /// The answer.
    pub(super) fn reply(&self, request: &Message, to_tag: &str) -> Builder {
        let reply = self.cause.reply(request, Some(to_tag));
        self.headers.iter().fold(reply, |reply, (name, value)| reply.header(name.clone(), value))
    }

    /// Its status and its words.
    pub(super) fn cause(&self) -> &Cause {
        &self.cause
    }

    fn new(status: u16, text: impl Into<SmolStr>) -> Fault {
        Fault { cause: Cause::new(status, text), headers: Vec::new() }
    }

    fn with(mut self, name: Name, value: impl Into<String>) -> Fault {
        self.headers.push((name, value.into()));
        self
    }
}

/// What an INVITE asks for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asks {
    /// A call; `reliable`: its sender may demand `100rel`.
    ToCall { reliable: bool },
    /// A recording session, of who may have one.
    ToRecord,
}

/// What is wrong with an INVITE: URI scheme, Max-Forwards, merged, Require, body; in this order (RFC 3261 §8.2, §16.3).
pub(super) fn protocol_fault(message: &Message, merged: bool, asks: Asks) -> Option<Fault> {
    let hops = || (message.max_forwards() == Ok(Some(0))).then(|| Fault::new(483, "Too Many Hops"));
    scheme_fault(message)
        .or_else(hops)
        .or_else(|| merged_fault(merged))
        .or_else(|| require_fault(message, asks))
        .or_else(|| body_fault(message))
        .or_else(|| accept_fault(message))
}

/// What is wrong with a request that ends here and begins nothing, so that hops, body and copies do not matter.
pub(super) fn terminal_fault(message: &Message) -> Option<Fault> {
    scheme_fault(message).or_else(|| require_fault(message, Asks::ToCall { reliable: false }))
}

/// What is wrong with a REGISTER for a registrar that understands `understood`.
pub(super) fn registration_fault(message: &Message, merged: bool, understood: &[&str]) -> Option<Fault> {
    let unknown = |tag: &str| !understood.iter().any(|known| tag.eq_ignore_ascii_case(known));
    scheme_fault(message).or_else(|| merged_fault(merged)).or_else(|| {
        let demanded = demanded_but(message, unknown)?;
        let fault = Fault::new(420, format!("Not supported: {demanded}"));
        Some(fault.with(Name::Unsupported, demanded))
    })
}

fn scheme_fault(message: &Message) -> Option<Fault> {
    match message.target() {
        Ok(Uri::Sip(_) | Uri::Tel(_)) => None,
        Ok(other) if is_emergency_service(&other.to_string()) => None,
        Ok(other) => Some(Fault::new(416, format!("URI scheme {} is not supported", word(other.scheme())))),
        Err(error) => Some(Fault::new(400, format!("Request-URI: {error}"))),
    }
}

fn merged_fault(merged: bool) -> Option<Fault> {
    merged.then(|| Fault::new(482, "Merged request"))
}

fn require_fault(message: &Message, asks: Asks) -> Option<Fault> {
    let demanded = match asks {
        Asks::ToCall { reliable } => demanded_beside_100rel(message, reliable),
        Asks::ToRecord => demanded_of_recorder(message),
    }?;
    let fault = Fault::new(420, format!("Not supported: {demanded}"));
    Some(fault.with(Name::Unsupported, demanded))
}

/// A session interval below what anybody may ask for. RFC 4028 §5 and §9.
pub(super) fn session_fault(message: &Message) -> Option<Fault> {
    let asked = SessionHeaders::of(message).ok()?;
    let least = session_timer_with(None).answer(&asked).err()?;
    Some(Fault::new(422, "Session Interval Too Small").with(Name::MinSe, least.to_string()))
}

fn body_fault(message: &Message) -> Option<Fault> {
    if message.body().is_empty() {
        return None;
    }
    let encoding = message.value(Name::ContentEncoding).unwrap_or_default();
    if !encoding.trim().is_empty() && !encoding.trim().eq_ignore_ascii_case("identity") {
        let fault = Fault::new(415, format!("Content-Encoding {} is not supported", word(&encoding)));
        return Some(fault.with(Name::AcceptEncoding, "identity"));
    }
    let content_type = message.value(Name::ContentType).unwrap_or_default();
    let taken = |media_type: &MediaType| BODIES.split(", ").any(|known| media_type.is(known));
    let cause = match BodyKind::of_message(message) {
        Ok(BodyKind::Description) => return None,
        Ok(BodyKind::Multipart(media_type) | BodyKind::Other(Some(media_type))) if taken(&media_type) => {
            return None;
        }
        Ok(_) => Cause::new(415, format!("Content-Type {} is not supported", word(&content_type))),
        Err(error) => unsupported_body(&content_type, error),
    };
    Some(Fault { cause, headers: Vec::new() }.with(Name::Accept, BODIES))
}

/// A caller that takes no session description can't be answered. RFC 3261 §20.1.
fn accept_fault(message: &Message) -> Option<Fault> {
    let takes_sdp = message.values(Name::Accept).any(|range| {
        let range = MediaType::parse(&range);
        range.is_some_and(|range| ["application/sdp", "application/*", "*/*"].iter().any(|one| range.is(one)))
    });
    let excluded = message.has(Name::Accept) && !takes_sdp;
    excluded.then(|| Fault::new(406, "Accept leaves out application/sdp"))
}
