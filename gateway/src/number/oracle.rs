//! Our country and cost look-ups against `phonenumber`, an independent reading of Google's libphonenumber.

use std::collections::BTreeMap;

use config::{CountryCode, Dialling, E164, NumberFormat};
use phonenumber::metadata::DATABASE;
use phonenumber::{Metadata, Mode, Type};
use regex::Regex;

use super::{Numbering, PlanEntry, read, surcharge, write};
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
        let is_paid = matches!(kind, Type::PremiumRate | Type::SharedCost | Type::PersonalNumber);
        if is_paid && surcharge(&number, &PlanEntry::of(&number)).is_none() {
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

/// What each kind of number costs: one that pays its holder, shares its cost or follows a person is no ordinary one, and
/// all others are.
#[test]
fn an_example_of_every_region_and_type_costs_what_its_type_says() {
    const PAID: [Type; 3] = [Type::PremiumRate, Type::SharedCost, Type::PersonalNumber];
    const ORDINARY: [Type; 6] =
        [Type::FixedLine, Type::Mobile, Type::TollFree, Type::Voip, Type::Pager, Type::Voicemail];
    let (mut compared, mut missed, mut refused) = (0, BTreeMap::new(), BTreeMap::new());
    for region in DATABASE.iter().filter(|region| region.id() != "001") {
        for kind in PAID.iter().chain(&ORDINARY) {
            let example = region.descriptors().get(*kind).and_then(|descriptor| descriptor.example());
            let Some(example) = example else { continue };
            let Ok(number) = format!("+{}{example}", region.country_code()).parse::<E164>() else { continue };
            let Some((_, of_kind)) = oracle(&number).filter(|(_, kind)| *kind != Type::Unknown) else {
                continue;
            };
            compared += 1;
            let is_paid = surcharge(&number, &PlanEntry::of(&number)).is_some();
            let at = (region.id().to_owned(), format!("{of_kind:?}"));
            match PAID.contains(&of_kind) {
                true if !is_paid => drop(missed.insert(at, number)),
                false if is_paid => drop(refused.insert(at, number)),
                _ => {}
            }
        }
    }
    assert!(compared > 900, "{compared}");
    assert!(missed.is_empty(), "{missed:#?}");
    // Canada's 600 leads to satellites and the far north, at rates of their own.
    refused.remove(&("CA".to_owned(), "Voip".to_owned()));
    assert!(refused.is_empty(), "{refused:#?}");
}

/// Numbers of `region` that its plan has, and as the oracle writes them inside it.
///
/// The oracle's own check takes a number that only begins like a valid one, and writes a number that none of its formats
/// fits as it is: neither says how anybody dials.
fn written_at_home(region: &Metadata, random: &mut SeededRandom) -> Vec<(E164, String)> {
    const KINDS: [Type; 8] = [
        Type::FixedLine,
        Type::Mobile,
        Type::TollFree,
        Type::PremiumRate,
        Type::SharedCost,
        Type::PersonalNumber,
        Type::Voip,
        Type::Uan,
    ];
    let mut written = Vec::new();
    for kind in &KINDS {
        let Some(descriptor) = region.descriptors().get(*kind) else { continue };
        let Some(example) = descriptor.example() else { continue };
        // The long patterns have line ends in them, which mean nothing.
        let whole = Regex::new(&format!("(?x)^(?:{})$", descriptor.national_number().as_str())).unwrap();
        // The example, others that begin like it, and any.
        let starts = [example.len(), 5, 4, 3, 2, 2, 1, 1, 1, 0, 0, 0, 0];
        let starts = starts.iter().map(|start| example.get(..*start).unwrap_or(example).to_owned());
        // Which numbers go without the trunk prefix depends on how they begin: each beginning of fixed lines.
        let areas = if *kind == Type::FixedLine { 0..100 } else { 0..0 };
        let starts = starts.chain(areas.map(|area| format!("{area:02}")));
        let lengths = descriptor.possible_length().iter().map(|length| usize::from(*length));
        for (start, length) in
            starts.flat_map(|start| lengths.clone().map(move |length| (start.clone(), length)))
        {
            let mut significant = start;
            significant.truncate(length);
            while significant.len() < length {
                significant.push(char::from(b'0' + random.below(10) as u8));
            }
            let Ok(number) = format!("+{}{significant}", region.country_code()).parse::<E164>() else {
                continue;
            };
            if !whole.is_match(&significant) || oracle(&number).is_none_or(|(id, _)| id != region.id()) {
                continue;
            }
            let Ok(parsed) = phonenumber::parse(None, number.as_str()) else { continue };
            let text = parsed.format().mode(Mode::National).to_string();
            if region.formats().is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                written.push((number, text.chars().filter(char::is_ascii_digit).collect()));
            }
        }
    }
    written
}

#[test]
fn numbers_are_dialled_at_home_as_libphonenumber_writes_them() {
    let mut compared = 0;
    let mut wrong = BTreeMap::new();
    let mut random = SeededRandom::new(0xD1A1);
    for region in DATABASE.iter() {
        let Ok(country) = region.id().parse::<CountryCode>() else { continue };
        if Dialling::of(country).is_none() {
            continue;
        }
        for (number, expected) in written_at_home(region, &mut random) {
            // What the tables of lengths lack is a gap of theirs: such a number is written in E.164.
            if Numbering::of(&number) == Numbering::Unknown {
                continue;
            }
            compared += 1;
            let written = write(&number, NumberFormat::National, Some(country));
            if written != expected {
                wrong.insert(number.clone(), format!("{country}: {written}, not {expected}"));
            }
            if read(&written, NumberFormat::National, Some(country)) != Some(number.clone()) {
                wrong.insert(number, format!("{country}: {written} is not read back"));
            }
        }
    }
    assert!(compared > 11_000, "{compared}");
    assert!(wrong.is_empty(), "{} of {compared}: {wrong:#?}", wrong.len());
}

/// What is dialled before a foreign number is what libphonenumber prefers, or one of those that it knows.
#[test]
fn foreign_numbers_are_dialled_as_libphonenumber_knows() {
    let mut compared = 0;
    for region in DATABASE.iter() {
        let Some(dialling) = region.id().parse().ok().and_then(Dialling::of) else { continue };
        let Some(prefix) = dialling.international else { continue };
        let known = region.international_prefix().and_then(|known| known.find(prefix));
        assert_eq!(known.map(|found| found.as_str().len()), Some(prefix.len()), "{}: {prefix}", region.id());
        if let Some(preferred) = region.preferred_international_prefix() {
            // Hong Kong has 00 and a digit of the carrier, which libphonenumber leaves to the reader.
            let is_right = preferred.replace('~', "") == prefix || region.id() == "HK";
            assert!(is_right, "{}: {prefix}", region.id());
        }
        compared += 1;
    }
    assert!(compared > 225, "{compared}");
}
