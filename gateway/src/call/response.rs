//! A response on its way from one leg to the other.

use sip::{Builder, Message, Method, Name, StatusCode};

use super::allow::{Allows, allow_to};
use super::body::SentBody;
use super::leg::{End, Leg};
use super::profile::Profile;
use super::rules::{self, Way};
use super::{addresses, headers};
use crate::q850::{self, Q850};
use crate::reply::{Cause, supported};

/// A response of `from`'s, as `to` gets it to its `request`.
pub(super) fn cross(
    from: &End,
    to: &Leg,
    message: &Message,
    body: Option<SentBody>,
    request: &Message,
) -> Message {
    crossing((&from.profile, from.allows), to, message, body, request)
}

/// A 2xx of ours to the INVITE `request` of `to`'s party, which is connected with `other`'s.
pub(super) fn accept(to: &Leg, other: &Leg, request: &Message, body: SentBody) -> Message {
    let reply = Builder::reply(request, StatusCode::OK, "OK", Some(&to.dialog.local_tag));
    let reply = reply
        .record_routes(request)
        .shown(Name::Contact, to.contact())
        .shown(Name::Allow, allow_to(&to.profile, other.allows, None))
        .header(Name::Supported, supported(to.profile.prack, to.profile.refer));
    SentBody::attach(Some(body), reply).build()
}

/// A final refusal of the INVITE that began a call, by a party that speaks like `from`: under the code that the operator's
/// rules make of it, or the Q.850 cause where the code says little, and with that cause.
pub(super) fn refuse(from: &Profile, to: &Leg, message: &Message, request: &Message) -> Message {
    let said = message.status().map_or(500, StatusCode::code);
    let q850 = Q850::of(message);
    let meant = rules::code(said, &from.code_rules, Way::From);
    let meant = if meant == said { q850.map_or(said, |q850| q850.refine(said)) } else { meant };
    // What one carrier can't do now is not true of the whole trunk: RFC 3261 §16.7.
    let meant = if meant == 503 { 500 } else { meant };
    let told = rules::code(meant, &to.profile.code_rules, Way::To);
    let refusal = match StatusCode::new(told) {
        Some(status) if told != said => {
            let words = addresses::phrase(message);
            let words = if (said, told) == (503, 500) { &words } else { status.default_reason() };
            message.edit().status(status, words).remove(Name::RetryAfter).build()
        }
        _ => message.clone(),
    };
    let response = crossing((from, None), to, &refusal, None, request);
    let cause = q850::cause_of(told).filter(|_| q850.is_none() && !to.profile.strips(&Name::Reason));
    match cause {
        Some(cause) => response.edit().header(Name::Reason, q850::reason(cause)).build(),
        None => response,
    }
}

/// A refusal of ours of the INVITE that began a call, as `to` is told it.
pub(super) fn refusal(to: &Leg, request: &Message, cause: &Cause) -> Message {
    let cause = rules::ruled(cause, &to.profile.code_rules);
    let reply = cause.reply(request, Some(&to.dialog.local_tag));
    match q850::cause_of(cause.status.code()) {
        Some(q850) => reply.header(Name::Reason, q850::reason(q850)).build(),
        None => reply.build(),
    }
}

/// - `from`: how the party speaks, and what it allows.
fn crossing(
    (from, allows): (&Profile, Option<Allows>),
    to: &Leg,
    message: &Message,
    body: Option<SentBody>,
    request: &Message,
) -> Message {
    // What one party can't do now is not true of the whole trunk: a 503 stays on its leg, RFC 3261 §16.7. So does a 422:
    // the session interval was ours.
    let failed = StatusCode::SERVER_INTERNAL_ERROR;
    let status = message.status().filter(|status| !matches!(status.code(), 422 | 503)).unwrap_or(failed);
    let reason = addresses::phrase(message);
    let known = Allows::of(message).or(allows);
    let mut builder = Builder::reply(request, status, &reason, Some(&to.dialog.local_tag));
    builder = headers::cross(message, builder, from, &to.profile);
    if message.status() != Some(status) {
        builder = builder.remove(Name::RetryAfter);
    }
    if status.code() < 300 {
        builder = builder.record_routes(request);
        builder =
            builder.shown(Name::Contact, to.contact()).shown(Name::Allow, allow_to(&to.profile, known, None));
        if status.is_success() && matches!(request.method(), Some(Method::Invite | Method::Update)) {
            builder = builder.header(Name::Supported, supported(to.profile.prack, to.profile.refer));
        }
    } else if !message.has(Name::Reason) {
        builder = builder.header(Name::Reason, Cause::new(status.code(), reason).reason());
    }
    if status.code() == 405 {
        // RFC 3261 §21.4.6: what the other side has just refused is not allowed here either.
        let refused = request.method().map(|method| method.to_string());
        builder = builder.shown(Name::Allow, allow_to(&to.profile, known, refused.as_deref()));
    }
    if let Some(name) = about(status) {
        for line in message.lines(name.clone()) {
            builder = builder.header(name.clone(), line.as_bytes());
        }
    }
    SentBody::attach(body, builder).build()
}

/// The header that a refusal is about, which crosses with it though each leg has its own otherwise: RFC 3261 §21.4.15-17.
fn about(status: StatusCode) -> Option<Name> {
    match status.code() {
        420 => Some(Name::Unsupported),
        421 => Some(Name::Require),
        423 => Some(Name::MinExpires),
        _ => None,
    }
}
