//! JSON policies. What is not understood is refused, for a condition that is passed over would allow too much.

use serde_json::{Map, Value};

use super::condition::Condition;
use super::{Asked, ConsoleAction, glob};
use crate::json;
use crate::operation::OPERATIONS;

/// The longest policy, in bytes.
const LONGEST: usize = 10_240;

/// Why a document is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It is too long.
    #[error("a policy has {LONGEST} bytes at most")]
    TooLong,
    /// It is no JSON object.
    #[error("{0}")]
    Json(&'static str),
    /// A member is missing, or is not what it should be.
    #[error("`{0}` is missing or not of the form that a policy has")]
    Member(&'static str),
    /// A member that means nothing here.
    #[error(
        "`{0}` means nothing here: a statement has Sid, Effect, Action or NotAction, Resource or NotResource, Condition"
    )]
    Unknown(String),
    /// An action that no operation has.
    #[error(
        "no operation is {0:?}: write chime:<Operation>, with * and ? where it should be several, or of the console {actions}",
        actions = ConsoleAction::ALL.map(ConsoleAction::action).join(", ")
    )]
    Action(String),
    /// A resource that is none.
    #[error("{0:?} is no resource: write * or arn:aws:chime:<region>:<account>:<resource>")]
    Resource(String),
    /// An operator that there is not.
    #[error(
        "{0:?} is no operator of conditions here: write IpAddress, StringEquals or StringLike, with Not or IfExists as needed"
    )]
    Operator(String),
    /// A condition on something else.
    #[error(
        "{operator} can't be asked of {key:?}: IpAddress asks aws:SourceIp, String... aws:ResourceTag/<key> or aws:RequestTag/<key>"
    )]
    ConditionKey {
        /// The operator.
        operator: String,
        /// The key.
        key: String,
    },
    /// A condition without texts.
    #[error("{0} is compared with a text or a list of texts")]
    Condition(String),
    /// An address that is none.
    #[error("{0:?} is neither an address nor a network like 192.0.2.0/24")]
    Network(String),
}

/// A policy that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy(Vec<Statement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    allows: bool,
    actions: Which,
    resources: Which,
    conditions: Vec<Condition>,
}

/// Patterns, of which one must match, or none may.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Which {
    patterns: Vec<String>,
    negated: bool,
}

impl Which {
    fn is(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern)) != self.negated
    }
}

impl std::str::FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Policy, PolicyError> {
        if text.len() > LONGEST {
            return Err(PolicyError::TooLong);
        }
        let document = json::parse(text.as_bytes()).map_err(PolicyError::Json)?;
        if let Some(unknown) =
            document.keys().find(|key| !["Version", "Id", "Statement"].contains(&key.as_str()))
        {
            return Err(PolicyError::Unknown(unknown.clone()));
        }
        if document.get("Version").is_some_and(|version| version != "2012-10-17") {
            return Err(PolicyError::Member("Version"));
        }
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) => {
                statements.iter().map(Value::as_object).collect::<Option<Vec<_>>>()
            }
            Some(Value::Object(statement)) => Some(vec![statement]),
            _ => None,
        };
        let statements =
            statements.filter(|statements| !statements.is_empty()).ok_or(PolicyError::Member("Statement"))?;
        statements.into_iter().map(Statement::read).collect::<Result<_, _>>().map(Policy)
    }
}

impl Policy {
    /// What each statement says that speaks of this: whether it allows.
    pub(super) fn effects(&self, asked: &Asked<'_>) -> impl Iterator<Item = bool> {
        self.0.iter().filter(|statement| statement.speaks_of(asked)).map(|statement| statement.allows)
    }
}

impl Statement {
    fn read(statement: &Map<String, Value>) -> Result<Statement, PolicyError> {
        let known = ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"];
        if let Some(unknown) = statement.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(PolicyError::Unknown(unknown.clone()));
        }
        let allows = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err(PolicyError::Member("Effect")),
        };
        let actions = Statement::which(statement, "Action", "NotAction")?;
        for pattern in &actions.patterns {
            let of_api = OPERATIONS.iter().any(|row| is_action(pattern, &row.operation.action()));
            if !of_api && !ConsoleAction::ALL.iter().any(|one| is_action(pattern, one.action())) {
                return Err(PolicyError::Action(pattern.clone()));
            }
        }
        let resources = Statement::which(statement, "Resource", "NotResource")?;
        if let Some(wrong) =
            resources.patterns.iter().find(|pattern| *pattern != "*" && !pattern.starts_with("arn:"))
        {
            return Err(PolicyError::Resource(wrong.clone()));
        }
        let mut conditions = Vec::new();
        match statement.get("Condition") {
            None => {}
            Some(Value::Object(operators)) => {
                for (operator, keys) in operators {
                    let keys = keys.as_object().ok_or(PolicyError::Member("Condition"))?;
                    for (key, values) in keys {
                        conditions.push(Condition::read(operator, key, values)?);
                    }
                }
            }
            Some(_) => return Err(PolicyError::Member("Condition")),
        }
        Ok(Statement { allows, actions, resources, conditions })
    }

    fn which(
        statement: &Map<String, Value>,
        name: &'static str,
        not: &'static str,
    ) -> Result<Which, PolicyError> {
        let (value, negated) = match (statement.get(name), statement.get(not)) {
            (Some(value), None) => (value, false),
            (None, Some(value)) => (value, true),
            _ => return Err(PolicyError::Member(name)),
        };
        let patterns =
            texts(value).filter(|patterns| !patterns.is_empty()).ok_or(PolicyError::Member(name))?;
        Ok(Which { patterns, negated })
    }

    fn speaks_of(&self, asked: &Asked<'_>) -> bool {
        self.actions.is(|pattern| is_action(pattern, asked.action))
            && self.resources.is(|pattern| glob::matches(pattern, asked.resource))
            && self.conditions.iter().all(|condition| condition.holds(asked))
    }
}

/// Actions are compared without regard to case.
fn is_action(pattern: &str, action: &str) -> bool {
    glob::matches(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase())
}

/// One text, or a list of texts.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}
