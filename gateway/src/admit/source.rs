//! Who sent a message: by allowlist, host and number.

use std::net::IpAddr;
use std::sync::Arc;

use config::{Carrier, Config, ConnectorId, NumberRole, VoiceConnector};
use ipnet::IpNet;

use crate::number::Dialect;
use crate::peer::Transport;

use super::emergency::Asked;
use super::step::{ConnectorBy, Listed};
use super::{Facts, OfferedMedia, Origin, Refusal, Step};

/// The sender of a message, and how that was found out.
#[derive(Debug, Clone)]
pub struct Identified {
    /// What was looked at.
    pub steps: Vec<Step>,
    /// The connector, once it is known and the source is listed for it; also where it is refused after all.
    pub connector: Option<ConnectorId>,
    /// The sender, or why it is nobody.
    pub outcome: Result<Origin, Refusal>,
}

/// Finds out who sent a message, of any method.
///
/// A source in a carrier's allowlist is that carrier (the narrowest network wins, then the file's order),
/// whatever the Request-URI says. Any other source is a connector's:
///
/// - the one that the host of the Request-URI names, `<id>.<domain>` or a `contact` of its alone, where its allowlist holds
///   the source;
/// - where the host is the bare domain, any other `contact`, an address or `localhost`: the one whose allowlist holds the source. Of
///   several, those with termination on; of these, the one that owns the number of From (or else of a
///   header that asserts somebody); for emergency digits, the first that has an entry. Still several: refused (404), for
///   a call must not be billed by guess.
///
/// A source listed nowhere gets 403, a listed source that names no connector 404.
pub fn identify(config: &Config, facts: &Facts) -> Identified {
    #[cfg(test)]
    crate::effort::spend("identify the source");
    let mut steps = Vec::new();
    let outcome = find(config, facts, &mut steps);
    let connector = match &outcome {
        Ok(Origin::Connector(connector)) => Some(connector.id.clone()),
        _ => None,
    };
    Identified { steps, connector, outcome }
}

/// The first stage of an INVITE: [`identify()`], then whether the connector may call at all, and over this
/// transport.
pub fn source(config: &Config, facts: &Facts) -> Identified {
    let mut identified = identify(config, facts);
    if let Ok(Origin::Connector(connector)) = &identified.outcome {
        let connector = connector.clone();
        let steps = &mut identified.steps;
        if let Err(refusal) =
            termination(&connector, steps).and_then(|()| encrypted_signalling(&connector, facts, steps))
        {
            identified.outcome = Err(refusal);
        }
    }
    identified
}

pub(super) fn termination(connector: &VoiceConnector, steps: &mut Vec<Step>) -> Result<(), Refusal> {
    let enabled = connector.termination.enabled;
    steps.push(Step::Termination { connector: connector.id.clone(), enabled });
    if enabled { Ok(()) } else { Err(Refusal::TerminationOff { connector: connector.id.clone() }) }
}

pub(super) fn encrypted_signalling(
    connector: &VoiceConnector,
    facts: &Facts,
    steps: &mut Vec<Step>,
) -> Result<(), Refusal> {
    steps.push(Step::Signalling { encryption: connector.encryption, transport: facts.transport });
    if connector.encryption && facts.transport != Transport::Tls {
        return Err(Refusal::PlainSignalling { connector: connector.id.clone(), transport: facts.transport });
    }
    Ok(())
}

/// An encrypted connector takes no plain offer; without an offer, ours is SRTP.
pub(super) fn encrypted_media(
    connector: &VoiceConnector,
    facts: &Facts,
    steps: &mut Vec<Step>,
) -> Result<(), Refusal> {
    steps.push(Step::Media { encryption: connector.encryption, offered: facts.media });
    if connector.encryption && facts.media == OfferedMedia::Plain {
        return Err(Refusal::PlainMedia { connector: connector.id.clone() });
    }
    Ok(())
}

