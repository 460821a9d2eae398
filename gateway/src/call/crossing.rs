//! Which headers cross from one leg to the other.
//!
//! | What a header says | Which | Crosses |
//! | --- | --- | --- |
//! | what is of one hop, one dialog, one system | Via, Contact, Allow, `Proxy-...`, ... | never: each leg has its own |
//! | who calls | P-Asserted-Identity, P-Preferred-Identity, Remote-Party-ID, Reply-To | from a carrier between the trusted, not in the INVITE that begins a call: there it is said anew (`call/invite.rs`) |
//! | who pays, on whose behalf | P-Charge-Info, P-Served-User | from a carrier between the trusted |
//! | who sent the call on | Diversion, History-Info | from a carrier; from a customer as far as its caller ID rule gives the number, in the INVITE that begins a call |
//! | that two numbers are true | Identity | in the INVITE that begins a call, while both numbers are those that were signed |
//! | one network to another | every other `P-...` but P-Early-Media | between the trusted |
//! | that a phone is to answer by itself | Answer-Mode, Priv-Answer-Mode; Alert-Info and Call-Info that say so | from a customer that we trust |
//! | all else | Reason, User-to-User, User-Agent, `X-...` | always |
//!
//! Whatever crosses does so as it came (addresses in words apart, see `addresses`), less the `strip_headers` of either party, and less what the receiving party's
//! `add_headers` replace. Sources: RFC 3261 §20, RFC 3325 §6, RFC 5806, RFC 7044, RFC 8224, RFC 7315 §6, RFC 5373 §5.

use sip::{Builder, Header, Message, Method, Name};

use super::leg::PartyKind;
use super::{Profile, addresses};

/// Headers as they stand on the wire, name and value.
pub type Lines = Vec<(String, Vec<u8>)>;

/// Copies what may cross from `message` to `builder`, which is for the party of `to`.
pub fn cross(message: &Message, builder: Builder, from: &Profile, to: &Profile) -> Builder {
    crossing(message, from, to).fold(builder, |builder, header| builder.raw(header.raw_name, &header.value))
}

/// What may cross of `message`, for a request that is written later.
pub fn lines(message: &Message, from: &Profile, to: &Profile) -> Lines {
    crossing(message, from, to)
        .map(|header| (header.raw_name.to_owned(), header.value.into_owned()))
        .collect()
}

/// What may cross of a CANCEL, where little may stand: reasons, and what no standard knows. RFC 3326 §1; RFC 3261 §20,
/// table 2.
pub fn lines_of_cancel(message: &Message, from: &Profile, to: &Profile) -> Vec<(Name, String)> {
    let may_stand = |name: &Name| match name {
        Name::Reason => true,
        Name::Other(other) => begins_with(other, "x-"),
        _ => false,
    };
    let crossing = crossing(message, from, to).filter(|header| may_stand(&header.name));
    crossing.map(|header| (header.raw_name.into(), header.text().into_owned())).collect()
}

/// Whether the operators of both sides let a header of this name pass.
pub fn is_let_through(name: &Name, from: &Profile, to: &Profile) -> bool {
    !from.strips(name) && !to.strips(name)
}

fn crossing<'m>(message: &'m Message, from: &Profile, to: &Profile) -> impl Iterator<Item = Header<'m>> {
    let begins = message.method() == Some(Method::Invite) && message.to_tag().is_none();
    let is_request = message.is_request();
    let both_trusted = from.trusted && to.trusted;
    let from_carrier = from.kind == PartyKind::Carrier;
    let headers = message.headers().filter(move |header| {
        let may = match Says::of(header) {
            Says::Own | Says::Signature => false,
            Says::Caller => from_carrier && both_trusted && !begins,
            Says::Payer => from_carrier && both_trusted,
            Says::Redirection => from_carrier,
            Says::Network => both_trusted,
            Says::AnswerYourself => !from_carrier && from.trusted,
            Says::Anything => true,
        };
        may && is_let_through(&header.name, from, to) && !(is_request && to.adds(&header.name))
    });
    headers
        .map(|header| match addresses::header(&header.name, &header.text()) {
            Some(value) => Header { value: value.into_bytes().into(), ..header },
            None => header,
        })
        .map(without_controls)
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

/// What a header says, which decides where it may go: a line of the table above.
enum Says {
    Own,
    Caller,
    Payer,
    Redirection,
    Signature,
    Network,
    AnswerYourself,
    Anything,
}

impl Says {
    fn of(header: &Header<'_>) -> Says {
        match &header.name {
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
            | Name::AllowEvents
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
            | Name::IdentityInfo
            | Name::Replaces
            | Name::Join
            | Name::TargetDialog
            | Name::ReferTo
            | Name::ReferredBy
            | Name::ReferSub
            | Name::Path
            | Name::ServiceRoute => Says::Own,
            Name::PAssertedIdentity | Name::PPreferredIdentity | Name::RemotePartyId | Name::ReplyTo => {
                Says::Caller
            }
            Name::Diversion | Name::HistoryInfo => Says::Redirection,
            Name::Identity => Says::Signature,
            Name::PAccessNetworkInfo
            | Name::PAssociatedUri
            | Name::PCalledPartyId
            | Name::PChargingVector => Says::Network,
            Name::AlertInfo | Name::CallInfo if asks_to_answer(&header.text()) => Says::AnswerYourself,
            Name::Other(other) => Says::of_other(other),
            _ => Says::Anything,
        }
    }

    fn of_other(name: &str) -> Says {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        // RFC 3329 speaks of one hop, RFC 5393 of the branches behind it.
        if begins_with(name, "proxy-")
            || begins_with(name, "security-")
            || is("max-breadth")
            || is("x-voiceconnector-id")
        {
            Says::Own
        } else if is("p-charge-info") || is("p-served-user") {
            Says::Payer
        } else if is("answer-mode") || is("priv-answer-mode") || letters(name).contains("autoanswer") {
            Says::AnswerYourself
        } else if begins_with(name, "p-") {
            Says::Network
        } else {
            Says::Anything
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
