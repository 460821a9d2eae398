//! To whom a number belongs.

use config::{CountryCode, E164};
use phonelib::{PhoneNumber, PhoneNumberType};

/// What the numbering plans say of a number, found by one look through their tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanEntry {
    /// To whom the number belongs.
    pub numbering: Numbering,
    /// How many digits of the number its country's calling code has; the area code belongs to it where that makes the
    /// country (`+1876` Jamaica: 4; the United States and Canada: 1). Zero where no plan has the number.
    pub calling_code_len: usize,
    /// What kind of number it is; `None` where no plan has it.
    pub(super) kind: Option<PhoneNumberType>,
}

impl PlanEntry {
    /// Looks `number` up: the plan's lengths hold everywhere, under +1 the area code too.
    pub fn of(number: &E164) -> Self {
        #[cfg(test)]
        crate::effort::spend(format!("look up {number}"));
        let found = PhoneNumber::parse(number.as_str());
        let found = found.as_ref();
        Self {
            numbering: Numbering::found(number, found),
            calling_code_len: found.map_or(0, |found| decimal_digits(found.country().prefix)),
            kind: found.map(PhoneNumber::phone_type),
        }
    }
}

/// To whom a number belongs, by ITU-T E.164 and the plans under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// A country or territory.
    Country(CountryCode),
    /// A code of the ITU that no country has (satellites, global services): its digits, as in `881`.
    NonCountry(&'static str),
    /// No plan has such a number, or not as it is written.
    Unknown,
}

/// Codes that the ITU gives to no country. Source: ITU-T E.164, "List of Assigned Country Codes" (2016-11):
/// freephone, shared cost, Inmarsat, personal, satellites, networks (two codes), aid, premium, trials.
const NON_COUNTRY: [&str; 11] = ["800", "808", "870", "878", "881", "882", "883", "888", "979", "991", "999"];

impl Numbering {
    /// The numbering of `number` alone.
    pub fn of(number: &E164) -> Numbering {
        PlanEntry::of(number).numbering
    }

    /// The country or territory, where there is one.
    pub fn country(self) -> Option<CountryCode> {
        match self {
            Numbering::Country(country) => Some(country),
            Numbering::NonCountry(_) | Numbering::Unknown => None,
        }
    }

    /// A trunk prefix after the calling code (`+44 0 871 ...`) makes `number` none: a carrier drops that prefix and connects
    /// what no list of prefixes was asked about.
    fn found(number: &E164, found: Option<&PhoneNumber>) -> Numbering {
        let digits = number.digits();
        if let Some(code) = NON_COUNTRY.iter().find(|code| digits.starts_with(**code)) {
            return Numbering::NonCountry(code);
        }
        match found {
            _ if has_belarus_trunk(digits) => Numbering::Unknown,
            Some(found) if found.e164() == number.as_str() => {
                iso(found.country().code).map_or(Numbering::Unknown, Numbering::Country)
            }
            _ => Numbering::Unknown,
        }
    }
}

/// The country of `number`; `None` for a number of no plan or of no country.
pub fn country(number: &E164) -> Option<CountryCode> {
    Numbering::of(number).country()
}

/// Belarus dials 8 (or 80) before a number, and has numbers of its own under 8, up to ten digits long: the tables tell
/// the two apart by length alone. Source: ITU-T Operational Bulletin, +375 (8 800, 801, 803, 810, 820).
fn has_belarus_trunk(digits: &str) -> bool {
    let Some(national) = digits.strip_prefix("375").filter(|national| national.starts_with('8')) else {
        return false;
    };
    let own = ["800", "801", "803", "810", "820"].iter().any(|range| national.starts_with(range));
    !own || national.len() > 10
}

fn decimal_digits(code: u32) -> usize {
    code.checked_ilog10().map_or(1, |log| log as usize + 1)
}

fn iso(code: &str) -> Option<CountryCode> {
    // Ascension and Tristan da Cunha have codes of their own in numbering tables; ISO 3166-1 assigns them to
    // Saint Helena.
    let code = if matches!(code, "AC" | "TA") { "SH" } else { code };
    code.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_names_its_country() {
        for (number, expected) in [
            ("+12065550100", "US"),
            ("+16045550100", "CA"),
            ("+18765550100", "JM"),
            ("+16585550100", "JM"),
            ("+18095550100", "DO"),
            ("+17875550100", "PR"),
            ("+12425550100", "BS"),
            ("+442079460958", "GB"),
            ("+441481960194", "GG"),
            ("+77012345678", "KZ"),
            ("+79161234567", "RU"),
            ("+2476889", "-"),
            ("+24762889", "SH"),
            ("+4930123456", "DE"),
            ("+390669812345", "VA"),
            ("+881612345678", "-"),
            ("+97912345", "-"),
            ("+15555550100", "-"),
            ("+12061110000", "-"),
            ("+21012345678", "-"),
            ("+4408712345678", "-"),
            ("+490900123456", "-"),
            ("+360612345678", "-"),
            ("+789161234567", "-"),
            ("+375291234567", "BY"),
            ("+3758291234567", "-"),
            ("+37580291234567", "-"),
            ("+3758011234567", "BY"),
        ] {
            let found = country(&number.parse().unwrap());
            assert_eq!(found.map_or("-".to_owned(), |code| code.to_string()), expected, "{number}");
        }
        assert_eq!(Numbering::of(&"+881612345678".parse().unwrap()), Numbering::NonCountry("881"));
        assert_eq!(Numbering::of(&"+21012345678".parse().unwrap()), Numbering::Unknown);
    }

    #[test]
    fn a_calling_code_covers_the_area_where_that_makes_the_country() {
        for (number, length) in
            [("+12065550100", 1), ("+18765550100", 4), ("+442079460958", 2), ("+21012345678", 0)]
        {
            assert_eq!(PlanEntry::of(&number.parse().unwrap()).calling_code_len, length, "{number}");
        }
    }
}
