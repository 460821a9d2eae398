//! Which headers cross from one leg to the other.
//!
//! What frames a hop or a dialog is our own on each side (design §3); identity goes by trust; everything else passes
//! as it came, less the `strip_headers` of either party, and less what the receiving party's `add_headers` replace.

use sip::{Builder, Message, Name};

use super::{Profile, addresses};

/// Copies what may cross from `message` to `builder`, which is for the party of `to`.
pub fn cross(message: &Message, mut builder: Builder, from: &Profile, to: &Profile) -> Builder {
    let replaced = |name: &Name| message.is_request() && to.adds(name);
    for header in message.headers() {
        let name = &header.name;
        if is_own(name) || (is_identity(name) && !(from.trusted && to.trusted)) {
            continue;
        }
        if from.strips(name) || to.strips(name) || replaced(name) {
            continue;
        }
        builder = match addresses::header(name, &header.text()) {
            Some(value) => builder.raw(header.raw_name, value),
            None => builder.raw(header.raw_name, &header.value),
        };
    }
    builder
}

/// Headers that belong to a hop, a dialog or an offer of capabilities: each leg has its own.
fn is_own(name: &Name) -> bool {
    match name {
        Name::Via
        | Name::From
        | Name::To
        | Name::CallId
        | Name::CSeq
        | Name::MaxForwards
        | Name::Contact
        | Name::Route
        | Name::RecordRoute
        | Name::ContentLength
        | Name::ContentType
        | Name::Require
        | Name::ProxyRequire
        | Name::Supported
        | Name::Unsupported
        | Name::Allow
        | Name::SessionExpires
        | Name::MinSe
        | Name::RSeq
        | Name::RAck
        | Name::Timestamp
        | Name::Authorization
        | Name::ProxyAuthorization
        | Name::WwwAuthenticate
        | Name::ProxyAuthenticate
        | Name::AuthenticationInfo
        | Name::Replaces
        | Name::Join
        | Name::TargetDialog
        | Name::ReferTo
        | Name::ReferredBy
        | Name::ReferSub
        | Name::Path
        | Name::ServiceRoute => true,
        Name::Other(other) => ["proxy-authentication-info", "x-voiceconnector-id"].iter().any(is(other)),
        _ => false,
    }
}

/// Headers that assert who somebody is, or who pays: RFC 3325, RFC 5502, RFC 7315, RFC 8496.
fn is_identity(name: &Name) -> bool {
    const OTHERS: [&str; 4] =
        ["p-served-user", "p-asserted-service", "p-charge-info", "p-charging-function-addresses"];
    match name {
        Name::PAssertedIdentity | Name::PPreferredIdentity | Name::RemotePartyId | Name::PChargingVector => {
            true
        }
        Name::Other(other) => OTHERS.iter().any(is(other)),
        _ => false,
    }
}

fn is(name: &str) -> impl Fn(&&str) -> bool {
    move |other| name.eq_ignore_ascii_case(other)
}
