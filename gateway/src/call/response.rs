//! A response on its way from one leg to the other.

use sip::{Builder, Message, Name, StatusCode};

use super::allow::{allow, allowed_by};
use super::body::SentBody;
use super::leg::{End, Leg};
use super::profile::Profile;
use super::{addresses, headers};
use crate::reply::Cause;

/// A response of `from`'s, as `to` gets it to its `request`.
pub(super) fn cross(
    from: &End,
    to: &Leg,
    message: &Message,
    body: Option<SentBody>,
    request: &Message,
) -> Message {
    crossing((&from.profile, from.allows.as_deref()), to, message, body, request)
}

/// A final refusal of a party that speaks like `from`.
pub(super) fn refuse(from: &Profile, to: &Leg, message: &Message, request: &Message) -> Message {
    crossing((from, None), to, message, None, request)
}

/// - `from`: how the party speaks, and what it allows.
fn crossing(
    (from, allows): (&Profile, Option<&[String]>),
    to: &Leg,
    message: &Message,
    body: Option<SentBody>,
    request: &Message,
) -> Message {
    // What one party can't do now is not true of the whole trunk: a 503 stays on its leg, RFC 3261 §16.7.
    let failed = StatusCode::SERVER_INTERNAL_ERROR;
    let status = message.status().filter(|status| status.code() != 503).unwrap_or(failed);
    let reason = addresses::phrase(message);
    let said = allowed_by(message);
    let known = said.as_deref().or(allows);
    let allowed = |but: Option<&str>| allow(known, but);
    let mut builder = Builder::reply(request, status, &reason, Some(&to.dialog.local_tag));
    builder = headers::cross(message, builder, from, &to.profile);
    if message.status() != Some(status) {
        builder = builder.remove(Name::RetryAfter);
    }
    if status.code() < 300 {
        builder = builder.record_routes(request);
        builder = builder.header(Name::Contact, to.contact()).header(Name::Allow, allowed(None));
    } else if !message.has(Name::Reason) {
        builder = builder.header(Name::Reason, Cause::new(status.code(), reason).reason());
    }
    if status.code() == 405 {
        // RFC 3261 §21.4.6: what the other side has just refused is not allowed here either.
        let refused = request.method().map(|method| method.to_string());
        builder = builder.header(Name::Allow, allowed(refused.as_deref()));
    }
    if let Some(name) = about(status) {
        for line in message.lines(name.clone()) {
            builder = builder.header(name.clone(), line.as_bytes());
        }
    }
    SentBody::attach(body, builder).build()
}

/// The header that a refusal is about, which crosses with it though each leg has its own otherwise: RFC 3261 §21.4.15-16,
/// RFC 4028 §6.
fn about(status: StatusCode) -> Option<Name> {
    match status.code() {
        420 => Some(Name::Unsupported),
        421 => Some(Name::Require),
        422 => Some(Name::MinSe),
        423 => Some(Name::MinExpires),
        _ => None,
    }
}