fn find(config: &Config, facts: &Facts, steps: &mut Vec<Step>) -> Result<Origin, Refusal> {
    let address = facts.source.to_canonical();
    let registered = facts.registered_with.as_deref().and_then(|name| config.carrier(name));
    if let Some(carrier) = registered.or_else(|| carrier_at(config, address)) {
        let listed = Listed::Carrier(carrier.name.clone());
        steps.push(Step::Source { address, transport: facts.transport, listed });
        return Ok(Origin::Carrier(carrier.clone()));
    }
    let named = config.connector_by_host(&facts.host);
    if let Some(connector) = named
        && holds(&connector.termination.allowlist, address)
    {
        let listed = Listed::Connectors(vec![connector.id.clone()]);
        steps.push(Step::Source { address, transport: facts.transport, listed });
        return Ok(found(connector, ConnectorBy::Host, facts, steps));
    }
    let candidates: Vec<&Arc<VoiceConnector>> =
        config.voice_connector.iter().filter(|item| holds(&item.termination.allowlist, address)).collect();
    let listed = match candidates.as_slice() {
        [] => Listed::Nowhere,
        several => Listed::Connectors(several.iter().map(|item| item.id.clone()).collect()),
    };
    steps.push(Step::Source { address, transport: facts.transport, listed });
    if candidates.is_empty() {
        return Err(Refusal::UnknownSource { address });
    }
    if let Some(connector) = named {
        found(connector, ConnectorBy::Host, facts, steps);
        return Err(Refusal::SourceNotListed { connector: connector.id.clone(), address });
    }
    if is_ours(config, &facts.host) {
        if let [only] = candidates.as_slice() {
            return Ok(found(only, ConnectorBy::Source, facts, steps));
        }
        if let Some(connector) = only_enabled(&candidates) {
            return Ok(found(connector, ConnectorBy::Source, facts, steps));
        }
        if let Some(connector) = by_number(config, &candidates, facts) {
            return Ok(found(connector, ConnectorBy::Caller, facts, steps));
        }
        if let Some(connector) = by_emergency(&candidates, facts) {
            return Ok(found(connector, ConnectorBy::Emergency, facts, steps));
        }
        steps.push(Step::Connector { host: facts.host.clone(), found: None });
        return Err(Refusal::AmbiguousConnector { address });
    }
    steps.push(Step::Connector { host: facts.host.clone(), found: None });
    Err(Refusal::UnknownConnector { host: facts.host.clone() })
}

fn found(connector: &Arc<VoiceConnector>, by: ConnectorBy, facts: &Facts, steps: &mut Vec<Step>) -> Origin {
    steps.push(Step::Connector { host: facts.host.clone(), found: Some((connector.id.clone(), by)) });
    Origin::Connector(connector.clone())
}

fn carrier_at(config: &Config, address: IpAddr) -> Option<&Arc<Carrier>> {
    let narrowest = |carrier: &Arc<Carrier>| {
        carrier.allowlist.iter().filter(|net| net.contains(&address)).map(IpNet::prefix_len).max()
    };
    let listed = config.carrier.iter().filter_map(|carrier| Some((narrowest(carrier)?, carrier)));
    // `reduce` keeps the first of equals.
    listed.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, carrier)| carrier)
}

pub(super) fn holds(allowlist: &[IpNet], address: IpAddr) -> bool {
    allowlist.iter().any(|net| net.contains(&address))
}

/// Whether a Request-URI's host means this gateway without saying which connector. Any address does: the
/// message reached us by it, whatever translation lies between, and nothing is ever routed by it.
fn is_ours(config: &Config, host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let name = bare.strip_suffix('.').unwrap_or(bare);
    // A `tel:` URI has no host.
    bare.is_empty()
        || bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case(&config.gateway.domain)
        || name.eq_ignore_ascii_case("localhost")
        || config.is_contact(name)
}

fn only_enabled<'c>(candidates: &[&'c Arc<VoiceConnector>]) -> Option<&'c Arc<VoiceConnector>> {
    only(candidates.iter().copied().filter(|item| item.termination.enabled))
}

fn by_number<'c>(
    config: &Config,
    candidates: &[&'c Arc<VoiceConnector>],
    facts: &Facts,
) -> Option<&'c Arc<VoiceConnector>> {
    let asserted = facts.asserted.iter().chain(&facts.preferred).chain(&facts.remote_party);
    let shown = facts.from.iter().chain(asserted);
    let has = |item: &VoiceConnector, user: &str| {
        let number = Dialect::from_connector(item).read(NumberRole::Caller, user);
        number.is_some_and(|number| config.owns(&item.id, number.as_str()))
    };
    shown.into_iter().find_map(|user| only(candidates.iter().copied().filter(|item| has(item, user))))
}

/// Nobody is left without help because two trunks share an address.
fn by_emergency<'c>(
    candidates: &[&'c Arc<VoiceConnector>],
    facts: &Facts,
) -> Option<&'c Arc<VoiceConnector>> {
    let asked = Asked::of(&facts.user)?;
    candidates.iter().copied().filter(|item| item.termination.enabled).find(|item| asked.has_entry(item))
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}
