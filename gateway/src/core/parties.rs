//! Who calls whom: what admission looks at, what the records and the legs are told.

use config::{CallerIdPolicy, E164, IdentityHeader, NumberRole};
use sip::sdp::Stream;
use sip::text::as_phrase;
use sip::uri::escape_user;
use sip::{Message, Name, NameAddr, Uri};
use smol_str::{SmolStr, ToSmolStr};

use super::Live;
use crate::admit::{self, Admitted, Facts, OfferedMedia, Origin};
use crate::call::Body;
use crate::direction::Direction;
use crate::number::{Dialect, is_emergency_service, is_phone};
use crate::peer::Source;
use crate::record::Account;
use crate::route::Attempt;

/// What admission looks at, word for word, but for the offer and the credentials.
pub(crate) fn facts(message: &Message, source: &Source) -> Facts {
    let (host, user) = match message.target() {
        Ok(Uri::Sip(uri)) => (uri.host.to_string(), uri.user_unescaped().unwrap_or_default()),
        Ok(Uri::Tel(uri)) => (String::new(), uri.number.into()),
        Ok(other) if is_emergency_service(&other.to_string()) => (String::new(), other.to_string()),
        _ => (String::new(), String::new()),
    };
    let users = |name: Name| -> Vec<String> {
        message.addresses(name).filter_map(Result::ok).filter_map(|address| user_of(&address.uri)).collect()
    };
    let mut facts = Facts::new(source.remote.ip(), source.transport, host, user);
    if let Ok(from) = message.from() {
        facts.from = user_of(&from.uri);
        facts.from_host = from.uri.host().map(ToString::to_string).unwrap_or_default();
    }
    facts.called = users(Name::PCalledPartyId);
    facts.called.extend(message.to().ok().and_then(|to| user_of(&to.uri)));
    facts.asserted = users(Name::PAssertedIdentity);
    facts.preferred = users(Name::PPreferredIdentity);
    let calling = |address: &NameAddr| {
        address.params.value("party").is_none_or(|party| party.eq_ignore_ascii_case("calling"))
    };
    let remote_parties: Vec<NameAddr> =
        message.addresses(Name::RemotePartyId).filter_map(Result::ok).filter(calling).collect();
    facts.remote_party = remote_parties.iter().filter_map(|address| user_of(&address.uri)).collect();
    facts.diversion = users(Name::Diversion);
    facts.history = users(Name::HistoryInfo);
    let is_one_of =
        |word: &str, words: &[&str]| words.iter().any(|one| word.trim().eq_ignore_ascii_case(one));
    let hides = |address: &NameAddr| {
        address.params.value("privacy").is_some_and(|word| is_one_of(word, &["full", "uri"]))
    };
    facts.privacy = remote_parties.iter().any(hides)
        || message
            .values(Name::Privacy)
            .any(|value| value.split(';').any(|word| is_one_of(word, &["id", "user", "header"])));
    facts
}

/// What an INVITE with this body offers.
pub(super) fn offered(body: &Body) -> OfferedMedia {
    // Keys beside `RTP/AVP` offer SRTP too. Whether they are of use is seen when they are taken.
    let has_keys = |stream: &Stream| stream.is_srtp() || !stream.crypto.is_empty();
    match body.relayed_streams().map(has_keys).reduce(|one, other| one || other) {
        None => OfferedMedia::None,
        Some(true) => OfferedMedia::Srtp,
        Some(false) => OfferedMedia::Plain,
    }
}

/// The user part of a URI, unescaped, or the number of a `tel:` one.
pub(super) fn user_of(uri: &Uri) -> Option<String> {
    match uri {
        Uri::Sip(uri) => uri.user_unescaped(),
        Uri::Tel(uri) => Some(uri.number.to_string()),
        _ => None,
    }
}

