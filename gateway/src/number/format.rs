use config::{CountryCode, E164, NumberFormat};
use phonelib::{PhoneFormat, PhoneNumber};

/// Writes `number` as a carrier wants it.
///
/// `national` writes numbers of the plan of `country` as dialled there, trunk prefix included (`2065550100`,
/// `02079460100`), and all others as dialled from there abroad (`011442079460100`, `0012065550100`). Without
/// a country, and where no plan has the number, it falls back to E.164 with its `+`, which says what it is.
pub fn write(number: &E164, format: NumberFormat, country: Option<CountryCode>) -> String {
    match format {
        NumberFormat::E164 => number.as_str().to_owned(),
        NumberFormat::E164WithoutPlus => number.digits().to_owned(),
        NumberFormat::National => country
            .and_then(|country| national(number, country))
            .unwrap_or_else(|| number.as_str().to_owned()),
    }
}

/// Reads a number as a carrier gives it: the inverse of [`write()`]. None where it is no such number.
///
/// E.164 with its `+` is understood in every format, since it cannot mean anything else.
pub fn read(user: &str, format: NumberFormat, country: Option<CountryCode>) -> Option<E164> {
    let global = super::dialled_number(user);
    if global.is_some() || format == NumberFormat::E164 {
        return global;
    }
    let digits: String =
        user.split(';').next()?.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match (format, country) {
        (NumberFormat::E164WithoutPlus, _) => format!("+{digits}").parse().ok(),
        (NumberFormat::National, Some(country)) => {
            PhoneNumber::parse_with_country(&digits, country.as_str())?.e164().parse().ok()
        }
        (NumberFormat::National, None) | (NumberFormat::E164, _) => None,
    }
}

fn national(number: &E164, country: CountryCode) -> Option<String> {
    let found = PhoneNumber::parse(number.as_str())?;
    if plan(found.country().prefix)
        != phonelib::country_by_code(country.as_str()).map(|own| plan(own.prefix))?
    {
        return Some(format!("{}{}", international_prefix(country), number.digits()));
    }
    let text = found.format(PhoneFormat::National);
    Some(text.chars().filter(char::is_ascii_digit).collect())
}

/// What is dialled before a foreign number. Source: ITU-T "International prefixes" (Operational Bulletin).
fn international_prefix(country: CountryCode) -> &'static str {
    match country.as_str() {
        "AU" => "0011",
        "JP" => "010",
        "KR" | "HK" | "SG" | "TH" | "KH" | "MN" | "GY" => "001",
        "TW" => "002",
        "RU" | "KZ" | "BY" | "TM" => "810",
        "CO" => "009",
        other if phonelib::country_by_code(other).is_some_and(|found| plan(found.prefix) == 1) => "011",
        _ => "00",
    }
}

/// The calling code that countries of one numbering plan share: inside it nobody dials abroad.
fn plan(calling_code: u32) -> u32 {
    if (1000..2000).contains(&calling_code) { 1 } else { calling_code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_and_read_back() {
        use NumberFormat::{E164 as Plus, E164WithoutPlus as Bare, National};
        for (number, format, country, text) in [
            ("+12065550100", Plus, None, "+12065550100"),
            ("+12065550100", Bare, None, "12065550100"),
            ("+12065550100", National, Some("US"), "2065550100"),
            ("+442079460958", National, Some("GB"), "02079460958"),
            ("+4930123456", National, Some("DE"), "030123456"),
            ("+442079460958", National, Some("US"), "011442079460958"),
            ("+12065550100", National, Some("GB"), "0012065550100"),
            ("+18765550100", National, Some("US"), "8765550100"),
            ("+441481960194", National, Some("GB"), "01481960194"),
            ("+12065550100", National, None, "+12065550100"),
            ("+390669812345", National, Some("VA"), "0669812345"),
        ] {
            let country = country.map(|code| code.parse().unwrap());
            let number: E164 = number.parse().unwrap();
            assert_eq!(write(&number, format, country), text);
            assert_eq!(read(text, format, country), Some(number), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_number_of_the_format_is_none() {
        use NumberFormat::{E164 as Plus, E164WithoutPlus as Bare, National};
        let us = Some("US".parse().unwrap());
        for (text, format, country) in [
            ("12065550100", Plus, None),
            ("anonymous", Bare, None),
            ("", Bare, None),
            ("012065550100", Bare, None),
            ("2065550100", National, None),
            ("1001", National, us),
            ("two06", National, us),
        ] {
            assert_eq!(read(text, format, country), None, "{text}");
        }
        assert_eq!(read("12065550100", National, us), "+12065550100".parse().ok());
        assert_eq!(read("+1-206-555-0100;npdi", Bare, None), "+12065550100".parse().ok());
    }
}
