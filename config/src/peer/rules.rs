//! Small rewriting rules of a side: of numbers, of headers, of response codes, each in one direction.

use std::fmt;

use super::headers::header_name;
use crate::Pattern;
use crate::read::{Item, Table};

/// Which way a rule holds, seen from the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleDirection {
    /// Of what that side says.
    From,
    /// Of what that side is told.
    To,
}

/// Which number a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberRole {
    /// Who is called.
    Called,
    /// Who calls, or sent the call on.
    Caller,
}

/// One of `peer.number_rules`: the first that matches a number is obeyed. What a side says is rewritten before it is read
/// by its number format; what a side is told, after it was written in its format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberRule {
    /// Which way.
    pub direction: RuleDirection,
    /// Default: none, both.
    pub number: Option<NumberRole>,
    /// Which numbers: the user part without visual separators and parameters.
    pub pattern: Pattern,
    /// What stands instead.
    pub replacement: Pattern,
}

/// One of `peer.header_rules`; all are obeyed, in the file's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRule {
    /// Which way.
    pub direction: RuleDirection,
    /// The header's name.
    pub header: String,
    /// What becomes of it.
    pub change: HeaderChange,
}

/// What a rule makes of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderChange {
    /// It stands once, with this value.
    Set(String),
    /// It goes.
    Remove,
    /// Each of its values that matches is replaced.
    Replace(Pattern, Pattern),
}

/// One of `peer.response_rules`: a final response to the INVITE that begins a call becomes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseRule {
    /// Which way.
    pub direction: RuleDirection,
    /// 400 to 699.
    pub code: u16,
    /// 400 to 699.
    pub replacement: u16,
}

const DIRECTIONS: &[(&str, RuleDirection)] = &[("from", RuleDirection::From), ("to", RuleDirection::To)];

const EXAMPLE: &str = "direction = \"to\" for what that side is told, or \"from\" for what it says";

fn direction(table: &Table<'_>) -> Option<RuleDirection> {
    table.required("direction", EXAMPLE)?.choice(DIRECTIONS)
}

/// The rules of a list that are right; the others are told.
fn rules<T>(item: &Item<'_>, section: &'static str, read: impl Fn(&Table<'_>) -> Option<T>) -> Vec<T> {
    item.tables(section).iter().filter_map(read).collect()
}

pub(super) fn number_rules(item: &Item<'_>) -> Vec<NumberRule> {
    const NUMBERS: &[(&str, NumberRole)] = &[("called", NumberRole::Called), ("caller", NumberRole::Caller)];
    rules(item, "number_rule", |table| {
        let direction = direction(table);
        let number = table.get("number").map(|item| item.choice(NUMBERS));
        let pattern = table.required("match", "match = \"+49*\"").and_then(|item| of_numbers(&item));
        let replacement = table.required("replace", "replace = \"0*\"").and_then(|item| of_numbers(&item));
        if number == Some(None) {
            return None;
        }
        Some(NumberRule {
            direction: direction?,
            number: number.flatten(),
            pattern: pattern?,
            replacement: replacement?,
        })
    })
}

/// A pattern of user parts.
fn of_numbers(item: &Item<'_>) -> Option<Pattern> {
    let pattern: Pattern = item.parse()?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "+#*_".contains(c);
    if pattern.as_str().is_empty() || !pattern.as_str().chars().all(fits) {
        let problem = format!("{:?} is no pattern of numbers", pattern.as_str());
        item.wrong(problem, "digits, letters, `+`, `#`, and one `*` for the rest, as in \"+49*\"");
        return None;
    }
    Some(pattern)
}

pub(super) fn header_rules(item: &Item<'_>) -> Vec<HeaderRule> {
    rules(item, "header_rule", |table| {
        let direction = direction(table);
        let name = table.required("header", "header = \"X-Site\"").and_then(|item| {
            let name = item.string()?;
            header_name(&item, name).map(str::to_owned)
        });
        let set = table.get("set").map(|item| {
            let value = item.string()?;
            if value.chars().any(char::is_control) {
                item.wrong("the value does not fit on a line", "it without line breaks");
                return None;
            }
            Some(HeaderChange::Set(value.to_owned()))
        });
        let remove = table.get("remove").map(|item| {
            let remove = item.boolean()?;
            if !remove {
                item.wrong("`remove` is false", "true, or remove the rule");
            }
            remove.then_some(HeaderChange::Remove)
        });
        let replace = match (table.get("match"), table.get("replace")) {
            (Some(pattern), Some(replacement)) => Some(
                pattern
                    .parse()
                    .zip(replacement.parse())
                    .map(|(pattern, replacement)| HeaderChange::Replace(pattern, replacement)),
            ),
            _ => None,
        };
        let lone = table.get("match").is_some() != table.get("replace").is_some();
        let mut changes = [set, remove, replace].into_iter().flatten();
        let (first, second) = (changes.next(), changes.next());
        if lone || first.is_none() || second.is_some() {
            let problem = "a header rule does one thing";
            table.reader().error(table.at(), problem, "write one of set, remove, and match with replace");
            return None;
        }
        Some(HeaderRule { direction: direction?, header: name?, change: first.flatten()? })
    })
}

/// Codes that are about the protocol rather than the call: what follows from them would not follow from another.
const OF_THE_PROTOCOL: [u16; 11] = [401, 407, 420, 421, 422, 423, 481, 482, 487, 491, 494];

pub(super) fn response_rules(item: &Item<'_>) -> Vec<ResponseRule> {
    let code = |item: Item<'_>| {
        let code: u16 = item.integer(400, 699)?;
        if OF_THE_PROTOCOL.contains(&code) {
            item.wrong(format!("{code} is about the protocol, not about the call"), "another code");
            return None;
        }
        Some(code)
    };
    rules(item, "response_rule", |table| {
        let direction = direction(table);
        let from = table.required("code", "code = 486").and_then(code);
        let to = table.required("replace", "replace = 600").and_then(code);
        Some(ResponseRule { direction: direction?, code: from?, replacement: to? })
    })
}

impl fmt::Display for NumberRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.pattern, self.replacement)
    }
}

impl fmt::Display for HeaderRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.change {
            HeaderChange::Set(value) => write!(f, "{} is set to {value}", self.header),
            HeaderChange::Remove => write!(f, "{} is removed", self.header),
            HeaderChange::Replace(pattern, replacement) => {
                write!(f, "{}: {pattern} -> {replacement}", self.header)
            }
        }
    }
}

impl fmt::Display for ResponseRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.code, self.replacement)
    }
}
