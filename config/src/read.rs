//! From the file's text to tables and values that remember where they stand.
//!
//! Reading goes on after a mistake: it is written down, and a default stands in for the value, so that all
//! mistakes are told in one go. Nothing that was built so leaves this crate.

mod item;
mod reader;
mod source;
mod suggest;
mod syntax;
mod table;

pub(crate) use item::{Item, parsed};
pub(crate) use reader::{At, Reader, Vocabulary};
pub(crate) use source::Source;
pub(crate) use suggest::{nearest, one_of};
pub(crate) use syntax::parse;
pub(crate) use table::{Table, header};
