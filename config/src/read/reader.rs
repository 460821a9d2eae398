//! The reader of the sources, and their mistakes.

use std::cell::RefCell;
use std::path::PathBuf;

use crate::available::{Availability, Key};
use crate::check::Facts;
use crate::error::{ConfigError, Position, Warning};
use crate::missing::{Need, Needed};

use super::Source;

/// A place in one of the sources: a byte offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct At {
    pub source: usize,
    pub offset: usize,
}

/// Which keys may be used.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Vocabulary {
    /// Those whose capability is there.
    OfThisVersion,
    /// All of them, to test that they are read before they can be used.
    #[cfg(test)]
    Whole,
}

/// The texts, and what was noticed while reading them.
pub(crate) struct Reader<'a> {
    sources: &'a [Source],
    vocabulary: Vocabulary,
    errors: RefCell<Vec<ConfigError>>,
    warnings: RefCell<Vec<Warning>>,
    needs: RefCell<Vec<Need>>,
    facts: RefCell<Facts>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(sources: &'a [Source], vocabulary: Vocabulary) -> Self {
        Self {
            sources,
            vocabulary,
            errors: RefCell::default(),
            warnings: RefCell::default(),
            needs: RefCell::default(),
            facts: RefCell::default(),
        }
    }

    /// What may be done with a key.
    pub(crate) fn availability(&self, key: &Key) -> Availability {
        match self.vocabulary {
            Vocabulary::OfThisVersion => key.availability,
            #[cfg(test)]
            Vocabulary::Whole => Availability::Here,
        }
    }

    /// Writes a mistake down. `remedy` is a whole clause: "write ...", "remove ...".
    pub(crate) fn error(&self, at: At, problem: impl Into<String>, remedy: impl Into<String>) {
        let (problem, remedy) = (problem.into(), remedy.into());
        self.errors.borrow_mut().push(ConfigError { position: self.position(at), problem, remedy });
    }

    pub(crate) fn warn(&self, at: At, text: impl Into<String>) {
        self.warnings.borrow_mut().push(Warning { position: self.position(at), text: text.into() });
    }

    /// Notes that the configuration works only with this file or variable.
    pub(crate) fn need(&self, at: At, key: &str, what: Needed) {
        self.needs.borrow_mut().push(Need { position: self.position(at), key: key.to_owned(), what });
    }

    /// Notes something that other tables have to agree with.
    pub(crate) fn fact(&self, note: impl FnOnce(&mut Facts)) {
        note(&mut self.facts.borrow_mut());
    }

    pub(crate) fn position(&self, at: At) -> Position {
        match self.sources.get(at.source) {
            Some(source) => source.position(at.offset),
            None => Position { file: "".into(), line: 0, column: 0 },
        }
    }

    pub(crate) fn text(&self, source: usize) -> &'a str {
        self.sources.get(source).map(Source::text).unwrap_or_default()
    }

    pub(crate) fn resolve(&self, source: usize, path: &str) -> PathBuf {
        self.sources.get(source).map(|source| source.resolve(path)).unwrap_or_else(|| path.into())
    }

    pub(crate) fn take_facts(&self) -> Facts {
        self.facts.take()
    }

    /// Everything noticed: mistakes, warnings, and what must be there.
    pub(crate) fn take(&self) -> (Vec<ConfigError>, Vec<Warning>, Vec<Need>) {
        (self.errors.take(), self.warnings.take(), self.needs.take())
    }
}
