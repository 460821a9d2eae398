use config::E164;
use phonelib::PhoneNumberType;

use super::Numbering;

/// Why a call costs more than its country says, so that a calling plan does not cover it by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surcharge {
    /// A code of no country: satellites, global networks (`+881`, `+882`, `+883`, `+979` ...).
    NonCountry(&'static str),
    /// Premium rate: the called party is paid by the caller.
    Premium,
    /// A number that follows a person (`+4470`, `+1500`): priced by whoever holds it, a favourite of fraud.
    Personal,
}

impl std::fmt::Display for Surcharge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Surcharge::NonCountry(code) => write!(f, "+{code} is a code of no country"),
            Surcharge::Premium => f.write_str("premium rate"),
            Surcharge::Personal => f.write_str("personal number"),
        }
    }
}

/// Ranges refused whatever the number tables say of the single number: the tables know allocated blocks, fraud
/// knows the others. Sources: NANPA (900; 976 see below), Ofcom's National Telephone Numbering Plan (09, 087,
/// 070), Bundesnetzagentur (0900, 0137), ARCEP (089), ACMA (190), AGCOM (89, 166).
const PREMIUM: &[&str] = &["1900", "449", "4487", "49900", "49137", "3389", "61190", "3989", "39166"];
const PERSONAL: &[&str] = &["4470", "49700"];

/// What `number` costs beyond its country; none for an ordinary number, and for toll-free ones.
pub fn surcharge(number: &E164) -> Option<Surcharge> {
    if let Numbering::NonCountry(code) = Numbering::of(number) {
        return Some(Surcharge::NonCountry(code));
    }
    let digits = number.digits();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| digits.starts_with(prefix));
    if starts(PREMIUM) || is_local_premium(digits) {
        return Some(Surcharge::Premium);
    }
    if starts(PERSONAL) {
        return Some(Surcharge::Personal);
    }
    match phonelib::detect_phone_number_type(number.as_str()) {
        Some(PhoneNumberType::PremiumRate) => Some(Surcharge::Premium),
        Some(PhoneNumberType::PersonalNumber) => Some(Surcharge::Personal),
        _ => None,
    }
}

/// The exchange 976 of any area under +1 is premium rate. Source: NANPA, "976-like" codes.
fn is_local_premium(digits: &str) -> bool {
    digits.len() == 11 && digits.starts_with('1') && digits.get(4..7) == Some("976")
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
            ("+447012345678", Some(Surcharge::Personal)),
            ("+881612345678", Some(Surcharge::NonCountry("881"))),
            ("+882123456789", Some(Surcharge::NonCountry("882"))),
            ("+883512345678", Some(Surcharge::NonCountry("883"))),
            ("+979123456789", Some(Surcharge::NonCountry("979"))),
            ("+870123456789", Some(Surcharge::NonCountry("870"))),
        ] {
            assert_eq!(surcharge(&number.parse().unwrap()), expected, "{number}");
        }
    }
}
