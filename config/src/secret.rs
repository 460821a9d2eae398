use std::path::PathBuf;

use secrecy::SecretString;

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

impl Secret {
    /// The secret, read now from where it is kept.
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
