//! One value of a file.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeInteger, DeValue};

use crate::available::{self, Availability, Key};
use crate::missing::Needed;
use crate::value::{ValueError, parse_duration};

use super::{At, Reader, Table, one_of};

/// A value and the key that it stands under. Asking for a type that it is not is a mistake, told once.
pub(crate) struct Item<'a> {
    reader: &'a Reader<'a>,
    source: usize,
    key: &'static Key,
    key_at: usize,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Item<'a> {
    pub(crate) fn new(
        reader: &'a Reader<'a>,
        source: usize,
        key: &'static Key,
        key_at: usize,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Self {
        Self { reader, source, key, key_at, value }
    }

    pub(crate) fn reader(&self) -> &'a Reader<'a> {
        self.reader
    }

    pub(crate) fn name(&self) -> &'static str {
        self.key.name
    }

    /// Where the value stands.
    pub(crate) fn at(&self) -> At {
        At { source: self.source, offset: self.value.span().start }
    }

    /// A mistake about the key as a whole.
    pub(crate) fn error(&self, problem: impl Into<String>, remedy: impl Into<String>) {
        self.reader.error(At { source: self.source, offset: self.key_at }, problem, remedy);
    }

    /// A mistake about the value; `remedy` follows "write".
    pub(crate) fn wrong(&self, problem: impl Into<String>, remedy: impl AsRef<str>) {
        self.reader.error(self.at(), problem, format!("write {}", remedy.as_ref()));
    }

    pub(crate) fn string(&self) -> Option<&'a str> {
        let DeValue::String(text) = self.value.get_ref() else {
            let remedy = match self.value.get_ref() {
                DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
                    format!("it in quotes: {:?}", self.literal())
                }
                _ => "one string in quotes".into(),
            };
            self.wrong_type(remedy);
            return None;
        };
        Some(text)
    }

    /// A string that is not empty and fits on a line.
    pub(crate) fn name_text(&self) -> Option<&'a str> {
        let text = self.string()?;
        if text.trim().is_empty() {
            self.wrong(format!("`{}` is empty", self.name()), "a text, or remove the line");
            return None;
        }
        if text.chars().any(char::is_control) || text.chars().count() > 256 {
            let problem = format!("`{}` does not fit on a line", self.name());
            self.wrong(problem, "at most 256 characters without line breaks and the like");
            return None;
        }
        Some(text)
    }

    pub(crate) fn parse<T: FromStr<Err = ValueError>>(&self) -> Option<T> {
        self.text(str::parse)
    }

    /// A string that `read` can read.
    pub(crate) fn text<T>(&self, read: impl Fn(&str) -> Result<T, ValueError>) -> Option<T> {
        if self.quiet_string().is_none()
            && !matches!(self.value.get_ref(), DeValue::Array(_) | DeValue::Table(_))
        {
            // Quotes alone help only where the rest is right.
            let remedy = match read(self.literal()) {
                Ok(_) => format!("it in quotes: {:?}", self.literal()),
                Err(error) => error.remedy,
            };
            self.wrong_type(remedy);
            return None;
        }
        self.check(read(self.string()?))
    }

    /// The value, or a mistake about it.
    pub(crate) fn check<T>(&self, result: Result<T, ValueError>) -> Option<T> {
        result.map_err(|error| self.wrong(error.problem, error.remedy)).ok()
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        let DeValue::Boolean(value) = self.value.get_ref() else {
            let remedy = match self.value.get_ref() {
                DeValue::String(text) if matches!(text.as_ref(), "true" | "false") => {
                    format!("{text} without quotes")
                }
                _ => "true or false".into(),
            };
            self.wrong_type(remedy);
            return None;
        };
        self.only(if *value { "true" } else { "false" });
        Some(*value)
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn integer<T: TryFrom<i64>>(&self, least: i64, most: i64) -> Option<T> {
        let range = || format!("a whole number from {least} to {most}");
        let DeValue::Integer(number) = self.value.get_ref() else {
            let remedy = match self.value.get_ref() {
                DeValue::String(text)
                    if text.parse().is_ok_and(|number| (least..=most).contains(&number)) =>
                {
                    format!("{text} without quotes")
                }
                _ => range(),
            };
            self.wrong_type(remedy);
            return None;
        };
        let value = whole(number).filter(|value| (least..=most).contains(value));
        let value = value.and_then(|value| T::try_from(value).ok());
        match value {
            Some(value) => {
                self.only(self.literal());
                Some(value)
            }
            None => {
                self.wrong(format!("`{}` is {}", self.name(), self.literal()), range());
                None
            }
        }
    }

    /// A duration from `least` to `most`, both as they would be written.
    pub(crate) fn duration(&self, least: &str, most: &str) -> Option<Duration> {
        let (Ok(low), Ok(high)) = (parse_duration(least), parse_duration(most)) else { return None };
        let range = || format!("a duration from \"{least}\" to \"{most}\"");
        // A number without a unit is mostly seconds, or else milliseconds.
        let with_unit = |number: &str| {
            let units = ["s", "ms"].into_iter().map(|unit| format!("{number}{unit}"));
            units
                .into_iter()
                .find(|text| parse_duration(text).is_ok_and(|value| (low..=high).contains(&value)))
        };
        let DeValue::String(text) = self.value.get_ref() else {
            let remedy = match with_unit(self.literal()) {
                Some(text) => format!("it with its unit, in quotes: \"{text}\""),
                None => range(),
            };
            self.wrong_type(remedy);
            return None;
        };
        match parse_duration(text) {
            Ok(value) if (low..=high).contains(&value) => return Some(value),
            Ok(_) => self.wrong(format!("`{}` is {text:?}", self.name()), range()),
            Err(error) => match with_unit(text) {
                Some(text) => {
                    self.wrong(error.problem, format!("a unit with it, as in {text:?} (ms, s, m, h or d)"))
                }
                None => self.wrong(error.problem, range()),
            },
        }
        None
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&'static str, T)]) -> Option<T> {
        let words = || match self.reader.availability(self.key) {
            Availability::Only(available) => available.to_owned(),
            Availability::Here => one_of(choices.iter().map(|(word, _)| *word)),
        };
        let Some(text) = self.quiet_string() else {
            self.wrong_type(words());
            return None;
        };
        let Some((word, value)) = choices.iter().find(|(word, _)| *word == text) else {
            self.wrong(format!("`{}` is {text:?}", self.name()), words());
            return None;
        };
        self.only(&format!("{word:?}"));
        Some(*value)
    }

    /// A path, relative to the file that names it, of a file that must be there.
    pub(crate) fn needed_file(&self) -> Option<PathBuf> {
        self.needed_file_for(self.name())
    }

    /// As `needed_file`, called by another key's name when it is missing.
    pub(crate) fn needed_file_for(&self, key: &str) -> Option<PathBuf> {
        let path = self.path()?;
        self.reader.need(self.at(), key, Needed::File(path.clone()));
        Some(path)
    }

    /// A path, relative to the file that names it.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        let text = self.string()?;
        if text.is_empty() || text.contains('\0') {
            self.wrong(
                format!("`{}` names no file", self.name()),
                "a path, relative to this file or absolute",
            );
            return None;
        }
        Some(self.reader.resolve(self.source, text))
    }

    /// Each element of a list, in order.
    pub(crate) fn list(&self) -> Option<Vec<Item<'a>>> {
        let DeValue::Array(array) = self.value.get_ref() else {
            let remedy = match self.value.get_ref() {
                DeValue::Table(_) => "a list in brackets".into(),
                DeValue::String(text) if text.contains(',') => {
                    let elements: Vec<String> =
                        text.split(',').map(|element| format!("{:?}", element.trim())).collect();
                    format!("a list: [{}]", elements.join(", "))
                }
                _ => format!("a list: [{}]", self.literal()),
            };
            self.wrong_type(remedy);
            return None;
        };
        Some(array.iter().map(|value| self.element(value)).collect())
    }

    /// Each whole number of a list, in order; `one` reads an element.
    pub(crate) fn numbers<T>(&self, one: impl Fn(&Item<'a>) -> Option<T>) -> Vec<T> {
        if let Some(text) = self.quiet_string() {
            let split: Vec<&str> = text.split(',').map(str::trim).collect();
            if split.iter().all(|number| number.parse::<u16>().is_ok()) {
                self.wrong_type(format!("a list of numbers: [{}]", split.join(", ")));
                return Vec::new();
            }
        }
        self.list().unwrap_or_default().iter().filter_map(one).collect()
    }

    /// The elements of a list, or a value that stands for a list of one.
    pub(crate) fn one_or_list(&self) -> Option<Vec<Item<'a>>> {
        match self.value.get_ref() {
            DeValue::Array(_) => self.list(),
            _ => Some(vec![self.element(self.value)]),
        }
    }

    /// A table with the keys of `section`.
    pub(crate) fn table(&self, section: &'static str) -> Option<Table<'a>> {
        let DeValue::Table(table) = self.value.get_ref() else {
            let remedy = match self.key.table {
                Some(shown) => shown.to_owned(),
                None => "a table in braces, as in { key = \"value\" }".into(),
            };
            self.wrong_type(remedy);
            return None;
        };
        let shown = self.key.table.unwrap_or_else(|| available::shown(section));
        Some(Table::new(self.reader, section, shown, self.at(), table))
    }

    /// A list of tables with the keys of `section` each.
    pub(crate) fn tables(&self, section: &'static str) -> Vec<Table<'a>> {
        match (self.value.get_ref(), self.key.table) {
            (DeValue::Array(array), _) => {
                array.iter().filter_map(|value| self.element(value).table(section)).collect()
            }
            (_, shown) => {
                self.wrong_type(shown.unwrap_or("a list of tables, as in [{ key = \"value\" }]"));
                Vec::new()
            }
        }
    }

    /// The keys of a table that may have any, in the file's order.
    pub(crate) fn pairs(&self) -> Option<Vec<(&'a str, Item<'a>)>> {
        let DeValue::Table(table) = self.value.get_ref() else {
            self.wrong_type("a table in braces, as in { \"X-Site\" = \"hq\" }");
            return None;
        };
        let mut pairs: Vec<_> = table.iter().collect();
        pairs.sort_by_key(|(name, _)| name.span().start);
        Some(pairs.into_iter().map(|(name, value)| (name.get_ref().as_ref(), self.element(value))).collect())
    }

    /// The string, where it is one; no mistake where it is not.
    pub(crate) fn quiet_string(&self) -> Option<&'a str> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_table(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Table(_))
    }

    pub(crate) fn is_tables(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Array(array)
            if array.iter().any(|value| matches!(value.get_ref(), DeValue::Table(_))))
    }

    fn element(&self, value: &'a Spanned<DeValue<'a>>) -> Item<'a> {
        Item { reader: self.reader, source: self.source, key: self.key, key_at: self.key_at, value }
    }

    /// Refuses a value whose capability is not there yet.
    fn only(&self, written: &str) {
        if let Availability::Only(available) = self.reader.availability(self.key)
            && available.split(" or ").all(|one| one != written)
        {
            let problem = format!("{} = {written} is not available yet in this version", self.name());
            self.wrong(problem, available);
        }
    }

    fn wrong_type(&self, remedy: impl AsRef<str>) {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(true) => "true",
            DeValue::Boolean(false) => "false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) if self.is_tables() => "a list of tables",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.wrong(format!("`{}` is {found}", self.name()), remedy);
    }

    /// The value as it stands in the file.
    fn literal(&self) -> &'a str {
        self.reader.text(self.source).get(self.value.span()).unwrap_or_default()
    }
}

/// The values of a list; none where it is not there.
pub(crate) fn parsed<T: FromStr<Err = ValueError>>(item: Option<Item<'_>>) -> Vec<T> {
    if let Some(item) = &item
        && let Some(text) = item.quiet_string()
    {
        item.wrong_type(list_of::<T>(text));
        return Vec::new();
    }
    item.and_then(|item| item.list()).unwrap_or_default().iter().filter_map(Item::parse).collect()
}

/// What to write instead of a string where a list stands: its parts, each as it would be right.
fn list_of<T: FromStr<Err = ValueError>>(text: &str) -> String {
    let part = |part: &str| match part.trim().parse::<T>() {
        Ok(_) => Ok(format!("{:?}", part.trim())),
        // `"GB"`, or an explanation.
        Err(error) if error.remedy.starts_with('"') && !error.remedy.contains(' ') => Ok(error.remedy),
        Err(error) => Err(error.remedy),
    };
    match text.split(',').map(part).collect::<Result<Vec<_>, _>>() {
        Ok(parts) => format!("a list: [{}]", parts.join(", ")),
        Err(remedy) => format!("a list in brackets, and in it {remedy}"),
    }
}

fn whole(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}
