//! Emergency calls of a connector.

use crate::read::{Item, Table};
use crate::{CountryCode, E164};

/// `[[voice_connector.emergency]]`: where emergency calls of a country go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emergency {
    /// Unique within the connector.
    pub country: CountryCode,
    /// Dialled as is: 2 to 6 digits each, not empty.
    pub digits: Vec<String>,
    /// Where the call goes instead.
    pub routing_number: E164,
    /// Dialled for a test. Default: none.
    pub test_digits: Vec<String>,
    /// Where test calls go. Required where `test_digits` are given.
    pub test_routing_number: Option<E164>,
}

impl Emergency {
    pub(crate) fn read(table: &Table<'_>) -> Option<Self> {
        let reader = table.reader();
        let country = table.required("country", "country = \"US\"").and_then(|item| item.parse());
        let digits = table.required("digits", "digits = [\"911\"]").map(|item| digits_of(&item));
        let number = "routing_number = \"+15105550111\", where the calls go";
        let routing_number = table.required("routing_number", number).and_then(|item| item.parse());
        if let Some(item) = table.get("digits")
            && item.list().is_some_and(|list| list.is_empty())
        {
            item.wrong("`digits` is empty", "[\"911\"], or what else is dialled");
        }
        let test_digits = table.get("test_digits").map(|item| digits_of(&item)).unwrap_or_default();
        let test_routing_number = table.get("test_routing_number").and_then(|item| item.parse());
        if !test_digits.is_empty() && table.get("test_routing_number").is_none() {
            let remedy = "write test_routing_number = \"+15105550112\", or whatever number takes tests, or remove test_digits";
            reader.error(table.at(), "`test_digits` without `test_routing_number`", remedy);
        }
        Some(Self {
            country: country?,
            digits: digits?,
            routing_number: routing_number?,
            test_digits,
            test_routing_number,
        })
    }
}

fn digits_of(item: &Item<'_>) -> Vec<String> {
    let digits = |item: &Item<'_>| {
        let text = item.string()?;
        let fits = (2..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if !fits {
            item.wrong(format!("{text:?} is no emergency number"), "2 to 6 digits, as in \"911\"");
        }
        fits.then(|| text.to_owned())
    };
    item.list().unwrap_or_default().iter().filter_map(digits).collect()
}
