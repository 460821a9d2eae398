//! The inventory's lines.

use std::borrow::Cow;

/// One line of the CSV.
pub(crate) struct Record<'a> {
    pub line: usize,
    pub fields: Vec<Field<'a>>,
    /// The column of a quoted field that does not end, or goes on after its end.
    pub broken: Option<usize>,
}

pub(crate) struct Field<'a> {
    pub text: Cow<'a, str>,
    /// Counted from 1, in characters.
    pub column: usize,
}

/// Source: RFC 4180 §2, less line breaks inside fields: none of ours may hold one.
pub(crate) fn records(text: &str) -> impl Iterator<Item = Record<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().enumerate().map(|(at, line)| record(at + 1, line))
}

pub(crate) fn record(line: usize, text: &str) -> Record<'_> {
    if text.contains('"') {
        return quoted(line, text);
    }
    let mut column = 1;
    let fields = text.split(',').map(|text| {
        let field = Field { text: Cow::Borrowed(text), column };
        column += text.chars().count() + 1;
        field
    });
    Record { line, fields: fields.collect(), broken: None }
}

fn quoted(line: usize, text: &str) -> Record<'_> {
    let mut record = Record { line, fields: Vec::new(), broken: None };
    let mut characters = text.chars().zip(1..).peekable();
    loop {
        let start = characters.peek().map_or(text.chars().count() + 1, |(_, column)| *column);
        let mut field = String::new();
        if characters.next_if(|(c, _)| *c == '"').is_some() {
            let mut closed = false;
            while let Some((c, _)) = characters.next() {
                if c == '"' && characters.next_if(|(c, _)| *c == '"').is_none() {
                    closed = true;
                    break;
                }
                field.push(c);
            }
            if !closed || characters.peek().is_some_and(|(c, _)| *c != ',') {
                record.broken.get_or_insert(start);
            }
        }
        while let Some((c, _)) = characters.next_if(|(c, _)| *c != ',') {
            field.push(c);
        }
        record.fields.push(Field { text: Cow::Owned(field), column: start });
        if characters.next().is_none() {
            return record;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hide_commas_and_double_themselves() {
        let check = |text: &str, expected: &[(&str, usize)], broken| {
            let record = record(1, text);
            let fields: Vec<_> = record.fields.iter().map(|field| (&*field.text, field.column)).collect();
            assert_eq!((fields.as_slice(), record.broken), (expected, broken), "{text}");
        };
        check("", &[("", 1)], None);
        check("a,b", &[("a", 1), ("b", 3)], None);
        check("a,", &[("a", 1), ("", 3)], None);
        check("\"a,b\",c", &[("a,b", 1), ("c", 7)], None);
        check("ü,\"say \"\"hi\"\"\"", &[("ü", 1), ("say \"hi\"", 3)], None);
        check(",", &[("", 1), ("", 2)], None);
        check("ü,b,", &[("ü", 1), ("b", 3), ("", 5)], None);
        check("a \"b\"", &[("a \"b\"", 1)], None);
        check("a,\"b", &[("a", 1), ("b", 3)], Some(3));
        check("\"a\"b,c", &[("ab", 1), ("c", 6)], Some(1));
    }
}
