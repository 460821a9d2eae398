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
    let remedy = match problem {
        DUPLICATE => {
            let problem = format!("`{}` is here a second time", found.trim());
            return (problem, "remove one of the two".into());
        }
        "string values must be quoted" => "write the value in quotes".into(),
        "missing value" | "missing value for key" | "key with no value" => "write `key = value`".into(),
        "missing assignment between key-value pairs" => "write `=` between key and value".into(),
        _ if problem.starts_with("unclosed") || problem.starts_with("invalid") && expected.is_empty() => {
            closing(problem)
        }
        _ if expected == "nothing" => "remove it".into(),
        _ if expected.is_empty() => TOML.into(),
        _ => format!("write {}", expected.replace(", ", " or ")),
    };
    (problem.to_owned(), remedy)
}

const TOML: &str = "write TOML, https://toml.io";

fn closing(problem: &str) -> String {
    match problem {
        "unclosed array" | "unclosed table" => "write the `]` that closes it".into(),
        "unclosed array table" => "write the `]]` that closes it".into(),
        "unclosed inline table" => "write the `}` that closes it".into(),
        _ => TOML.into(),
    }
}

/// Where a span starts, but the end of a line rather than the start of the next.
fn position(text: &str, span: Range<usize>) -> usize {
    span.start.min(text.trim_end().len())
}
