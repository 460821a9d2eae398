//! Secrets, and where they are kept.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use crate::missing::Needed;
use crate::read::Item;

/// A secret, or where it is kept: a string, `{ file = "path" }` or `{ env = "NAME" }`.
///
/// `Debug` shows the place, never the secret.
#[derive(Debug, Clone)]
pub enum Secret {
    /// The secret itself.
    Literal(SecretString),
    /// A file that holds it; one line break at its end is not part of it.
    File(PathBuf),
    /// An environment variable that holds it.
    Env(String),
}

/// A secret that is not where the configuration says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file cannot be read, or is not UTF-8.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The environment variable is not set, or is not UTF-8.
    #[error("the environment variable {0} is not set")]
    Env(String),
    /// It is there and holds nothing.
    #[error("{0} is empty")]
    Empty(String),
}

/// The same place, or the same literal; what stands in a place may have changed.
impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        match (self, other) {
            (Secret::Literal(one), Secret::Literal(other)) => one.expose_secret() == other.expose_secret(),
            (Secret::File(one), Secret::File(other)) => one == other,
            (Secret::Env(one), Secret::Env(other)) => one == other,
            (Secret::Literal(_) | Secret::File(_) | Secret::Env(_), _) => false,
        }
    }
}

impl Eq for Secret {}

impl Secret {
    /// The secret, read now from where it is kept.
    ///
    /// # Errors
    /// The file or the variable can't be read.
    pub fn resolve(&self) -> Result<SecretString, SecretError> {
        match self {
            Secret::Literal(secret) => Ok(secret.clone()),
            Secret::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| SecretError::File { path: path.clone(), error })?;
                let line = text.strip_suffix('\n').unwrap_or(&text);
                let line = line.strip_suffix('\r').unwrap_or(line);
                not_empty(line.into(), || path.display().to_string())
            }
            Secret::Env(name) => {
                let text = std::env::var(name).map_err(|_| SecretError::Env(name.clone()))?;
                not_empty(text, || format!("the environment variable {name}"))
            }
        }
    }
}

fn not_empty(text: String, place: impl FnOnce() -> String) -> Result<SecretString, SecretError> {
    if text.is_empty() { Err(SecretError::Empty(place())) } else { Ok(text.into()) }
}

impl Secret {
    /// The error never shows what stands in the file.
    pub(crate) fn read(item: &Item<'_>) -> Option<Self> {
        let name = item.name();
        if let Some(text) = item.quiet_string() {
            if text.is_empty() {
                item.wrong(format!("`{name}` is empty"), format!("{PLACES}, or remove the line"));
                return None;
            }
            if names_a_place(text) {
                // The text is not repeated: it may be the secret all the same.
                let meant = "write { env = \"NAME\" } or { file = \"path\" } for one";
                let text =
                    format!("`{name}` is taken as it stands, though it looks like a variable; {meant}");
                item.reader().warn(item.at(), text);
            }
            return Some(Secret::Literal(text.into()));
        }
        if !item.is_table() {
            item.wrong(format!("`{name}` is no secret"), format!("a string in quotes, {PLACES}"));
            return None;
        }
        let table = item.table("secret")?;
        match (table.get("file"), table.get("env")) {
            (Some(file), None) => file.needed_file_for(name).map(Secret::File),
            (None, Some(env)) => {
                let variable = env.string()?;
                if variable.is_empty() || variable.contains(['=', '\0']) {
                    env.wrong(
                        format!("{variable:?} names no environment variable"),
                        "it as in \"ADMIN_TOKEN\"",
                    );
                    return None;
                }
                item.reader().need(env.at(), name, Needed::Variable(variable.to_owned()));
                Some(Secret::Env(variable.to_owned()))
            }
            _ => {
                item.wrong(format!("`{name}` needs one place"), PLACES);
                None
            }
        }
    }
}

/// `$NAME`, `${NAME}`, `%NAME%`, `{{ NAME }}`, `env:NAME`, `file:path`: what other programs replace.
fn names_a_place(text: &str) -> bool {
    let name = |text: &str| {
        let mut letters = text.trim().bytes();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && letters.all(|letter| letter.is_ascii_alphanumeric() || b"_-.:/".contains(&letter))
    };
    let between = |open: &str, close: &str| {
        text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)).is_some_and(name)
    };
    [("$", ""), ("${", "}"), ("$(", ")"), ("%", "%"), ("{{", "}}"), ("<", ">"), ("env:", ""), ("ENV:", "")]
        .iter()
        .any(|(open, close)| between(open, close))
        || text.strip_prefix("file:").is_some_and(|path| !path.is_empty())
}

const PLACES: &str = "{ file = \"path\" } or { env = \"NAME\" }";
