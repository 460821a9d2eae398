//! Formats of numbers.

use std::fmt;

use crate::read::{Item, Table};
use crate::{CountryCode, Dialling};

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberFormat {
    /// `+12065550100`.
    E164,
    /// `12065550100`.
    E164WithoutPlus,
    /// As dialled inside the side's `country` (see [`Dialling`]): `2065550100`, `02079460100`; foreign numbers as
    /// dialled from there abroad.
    National,
    /// The same without the trunk prefix: `2079460100`.
    NationalWithoutTrunk,
    /// Every number as dialled from the side's `country` abroad: `0012065550100`, `011442079460100`.
    International,
}

impl NumberFormat {
    const CHOICES: &[(&'static str, Self)] = &[
        ("e164", NumberFormat::E164),
        ("e164-without-plus", NumberFormat::E164WithoutPlus),
        ("national", NumberFormat::National),
        ("national-without-trunk", NumberFormat::NationalWithoutTrunk),
        ("international", NumberFormat::International),
    ];

    fn needs_country(self) -> bool {
        matches!(
            self,
            NumberFormat::National | NumberFormat::NationalWithoutTrunk | NumberFormat::International
        )
    }
}

impl fmt::Display for NumberFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::CHOICES.iter().find(|(_, format)| format == self).map_or("", |(word, _)| word);
        f.write_str(word)
    }
}

/// The country that formats of a side are of.
pub(crate) struct Home {
    pub country: Option<CountryCode>,
    /// What is there is wrong, and that was told.
    told: bool,
    /// Where it is to be written.
    remedy: &'static str,
}

impl Home {
    /// - `remedy`: how to give it where there is none.
    pub(crate) fn read(table: &Table<'_>, remedy: &'static str) -> Home {
        let item = table.get("country");
        let country = item.as_ref().and_then(|item| item.parse());
        Home { country, told: item.is_some() && country.is_none(), remedy }
    }

    /// The format of `key`, which the country must be able to write.
    pub(crate) fn format(&self, table: &Table<'_>, key: &str) -> Option<NumberFormat> {
        let item = table.get(key)?;
        let format = item.choice(NumberFormat::CHOICES)?;
        if format.needs_country() && !self.told {
            self.check(&item, format);
        }
        Some(format)
    }

    fn check(&self, item: &Item<'_>, format: NumberFormat) {
        let Some(country) = self.country else {
            let problem = format!("`{}` is {format} and there is no `country`", item.name());
            return item.error(problem, self.remedy);
        };
        let dialling = Dialling::of(country);
        let is_known = match format {
            NumberFormat::International => dialling.is_some_and(|dialling| dialling.international.is_some()),
            _ => dialling.is_some(),
        };
        if !is_known {
            let how = match format {
                NumberFormat::International => "what is dialled before a foreign number in",
                _ => "how numbers are dialled inside",
            };
            item.wrong(format!("{how} {country} is not known for sure"), "\"e164\" or \"e164-without-plus\"");
        }
    }
}
