//! Telephone numbers. ITU-T E.164.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use super::ValueError;

/// A telephone number of the public network: `+`, then 5 to 15 digits of which the first is not 0.
///
/// Source: ITU-T E.164 §6; RFC 3966 §5.1.4 for the `+`. That the country exists and the length suits it is
/// not checked here: numbering plans change more often than this program.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct E164 {
    /// The text, and zeros behind it: no memory of its own, where there are a hundred thousand.
    text: [u8; 16],
    length: u8,
}

impl E164 {
    /// The number with its `+`.
    pub fn as_str(&self) -> &str {
        let text = self.text.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// The number without its `+`.
    pub fn digits(&self) -> &str {
        self.as_str().strip_prefix('+').unwrap_or_default()
    }
}

impl FromStr for E164 {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let digits = text.strip_prefix('+').unwrap_or_default();
        let fits = (5..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        let mut number = Self { text: [0; 16], length: u8::try_from(text.len()).unwrap_or_default() };
        if fits && let Some(room) = number.text.get_mut(..text.len()) {
            room.copy_from_slice(text.as_bytes());
            Ok(number)
        } else {
            Err(ValueError::new(
                format!("{text:?} is not an E.164 number"),
                "`+`, the country code and the number, 5 to 15 digits without spaces, as in \"+12065550100\"",
            ))
        }
    }
}

impl Borrow<str> for E164 {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// As of the text, by which it is looked up.
impl Hash for E164 {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plus_and_digits_pass() {
        for (text, passes) in [
            ("+12065550100", true),
            ("+431711", true),
            ("+123456789012345", true),
            ("+1234567890123456", false),
            ("+1206", false),
            ("+02065550100", false),
            ("12065550100", false),
            ("++2065550100", false),
            ("+1206555010a", false),
            ("+1 206 555 0100", false),
            ("+", false),
            ("", false),
            ("+١٢٣٤٥٦٧", false),
        ] {
            assert_eq!(text.parse::<E164>().is_ok(), passes, "{text}");
        }
        assert_eq!("+12065550100".parse::<E164>().unwrap().digits(), "12065550100");
    }
}
