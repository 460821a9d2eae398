//! How numbers are dialled inside each country.

use crate::CountryCode;

/// How numbers are dialled inside a country, from Google's libphonenumber (metadata 9.0.33): the digits that its formatter
/// writes, which a test of the gateway compares with it for every country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialling {
    /// What is dialled before a foreign number; none where there are several, each of another carrier.
    pub international: Option<&'static str>,
    /// What is dialled before a national number; empty: nothing.
    pub trunk: &'static str,
    /// Which numbers are dialled without it: how they begin, and how long they are (0: whatever length).
    bare: &'static [(&'static str, usize)],
}

impl Dialling {
    /// How `country` dials; none where that is not known for sure: Argentina and Brazil have forms of their own for
    /// mobiles and carriers, Belarus and Gabon several trunk prefixes.
    pub fn of(country: CountryCode) -> Option<&'static Dialling> {
        let has = |countries: &str| countries.split(' ').any(|code| code == country.as_str());
        COUNTRIES.iter().find(|(countries, _)| has(countries)).map(|(_, dialling)| dialling)
    }

    /// A national number as it is dialled.
    ///
    /// - `significant`: what follows the calling code in E.164.
    pub fn national(&self, significant: &str) -> String {
        let is_bare = |(start, length): &(&str, usize)| {
            significant.starts_with(start) && (*length == 0 || significant.len() == *length)
        };
        let trunk = if self.bare.iter().any(is_bare) { "" } else { self.trunk };
        format!("{trunk}{significant}")
    }
}

const fn dialling(
    international: &'static str,
    trunk: &'static str,
    bare: &'static [(&'static str, usize)],
) -> Dialling {
    Dialling { international: Some(international), trunk, bare }
}

const ALL: &[(&str, usize)] = &[("", 0)];

/// Countries that dial alike.
const COUNTRIES: &[(&str, Dialling)] = &[
    (
        "AD AO AW BF BH BI BJ BN BQ BT BW BZ CF CG CI CK CM CR CW CY CZ DJ DK EE ES FJ FK FM FO GI GL \
          GM GN GQ GR GT GW HN HT IO IS IT KM KW LS LU LV ML MO MR MT MV MX MZ NC NE NF NI NO NR NU OM \
          PA PF PG PL PT QA SB SC SH SJ SM SN SR ST SV SZ TD TG TK TL TN TO TV UZ VA VU WF",
        dialling("00", "", &[]),
    ),
    (
        "AF AL AM AT AX AZ BA BD BE BG BL CD CH DE DZ EG EH ER ET FI FR GB GF GG GH GP HR IM IQ IR JE \
          JO KG KP LA LK LR LT LY MA MD ME MF MG MK MM MQ MW NA NZ PM RE RO RS SD SE SI SK SL SS SY UA \
          VE XK YE YT ZA ZM ZW",
        dialling("00", "0", &[]),
    ),
    (
        "AG AI AS BB BM BS CA DM DO GD GU JM KN KY LC MH MP MS PR SX TC TT US VC VG VI",
        dialling("011", "1", ALL),
    ),
    ("EC IL PH PK PS", dialling("00", "0", &[("1", 0)])),
    ("KI LI SO", dialling("00", "0", ALL)),
    ("KE TZ UG", dialling("000", "0", &[])),
    ("GY HK SG", dialling("001", "", &[])),
    ("AU CC CX", dialling("0011", "0", &[("13", 0), ("18", 0), ("19", 0)])),
    ("KZ RU TM", dialling("810", "8", &[])),
    ("CV WS", dialling("0", "", &[])),
    ("LB", dialling("00", "0", &[("", 8)])),
    ("UY", dialling("00", "0", &[("0", 0), ("1", 0), ("2", 0), ("4", 8)])),
    ("RW", dialling("00", "0", &[("0", 0), ("2", 0)])),
    ("VN", dialling("00", "0", &[("120", 0), ("122", 0), ("18", 0), ("190", 0), ("199", 8)])),
    (
        "CN",
        dialling(
            "00",
            "0",
            &[
                ("13", 0),
                ("14", 0),
                ("15", 0),
                ("16", 0),
                ("17", 0),
                ("18", 0),
                ("19", 0),
                ("400", 10),
                ("800", 0),
                ("950", 0),
            ],
        ),
    ),
    ("MY", dialling("00", "0", &[("13", 10), ("16", 10), ("17", 10), ("18", 10)])),
    ("NL", dialling("00", "0", &[("14", 5), ("14", 6)])),
    ("IN", dialling("00", "0", &[("140", 0), ("1800", 0), ("1860", 0), ("1861", 0), ("1", 13)])),
    ("IE", dialling("00", "0", &[("15", 10), ("18", 10)])),
    ("NP", dialling("00", "0", &[("1660", 11), ("18", 0), ("9", 10)])),
    ("MC", dialling("00", "0", &[("3", 0), ("8", 0), ("9", 0)])),
    ("AE", dialling("00", "0", &[("40", 0), ("60", 0), ("70", 0), ("8", 0), ("90", 0)])),
    ("TR", dialling("00", "0", &[("444", 0)])),
    ("GE", dialling("00", "0", &[("5", 0), ("79", 0)])),
    ("SA", dialling("00", "0", &[("8", 0), ("9", 0)])),
    ("PY", dialling("00", "0", &[("87", 0), ("980", 0)])),
    ("PE", dialling("00", "0", &[("9", 0)])),
    ("HU", dialling("00", "06", &[])),
    ("KR", dialling("001", "0", &[("0", 0), ("1", 8)])),
    ("TH", dialling("001", "0", &[("1800", 10), ("1900", 10)])),
    ("MN", dialling("001", "0", &[("5", 0), ("6", 0), ("7", 0), ("8", 0), ("9", 0)])),
    ("KH", dialling("001", "0", &[("1800", 10), ("1900", 10)])),
    ("TW", dialling("002", "0", &[])),
    ("CO", dialling("009", "0", &[("3", 0), ("4", 0), ("6", 0), ("9", 0)])),
    ("NG", dialling("009", "0", &[])),
    ("JP", dialling("010", "0", &[("0", 0)])),
    ("PW", dialling("011", "", &[])),
    ("MU", dialling("020", "", &[])),
    ("CU", dialling("119", "0", &[])),
    ("TJ", dialling("810", "", &[])),
    ("CL", Dialling { international: None, trunk: "", bare: &[] }),
    ("BO", Dialling { international: None, trunk: "0", bare: ALL }),
    ("ID", Dialling { international: None, trunk: "0", bare: &[("1", 7)] }),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_has_one_way() {
        let mut codes: Vec<&str> = COUNTRIES.iter().flat_map(|(codes, _)| codes.split(' ')).collect();
        let count = codes.len();
        assert!(count > 230, "{count}");
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert!(codes.iter().all(|code| code.parse::<CountryCode>().is_ok()));
        for unsure in ["AR", "BR", "BY", "GA", "AQ"] {
            assert_eq!(Dialling::of(unsure.parse().unwrap()), None, "{unsure}");
        }
    }

    #[test]
    fn some_numbers_go_without_a_trunk_prefix() {
        for (country, significant, dialled) in [
            ("GB", "2079460958", "02079460958"),
            ("US", "2065550100", "2065550100"),
            ("IE", "1850123456", "1850123456"),
            ("IE", "15123456", "015123456"),
            ("LB", "8123456", "08123456"),
            ("LB", "70123456", "70123456"),
        ] {
            let dialling = Dialling::of(country.parse().unwrap()).unwrap();
            assert_eq!(dialling.national(significant), dialled);
        }
    }
}
