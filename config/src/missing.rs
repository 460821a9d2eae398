//! What the configuration names and the machine has not got.

use std::fmt;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{Config, Position};

/// Something outside the file that the configuration works only with.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    pub position: Position,
    pub key: String,
    pub what: Needed,
}

#[derive(Debug, Clone)]
pub(crate) enum Needed {
    File(PathBuf),
    Variable(String),
}

/// A file that cannot be read or a variable that is not set.
///
/// Displays as `file:line:column: key: what; what to do`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// Where the configuration names it.
    pub position: Position,
    /// What is missing and what to do about it.
    pub text: String,
    /// The file, where it is one.
    pub file: Option<PathBuf>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.text)
    }
}

impl Config {
    /// Looks whether every file that is named can be read and every variable is set; in the order of the
    /// file's lines.
    ///
    /// This is the only look outside besides [`Config::load`] and
    /// [`Secret::resolve`](crate::Secret::resolve).
    pub fn missing(&self) -> Vec<Missing> {
        let mut missing: Vec<Missing> = self.needs.iter().filter_map(look).collect();
        missing.sort();
        missing
    }

    /// Where a file is named first, and under which key.
    pub fn place_of(&self, file: &Path) -> Option<(&Position, &str)> {
        let names = |need: &&Need| matches!(&need.what, Needed::File(path) if path == file);
        let need = self.needs.iter().find(names)?;
        Some((&need.position, &need.key))
    }
}

fn look(need: &Need) -> Option<Missing> {
    let text = match &need.what {
        Needed::File(path) => match std::fs::metadata(path).and_then(|meta| open(path, meta)) {
            Ok(meta) if meta.is_dir() => {
                format!("{}: {} is a directory; name a file", need.key, path.display())
            }
            Ok(_) => return None,
            Err(error) => {
                let remedy = remedy(&error);
                format!("{}: {} cannot be read ({error}); {remedy}", need.key, path.display())
            }
        },
        Needed::Variable(name) => match std::env::var(name) {
            Ok(value) if !value.is_empty() => return None,
            _ => format!("{}: the environment variable {name} is not set; set it", need.key),
        },
    };
    let file = match &need.what {
        Needed::File(path) => Some(path.clone()),
        Needed::Variable(_) => None,
    };
    Some(Missing { position: need.position.clone(), text, file })
}

/// What to do about a file that cannot be read.
pub(crate) fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "put the file there",
        ErrorKind::PermissionDenied => "let the user that runs the gateway read it",
        _ => "name a file that can be read",
    }
}

/// Opens plain files only: a pipe would wait for its writer.
fn open(path: &Path, meta: Metadata) -> std::io::Result<Metadata> {
    if meta.is_file() {
        std::fs::File::open(path)?;
    }
    Ok(meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_done_hangs_on_what_is_wrong() {
        for (kind, expected) in [
            (ErrorKind::NotFound, "put the file there"),
            (ErrorKind::PermissionDenied, "let the user that runs the gateway read it"),
            (ErrorKind::NotADirectory, "name a file that can be read"),
        ] {
            assert_eq!(remedy(&kind.into()), expected);
        }
    }
}
