//! Who calls, and the caller ID rule.

use std::borrow::Cow;

use config::{CallerIdPolicy, Carrier, Config, E164, IdentityHeader, NumberRole, VoiceConnector};

use crate::number::Dialect;

use super::{Facts, Refusal, Step};

/// The caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The number that is shown; none where a carrier gave none, or on an emergency call of an extension.
    pub number: Option<E164>,
    /// The number that a party that we trust is told (RFC 3325): the shown one, unless somebody vouches for another. On
    /// a forwarded call that is the number of ours that sent it on, on a call from a trusted carrier its network's.
    pub asserted: Option<E164>,
    /// What was shown where that is not a number: an extension, `anonymous`; else the number.
    pub text: String,
    /// The caller asked not to be shown (anonymous From, or Privacy).
    pub private: bool,
    /// Where the number comes from.
    pub by: CallerSource,
}

/// Where a caller's number comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerSource {
    /// From.
    From,
    /// P-Asserted-Identity.
    PAssertedIdentity,
    /// P-Preferred-Identity.
    PPreferredIdentity,
    /// Remote-Party-ID.
    RemotePartyId,
    /// Diversion: a call that a number of ours sent on.
    Diversion,
    /// History-Info: the same.
    HistoryInfo,
    /// `termination.caller_id`.
    Override,
}

impl std::fmt::Display for CallerSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CallerSource::From => "From",
            CallerSource::PAssertedIdentity => "P-Asserted-Identity",
            CallerSource::PPreferredIdentity => "P-Preferred-Identity",
            CallerSource::RemotePartyId => "Remote-Party-ID",
            CallerSource::Diversion => "Diversion",
            CallerSource::HistoryInfo => "History-Info",
            CallerSource::Override => "termination.caller_id",
        })
    }
}

/// A number that a message names, and where.
type Named = (E164, CallerSource);

/// The caller ID rule of a call of `connector`.
///
/// `termination.caller_id` replaces whatever is shown. Else the caller is looked for in the header that
/// `identity_header` names, then in the others that assert somebody (P-Asserted-Identity, P-Preferred-Identity,
/// Remote-Party-ID), in From last. Trust is no question here: a header that lies about a number gains only numbers
/// that the policy gives anyway. The number must be one of the `caller_id_format`, and the first that `caller_id_policy` gives:
///
/// - `owned`: assigned to the connector, or to a group that it is a member of;
/// - `forwarded`: that; and where a number of the connector's in Diversion, History-Info or P-Asserted-Identity
///   proves that it sent the call on, the first foreign one before that. An anonymous caller is then shown as the
///   number that sent the call on;
/// - `any`: any.
pub(super) fn check(
    config: &Config,
    connector: &VoiceConnector,
    facts: &Facts,
    steps: &mut Vec<Step>,
) -> Result<Caller, Refusal> {
    let termination = &connector.termination;
    let private = facts.privacy || facts.is_anonymous();
    if let Some(number) = &termination.caller_id {
        steps.push(Step::CallerReplaced { number: number.clone() });
        return Ok(caller(number.clone(), None, private, CallerSource::Override));
    }
    let policy = termination.caller_id_policy;
    let dialect = Dialect::from_connector(connector);
    let owns = |number: &E164| config.owns(&connector.id, number.as_str());
    let forwarded = match policy {
        CallerIdPolicy::Forwarded => sent_on_by(facts, dialect, owns),
        CallerIdPolicy::Owned | CallerIdPolicy::Any => None,
    };
    let named = named(facts, termination.identity_header, dialect, steps);
    let read = |user: &str| dialect.number(NumberRole::Caller, user);
    let numbers = || named.iter().filter_map(|(user, by)| Some((read(user)?, *by)));
    let own = || numbers().find(|(number, _)| owns(number));
    let found = match (policy, &forwarded) {
        (CallerIdPolicy::Any, _) => numbers().next(),
        (CallerIdPolicy::Owned, _) | (CallerIdPolicy::Forwarded, None) => own(),
        (CallerIdPolicy::Forwarded, Some(by)) => {
            numbers().find(|(number, _)| !owns(number)).or_else(own).or(Some(by.clone()))
        }
    };
    let format = termination.caller_id_format;
    for (user, by) in &named {
        let number = read(user);
        if found.as_ref().is_some_and(|(shown, at)| number.as_ref() == Some(shown) && at == by) {
            break;
        }
        steps.push(match number {
            Some(number) => Step::CallerPassedOver { owned: owns(&number), number, by: *by, policy },
            None => Step::CallerUnusable { text: user.clone().into_owned(), by: *by, format },
        });
    }
    let Some((number, by)) = found else {
        let shown = facts.from.as_deref().filter(|_| !facts.is_anonymous());
        let text = shown.or(named.first().map(|(user, _)| user.as_ref())).unwrap_or_default();
        if named.is_empty() {
            steps.push(Step::CallerUnusable { text: String::new(), by: CallerSource::From, format });
        }
        return Err(Refusal::CallerId {
            caller: dialect.read(NumberRole::Caller, text).map_or(text.to_owned(), |e164| e164.to_string()),
        });
    };
    let owned = owns(&number);
    let asserted = forwarded.filter(|_| !owned);
    steps.push(Step::CallerId { number: number.clone(), by, owned, forwarded: asserted.clone(), policy });
    Ok(caller(number, asserted.map(|(number, _)| number), private, by))
}

