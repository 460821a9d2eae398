//! Which headers cross from one leg to the other: those that may, between the sides between which they may. Each that no line
//! of this table has stays on its leg.
//!
//! | Headers | Cross |
//! | --- | --- |
//! | Accept, Accept-Encoding, Accept-Language, Accept-Contact, Reject-Contact, Request-Disposition, Accept-Resource-Priority, Alert-Info, Date, Error-Info, Expires, Geolocation, Geolocation-Routing, Geolocation-Error, P-Early-Media, Priority, Privacy, Reason, Info-Package, Recv-Info, Retry-After, Session-ID, User-to-User, Warning, and what speaks of the body: `Content-...`, MIME-Version | always |
//! | Call-Info, Organization, Subject | always, but from a caller that asked not to be shown: to a side that is given identities |
//! | Diversion, History-Info | from a carrier; from a customer as far as its caller ID rule gives the number, in the INVITE that begins a call |
//! | Identity | in the INVITE that begins a call, while both numbers are those that were signed (`call/invite.rs`) |
//! | P-Asserted-Identity, P-Preferred-Identity, Remote-Party-ID, Reply-To | from a carrier that is believed to a side that is given identities, and not in the INVITE that begins a call: there we say it (`call/invite.rs`) |
//! | P-Charge-Info, P-Served-User | from a carrier that is believed to a side that is given identities |
//! | every other `P-...` (P-Access-Network-Info, P-Charging-Vector, ...), Cellular-Network-Info, Attestation-Info, Origination-ID | from a side that is believed to one that is given identities |
//! | Resource-Priority | from a side that is believed |
//! | Answer-Mode, Priv-Answer-Mode; Alert-Info, Call-Info and any other that tells a phone to answer by itself | from a customer that is believed |
//! | every name that is not in this table (`X-...`) | where `pass_headers` of both sides have it: `X-*` for a customer, none for a carrier |
//! | Via, From, To, Contact, Allow, Supported, User-Agent, Server, In-Reply-To, `Proxy-...`, `Security-...` and all else of one hop, one dialog, one system | never: each leg has its own |
//!
//! *Believed* and *given identities* are the keys `believe_identity` and `give_identity`. The table is the same for requests and
//! responses, inside and outside a dialog; a CANCEL carries Reason and names that are not in the table alone. Whatever crosses
//! does so as it came (addresses in words apart, see `addresses`; a Reason as far as `reasons` says), less the `strip_headers` of
//! either party, and less what the receiving party's `add_headers` replace; then the `header_rules` of both are obeyed.
//!
//! Sources: RFC 3261 §20, RFC 3323 §4.2, RFC 3325 §6, RFC 3326, RFC 3841, RFC 4412 §11, RFC 5009, RFC 5373 §5, RFC 5393, RFC 5806,
//! RFC 6086, RFC 6442, RFC 7044, RFC 7315 §6, RFC 7433, RFC 7989 §7 (a Session-ID outlives every B2BUA), RFC 8224, RFC 8496.

use sip::{Builder, Header, Message, Method, Name};

use super::profile::{PartyKind, Profile};
use super::rules::{self, Way};
use super::{addresses, reasons};

/// Headers as they stand on the wire, name and value.
pub type Lines = Vec<(String, Vec<u8>)>;

/// What we are called in User-Agent and Server. No version: RFC 3261 §20.35.
const PRODUCT: &str = "voice-connector";

/// Copies what may cross from `message` to `builder`, which is for the party of `to`, and says who we are.
pub fn cross(message: &Message, builder: Builder, from: &Profile, to: &Profile) -> Builder {
    let builder = crossing(message, from, to)
        .fold(builder, |builder, header| builder.raw(header.raw_name, &header.value));
    let name = if message.is_request() { Name::UserAgent } else { Name::Server };
    let builder = match to.strips(&name) || message.is_request() && to.adds(&name) {
        true => builder,
        false => builder.header(name, PRODUCT),
    };
    // Of the INVITE that begins a call the caller's rules were obeyed before it was read (`rules::heard`); more is said in it.
    if begins(message) {
        return builder;
    }
    let builder = rules::obey(builder, &from.header_rules, Way::From);
    rules::obey(builder, &to.header_rules, Way::To)
}