/// What a customer's INVITE says of who sent the call on, each value whose number its caller ID rule gives (or is the
/// one that is called). Nothing of a carrier's, whose word crosses by itself. RFC 5806, RFC 7044.
pub(super) fn redirections(live: &Live, admitted: &Admitted, message: &Message) -> Vec<(Name, String)> {
    let Origin::Connector(connector) = &admitted.origin else { return Vec::new() };
    let is_any = connector.termination.caller_id_policy == CallerIdPolicy::Any;
    let is_given =
        |number: E164| number == admitted.number || live.config.owns(&connector.id, number.as_str());
    let dialect = Dialect::from_connector(connector);
    let said_anew = |value: &str| {
        let uri = NameAddr::parse(value).ok().map(|address| address.uri);
        let number = uri.as_ref().and_then(user_of).and_then(|user| dialect.read(NumberRole::Caller, &user));
        if !(is_any || number.clone().is_some_and(is_given)) {
            return None;
        }
        // In the customer's own format it would mean nothing to others.
        Some(match (uri.as_ref().and_then(Uri::user), number) {
            (Some(user), Some(number)) if !user.starts_with('+') => {
                value.replacen(&format!(":{user}"), &format!(":{number}"), 1)
            }
            _ => value.to_owned(),
        })
    };
    let values = |name: Name| {
        let all = message.values(name.clone());
        all.filter_map(|value| Some((name.clone(), said_anew(&value)?))).collect::<Vec<_>>()
    };
    [values(Name::Diversion), values(Name::HistoryInfo)].concat()
}

pub(super) fn account(live: &Live, admitted: &Admitted) -> Account {
    let config = &live.config;
    let caller = admitted.caller.number.as_ref();
    let outbound = match admitted.direction {
        Direction::Outbound => Some(admitted.connector.as_str().into()),
        Direction::Inbound => None,
    };
    Account {
        caller: as_phrase(&admitted.caller.text).into(),
        callee: as_phrase(&admitted.dialled).into(),
        caller_name: caller.and_then(|number| admit::calling_name(config, number)).map(SmolStr::from),
        callee_name: admit::calling_name(config, &admitted.number).map(SmolStr::from),
        caller_country: caller.and_then(crate::number::country).map(|country| country.to_smolstr()),
        callee_country: admitted.plan.numbering.country().map(|country| country.to_smolstr()),
        outbound,
        inbound: None,
        forwards: Vec::new(),
        sip_auth_user: admitted.digest_user.as_deref().map(SmolStr::from),
        emergency: admitted.emergency.is_some(),
        routing_number: admitted.emergency.is_some().then(|| admitted.number.to_smolstr()),
        carrier: match &admitted.origin {
            Origin::Carrier(carrier) => Some(carrier.name.as_str().into()),
            Origin::Connector(_) => None,
        },
        recording: false,
    }
}

/// How the caller is asserted to a trusted side: as the connector's `identity_header` says; a carrier's caller by
/// P-Asserted-Identity.
pub(super) fn asserted(live: &Live, admitted: &Admitted, attempt: &Attempt) -> Option<(Name, String)> {
    let (speech, number) = (attempt.via.peer(), attempt.asserted.as_ref()?);
    let domain = speech.from_domain.as_ref().map(ToString::to_string);
    let domain = domain.as_ref().unwrap_or(&live.config.gateway.domain);
    let phone = if speech.user_phone && is_phone(number) { ";user=phone" } else { "" };
    let uri = format!("<sip:{}@{domain}{phone}>", escape_user(number));
    let header = match &admitted.origin {
        Origin::Connector(connector) => connector.termination.identity_header,
        Origin::Carrier(_) => IdentityHeader::PAssertedIdentity,
    };
    match header {
        IdentityHeader::PAssertedIdentity | IdentityHeader::PPreferredIdentity => {
            Some((Name::PAssertedIdentity, uri))
        }
        IdentityHeader::RemotePartyId => {
            let privacy = if admitted.caller.private { "full" } else { "off" };
            Some((Name::RemotePartyId, format!("{uri};party=calling;screen=yes;privacy={privacy}")))
        }
        IdentityHeader::From => None,
    }
}
