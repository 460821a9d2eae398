use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use super::ValueError;

/// A telephone number of the public network: `+`, then 5 to 15 digits of which the first is not 0.
///
/// Source: ITU-T E.164 §6; RFC 3966 §5.1.4 for the `+`. That the country exists and the length suits it is
/// not checked here: numbering plans change more often than this program.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct E164(Box<str>);

impl E164 {
    /// The number with its `+`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number without its `+`.
    pub fn digits(&self) -> &str {
        self.0.strip_prefix('+').unwrap_or(&self.0)
    }
}

impl FromStr for E164 {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let digits = text.strip_prefix('+').unwrap_or_default();
        let fits = (5..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if fits {
            Ok(Self(text.into()))
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
        &self.0
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
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
