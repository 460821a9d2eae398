//! What was dialled, read from a user part.

use std::borrow::Cow;

use config::E164;

/// The number in the user part of a URI: parameters (`;phone-context=...`) and visual separators
/// (`-`, `.`, `(`, `)`) are not part of it. None where the rest is not E.164 with its `+`.
///
/// Source: RFC 3966 §5.1.1, RFC 3261 §19.1.6.
pub fn dialled_number(user: &str) -> Option<E164> {
    digits(user).parse().ok()
}

/// The digits of a user part that is dialled bare, as `911`; none where anything but 2 to 6 digits stands there. Some
/// systems write a `+` before whatever is dialled: it goes where what follows is too short for E.164.
pub fn dialled_digits(user: &str) -> Option<String> {
    let digits = digits(user);
    let short = digits.strip_prefix('+').filter(|_| digits.parse::<E164>().is_err());
    let bare = short.unwrap_or(&digits);
    let dialled = (2..=6).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_digit());
    dialled.then(|| bare.to_owned())
}

/// The user part without parameters and visual separators.
pub(super) fn digits(user: &str) -> Cow<'_, str> {
    let bare = user.split(';').next().unwrap_or_default();
    let separator = |c: char| matches!(c, '-' | '.' | '(' | ')');
    if bare.contains(separator) { bare.replace(separator, "").into() } else { bare.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_global_number_is_a_number() {
        for (user, number) in [
            ("+12065550100", Some("+12065550100")),
            ("+1-206-555-0100", Some("+12065550100")),
            ("+1(206)555.0100;npdi", Some("+12065550100")),
            ("12065550100", None),
            ("0012065550100", None),
            ("1001", None),
            ("911", None),
            ("", None),
            ("anonymous", None),
            ("+1206555010a", None),
            ("+1206 5550100", None),
        ] {
            assert_eq!(dialled_number(user).as_ref().map(E164::as_str), number, "{user}");
        }
    }

    #[test]
    fn short_digits_are_dialled_bare() {
        for (user, digits) in [
            ("911", Some("911")),
            ("9-1-1", Some("911")),
            ("911;phone-context=+1", Some("911")),
            ("911;phone-context=example.com", Some("911")),
            ("+911", Some("911")),
            ("+9-1-1;phone-context=+1", Some("911")),
            ("++911", None),
            ("+9", None),
            // Of five digits on it is E.164, whatever it begins with: India's 91 1..., the NANP's 1 911...
            ("+91112", None),
            ("+10111", None),
            ("9", None),
            ("1234567", None),
            ("sos", None),
        ] {
            assert_eq!(dialled_digits(user).as_deref(), digits, "{user}");
        }
    }
}
