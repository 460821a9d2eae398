//! Countries.

use std::fmt;
use std::str::FromStr;

use super::ValueError;

/// A country by its two capital letters, ISO 3166-1 alpha-2: `US`, `GB`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CountryCode([u8; 2]);

impl CountryCode {
    /// The two letters.
    pub fn as_str(&self) -> &str {
        // Always ASCII: `from_str` lets nothing else in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Every code that ISO 3166-1 assigns, and `XK` (Kosovo), which numbering plans use.
const CODES: &str = "\
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO \
FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE \
JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO \
MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW \
PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM \
TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

impl FromStr for CountryCode {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if let Ok(letters) = <[u8; 2]>::try_from(text.as_bytes())
            && is_assigned(letters)
        {
            return Ok(Self(letters));
        }
        let capitals = text.to_ascii_uppercase();
        let remedy = if CODES.split(' ').any(|code| code == capitals) {
            format!("{capitals:?}")
        } else if capitals == "UK" {
            "\"GB\"".into()
        } else {
            "two capital letters of ISO 3166, as in \"US\"".into()
        };
        Err(ValueError::new(format!("{text:?} is not a country"), remedy))
    }
}

fn is_assigned(letters: [u8; 2]) -> bool {
    // In order, and no space behind the last.
    let (codes, last) = CODES.as_bytes().as_chunks();
    *last == letters || codes.binary_search_by_key(&letters, |&[first, second, _]| [first, second]).is_ok()
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_assigned_codes_pass() {
        assert_eq!(CODES.split(' ').count(), 250);
        assert!(CODES.split(' ').is_sorted());
        for code in CODES.split(' ') {
            assert_eq!(code.parse::<CountryCode>().unwrap().as_str(), code);
        }
        for text in ["US", "GB", "XK", "ZW", "AD"] {
            assert_eq!(text.parse::<CountryCode>().unwrap().as_str(), text);
        }
        for (text, remedy) in [
            ("us", "\"US\""),
            ("UK", "\"GB\""),
            ("USA", "two capital letters of ISO 3166, as in \"US\""),
            ("A ", "two capital letters of ISO 3166, as in \"US\""),
            ("ÄÖ", "two capital letters of ISO 3166, as in \"US\""),
        ] {
            assert_eq!(text.parse::<CountryCode>().unwrap_err().remedy, remedy, "{text}");
        }
    }
}
