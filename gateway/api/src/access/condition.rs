//! Conditions of a statement: on the source address and on tags.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::policy::{PolicyError, texts};
use super::{Asked, glob};

/// A condition: an operator, a key, and the values that it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    test: Test,
    /// `...Not...`: none of the values may be so.
    negated: bool,
    /// `...IfExists`: true where there is nothing to compare.
    if_exists: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Source(Vec<IpNet>),
    Text { tag_of: TagOf, tag: String, how: How, values: Vec<String> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TagOf {
    Resource,
    Request,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Equals,
    Like,
}

impl Condition {
    /// Reads one key of one operator.
    pub(super) fn read(operator: &str, key: &str, values: &Value) -> Result<Condition, PolicyError> {
        let values = texts(values).ok_or_else(|| PolicyError::Condition(operator.to_owned()))?;
        let (base, if_exists) =
            operator.strip_suffix("IfExists").map_or((operator, false), |base| (base, true));
        let (how, negated) = match base {
            "IpAddress" => (None, false),
            "NotIpAddress" => (None, true),
            "StringEquals" => (Some(How::Equals), false),
            "StringNotEquals" => (Some(How::Equals), true),
            "StringLike" => (Some(How::Like), false),
            "StringNotLike" => (Some(How::Like), true),
            _ => return Err(PolicyError::Operator(operator.to_owned())),
        };
        let unknown = || PolicyError::ConditionKey { operator: operator.to_owned(), key: key.to_owned() };
        let test = match (how, key.split_once('/')) {
            (None, None) if key.eq_ignore_ascii_case("aws:SourceIp") => {
                Test::Source(values.iter().map(|value| network(value)).collect::<Result<_, _>>()?)
            }
            (Some(how), Some((kind, tag))) if !tag.is_empty() => {
                let tag_of = match kind {
                    kind if kind.eq_ignore_ascii_case("aws:ResourceTag") => TagOf::Resource,
                    kind if kind.eq_ignore_ascii_case("aws:RequestTag") => TagOf::Request,
                    _ => return Err(unknown()),
                };
                Test::Text { tag_of, tag: tag.to_owned(), how, values }
            }
            _ => return Err(unknown()),
        };
        Ok(Condition { test, negated, if_exists })
    }

    /// Whether it holds.
    pub(super) fn holds(&self, asked: &Asked<'_>) -> bool {
        let found = match &self.test {
            Test::Source(networks) => {
                let source = asked.source.to_canonical();
                Some(networks.iter().any(|network| network.contains(&source)))
            }
            Test::Text { tag_of, tag, how, values } => {
                let tags = if *tag_of == TagOf::Resource { asked.resource_tags } else { asked.request_tags };
                tags.iter().find(|(key, _)| key == tag).map(|(_, text)| {
                    values.iter().any(|value| match how {
                        How::Equals => value == text,
                        How::Like => glob::matches(value, text),
                    })
                })
            }
        };
        match found {
            Some(found) => found != self.negated,
            None => self.negated || self.if_exists,
        }
    }
}

fn network(text: &str) -> Result<IpNet, PolicyError> {
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.ok_or_else(|| PolicyError::Network(text.to_owned()))
}
