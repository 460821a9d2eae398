//! Our country and cost look-ups against `phonenumber`, an independent reading of Google's libphonenumber.

use std::collections::BTreeMap;

use config::E164;
use phonenumber::Type;
use phonenumber::metadata::DATABASE;

use super::{Numbering, surcharge};
use crate::random::{Random, SeededRandom};

/// What the oracle says of a number that it holds for valid: its region and type.
fn oracle(number: &E164) -> Option<(String, Type)> {
    let parsed = phonenumber::parse(None, number.as_str()).ok()?;
    let written = format!("+{}{}", parsed.code().value(), parsed.national());
    if written != number.as_str() || !parsed.is_valid() {
        return None;
    }
    let region = parsed.metadata(&DATABASE)?.id().to_owned();
    Some((region, parsed.number_type(&DATABASE)))
}

/// Some numbers of every calling code, and one of every area under +1; the same each time.
fn numbers(of_each: usize) -> Vec<E164> {
    let mut random = SeededRandom::new(0x5EED);
    let mut numbers = Vec::new();
    for code in (2..1000).filter(|code| DATABASE.by_code(code).is_some()) {
        let mut left = of_each;
        for _ in 0..of_each * 50 {
            let length = 6 + random.below(6);
            let digits: String = (0..length).map(|_| char::from(b'0' + random.below(10) as u8)).collect();
            let number: E164 = format!("+{code}{digits}").parse().unwrap();
            if left > 0 && Numbering::of(&number) != Numbering::Unknown {
                left -= 1;
                numbers.push(number);
            }
        }
    }
    numbers.extend((200..1000).filter_map(|area| format!("+1{area}2345678").parse().ok()));
    numbers
}

#[test]
fn countries_and_premium_agree_with_libphonenumber() {
    let mut compared = 0;
    let mut disagreements = BTreeMap::new();
    let mut missed = BTreeMap::new();
    for number in numbers(4) {
        let Some((country, kind)) = oracle(&number) else { continue };
        compared += 1;
        let ours = match Numbering::of(&number) {
            Numbering::Country(country) => country.to_string(),
            Numbering::NonCountry(_) => "001".to_owned(),
            Numbering::Unknown => "unknown".to_owned(),
        };
        if ours != country {
            disagreements.insert((country.clone(), ours), number.clone());
        }
        // We may refuse more: whole ranges, where the oracle knows the blocks in use.
        if kind == Type::PremiumRate && surcharge(&number).is_none() {
            missed.insert(country, number);
        }
    }
    assert!(compared > 500, "{compared}");
    assert!(missed.is_empty(), "{missed:?}");
    // Ascension has its own code in libphonenumber and Saint Helena's in ISO 3166-1. With 40 numbers of each
    // calling code (2,300 compared) it is still the only one.
    disagreements.remove(&("AC".to_owned(), "SH".to_owned()));
    assert!(disagreements.is_empty(), "{disagreements:?}");
}

/// Random numbers of every calling code that the oracle holds for valid; the same each time.
///
/// - `leading`: the first digits after the calling code.
fn valid_numbers(leading: &str) -> Vec<E164> {
    let mut random = SeededRandom::new(0xFEED);
    let mut numbers = Vec::new();
    for code in (2..1000).filter(|code| DATABASE.by_code(code).is_some()) {
        for _ in 0..40 {
            let length = 6 + random.below(5);
            let digits: String = (0..length).map(|_| char::from(b'0' + random.below(10) as u8)).collect();
            let Ok(number) = format!("+{code}{leading}{digits}").parse() else { continue };
            if oracle(&number).is_some() {
                numbers.push(number);
            }
        }
    }
    numbers
}

#[test]
fn a_zero_that_belongs_to_the_number_makes_it_no_trunk_prefix() {
    for (leading, fewest) in [("", 500), ("0", 20)] {
        let mut numbers = valid_numbers(leading);
        // What the tables of lengths lack is a gap of theirs, the same with and without a trunk prefix.
        numbers.retain(|number| phonelib::is_valid_phone_number(number.as_str()));
        assert!(numbers.len() > fewest, "{leading:?}: {}", numbers.len());
        numbers.retain(|number| Numbering::of(number) == Numbering::Unknown);
        assert!(numbers.is_empty(), "{numbers:?}");
    }
}

#[test]
fn a_trunk_prefix_after_the_calling_code_makes_no_number() {
    let mut compared = 0;
    let mut taken = BTreeMap::new();
    for number in valid_numbers("") {
        let Ok(parsed) = phonenumber::parse(None, number.as_str()) else { continue };
        let trunk = parsed.metadata(&DATABASE).and_then(|region| region.national_prefix());
        let (code, national) = (parsed.code().value(), parsed.national().to_string());
        let Some(Ok(dialled)) = trunk.map(|trunk| format!("+{code}{trunk}{national}").parse::<E164>()) else {
            continue;
        };
        // The oracle reads the number without its trunk prefix, and so may a carrier.
        let read = phonenumber::parse(None, dialled.as_str());
        if read.is_ok_and(|read| read.national().to_string() == national) {
            compared += 1;
            if Numbering::of(&dialled) != Numbering::Unknown {
                taken.insert(code, dialled);
            }
        }
    }
    assert!(compared > 300, "{compared}");
    assert!(taken.is_empty(), "{taken:?}");
}
