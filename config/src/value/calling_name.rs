//! Calling names.

use std::fmt;
use std::str::FromStr;

use super::ValueError;

/// The name that goes with a number: 1 to 15 printable ASCII characters, without `"` and `\`.
///
/// Source: Telcordia GR-1188 (15 characters); what is printable fits a SIP display name as it stands.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CallingName(Box<str>);

impl CallingName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CallingName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let printable = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
        if text.trim().is_empty() || text.chars().count() > 15 || !text.chars().all(printable) {
            let short: String = text.chars().filter(|c| printable(*c)).take(15).collect();
            let short = short.trim();
            let remedy = if short.is_empty() { "Head office" } else { short };
            let problem = match text.chars().count() {
                length @ 16.. => format!("{text:?} has {length} characters; a calling name has 15 at most"),
                _ => format!("{text:?} is not a calling name of 1 to 15 printable ASCII characters"),
            };
            return Err(ValueError::new(problem, format!("{remedy:?}")));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for CallingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CallingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifteen_printable_characters_at_most() {
        for text in ["Head office", "X", "123456789012345"] {
            assert_eq!(text.parse::<CallingName>().unwrap().as_str(), text);
        }
        for (text, remedy) in [
            ("1234567890123456", "\"123456789012345\""),
            ("", "\"Head office\""),
            ("  ", "\"Head office\""),
            ("Say \"hi\"", "\"Say hi\""),
            ("Büro", "\"Bro\""),
        ] {
            assert_eq!(text.parse::<CallingName>().unwrap_err().remedy, remedy, "{text}");
        }
    }
}
