//! Numbers as a side writes them.

use config::{CountryCode, Dialling, E164, NumberFormat};
use phonelib::PhoneNumber;

use super::Numbering;

/// Writes `number` as a side wants it.
///
/// `national` writes numbers of the plan of `country` as dialled there, trunk prefix included (`2065550100`,
/// `02079460100`), and all others as dialled from there abroad (`011442079460100`, `0012065550100`);
/// `national-without-trunk` the same without the trunk prefix, `international` all as dialled abroad. Without a country, where no plan has the number, and where there is no one way to dial abroad, it falls back to E.164
/// with its `+`, which says what it is.
pub fn write(number: &E164, format: NumberFormat, country: Option<CountryCode>) -> String {
    match format {
        NumberFormat::E164 => number.as_str().to_owned(),
        NumberFormat::E164WithoutPlus => number.digits().to_owned(),
        NumberFormat::National | NumberFormat::NationalWithoutTrunk | NumberFormat::International => country
            .and_then(|country| dialled_from(country, number, format))
            .unwrap_or_else(|| number.as_str().to_owned()),
    }
}

/// Reads a number as a side gives it: the inverse of [`write()`]. None where it is no such number.
///
/// E.164 with its `+` is understood in every format, since it cannot mean anything else.
pub fn read(user: &str, format: NumberFormat, country: Option<CountryCode>) -> Option<E164> {
    let global = super::dialled_number(user);
    if global.is_some() || format == NumberFormat::E164 {
        return global;
    }
    let digits = super::digits(user);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match (format, country) {
        (NumberFormat::E164WithoutPlus, _) => format!("+{digits}").parse().ok(),
        (NumberFormat::International, Some(country)) => {
            let number = digits.strip_prefix(Dialling::of(country)?.international?)?;
            format!("+{number}").parse().ok()
        }
        (_, Some(country)) => from_national(&digits, country, format),
        (_, None) => None,
    }
}

fn dialled_from(country: CountryCode, number: &E164, format: NumberFormat) -> Option<String> {
    let (dialling, code) = (Dialling::of(country)?, calling_code(country)?);
    let abroad = || Some(format!("{}{}", dialling.international?, number.digits()));
    if format == NumberFormat::International {
        return abroad();
    }
    let found = PhoneNumber::parse(number.as_str())?;
    if plan(found.country().prefix) != code {
        return abroad();
    }
    let significant = number.digits().strip_prefix(&code.to_string())?;
    Some(match format {
        NumberFormat::NationalWithoutTrunk => significant.to_owned(),
        _ => dialling.national(significant),
    })
}

/// What is dialled inside `country` as `digits`. A number as the format writes it comes first; else one is taken with a
/// trunk prefix that it does not need, or without.
fn from_national(digits: &str, country: CountryCode, format: NumberFormat) -> Option<E164> {
    let (dialling, code) = (Dialling::of(country)?, calling_code(country)?);
    let known = |digits: &str| -> Option<E164> {
        let number = format!("+{digits}").parse().ok()?;
        (Numbering::of(&number) != Numbering::Unknown).then_some(number)
    };
    let own = |significant: &str| known(&format!("{code}{significant}"));
    let without = |prefix: &str| digits.strip_prefix(prefix).filter(|_| !prefix.is_empty());
    let found = [
        without(dialling.trunk).and_then(own),
        own(digits),
        dialling.international.and_then(without).and_then(known),
    ];
    let found = || found.iter().flatten();
    let as_written = found().find(|number| dialled_from(country, number, format).as_deref() == Some(digits));
    as_written.or_else(|| found().next()).cloned()
}

fn calling_code(country: CountryCode) -> Option<u32> {
    phonelib::country_by_code(country.as_str()).map(|own| plan(own.prefix))
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
        use NumberFormat::NationalWithoutTrunk as Short;
        use NumberFormat::{E164 as Plus, E164WithoutPlus as Bare, International, National};
        for (number, format, country, text) in [
            ("+4930123456", Short, Some("DE"), "30123456"),
            ("+12065550100", Short, Some("DE"), "0012065550100"),
            ("+12065550100", Short, Some("US"), "2065550100"),
            ("+4930123456", International, Some("DE"), "004930123456"),
            ("+12065550100", International, Some("DE"), "0012065550100"),
            ("+12065550100", International, Some("US"), "01112065550100"),
            ("+442079460958", International, Some("US"), "011442079460958"),
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

    /// Trunk prefixes that not every number has, and what is dialled before a foreign number.
    #[test]
    fn each_country_dials_in_its_own_way() {
        let foreign = "+12065550100";
        let mut wrong = Vec::new();
        for (number, country, text) in [
            (foreign, "KE", "00012065550100"),
            (foreign, "NG", "00912065550100"),
            (foreign, "CU", "11912065550100"),
            (foreign, "TZ", "00012065550100"),
            (foreign, "UG", "00012065550100"),
            (foreign, "MU", "02012065550100"),
            (foreign, "WS", "012065550100"),
            (foreign, "TJ", "81012065550100"),
            (foreign, "RU", "81012065550100"),
            (foreign, "AU", "001112065550100"),
            (foreign, "JP", "01012065550100"),
            // Several, of which none is everybody's: as it is.
            (foreign, "ID", "+12065550100"),
            (foreign, "CL", "+12065550100"),
            ("+35315123456", "IE", "015123456"),
            ("+35318123456", "IE", "018123456"),
            ("+353851234567", "IE", "0851234567"),
            ("+3531850123456", "IE", "1850123456"),
            ("+60123456789", "MY", "0123456789"),
            ("+601300882525", "MY", "1300882525"),
            ("+60321234567", "MY", "0321234567"),
            ("+9618123456", "LB", "08123456"),
            ("+9619123456", "LB", "09123456"),
            ("+96170123456", "LB", "70123456"),
            ("+3612345678", "HU", "0612345678"),
            ("+78001234567", "RU", "88001234567"),
            ("+4916012345678", "DE", "016012345678"),
            ("+862112345678", "CN", "02112345678"),
            ("+8613912345678", "CN", "13912345678"),
            ("+61212345678", "AU", "0212345678"),
            ("+611300123456", "AU", "1300123456"),
        ] {
            let (e164, country): (E164, CountryCode) = (number.parse().unwrap(), country.parse().unwrap());
            let written = write(&e164, NumberFormat::National, Some(country));
            if written != text {
                wrong.push(format!("{number} in {country} as {written}, not {text}"));
            }
            if read(text, NumberFormat::National, Some(country)) != Some(e164) {
                let read = read(text, NumberFormat::National, Some(country));
                wrong.push(format!("{text} of {country} is {read:?}, not {number}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
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
            ("2065550100", NumberFormat::International, us),
            ("01112065550100", NumberFormat::International, None),
            ("1001", National, us),
            ("two06", National, us),
        ] {
            assert_eq!(read(text, format, country), None, "{text}");
        }
        assert_eq!(read("12065550100", National, us), "+12065550100".parse().ok());
        assert_eq!(read("+1-206-555-0100;npdi", Bare, None), "+12065550100".parse().ok());
    }
}
