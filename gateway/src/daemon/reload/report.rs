//! What another configuration changes, in lines.

use std::fmt;

use config::{Change, Config, Object, Warning};

use crate::core::Shared;

/// So many changes are told; whoever exchanges an inventory has as many as numbers.
const TOLD: usize = 100;

/// So many warnings are.
const WARNINGS: usize = 5;

/// What a configuration changes: a line for each difference, with the live calls of what it belongs to, and warnings. Never
/// empty, and bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `+ carrier west`, `~ voice_connector office termination.cps_limit 5 -> 10 (3 live calls)`.
    pub lines: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl Report {
    /// - `calls`: the live calls of what a change belongs to, where that is known.
    pub(super) fn new(
        changes: &[Change],
        warnings: &[Warning],
        calls: impl Fn(&Object) -> Option<u64>,
    ) -> Report {
        let line = |change: &Change| match calls(&change.object) {
            None => change.to_string(),
            Some(1) => format!("{change} (1 live call)"),
            Some(calls) => format!("{change} ({calls} live calls)"),
        };
        let mut lines: Vec<String> = changes.iter().take(TOLD).map(line).collect();
        match changes.len() {
            0 => lines.push("nothing is different; secrets and certificates are read again".to_owned()),
            count if count > TOLD => lines.push(format!("... and {} more", count - TOLD)),
            _ => {}
        }
        lines.extend(warnings.iter().take(WARNINGS).map(|warning| format!("warning: {warning}")));
        if warnings.len() > WARNINGS {
            let more = warnings.len() - WARNINGS;
            lines.push(format!("warning: ... and {more} more; voice-connector check shows all"));
        }
        Report { lines }
    }
}

/// The live calls of an object of the configuration `old`: those of a connector, of a carrier, of a group's members.
pub(super) fn calls(object: &Object, old: &Config, shared: &Shared) -> Option<u64> {
    match object {
        Object::Connector(id) => Some(shared.limits.calls_of_connector(id)),
        Object::Carrier(name) => Some(shared.limits.calls_of_carrier(name)),
        Object::Group(id) => {
            let group = old.voice_connector_group.iter().find(|group| group.id.as_str() == id)?;
            let members = group.members.iter().map(|member| member.voice_connector.as_str());
            Some(members.map(|id| shared.limits.calls_of_connector(id)).sum())
        }
        Object::Table(_) => u64::try_from(shared.live_calls()).ok(),
        Object::Listen(_) | Object::Network(_) | Object::Number(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(number: usize) -> Change {
        let object = Object::Connector(format!("c{number}"));
        Change { object, key: None, what: config::Changed::Added(String::new()) }
    }

    #[test]
    fn many_changes_are_counted() {
        let changes: Vec<Change> = (0..5000).map(change).collect();
        let report = Report::new(&changes, &[], |_| Some(1));
        assert_eq!(report.lines.len(), TOLD + 1);
        assert_eq!(report.lines.first().unwrap(), "+ voice_connector c0 (1 live call)");
        assert_eq!(report.lines.last().unwrap(), "... and 4900 more");
    }

    #[test]
    fn that_nothing_is_different_is_said() {
        let report = Report::new(&[], &[], |_| None);
        assert_eq!(report.to_string(), "nothing is different; secrets and certificates are read again");
    }
}
