//! Who may change an object: each has one owner.

use config::Position;

/// The owner of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ownership {
    /// The store: the API changes it.
    #[default]
    Store,
    /// The operator's files: it stands there, and is changed there alone.
    File(Position),
}
