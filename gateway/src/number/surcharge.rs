//! Which numbers cost more than their country says.

use config::E164;
use phonelib::PhoneNumberType;

use super::{Numbering, PlanEntry};

/// Why a call costs more than its country says, so that a calling plan does not cover it by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surcharge {
    /// A code of no country: satellites, global networks (`+881`, `+882`, `+883`, `+979` ...).
    NonCountry(&'static str),
    /// Premium rate: the called party is paid by the caller.
    Premium,
    /// Caller and called party share the cost, at a rate that no calling plan knows (`+49 180`, `+61 1300`).
    SharedCost,
    /// A number that follows a person (`+4470`, `+1500`): priced by whoever holds it, a favourite of fraud.
    Personal,
}

impl std::fmt::Display for Surcharge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Surcharge::NonCountry(code) => write!(f, "+{code} is a code of no country"),
            Surcharge::Premium => f.write_str("premium rate"),
            Surcharge::SharedCost => f.write_str("shared cost"),
            Surcharge::Personal => f.write_str("personal number"),
        }
    }
}

/// Ranges refused whatever the number tables say of the single number: the tables know allocated blocks, and those by
/// three digits at most; fraud knows the others. Sources: NANPA (900; 976 see below), Ofcom's National Telephone
/// Numbering Plan (09, 087, 070), Bundesnetzagentur (0900, 0137, 0180), ARCEP (089), ACMA (190), AGCOM (89, 166, 0878),
/// Nkom (810), BIPT (07879).
const PREMIUM: &[&str] =
    &["1900", "449", "4487", "49900", "49137", "3389", "61190", "3989", "39166", "390878"];
const SHARED_COST: &[&str] = &["49180", "47810", "327879"];
const PERSONAL: &[&str] = &["4470", "49700"];

/// Canada's areas of no place: special services and numbers that follow a person. Source: Canadian Numbering
/// Administrator, "NPA codes in service". The tables take them for places.
const CANADIAN: &[&str] = &["1600", "1622", "1633", "1644", "1655", "1677", "1688"];

/// What `number` costs beyond its country; none for an ordinary number, and for toll-free ones.
///
/// - `entry`: the number's own.
pub fn surcharge(number: &E164, entry: &PlanEntry) -> Option<Surcharge> {
    if let Numbering::NonCountry(code) = entry.numbering {
        return Some(Surcharge::NonCountry(code));
    }
    let digits = number.digits();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| digits.starts_with(prefix));
    let kind = entry.kind;
    match kind {
        Some(PhoneNumberType::TollFree) => return None,
        Some(PhoneNumberType::PremiumRate) => return Some(Surcharge::Premium),
        Some(PhoneNumberType::SharedCost) => return Some(Surcharge::SharedCost),
        Some(PhoneNumberType::PersonalNumber) => return Some(Surcharge::Personal),
        _ => {}
    }
    if starts(PREMIUM) || is_local_premium(digits) {
        return Some(Surcharge::Premium);
    }
    if starts(SHARED_COST) || is_chinese_service(digits) {
        return Some(Surcharge::SharedCost);
    }
    let is_a_place = kind == Some(PhoneNumberType::FixedLineOrMobile) && !starts(CANADIAN);
    if starts(PERSONAL) || digits.starts_with('1') && !is_a_place {
        return Some(Surcharge::Personal);
    }
    None
}

/// The exchange 976 of any area under +1 is premium rate. Source: NANPA, "976-like" codes.
fn is_local_premium(digits: &str) -> bool {
    digits.len() == 11 && digits.starts_with('1') && digits.get(4..7) == Some("976")
}

/// China's information lines, 96 and three or four digits more behind an area code. Source: libphonenumber.
fn is_chinese_service(digits: &str) -> bool {
    let Some(national) = digits.strip_prefix("86").filter(|national| national.len() < 10) else {
        return false;
    };
    [2, 3].iter().any(|area| national.get(*area..).is_some_and(|local| local.starts_with("96")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn premium_and_non_country_codes_are_seen() {
        for (number, expected) in [
            ("+12065550100", None),
            ("+18005550100", None),
            ("+442079460958", None),
            ("+448001111111", None),
            ("+447700900123", None),
            ("+491512345678", None),
            ("+19005550100", Some(Surcharge::Premium)),
            ("+12129765555", Some(Surcharge::Premium)),
            ("+449098790000", Some(Surcharge::Premium)),
            ("+448712345678", Some(Surcharge::Premium)),
            ("+499001234567", Some(Surcharge::Premium)),
            ("+33899123456", Some(Surcharge::Premium)),
            ("+15005550100", Some(Surcharge::Personal)),
            ("+15325550100", Some(Surcharge::Personal)),
            ("+15335550100", Some(Surcharge::Personal)),
            ("+16225550100", Some(Surcharge::Personal)),
            ("+16335550100", Some(Surcharge::Personal)),
            ("+17005550100", Some(Surcharge::Personal)),
            ("+18009765555", None),
            ("+18889765555", None),
            ("+390878123456", Some(Surcharge::Premium)),
            ("+491801234567", Some(Surcharge::SharedCost)),
            ("+611300123456", Some(Surcharge::SharedCost)),
            ("+4781012345", Some(Surcharge::SharedCost)),
            ("+861096123", Some(Surcharge::SharedCost)),
            ("+861012345678", None),
            ("+447012345678", Some(Surcharge::Personal)),
            ("+881612345678", Some(Surcharge::NonCountry("881"))),
            ("+882123456789", Some(Surcharge::NonCountry("882"))),
            ("+883512345678", Some(Surcharge::NonCountry("883"))),
            ("+979123456789", Some(Surcharge::NonCountry("979"))),
            ("+870123456789", Some(Surcharge::NonCountry("870"))),
        ] {
            let number = number.parse().unwrap();
            assert_eq!(surcharge(&number, &PlanEntry::of(&number)), expected, "{number}");
        }
    }
}
