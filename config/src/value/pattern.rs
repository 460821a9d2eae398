//! Patterns with one `*`.

use std::fmt;
use std::str::FromStr;

use super::ValueError;

/// A text with at most one `*`, which stands for any characters, or for none: `+49*`, `X-*`, `*@old.example`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the `*` stands for in `text`; empty where the pattern has none. None where it does not match.
    pub fn captured<'t>(&self, text: &'t str) -> Option<&'t str> {
        Self::matched(&self.0, text)
    }

    /// The same of a pattern that is kept as text.
    pub fn matched<'t>(pattern: &str, text: &'t str) -> Option<&'t str> {
        match pattern.split_once('*') {
            Some((head, tail)) => text.strip_prefix(head)?.strip_suffix(tail),
            None => (pattern == text).then_some(""),
        }
    }

    /// The pattern with `captured` in place of its `*`.
    pub fn filled(&self, captured: &str) -> String {
        self.0.replace('*', captured)
    }
}

impl FromStr for Pattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.matches('*').count() > 1 {
            return Err(ValueError::new(
                format!("{text:?} has more than one `*`"),
                "one `*` at most, which stands for any characters, as in \"+49*\"",
            ));
        }
        if text.chars().any(char::is_control) || text.len() > 128 {
            return Err(ValueError::new(
                format!("{text:?} is no pattern"),
                "at most 128 characters, without line breaks and the like",
            ));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, captured) in [
            ("+49*", "+4930123", Some("30123")),
            ("+49*", "+49", Some("")),
            ("+49*", "4930123", None),
            ("*", "anything", Some("anything")),
            ("*00", "100", Some("1")),
            ("1*1", "1", None),
            ("1*1", "11", Some("")),
            ("911", "911", Some("")),
            ("911", "9110", None),
            ("", "", Some("")),
        ] {
            assert_eq!(pattern.parse::<Pattern>().unwrap().captured(text), captured, "{pattern} {text}");
        }
        assert_eq!("0*".parse::<Pattern>().unwrap().filled("30123"), "030123");
        assert_eq!("911".parse::<Pattern>().unwrap().filled("30123"), "911");
        for text in ["**", "a*b*", "a\n"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }
}
