//! The operator's rules for headers and response codes, as a call keeps them.

use serde::{Deserialize, Serialize};
use sip::{Builder, Message, Name, StatusCode};

use crate::reply::Cause;
use config::{HeaderChange, Pattern, Peer, ResponseRule, RuleDirection};

/// Which way a rule holds, seen from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// Of what the party says.
    From,
    /// Of what the party is told.
    To,
}

impl From<RuleDirection> for Way {
    fn from(direction: RuleDirection) -> Self {
        match direction {
            RuleDirection::From => Self::From,
            RuleDirection::To => Self::To,
        }
    }
}

/// What becomes of a header. Plain data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderRule {
    way: Way,
    header: String,
    change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Change {
    Set(String),
    Remove,
    Replace { pattern: String, replacement: String },
}

impl From<&config::HeaderRule> for HeaderRule {
    fn from(rule: &config::HeaderRule) -> Self {
        let text = |pattern: &Pattern| pattern.as_str().to_owned();
        Self {
            way: rule.direction.into(),
            header: rule.header.clone(),
            change: match &rule.change {
                HeaderChange::Set(value) => Change::Set(value.clone()),
                HeaderChange::Remove => Change::Remove,
                HeaderChange::Replace(pattern, replacement) => {
                    Change::Replace { pattern: text(pattern), replacement: text(replacement) }
                }
            },
        }
    }
}

/// The message of `builder` as the rules of one way leave it.
pub fn obey(builder: Builder, rules: &[HeaderRule], way: Way) -> Builder {
    rules.iter().filter(|rule| rule.way == way).fold(builder, |builder, rule| {
        let name = Name::from(rule.header.as_str());
        match &rule.change {
            Change::Set(value) => builder.set(name, value),
            Change::Remove => builder.remove(name),
            Change::Replace { pattern, replacement } => builder
                .rewrite(&name, |value| Some(replacement.replace('*', Pattern::matched(pattern, value)?))),
        }
    })
}

/// An INVITE that begins a call, as the rules of the party that sent it leave it; none where they say nothing.
pub fn heard(invite: &Message, from: &Peer) -> Option<Message> {
    let rules: Vec<HeaderRule> = from.header_rules.iter().map(HeaderRule::from).collect();
    any(&rules, Way::From).then(|| obey(invite.edit(), &rules, Way::From).build())
}

/// Whether rules of `way` are about anything.
pub fn any(rules: &[HeaderRule], way: Way) -> bool {
    rules.iter().any(|rule| rule.way == way)
}

/// A final response becomes another. Plain data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeRule {
    way: Way,
    code: u16,
    replacement: u16,
}

impl From<&ResponseRule> for CodeRule {
    fn from(rule: &ResponseRule) -> Self {
        Self { way: rule.direction.into(), code: rule.code, replacement: rule.replacement }
    }
}

/// A refusal of ours of an INVITE that would begin a call, as the rules of its sender leave it.
pub fn told(cause: &Cause, to: &Peer) -> Cause {
    let rules: Vec<CodeRule> = to.response_rules.iter().map(CodeRule::from).collect();
    ruled(cause, &rules)
}

/// A refusal of ours as the rules of what its receiver is told leave it.
pub(super) fn ruled(cause: &Cause, rules: &[CodeRule]) -> Cause {
    let code = code(cause.status.code(), rules, Way::To);
    Cause { status: StatusCode::new(code).unwrap_or(cause.status), ..cause.clone() }
}

/// What the rules of one way make of a final response's code: the first that is about it.
pub fn code(code: u16, rules: &[CodeRule], way: Way) -> u16 {
    let rule = rules.iter().find(|rule| rule.way == way && rule.code == code);
    rule.map_or(code, |rule| rule.replacement)
}
