use config::{CallerIdPolicy, Carrier, Config, E164, IdentityHeader, NumberFormat, VoiceConnector};

use crate::number::{self, dialled_number};

use super::{Facts, Refusal, Step};

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The number; none where a carrier gave none, or on an emergency call of an extension.
    pub number: Option<E164>,
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
    /// Remote-Party-ID.
    RemotePartyId,
    /// Diversion: an anonymous caller sent on by a number of ours.
    Diversion,
    /// `termination.caller_id`.
    Override,
}

impl std::fmt::Display for CallerSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CallerSource::From => "From",
            CallerSource::PAssertedIdentity => "P-Asserted-Identity",
            CallerSource::RemotePartyId => "Remote-Party-ID",
            CallerSource::Diversion => "Diversion",
            CallerSource::Override => "termination.caller_id",
        })
    }
}

/// The caller ID rule of a call of `connector`.
///
/// `termination.caller_id` replaces whatever is shown. Else From counts; where From is anonymous, the header that
/// `identity_header` names (P-Asserted-Identity by default; none with `from`). Trust is no question here: a
/// header that lies about a number gains only numbers that the policy gives anyway. The number must be E.164
/// with `+`, and by `caller_id_policy`:
///
/// - `owned`: assigned to the connector, or to a group that it is a member of;
/// - `forwarded`: that, or any where a Diversion is owned. An anonymous caller is then shown as that Diversion;
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
        return Ok(caller(number.clone(), private, CallerSource::Override));
    }
    let owns = |number: &E164| config.owns(&connector.id, number.as_str());
    let diverted = match termination.caller_id_policy {
        CallerIdPolicy::Forwarded => {
            facts.diversion.iter().filter_map(|user| dialled_number(user)).find(|number| owns(number))
        }
        CallerIdPolicy::Owned | CallerIdPolicy::Any => None,
    };
    let shown = shown(facts, termination.identity_header);
    let (number, by) = match (&shown, &diverted) {
        (Some((user, by)), _) => (dialled_number(user), *by),
        (None, Some(number)) => (Some(number.clone()), CallerSource::Diversion),
        (None, None) => (None, CallerSource::From),
    };
    let text = shown.map_or_else(String::new, |(user, _)| user.to_owned());
    let Some(number) = number else {
        steps.push(Step::CallerUnusable { text: text.clone(), by });
        return Err(Refusal::CallerId { caller: text });
    };
    let owned = owns(&number);
    let policy = termination.caller_id_policy;
    let allowed = match policy {
        CallerIdPolicy::Owned => owned,
        CallerIdPolicy::Forwarded => owned || diverted.is_some(),
        CallerIdPolicy::Any => true,
    };
    steps.push(Step::CallerId { number: number.clone(), by, owned, diverted, policy });
    if allowed {
        Ok(caller(number, private, by))
    } else {
        Err(Refusal::CallerId { caller: number.as_str().to_owned() })
    }
}

/// The caller of an emergency call: the number that a call back reaches best. What is shown, where the connector
/// owns it; else `termination.caller_id`; else what is shown, whatever it is.
pub(super) fn of_emergency(
    config: &Config,
    connector: &VoiceConnector,
    facts: &Facts,
    steps: &mut Vec<Step>,
) -> Caller {
    let shown = shown(facts, connector.termination.identity_header);
    let number = shown.and_then(|(user, _)| dialled_number(user));
    let by = shown.map_or(CallerSource::From, |(_, by)| by);
    let owned = number.as_ref().is_some_and(|number| config.owns(&connector.id, number.as_str()));
    let (number, by) = match &connector.termination.caller_id {
        Some(replacement) if !owned => (Some(replacement.clone()), CallerSource::Override),
        _ => (number, by),
    };
    steps.push(Step::EmergencyCaller { number: number.clone(), by });
    let text = number.as_ref().map(|number| number.as_str().to_owned());
    let text = text.or_else(|| facts.from.clone()).unwrap_or_default();
    // Privacy is never asked of a call for help. RFC 3323 §4.2, RFC 6443 §9.
    Caller { number, text, private: false, by }
}

/// The caller of a call from `carrier`, in the carrier's format. No rule: whoever it is may call.
pub(super) fn of_carrier(carrier: &Carrier, facts: &Facts) -> Caller {
    let read = |user: &str, by| {
        let number = read(user, carrier.caller_id_format, carrier)?;
        Some((number, by))
    };
    let from = facts.from.as_deref().filter(|_| !facts.is_anonymous());
    let asserted = facts.asserted.iter().filter(|_| carrier.peer.trusted);
    let found = from
        .and_then(|user| read(user, CallerSource::From))
        .or_else(|| asserted.into_iter().find_map(|user| read(user, CallerSource::PAssertedIdentity)));
    let (number, by) = found.map_or((None, CallerSource::From), |(number, by)| (Some(number), by));
    let text = match &number {
        Some(number) => number.as_str().to_owned(),
        None => from.unwrap_or("anonymous").to_owned(),
    };
    Caller { number, text, private: facts.privacy || facts.is_anonymous(), by }
}

/// The calling name that goes with a number of ours: its own, else the gateway's. None for foreign numbers.
pub fn calling_name<'c>(config: &'c Config, number: &E164) -> Option<&'c str> {
    let entry = config.number(number.as_str())?;
    entry.calling_name.as_ref().or(config.gateway.default_calling_name.as_ref()).map(|name| name.as_str())
}

fn shown(facts: &Facts, header: IdentityHeader) -> Option<(&str, CallerSource)> {
    if !facts.is_anonymous() {
        return facts.from.as_deref().map(|user| (user, CallerSource::From));
    }
    match header {
        // Several: a `sip:` and a `tel:` one of the same caller. RFC 3325 §9.1.
        IdentityHeader::PAssertedIdentity => {
            let number = facts.asserted.iter().find(|user| dialled_number(user).is_some());
            number.or(facts.asserted.first()).map(|user| (user.as_str(), CallerSource::PAssertedIdentity))
        }
        IdentityHeader::RemotePartyId => {
            facts.remote_party.as_deref().map(|user| (user, CallerSource::RemotePartyId))
        }
        IdentityHeader::From => None,
    }
}

fn caller(number: E164, private: bool, by: CallerSource) -> Caller {
    Caller { text: number.as_str().to_owned(), number: Some(number), private, by }
}

fn read(user: &str, format: NumberFormat, carrier: &Carrier) -> Option<E164> {
    number::read(user, format, carrier.country)
}
