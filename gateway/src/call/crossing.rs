//! Which headers cross from one leg to the other.
//!
//! What frames a hop or a dialog is our own on each side (design §3); identity goes by trust; everything else passes
//! as it came, less the receiving party's `strip_headers`.

use sip::{Builder, Message, Name};

use super::Profile;

/// Copies what may cross from `message` to `builder`, which is for the party of `to`.
pub fn cross(message: &Message, mut builder: Builder, from: &Profile, to: &Profile) -> Builder {
    for header in message.headers() {
        if is_own(&header.name) || (is_identity(&header.name) && !(from.trusted && to.trusted)) {
            continue;
        }
        let name = header.raw_name.to_ascii_lowercase();
        if to.strip_headers.contains(&name) {
            continue;
        }
        builder = builder.raw(header.raw_name, &header.value);
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
        | Name::Replaces
        | Name::ReferTo
        | Name::ReferredBy => true,
        Name::Other(other) => matches!(
            other.to_ascii_lowercase().as_str(),
            "path"
                | "service-route"
                | "join"
                | "target-dialog"
                | "authentication-info"
                | "proxy-authentication-info"
                | "refer-sub"
        ),
        _ => false,
    }
}

/// Headers that assert who somebody is.
fn is_identity(name: &Name) -> bool {
    matches!(name, Name::PAssertedIdentity | Name::PPreferredIdentity | Name::RemotePartyId)
}
