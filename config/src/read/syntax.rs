//! From text to a tree with places.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::{At, Reader};

/// Parses one source; mistakes of syntax go to the reader.
///
/// `None` where what remains would only give rise to mistakes that are none.
pub(crate) fn parse<'a>(reader: &Reader<'a>, source: usize, text: &'a str) -> Option<Spanned<DeTable<'a>>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut usable = true;
    for error in &errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        usable &= error.message() == DUPLICATE;
        let (problem, remedy) = explain(error.message(), text.get(span.clone()).unwrap_or_default());
        reader.error(At { source, offset: position(text, span) }, problem, remedy);
    }
    usable.then_some(table)
}

const DUPLICATE: &str = "duplicate key";

/// Our words for the parser's, which come as `what is wrong, expected this, that`.
fn explain(message: &str, found: &str) -> (String, String) {
    let (problem, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let own = |problem: &str, remedy: &str| (problem.to_owned(), remedy.to_owned());
    let remedy = match problem {
        DUPLICATE => {
            return (format!("`{}` is here a second time", found.trim()), "remove one of the two".into());
        }
        "string values must be quoted" if found.trim().is_empty() => {
            return own("there is no value after `=`", "write one");
        }
        "string values must be quoted" => {
            return own(
                "this is no value",
                "write a text in quotes, and commas between the elements of a list",
            );
        }
        "missing escaped value" => return own("this is no escape", "write `\\\\` for a backslash"),
        "invalid basic string" | "invalid literal string" => {
            return own("the string does not end on its line", "write the quote that closes it");
        }
        "invalid integer" | "invalid float" | "invalid datetime" | "invalid boolean" => {
            return own("this is no value", "write a number, or a text in quotes");
        }
        "missing inline table opening" => return own("this `}` closes nothing", "remove it"),
        "missing array opening" => return own("this `]` closes nothing", "remove it"),
        "key with no value" => "write `key = value`",
        "unclosed array" | "unclosed table" => "write the `]` that closes it",
        "unclosed array table" => "write the `]]` that closes it",
        "unclosed inline table" => "write the `}` that closes it",
        _ if expected == "nothing" => "remove it",
        _ if expected.is_empty() => "write TOML, https://toml.io",
        _ => return (problem.to_owned(), format!("write {}", expected.replace(", ", " or "))),
    };
    own(problem, remedy)
}

/// Where a span starts, but the end of a line rather than the start of the next.
fn position(text: &str, span: Range<usize>) -> usize {
    span.start.min(text.trim_end().len())
}
