//! The inputs of operations, as values: what members there are, of what shape, and what a shape allows.
//!
//! Clients check required members, types and minima alone, so everything is checked here ([`check`]). A test holds
//! these tables against the reference page, name for name.

pub(crate) mod check;
mod pattern;
pub(crate) mod scalars;
pub(crate) mod structures;

pub(crate) use pattern::Pattern;

/// A member of a structure, or a parameter of the query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    /// As the model calls it.
    pub name: &'static str,
    /// Whether a request without it is refused.
    pub required: bool,
    /// Its name in the query, where it travels there.
    pub query: Option<&'static str>,
    /// What it may be.
    pub shape: Shape,
}

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// `true` or `false`.
    Bool,
    /// Any text.
    Plain,
    /// Text with rules.
    Text(&'static Text),
    /// A whole number within a range.
    Integer(&'static Integer),
    /// An object.
    Structure(&'static Structure),
    /// A list, of so many items.
    List(&'static Shape, Count),
}

/// Text with rules; characters are counted as Unicode scalar values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    /// As the model calls it.
    #[cfg_attr(not(test), expect(dead_code, reason = "compared with the reference"))]
    pub name: &'static str,
    /// Shortest and longest.
    pub length: Count,
    /// What the whole text must be.
    pub pattern: Option<Pattern>,
    /// One of these, where there are any.
    pub values: &'static [&'static str],
}

/// A whole number within a range.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Integer {
    /// As the model calls it.
    #[cfg_attr(not(test), expect(dead_code, reason = "compared with the reference"))]
    pub name: &'static str,
    /// The least.
    pub least: i64,
    /// The greatest, where there is one.
    pub greatest: Option<i64>,
}

/// An object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Structure {
    /// As the model calls it.
    #[cfg_attr(not(test), expect(dead_code, reason = "compared with the reference"))]
    pub name: &'static str,
    /// What it may have; other members are ignored.
    pub members: &'static [Member],
}

/// How many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    /// At least.
    pub least: Option<usize>,
    /// At most.
    pub most: Option<usize>,
}

/// As many as there are.
pub(crate) const ANY: Count = Count { least: None, most: None };

/// From so many to so many.
pub(crate) const fn count(least: usize, most: usize) -> Count {
    Count { least: Some(least), most: Some(most) }
}

/// A member that must be there.
pub(crate) const fn required(name: &'static str, shape: Shape) -> Member {
    Member { name, required: true, query: None, shape }
}

/// A member that may be there.
pub(crate) const fn optional(name: &'static str, shape: Shape) -> Member {
    Member { name, required: false, query: None, shape }
}

impl Member {
    /// The same, travelling in the query under another name.
    pub(crate) const fn in_query(self, query: &'static str) -> Member {
        Member { query: Some(query), ..self }
    }
}

/// So many or more.
pub(crate) const fn at_least(least: usize) -> Count {
    Count { least: Some(least), most: None }
}

/// Text with rules.
pub(crate) const fn text(text: &'static Text) -> Shape {
    Shape::Text(text)
}

/// A whole number.
pub(crate) const fn int(integer: &'static Integer) -> Shape {
    Shape::Integer(integer)
}

/// An object.
pub(crate) const fn object(structure: &'static Structure) -> Shape {
    Shape::Structure(structure)
}

/// A list.
pub(crate) const fn list(of: &'static Shape, count: Count) -> Shape {
    Shape::List(of, count)
}