fn begins(message: &Message) -> bool {
    message.method() == Some(Method::Invite) && message.to_tag().is_none()
}

/// What may cross of `message`, for a request that is written later.
pub fn lines(message: &Message, from: &Profile, to: &Profile) -> Lines {
    let lines = |header: Header<'_>| (header.raw_name.to_owned(), header.value.into_owned());
    if !rules::any(&from.header_rules, Way::From) && !rules::any(&to.header_rules, Way::To) {
        return crossing(message, from, to).map(lines).collect();
    }
    let bare = Builder::request(Method::Bye, "sip:nobody");
    let builder =
        crossing(message, from, to).fold(bare, |builder, header| builder.raw(header.raw_name, &header.value));
    let builder = rules::obey(builder, &from.header_rules, Way::From);
    let ruled = rules::obey(builder, &to.header_rules, Way::To).build();
    ruled.headers().filter(|header| header.name != Name::ContentLength).map(lines).collect()
}

/// What may cross of a CANCEL, where little may stand: reasons, and what no standard knows. RFC 3326 §1; RFC 3261 §20,
/// table 2.
pub fn lines_of_cancel(message: &Message, from: &Profile, to: &Profile) -> Vec<(Name, String)> {
    let may_stand =
        |header: &Header<'_>| header.name == Name::Reason || matches!(May::of(header), May::WhereListed);
    let crossing = crossing(message, from, to).filter(may_stand);
    crossing.map(|header| (header.raw_name.into(), header.text().into_owned())).collect()
}

/// Whether the operators of both sides let a header of this name pass.
pub fn is_let_through(name: &Name, from: &Profile, to: &Profile) -> bool {
    !from.strips(name) && !to.strips(name)
}

fn crossing<'m>(message: &'m Message, from: &Profile, to: &Profile) -> impl Iterator<Item = Header<'m>> {
    let begins = begins(message);
    let is_request = message.is_request();
    let headers = message.headers().filter(move |header| {
        May::of(header).cross(header, from, to, begins)
            && is_let_through(&header.name, from, to)
            && !(is_request && to.adds(&header.name))
    });
    headers
        .map(|header| match addresses::header(&header.name, &header.text()) {
            Some(value) => Header { value: value.into_bytes().into(), ..header },
            None => header,
        })
        .filter_map(bounded)
        .map(without_controls)
}

