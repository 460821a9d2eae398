//! What people dial for help.

use config::CountryCode;

/// What people dial for help, by country. A string that stands here and has no entry in the configuration is
/// refused as an emergency call without a way (404), not as a bad number (484). Source: ITU-T E.161.1 (112 and
/// 911 everywhere as secondary), national plans; test numbers (933) only where they are a convention.
const NUMBERS: &[(&str, &[&str])] = &[
    ("AE", &["999", "998", "997"]),
    ("AR", &["911", "107", "100", "101"]),
    ("AU", &["000", "106", "112"]),
    ("BR", &["190", "192", "193"]),
    ("CA", &["911", "933"]),
    ("CH", &["112", "117", "118", "144"]),
    ("CL", &["131", "132", "133"]),
    ("CN", &["110", "119", "120", "122"]),
    ("CO", &["123"]),
    ("EG", &["122", "123", "180"]),
    ("FR", &["112", "114", "15", "17", "18"]),
    ("GB", &["999", "112"]),
    ("GG", &["999", "112"]),
    ("HK", &["999"]),
    ("ID", &["110", "112", "118", "119"]),
    ("IE", &["999", "112"]),
    ("IL", &["100", "101", "102"]),
    ("IM", &["999", "112"]),
    ("IN", &["112", "100", "101", "102", "108"]),
    ("JE", &["999", "112"]),
    ("JM", &["119", "110"]),
    ("JP", &["110", "118", "119"]),
    ("KE", &["999", "112"]),
    ("KR", &["112", "119"]),
    ("MX", &["911"]),
    ("MY", &["999"]),
    ("NG", &["112", "199"]),
    ("NO", &["110", "112", "113"]),
    ("NZ", &["111"]),
    ("PH", &["911"]),
    ("PK", &["15", "16", "1122"]),
    ("PR", &["911", "933"]),
    ("RU", &["112", "101", "102", "103"]),
    ("SA", &["911", "997", "998", "999"]),
    ("SG", &["995", "999"]),
    ("TH", &["191", "199", "1669"]),
    ("TR", &["112", "155"]),
    ("TT", &["990", "999"]),
    ("TW", &["110", "119"]),
    ("UA", &["112", "101", "102", "103"]),
    ("US", &["911", "933"]),
    ("VN", &["113", "114", "115"]),
    ("ZA", &["112", "10111", "10177"]),
];

/// What is dialled for help in `country`. Those without a row of their own: 112 and 911, which ITU-T E.161.1
/// recommends and every mobile phone knows.
pub fn well_known(country: CountryCode) -> &'static [&'static str] {
    let row = NUMBERS.iter().find(|(code, _)| *code == country.as_str());
    row.map_or(&["112", "911"], |(_, digits)| digits)
}

/// Whether `digits` ask for help in any of `countries`; 911 and 112 ask for it everywhere.
pub fn is_well_known(digits: &str, countries: &[CountryCode]) -> bool {
    matches!(digits, "911" | "112") || countries.iter().any(|country| well_known(*country).contains(&digits))
}

/// Whether a URI is the name of an emergency service: `urn:service:sos`, or one below it as `urn:service:sos.fire`. Case
/// does not count. RFC 5031 §4.2.
pub fn is_emergency_service(uri: &str) -> bool {
    const SOS: &str = "urn:service:sos";
    let named = uri.get(..SOS.len()).is_some_and(|head| head.eq_ignore_ascii_case(SOS));
    named && matches!(uri.as_bytes().get(SOS.len()), None | Some(b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_names() {
        for (uri, named) in [
            ("urn:service:sos", true),
            ("URN:Service:SOS.fire", true),
            ("urn:service:sos.animal-control", true),
            ("urn:service:sosx", false),
            ("urn:service:counseling", false),
            ("urn:service:test.sos", false),
            ("sos", false),
            ("", false),
        ] {
            assert_eq!(is_emergency_service(uri), named, "{uri}");
        }
    }

    #[test]
    fn help_is_asked_for_by_country() {
        let country = |code: &str| code.parse::<CountryCode>().unwrap();
        for (digits, countries, known) in [
            ("911", vec![], true),
            ("112", vec![country("US")], true),
            ("999", vec![country("US")], false),
            ("999", vec![country("US"), country("GB")], true),
            ("000", vec![country("AU")], true),
            ("933", vec![country("US")], true),
            ("1001", vec![country("US"), country("GB")], false),
            ("113", vec![country("DE")], false),
        ] {
            assert_eq!(is_well_known(digits, &countries), known, "{digits} {countries:?}");
        }
        for (code, _) in NUMBERS {
            assert!(code.parse::<CountryCode>().is_ok(), "{code}");
        }
    }
}
