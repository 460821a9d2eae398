//! Numbers that may be ordered: what the operator has of its carriers and has not given to anybody.

use std::collections::BTreeMap;

use config::{CountryCode, E164};

use crate::object::NumberType;

/// A number that may be ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolNumber {
    /// Its country.
    pub country: CountryCode,
    /// Default: `Local`; of North America's toll-free codes `TollFree`.
    pub number_type: NumberType,
    /// State or province. Default: none.
    pub state: Option<String>,
    /// Default: none.
    pub city: Option<String>,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pool(pub(crate) BTreeMap<E164, PoolNumber>);

/// A line of the pool that is none. Displays as one line with its number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct PoolError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it, and what to write.
    pub problem: String,
}

/// Toll-free area codes of North America that the API knows.
pub(crate) const TOLL_FREE: [&str; 7] = ["800", "833", "844", "855", "866", "877", "888"];

impl Pool {
    /// Reads a table of comma-separated fields: `number,country,type,state,city`, the first line being these names. Fields from the
    /// third on may be empty or left out, and hold no commas.
    ///
    /// # Errors
    /// The first line that is none.
    pub fn parse(text: &str) -> Result<Self, PoolError> {
        let mut pool = BTreeMap::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (at, line) in text.lines().enumerate() {
            let wrong = |problem: String| PoolError { line: at + 1, problem };
            if at == 0 {
                if !line.trim().starts_with("number,country") {
                    let header = "the first line is not `number,country,type,state,city`; write it";
                    return Err(wrong(header.to_owned()));
                }
                continue;
            }
            if line.trim().is_empty() {
                continue;
            }
            let mut fields = line.split(',').map(str::trim);
            let mut field = || fields.next().filter(|field| !field.is_empty());
            let number: E164 =
                field().unwrap_or_default().parse().map_err(|error| wrong(format!("{error}")))?;
            let country: CountryCode =
                field().unwrap_or_default().parse().map_err(|error| wrong(format!("{error}")))?;
            let number_type = match field() {
                Some(name) => name
                    .parse()
                    .map_err(|_| wrong(format!("{name:?} is no type of number; write Local or TollFree")))?,
                None if toll_free(&number) => NumberType::TollFree,
                None => NumberType::Local,
            };
            let entry = PoolNumber {
                country,
                number_type,
                state: field().map(str::to_owned),
                city: field().map(str::to_owned),
            };
            if pool.insert(number.clone(), entry).is_some() {
                return Err(wrong(format!("{number} is here a second time; remove one of the two")));
            }
        }
        Ok(Self(pool))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing can be ordered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The area code of a number of North America.
pub(crate) fn area_code(number: &E164) -> Option<&str> {
    number.as_str().strip_prefix("+1").filter(|rest| rest.len() == 10)?.get(..3)
}

fn toll_free(number: &E164) -> bool {
    area_code(number).is_some_and(|code| TOLL_FREE.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_a_table() {
        let text = "number,country,type,state,city\n\
                    +12065550100,US,Local,WA,Seattle\n\n\
                    +18005550100,US\n\
                    +4930123456,DE,Local,,Berlin\n";
        let pool = Pool::parse(text).unwrap();
        assert_eq!(pool.len(), 3);
        let entry = |number: &str| pool.0.get(number).unwrap();
        assert_eq!(entry("+18005550100").number_type, NumberType::TollFree);
        assert_eq!(entry("+12065550100").city.as_deref(), Some("Seattle"));
        assert_eq!(
            (entry("+4930123456").state.as_deref(), entry("+4930123456").country.as_str()),
            (None, "DE")
        );
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let check = |lines: &str, expected: &str| {
            let error = Pool::parse(lines).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check("+12065550100,US", "line 1: the first line is not");
        check("number,country\n12065550100,US", "line 2: \"12065550100\" is not an E.164 number");
        check("number,country\n+12065550100,XX", "line 2: \"XX\" is not a country");
        check("number,country,type\n+12065550100,US,Mobile", "line 2: \"Mobile\" is no type");
        check(
            "number,country\n+12065550100,US\n+12065550100,US",
            "line 3: +12065550100 is here a second time",
        );
    }
}
