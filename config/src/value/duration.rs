//! Durations.

use std::time::Duration;

use super::ValueError;

/// Parses a duration such as `500ms`, `60s`, `30m`, `12h`, `7d` or `1h30m`; `0s` is none.
///
/// Whole numbers with a unit each. Fails on anything else, and on more than 2^64 - 1 milliseconds.
pub fn parse_duration(text: &str) -> Result<Duration, ValueError> {
    milliseconds(text).map(Duration::from_millis).ok_or_else(|| {
        let remedy = match text.parse::<u64>() {
            Ok(number) => format!("a unit with it, as in \"{number}s\" (ms, s, m, h or d)"),
            Err(_) => "a number and its unit (ms, s, m, h or d), as in \"60s\" or \"1h30m\"".into(),
        };
        ValueError::new(format!("{text:?} is not a duration"), remedy)
    })
}

fn milliseconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total: Option<u64> = None;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let part = number.parse::<u64>().ok()?.checked_mul(unit_ms)?;
        total = Some(total.unwrap_or(0).checked_add(part)?);
        rest = after;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_unit() {
        for (text, ms) in [
            ("0s", Some(0)),
            ("500ms", Some(500)),
            ("60s", Some(60_000)),
            ("30m", Some(1_800_000)),
            ("12h", Some(43_200_000)),
            ("1h30m", Some(5_400_000)),
            ("7d", Some(604_800_000)),
            ("", None),
            ("60", None),
            ("s", None),
            ("60 s", None),
            ("-1s", None),
            ("1.5s", None),
            ("1y", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
            ("60ü", None),
        ] {
            assert_eq!(parse_duration(text).ok(), ms.map(Duration::from_millis), "{text}");
        }
        assert_eq!(
            parse_duration("60").unwrap_err().to_string(),
            "\"60\" is not a duration; write a unit with it, as in \"60s\" (ms, s, m, h or d)"
        );
    }
}
