//! Certificates that we show: their ends, their chains, their names.

use config::{Config, Host, Transport};

use super::{Finding, Level};
use crate::listen::{Shown, Tls};

/// Where a party calls us by a name, some certificate must carry it.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let topic = "certificate";
    if config.listen.iter().all(|listen| listen.protocol != Transport::Tls) {
        return Vec::new();
    }
    let tls = match Tls::new(config) {
        Ok(tls) => tls,
        Err(error) => return vec![Finding::bad(topic, error.to_string(), "see the message")],
    };
    let mut findings: Vec<Finding> = Vec::new();
    for doubt in Tls::doubts(config) {
        let finding = match doubt.rsplit_once("; ") {
            Some((text, remedy)) => Finding::warning(topic, text, remedy),
            None => Finding::warning(topic, doubt, "have another one signed"),
        };
        let fails = ["has expired", "is not valid yet", "is not for servers"];
        let level =
            if fails.iter().any(|word| finding.text.contains(word)) { Level::Bad } else { Level::Warning };
        findings.push(Finding { level, ..finding });
    }
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    for expiry in tls.expiries() {
        let days = expiry.at.saturating_sub(now).as_secs() / 86_400;
        let text = format!("{} ({}) ends in {days} days", expiry.file.display(), expiry.shown_as);
        findings.push(Finding::note(topic, text));
    }
    let wanted = names(config);
    for Shown { file, names, missing, chain } in Tls::shown(config, &wanted) {
        let file = file.display();
        if let Some(fault) = chain {
            let text = format!("{file}: {fault}: peers take it only if they trust who signed it");
            let remedy = "add the intermediate certificates behind the leaf, or give the peers its authority";
            findings.push(Finding::note(topic, format!("{text} ({remedy})")));
        }
        findings.push(Finding::note(topic, format!("{file} is for {}", names.join(", "))));
        if !missing.is_empty() {
            let text = format!("{file} is not for {}, by which peers call us", missing.join(", "));
            let remedy = "have one signed with that name, or name another in [[listen]] certificates";
            findings.push(Finding::warning(topic, text, remedy));
        }
    }
    findings
}

/// The names by which parties call us, where they do.
fn names(config: &Config) -> Vec<Host> {
    let connectors = config.voice_connector.iter().map(|one| &one.peer);
    let peers = connectors.chain(config.carrier.iter().map(|one| &one.peer));
    let contacts = peers.filter_map(|peer| peer.contact.as_ref());
    let mut names: Vec<Host> = contacts.map(|contact| Host::Name(contact.name.clone())).collect();
    names.sort_by_key(ToString::to_string);
    names.dedup();
    names
}
