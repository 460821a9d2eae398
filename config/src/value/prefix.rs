//! Prefixes of numbers.

use std::fmt;
use std::str::FromStr;

use super::{E164, ValueError};

/// The beginning of E.164 numbers: `+` alone (every number) or `+` and up to 15 digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix(Box<str>);

impl Prefix {
    /// The prefix of every number: `+`.
    pub fn all() -> Self {
        Self("+".into())
    }

    /// The prefix with its `+`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number of digits; 0 for the prefix of every number.
    pub fn digits_len(&self) -> usize {
        self.0.len().saturating_sub(1)
    }

    /// Whether `number` begins with this prefix.
    pub fn matches(&self, number: &E164) -> bool {
        number.as_str().starts_with(&*self.0)
    }
}

impl FromStr for Prefix {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let fits = text.strip_prefix('+').is_some_and(|digits| {
            digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
        });
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(ValueError::new(
                format!("{text:?} is not a prefix of E.164 numbers"),
                "`+` and the first digits, as in \"+1876\", or \"+\" for every number",
            ))
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_matches_from_the_plus_on() {
        let number: E164 = "+18765550100".parse().unwrap();
        for (text, matches) in [("+", true), ("+1", true), ("+1876", true), ("+8", false), ("+18761", false)]
        {
            assert_eq!(text.parse::<Prefix>().unwrap().matches(&number), matches, "{text}");
        }
        for text in ["", "1876", "+0", "+1-876", "+1234567890123456"] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }
}
