//! The patterns of the model: each says its text to clients and is a few lines here. A test holds them against a
//! library of regular expressions.

/// What a whole text must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pattern {
    /// As the model writes it.
    pub text: &'static str,
    /// Whether a text is so.
    pub matches: fn(&str) -> bool,
}

fn all(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(allowed)
}

fn between(text: &str, least: usize, most: usize, allowed: impl Fn(u8) -> bool) -> bool {
    (least..=most).contains(&text.len()) && all(text, allowed)
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// `Alpha2CountryCode`.
pub(super) const COUNTRY: Pattern =
    Pattern { text: "[A-Z]{2}", matches: |text| between(text, 2, 2, |byte| byte.is_ascii_uppercase()) };
/// `Arn`.
pub(super) const ARN: Pattern = Pattern {
    text: r"^arn[\/\:\-\_\.a-zA-Z0-9]+$",
    matches: |text| {
        text.strip_prefix("arn").is_some_and(|rest| {
            !rest.is_empty() && all(rest, |byte| byte.is_ascii_alphanumeric() || b"/:-_.".contains(&byte))
        })
    },
};
/// `CallingName`.
pub(super) const CALLING_NAME: Pattern = Pattern {
    text: "^$|^[a-zA-Z0-9 ]{2,15}$",
    matches: |text| {
        text.is_empty() || between(text, 2, 15, |byte| byte.is_ascii_alphanumeric() || byte == b' ')
    },
};
/// `E164PhoneNumber`: the plus sign may be missing.
pub(super) const E164: Pattern = Pattern {
    text: r"^\+?[1-9]\d{1,14}$",
    matches: |text| {
        let digits = text.strip_prefix('+').unwrap_or(text);
        between(digits, 2, 15, |byte| byte.is_ascii_digit()) && !digits.starts_with('0')
    },
};
/// `NonEmptyString`: something that is seen, on one line.
pub(super) const NOT_BLANK: Pattern = Pattern {
    text: r".*\S.*",
    matches: |text| !text.contains('\n') && text.chars().any(|character| !character.is_whitespace()),
};
/// `PhoneNumberName`: words with spaces between them.
pub(super) const NUMBER_NAME: Pattern = Pattern {
    text: r"^$|^[a-zA-Z0-9\,\.\_\-]+(\s+[a-zA-Z0-9\,\.\_\-]+)*$",
    matches: |text| {
        let word = |character: char| character.is_ascii_alphanumeric() || ",._-".contains(character);
        text.is_empty()
            || (text.chars().all(|character| word(character) || character.is_whitespace())
                && text.chars().next().is_some_and(word)
                && text.chars().next_back().is_some_and(word))
    },
};
/// `S3BucketName`.
pub(super) const BUCKET: Pattern = Pattern {
    text: r"(?!(^xn--|.+-s3alias$))^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
    matches: |text| {
        between(text, 3, 63, |byte| is_lower(byte) || byte == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-')
            && !text.starts_with("xn--")
            && !text.ends_with("-s3alias")
    },
};
/// `TollFreePrefix`.
pub(super) const TOLL_FREE: Pattern = Pattern {
    text: r"^8(00|33|44|55|66|77|88)$",
    matches: |text| matches!(text, "800" | "833" | "844" | "855" | "866" | "877" | "888"),
};
/// `VoiceConnectorId`: 21 or 22 small letters and digits, or a UUID.
pub(super) const CONNECTOR_ID: Pattern = Pattern {
    text: "([a-z0-9]{21,22}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",
    matches: |text| {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let parts: Vec<&str> = text.split('-').collect();
        between(text, 21, 22, is_lower)
            || (parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
                && parts.iter().all(|part| all(part, is_hex)))
    },
};
/// `VoiceConnectorName` and its like.
pub(super) const NAME: Pattern = Pattern {
    text: "[a-zA-Z0-9 _.-]+",
    matches: |text| {
        !text.is_empty() && all(text, |byte| byte.is_ascii_alphanumeric() || b" _.-".contains(&byte))
    },
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    const ALL: [&Pattern; 10] = [
        &COUNTRY,
        &ARN,
        &CALLING_NAME,
        &E164,
        &NOT_BLANK,
        &NUMBER_NAME,
        &BUCKET,
        &TOLL_FREE,
        &CONNECTOR_ID,
        &NAME,
    ];

    /// The library knows no look-ahead, which one pattern begins with.
    fn by_library(pattern: &Pattern, text: &str) -> bool {
        let ahead = r"(?!(^xn--|.+-s3alias$))";
        if let Some(rest) = pattern.text.strip_prefix(ahead) {
            let refused = Regex::new(r"^xn--|.+-s3alias$").unwrap();
            return !refused.is_match(text) && Regex::new(rest).unwrap().is_match(text);
        }
        Regex::new(&format!("^(?:{})$", pattern.text)).unwrap().is_match(text)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn patterns_are_what_they_say(
            text in prop_oneof![
                any::<String>(),
                "[a-f0-9-]{0,40}", "[+]?[0-9]{0,17}", "[A-Za-z0-9 ,._-]{0,18}", "arn[:/a-z0-9 ]{0,9}", "[A-Z]{0,3}",
                "8[034578]{2}", "(xn--)?[a-z0-9-]{0,5}(-s3alias)?", "[a-z0-9]{20,23}",
                "[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-g0-9]{12}", "[a-z0-9-]{60,65}", "[\\s]{0,3}[a-z]?",
            ],
        ) {
            for pattern in ALL {
                prop_assert_eq!((pattern.matches)(&text), by_library(pattern, &text), "{} {:?}", pattern.text, text);
            }
        }
    }
}
