//! Mistakes in a configuration, each with its place.

use std::fmt;
use std::sync::Arc;

/// A place in a file: `file:line:column`, both counted from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The file, as it was named to us.
    pub file: Arc<str>,
    /// 0 where the whole file is meant.
    pub line: usize,
    /// 0 where the whole file is meant.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

/// One mistake in the configuration, and what to do about it.
///
/// Displays as one line: `file:line:column: problem; remedy`. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{position}: {problem}; {remedy}")]
pub struct ConfigError {
    /// Where it stands.
    pub position: Position,
    /// What is wrong.
    pub problem: String,
    /// What to write instead, or what else to do.
    pub remedy: String,
}

/// All mistakes that could be found in one go, in the order of their lines; at least one.
///
/// Displays as one line each, without a line break at the end; of more than 100 the first, and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct ConfigErrors(Vec<ConfigError>);

/// So many mistakes are shown: whoever exported a table wrongly has as many as it has lines.
const SHOWN: usize = 100;

impl ConfigErrors {
    /// `value`, unless something was found; that is sorted then.
    pub(crate) fn or<T>(mut errors: Vec<ConfigError>, value: Option<T>) -> Result<T, Self> {
        errors.sort();
        errors.dedup();
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => Err(Self(errors)),
        }
    }

    /// The mistakes, in the order of their lines.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }
}

fn lines(errors: &[ConfigError]) -> String {
    let mut lines: Vec<String> = errors.iter().take(SHOWN).map(ConfigError::to_string).collect();
    if let Some(more) = errors.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        lines.push(format!("and {more} more mistakes; mend these first"));
    }
    lines.join("\n")
}

/// Something that works and is probably not meant. Displays as `file:line:column: text`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// Where it stands.
    pub position: Position,
    /// What follows from it.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.text)
    }
}