/// The caller of an emergency call: the number that a call back reaches best. The first that is named anywhere and
/// that the connector owns; else `termination.caller_id`; else the first that is named, whatever it is.
pub(super) fn of_emergency(
    config: &Config,
    connector: &VoiceConnector,
    facts: &Facts,
    steps: &mut Vec<Step>,
) -> Caller {
    let dialect = Dialect::from_connector(connector);
    let named = named(facts, connector.termination.identity_header, dialect, steps);
    let numbers =
        || named.iter().filter_map(|(user, by)| Some((dialect.number(NumberRole::Caller, user)?, *by)));
    let own = numbers().find(|(number, _)| config.owns(&connector.id, number.as_str()));
    let replaced = || connector.termination.caller_id.clone().map(|number| (number, CallerSource::Override));
    let (number, by) = match own.or_else(replaced).or_else(|| numbers().next()) {
        Some((number, by)) => (Some(number), by),
        None => (None, CallerSource::From),
    };
    steps.push(Step::EmergencyCaller { number: number.clone(), by });
    let text = number.as_ref().map(|number| number.as_str().to_owned());
    let text = text.or_else(|| facts.from.clone()).unwrap_or_default();
    // Privacy is never asked of a call for help. RFC 3323 §4.2, RFC 6443 §9.
    Caller { asserted: number.clone(), number, text, private: false, by }
}

/// The caller of a call from `carrier`, in the carrier's format. No rule: whoever it is may call. What the carrier's
/// network asserts is believed where we trust it.
pub(super) fn of_carrier(carrier: &Carrier, facts: &Facts, steps: &mut Vec<Step>) -> Caller {
    let dialect = Dialect::from_carrier(carrier);
    let mut read = |user: &str| {
        let (heard, rewritten) = dialect.heard(NumberRole::Caller, user);
        steps.extend(rewritten.map(Step::Rewritten));
        dialect.number(NumberRole::Caller, &heard)
    };
    let from = facts.from.as_deref().filter(|_| !facts.is_anonymous());
    let shown = from.and_then(&mut read);
    let named = by(&facts.asserted, CallerSource::PAssertedIdentity)
        .into_iter()
        .chain(by(&facts.remote_party, CallerSource::RemotePartyId));
    let asserted =
        named.filter(|_| carrier.peer.believe_identity).find_map(|(user, by)| Some((read(user)?, by)));
    let (number, by) = match (shown, &asserted) {
        (Some(shown), _) => (Some(shown), CallerSource::From),
        (None, Some((asserted, by))) => (Some(asserted.clone()), *by),
        (None, None) => (None, CallerSource::From),
    };
    let asserted = asserted.map(|(number, _)| number);
    let text = match &number {
        Some(number) => number.as_str().to_owned(),
        None => from.unwrap_or("anonymous").to_owned(),
    };
    let private = facts.privacy || facts.is_anonymous();
    Caller { asserted: asserted.or_else(|| number.clone()), number, text, private, by }
}

/// The calling name that goes with a number of ours: its own, else the gateway's. None for foreign numbers.
pub fn calling_name<'c>(config: &'c Config, number: &E164) -> Option<&'c str> {
    let entry = config.number(number.as_str())?;
    entry.calling_name.as_ref().or(config.gateway.default_calling_name.as_ref()).map(|name| name.as_str())
}

fn by(users: &[String], by: CallerSource) -> Vec<(&str, CallerSource)> {
    users.iter().map(|user| (user.as_str(), by)).collect()
}

/// The names of the caller, as the number rules leave it, in the order in which the names count.
fn named<'f>(
    facts: &'f Facts,
    first: IdentityHeader,
    dialect: Dialect<'_>,
    steps: &mut Vec<Step>,
) -> Vec<(Cow<'f, str>, CallerSource)> {
    let from = facts.from.as_slice();
    let from = by(if facts.is_anonymous() { &[] } else { from }, CallerSource::From);
    let asserted = by(&facts.asserted, CallerSource::PAssertedIdentity);
    let preferred = by(&facts.preferred, CallerSource::PPreferredIdentity);
    let remote_party = by(&facts.remote_party, CallerSource::RemotePartyId);
    let named = match first {
        IdentityHeader::PAssertedIdentity => [asserted, preferred, remote_party, from],
        IdentityHeader::PPreferredIdentity => [preferred, asserted, remote_party, from],
        IdentityHeader::RemotePartyId => [remote_party, asserted, preferred, from],
        IdentityHeader::From => [from, asserted, preferred, remote_party],
    };
    let heard = |(user, by): (&'f str, CallerSource)| {
        let (user, rewritten) = dialect.heard(NumberRole::Caller, user);
        steps.extend(rewritten.map(Step::Rewritten));
        (user, by)
    };
    named.concat().into_iter().map(heard).collect()
}

/// The number of the connector's that sent the call on. RFC 5806, RFC 7044 (whose last entry is whom this call is for).
fn sent_on_by(facts: &Facts, dialect: Dialect<'_>, owns: impl Fn(&E164) -> bool) -> Option<Named> {
    let read = |user: &str| dialect.read(NumberRole::Caller, user);
    let called = dialect.read(NumberRole::Called, &facts.user);
    let diversion = facts.diversion.iter().map(|user| (user, CallerSource::Diversion));
    let history = facts.history.iter().map(|user| (user, CallerSource::HistoryInfo));
    let history = history.filter(|(user, _)| read(user) != called);
    let asserted = facts.asserted.iter().map(|user| (user, CallerSource::PAssertedIdentity));
    let mut numbers =
        diversion.chain(history).chain(asserted).filter_map(|(user, by)| Some((read(user)?, by)));
    numbers.find(|(number, _)| owns(number))
}

fn caller(number: E164, asserted: Option<E164>, private: bool, by: CallerSource) -> Caller {
    let text = number.as_str().to_owned();
    Caller { asserted: asserted.or_else(|| Some(number.clone())), number: Some(number), text, private, by }
}