/// Reasons that nobody needs so long are cut, or stay.
fn bounded(header: Header<'_>) -> Option<Header<'_>> {
    if header.name != Name::Reason {
        return Some(header);
    }
    let value = reasons::bounded(&header.value)?.to_vec();
    Some(Header { value: value.into(), ..header })
}

/// The grammar has no controls in a header (RFC 3261 §25.1), and whoever reads this one may show it on a terminal. Its
/// length and its other bytes stay.
fn without_controls(header: Header<'_>) -> Header<'_> {
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    if !header.value.iter().any(is_control) {
        return header;
    }
    let value = header.value.iter().map(|byte| if is_control(byte) { b'?' } else { *byte }).collect();
    Header { value, ..header }
}

/// Between which sides a header may cross: a line of the table above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    Always,
    FromCarrier,
    /// Written by `call/invite.rs`.
    Signature,
    Caller,
    Payer,
    Network,
    FromBelieved,
    AnswerYourself,
    /// Unless it tells who hides.
    Openly,
    WhereListed,
    Never,
}

impl May {
    fn of(header: &Header<'_>) -> May {
        match &header.name {
            Name::AlertInfo | Name::CallInfo if asks_to_answer(&header.text()) => May::AnswerYourself,
            Name::Other(other) => May::of_other(other),
            // A name that the list lacks stays.
            name => May::of_known(name).unwrap_or(May::Never),
        }
    }

    fn of_known(name: &Name) -> Option<May> {
        Some(match name {
            Name::Accept
            | Name::AcceptContact
            | Name::AcceptEncoding
            | Name::AcceptLanguage
            | Name::AcceptResourcePriority
            | Name::AlertInfo
            | Name::ContentDisposition
            | Name::ContentEncoding
            | Name::ContentId
            | Name::ContentLanguage
            | Name::Date
            | Name::ErrorInfo
            | Name::Expires
            | Name::Geolocation
            | Name::GeolocationError
            | Name::GeolocationRouting
            | Name::InfoPackage
            | Name::MimeVersion
            | Name::PEarlyMedia
            | Name::Priority
            | Name::Privacy
            | Name::Reason
            | Name::RecvInfo
            | Name::RejectContact
            | Name::RequestDisposition
            | Name::RetryAfter
            | Name::SessionId
            | Name::UserToUser
            | Name::Warning => May::Always,
            Name::CallInfo | Name::Organization | Name::Subject => May::Openly,
            Name::Diversion | Name::HistoryInfo => May::FromCarrier,
            Name::Identity => May::Signature,
            Name::PAssertedIdentity | Name::PPreferredIdentity | Name::RemotePartyId | Name::ReplyTo => May::Caller,
            Name::PAccessNetworkInfo | Name::PAssociatedUri | Name::PCalledPartyId | Name::PChargingVector => {
                May::Network
            }
            Name::ResourcePriority => May::FromBelieved,
            // Of one hop.
            Name::Authorization
            | Name::AuthenticationInfo
            | Name::MaxForwards
            | Name::ProxyAuthenticate
            | Name::ProxyAuthorization
            | Name::ProxyRequire
            | Name::RecordRoute
            | Name::Route
            | Name::Timestamp
            | Name::Via
            | Name::WwwAuthenticate
            // Of one system.
            | Name::Allow
            | Name::AllowEvents
            | Name::Contact
            | Name::Path
            | Name::Require
            | Name::Server
            | Name::ServiceRoute
            | Name::Supported
            | Name::Unsupported
            | Name::UserAgent
            // Of one dialog, subscription or registration; `In-Reply-To` names the Call-ID of one.
            | Name::CallId
            | Name::CSeq
            | Name::Event
            | Name::From
            | Name::InReplyTo
            | Name::Join
            | Name::MinExpires
            | Name::MinSe
            | Name::RAck
            | Name::ReferSub
            | Name::ReferTo
            | Name::ReferredBy
            | Name::Replaces
            | Name::RSeq
            | Name::SessionExpires
            | Name::SipETag
            | Name::SipIfMatch
            | Name::SubscriptionState
            | Name::TargetDialog
            | Name::To
            // Of one body, which is attached with them; of a signature over what is ours (RFC 4474 §9).
            | Name::ContentLength
            | Name::ContentType
            | Name::IdentityInfo => May::Never,
            _ => return None,
        })
    }

    fn of_other(name: &str) -> May {
        let is = |others: &[&str]| others.iter().any(|other| name.eq_ignore_ascii_case(other));
        // RFC 3329 speaks of one hop, RFC 5393 of the branches behind it.
        if begins_with(name, "proxy-")
            || begins_with(name, "security-")
            || is(&["max-breadth", "x-voiceconnector-id"])
        {
            May::Never
        } else if is(&["p-charge-info", "p-served-user"]) {
            May::Payer
        } else if is(&["answer-mode", "priv-answer-mode"]) || letters(name).contains("autoanswer") {
            May::AnswerYourself
        } else if begins_with(name, "p-")
            || is(&["cellular-network-info", "attestation-info", "origination-id"])
        {
            May::Network
        } else if begins_with(name, "content-") {
            May::Always
        } else {
            May::WhereListed
        }
    }

    fn cross(self, header: &Header<'_>, from: &Profile, to: &Profile, begins: bool) -> bool {
        let from_carrier = from.kind == PartyKind::Carrier;
        let trusted = from.believed && to.given;
        let is_listed = || from.passes(header.raw_name) && to.passes(header.raw_name);
        match self {
            May::Always => true,
            May::FromCarrier => from_carrier,
            May::Signature | May::Never => false,
            May::Caller => from_carrier && trusted && !begins,
            May::Payer => from_carrier && trusted,
            May::Network => trusted,
            May::FromBelieved => from.believed,
            May::AnswerYourself => {
                let is_private = matches!(&header.name, Name::Other(name) if begins_with(name, "x-"));
                !from_carrier && from.believed && (!is_private || is_listed())
            }
            May::Openly => !from.hidden || to.given,
            May::WhereListed => is_listed(),
        }
    }
}

/// Whether a ring tone or a picture is in truth an order to answer: `info=alert-autoanswer`, `Auto Answer`,
/// `Ring-Answer`, `;answer-after=0`, `intercom`. No two makers of phones write it alike.
fn asks_to_answer(value: &str) -> bool {
    let letters = letters(value);
    ["autoanswer", "ringanswer", "answerafter", "intercom"].iter().any(|order| letters.contains(order))
}

fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

fn begins_with(name: &str, start: &str) -> bool {
    name.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::profile::PLAIN;

    /// A header that gets a name of its own must be said here to go where it may.
    #[test]
    fn every_name_that_we_know_has_a_line_in_the_table() {
        let forgotten: Vec<_> = Name::KNOWN.iter().filter(|name| May::of_known(name).is_none()).collect();
        assert!(forgotten.is_empty(), "{forgotten:?}");
    }

    /// The sides, as "customer" or "carrier", and whether they are believed and given identities.
    fn side(kind: PartyKind, trusted: bool) -> Profile {
        Profile { kind, believed: trusted, given: trusted, ..PLAIN.clone() }
    }

    /// Of all names, in a response: between which sides each goes. A line is a kind of sides.
    #[test]
    fn every_name_goes_where_the_table_says() {
        use PartyKind::{Carrier, Customer};
        let names =
            || Name::KNOWN.iter().map(Name::as_str).chain(["X-Site", "Acme", "P-Charge-Info", "P-Any"]);
        let crosses = |name: &str, from: &Profile, to: &Profile| {
            let message = Builder::response(sip::StatusCode::OK, "OK").raw(name, "1").build();
            crossing(&message, from, to).count() > 0
        };
        let always: Vec<_> =
            names().filter(|name| crosses(name, &side(Customer, false), &side(Carrier, false))).collect();
        assert_eq!(always.len(), 32, "{always:?}");
        for (from, to, more) in [
            (side(Customer, false), side(Customer, false), &["X-Site"][..]),
            (side(Customer, true), side(Carrier, false), &["Resource-Priority"]),
            (side(Customer, false), side(Carrier, true), &[]),
            (
                side(Customer, true),
                side(Carrier, true),
                &[
                    "P-Access-Network-Info",
                    "P-Associated-URI",
                    "P-Called-Party-ID",
                    "P-Charging-Vector",
                    "Resource-Priority",
                    "P-Any",
                ],
            ),
            (side(Carrier, false), side(Customer, true), &["Diversion", "History-Info"]),
            (side(Carrier, true), side(Customer, false), &["Diversion", "History-Info", "Resource-Priority"]),
            (
                side(Carrier, true),
                side(Customer, true),
                &[
                    "Diversion",
                    "History-Info",
                    "P-Access-Network-Info",
                    "P-Asserted-Identity",
                    "P-Associated-URI",
                    "P-Called-Party-ID",
                    "P-Charging-Vector",
                    "P-Preferred-Identity",
                    "Remote-Party-ID",
                    "Reply-To",
                    "Resource-Priority",
                    "P-Charge-Info",
                    "P-Any",
                ],
            ),
        ] {
            let found: Vec<_> =
                names().filter(|name| crosses(name, &from, &to) && !always.contains(name)).collect();
            assert_eq!(found, more, "{:?} {} to {:?} {}", from.kind, from.believed, to.kind, to.given);
        }
    }
}
