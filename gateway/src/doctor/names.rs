//! Whether the names of peers lead anywhere.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use config::Config;

use super::{Finding, peers, shown};
use crate::random::SystemRandom;
use crate::resolve::{Lookup, Resolve, ResolveError, Resolver, ResolverLimits, SystemDns};

/// An answer that takes longer makes callers wait.
const SLOW: Duration = Duration::from_millis(500);

/// So many names are asked for.
const MOST: usize = 256;

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let named = peers(config).filter(|(_, lookup)| lookup.literal().is_none());
    let named = named.map(|(party, lookup)| (shown(&lookup) + lookup.transport.parameter(), (party, lookup)));
    let named: BTreeMap<_, _> = named.take(MOST).collect();
    if named.is_empty() {
        return Vec::new();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return vec![Finding::bad("dns", error.to_string(), "free some memory or open files")],
    };
    runtime.block_on(async {
        let handle = tokio::runtime::Handle::current();
        let limits = ResolverLimits::default();
        let resolver = Resolver::new(SystemDns::new(), handle, Box::new(SystemRandom::new()), limits);
        let (answers, mut results) = tokio::sync::mpsc::channel(MOST);
        for (key, (_, lookup)) in &named {
            let (answers, key, began) = (answers.clone(), key.clone(), Instant::now());
            let answer = move |result| drop(answers.try_send((key, began.elapsed(), result)));
            resolver.resolve(lookup.clone(), Box::new(answer));
        }
        drop(answers);
        let mut findings = Vec::new();
        while let Some((key, took, result)) = results.recv().await {
            if let Some((party, lookup)) = named.get(&key) {
                findings.push(finding(&party.to_string(), lookup, took, result.map(|all| all.len())));
            }
        }
        findings.sort_by(|a: &Finding, b| a.text.cmp(&b.text));
        findings
    })
}

fn finding(party: &str, lookup: &Lookup, took: Duration, found: Result<usize, ResolveError>) -> Finding {
    let host = shown(lookup);
    match found {
        Ok(count) if took > SLOW => {
            let text = format!("{party}: {host}: {count} addresses, after {} ms", took.as_millis());
            Finding::warning("dns", text, "a name server that is nearer, or one that caches on this host")
        }
        Ok(count) => Finding::good("dns", format!("{party}: {host}: {count} addresses")),
        Err(error @ ResolveError::NoNameServer(_)) => {
            Finding::bad("dns", format!("{party}: {error}"), "nameserver in /etc/resolv.conf")
        }
        Err(error @ (ResolveError::TimedOut(_) | ResolveError::Failed { .. })) => Finding::bad(
            "dns",
            format!("{party}: {error}"),
            "see whether the name servers of /etc/resolv.conf answer",
        ),
        Err(error) => {
            let remedy =
                "mend the name; with a port the name needs an address, without one SRV records or an address";
            Finding::bad("dns", format!("{party}: {error}"), remedy)
        }
    }
}
