//! The number inventory: a CSV for those who have more numbers than fit a TOML file well.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use crate::csv::{Record, record, records};
use crate::load::read_text;
use crate::read::nearest;
use crate::value::ValueError;
use crate::{CallingName, Config, ConfigError, ConfigErrors, E164, NumberEntry, Owner, Position};

const COLUMNS: [&str; 4] = ["number", "voice_connector", "voice_connector_group", "calling_name"];

impl Config {
    /// Reads the CSV that `gateway.phone_numbers` names, if any, and adds its numbers.
    ///
    /// The first line names the columns, in any order: `number`, `voice_connector`, `voice_connector_group`,
    /// `calling_name`; those but the first may be left out. Fields are as in RFC 4180, empty lines are
    /// skipped. Each number has one owner, and none stands here and in a `[[phone_number]]`.
    ///
    /// Fails with all mistakes, and changes nothing then. A second call finds every number there already.
    pub fn read_inventory(&mut self) -> Result<(), ConfigErrors> {
        let Some(path) = self.gateway.phone_numbers.clone() else { return Ok(()) };
        match read_text(&path) {
            Ok(text) => self.parse_inventory(&text, &path),
            Err(error) => ConfigErrors::or(vec![error], None),
        }
    }

    /// Adds the numbers of a CSV's text; `file` is what messages call it. See [`Config::read_inventory`].
    ///
    /// # Errors
    /// Each mistake with its line and column.
    pub fn parse_inventory(&mut self, text: &str, file: &Path) -> Result<(), ConfigErrors> {
        let mut inventory = Inventory {
            config: self,
            file: file.display().to_string().into(),
            columns: [None; 4],
            places: HashMap::new(),
            errors: Vec::new(),
        };
        let mut added = Vec::new();
        let mut records = records(text);
        inventory.read_header(&records.next().unwrap_or_else(|| record(1, "")));
        if inventory.errors.is_empty() {
            Arc::make_mut(&mut inventory.config.numbers).reserve(text.lines().count());
            for record in records {
                added.extend(inventory.add_number(&record, text));
            }
        }
        let Inventory { config, errors, .. } = inventory;
        let result = ConfigErrors::or(errors, Some(()));
        if result.is_err() {
            for number in &added {
                Arc::make_mut(&mut config.numbers).remove(number);
            }
        }
        result
    }
}

struct Inventory<'c> {
    config: &'c mut Config,
    file: Arc<str>,
    /// Where each of `COLUMNS` stands.
    columns: [Option<usize>; 4],
    /// Line and column of each number, once one is asked for.
    places: HashMap<E164, (usize, usize)>,
    errors: Vec<ConfigError>,
}

impl Inventory<'_> {
    fn read_header(&mut self, header: &Record<'_>) {
        let named = header.fields.iter().enumerate().filter(|(_, field)| !field.text.trim().is_empty());
        for (at, field) in named {
            let name = field.text.trim();
            let known = COLUMNS.iter().zip(&mut self.columns).find(|(column, _)| **column == name);
            match known {
                Some((_, place @ None)) => *place = Some(at),
                Some((_, Some(_))) => {
                    self.error(
                        header.line,
                        field.column,
                        format!("column {name:?} is here a second time"),
                        "remove one of the two",
                    );
                }
                None => {
                    let remedy = match nearest(name, COLUMNS) {
                        Some(near) => format!("write {near}"),
                        None => format!("write {}", COLUMNS.join(",")),
                    };
                    self.error(header.line, field.column, format!("unknown column {name:?}"), remedy);
                }
            }
        }
        if self.columns.first().is_none_or(Option::is_none) {
            let remedy = format!("write {} as the first line", COLUMNS.join(","));
            self.error(header.line, 1, "there is no column \"number\"", remedy);
        }
    }

    /// Adds the number of a line, if it has one that is not there yet.
    fn add_number(&mut self, record: &Record<'_>, text: &str) -> Option<E164> {
        let (number, entry, position) = self.read_number(record)?;
        match Arc::make_mut(&mut self.config.numbers).entry(number.clone()) {
            Entry::Vacant(place) => {
                place.insert(entry);
                Some(number)
            }
            Entry::Occupied(_) => {
                let first = self.first(&number, text).unwrap_or_else(|| position.clone());
                let problem = format!("{number} is already assigned in {first}");
                self.errors.push(ConfigError { position, problem, remedy: "remove one of the two".into() });
                None
            }
        }
    }

    /// Where a number is assigned first. Nobody keeps that of a file without such mistakes.
    fn first(&mut self, number: &E164, text: &str) -> Option<Position> {
        if let Some(position) = self.config.positions.get(number) {
            return Some(position.clone());
        }
        if self.places.is_empty() {
            let at = self.columns.first().copied().flatten()?;
            for record in records(text).skip(1) {
                let Some(field) = record.fields.get(at) else { continue };
                if let Ok(number) = field.text.trim().parse() {
                    self.places.entry(number).or_insert((record.line, field.column));
                }
            }
        }
        let (line, column) = *self.places.get(number)?;
        Some(self.position(line, column))
    }

    fn read_number(&mut self, record: &Record<'_>) -> Option<(E164, NumberEntry, Position)> {
        if record.fields.iter().all(|field| field.text.trim().is_empty()) {
            return None;
        }
        if let Some(column) = record.broken {
            self.error(
                record.line,
                column,
                "a quoted field does not end as it should",
                "write `\"` twice inside quotes, once at their end",
            );
            return None;
        }
        let columns = self.columns;
        let width = columns.iter().flatten().max().map_or(0, |last| last + 1);
        if let Some(extra) = record.fields.get(width)
            && record.fields.iter().skip(width).any(|field| !field.text.trim().is_empty())
        {
            self.error(
                record.line,
                extra.column,
                "the line has more fields than the first",
                "write commas inside quotes only",
            );
            return None;
        }
        let field = |column: usize| {
            let field = record.fields.get(columns.get(column).copied().flatten()?)?;
            (!field.text.trim().is_empty()).then_some((field.text.trim(), field.column))
        };
        let number = match field(0) {
            Some((text, column)) => {
                self.parse::<E164>(record.line, column, text).map(|number| (number, column))
            }
            None => {
                self.error(record.line, 1, "the line has no number", "write one, as in +12065550100");
                None
            }
        };
        let owner = self.owner(record.line, field(1), field(2));
        let calling_name = match field(3) {
            Some((text, column)) => Some(self.parse::<CallingName>(record.line, column, text)?),
            None => None,
        };
        let ((number, column), owner) = (number?, owner?);
        Some((number, NumberEntry { owner, calling_name }, self.position(record.line, column)))
    }

    fn owner(
        &mut self,
        line: usize,
        connector: Option<(&str, usize)>,
        group: Option<(&str, usize)>,
    ) -> Option<Owner> {
        match (connector, group) {
            (Some((id, column)), None) => match self.config.connector(id) {
                Some(connector) => Some(Owner::Connector(connector.id.clone())),
                None => {
                    let ids = self.config.voice_connector.iter().map(|connector| connector.id.as_str());
                    let remedy = instead(id, ids, "[[voice_connector]]");
                    self.error(line, column, format!("there is no voice connector {id:?}"), remedy);
                    None
                }
            },
            (None, Some((id, column))) => match self.config.group(id) {
                Some(group) => Some(Owner::Group(group.id.clone())),
                None => {
                    let ids = self.config.voice_connector_group.iter().map(|group| group.id.as_str());
                    let remedy = instead(id, ids, "[[voice_connector_group]]");
                    self.error(line, column, format!("there is no voice connector group {id:?}"), remedy);
                    None
                }
            },
            (Some(_), Some((_, column))) => {
                self.error(
                    line,
                    column,
                    "the number has both a voice connector and a group",
                    "remove one of the two",
                );
                None
            }
            (None, None) => {
                let problem = "the number has neither a voice connector nor a group";
                self.error(line, 1, problem, "write the id of one");
                None
            }
        }
    }

    fn parse<T: FromStr<Err = ValueError>>(&mut self, line: usize, column: usize, text: &str) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.error(line, column, error.problem, format!("write {}", error.remedy));
                None
            }
        }
    }

    fn position(&self, line: usize, column: usize) -> Position {
        Position { file: Arc::clone(&self.file), line, column }
    }

    fn error(&mut self, line: usize, column: usize, problem: impl Into<String>, remedy: impl Into<String>) {
        let position = self.position(line, column);
        self.errors.push(ConfigError { position, problem: problem.into(), remedy: remedy.into() });
    }
}

fn instead<'c>(id: &str, ids: impl Iterator<Item = &'c str>, header: &str) -> String {
    match nearest(id, ids) {
        Some(near) => format!("write {near}"),
        None => format!("write the id of a {header}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        listen = [{ address = "127.0.0.1:5060" }]
        voice_connector = [{ id = "hq" }, { id = "branch" }]
        voice_connector_group = [{ id = "main", members = [{ voice_connector = "hq" }] }]
        phone_number = [{ number = "+12065550100", voice_connector = "hq" }]
    "#;

    fn config() -> Config {
        Config::parse(FILE, Path::new("f.toml")).map_err(|errors| errors.to_string()).unwrap().0
    }

    #[test]
    fn numbers_are_added_to_those_of_the_file() {
        let mut config = config();
        let csv = "\u{feff}number,calling_name,voice_connector,voice_connector_group\r\n\
                   +12065550101,\"Doe, J\",hq,\r\n\r\n+12065550102,,,main\n+12065550103,,branch";
        config.parse_inventory(csv, Path::new("n.csv")).unwrap();
        assert_eq!(config.numbers.len(), 4);
        let entry = config.number("+12065550101").unwrap();
        assert_eq!(entry.calling_name.as_ref().map(CallingName::as_str), Some("Doe, J"));
        assert!(config.owns(&"hq".into(), "+12065550101"));
        assert!(config.owns(&"hq".into(), "+12065550102"));
        assert!(!config.owns(&"branch".into(), "+12065550102"));
        assert!(config.owns(&"branch".into(), "+12065550103"));
    }

    #[test]
    fn mistakes_name_their_place_and_change_nothing() {
        let columns = "number,voice_connector,voice_connector_group,calling_name\n";
        let check = |csv: &str, expected: &[&str]| {
            let mut config = config();
            let errors = config.parse_inventory(csv, Path::new("n.csv")).unwrap_err();
            assert_eq!(errors.to_string(), expected.join("\n"));
            assert_eq!((config.numbers.len(), config.positions.len()), (1, 1));
        };
        check(
            "",
            &["n.csv:1:1: there is no column \"number\"; \
                     write number,voice_connector,voice_connector_group,calling_name as the first line"],
        );
        check(
            "number,connector,number\n",
            &[
                "n.csv:1:8: unknown column \"connector\"; write voice_connector",
                "n.csv:1:18: column \"number\" is here a second time; remove one of the two",
            ],
        );
        let lines = "+12065550101,hq\n\
                     12065550102,hq\n\
                     +12065550103,branh\n\
                     +12065550104,hq,main\n\
                     +12065550105,\n\
                     +12065550100,hq\n\
                     +12065550101,branch\n\
                     ,hq\n\
                     +12065550106,,man\n\
                     +12065550107,hq,,A name that is too long\n\
                     +12065550108,hq,,\"A\n\
                     +12065550109,hq,,A,B\n";
        check(
            &format!("{columns}{lines}"),
            &[
                "n.csv:3:1: \"12065550102\" is not an E.164 number; write `+`, the country code and the number, \
             5 to 15 digits without spaces, as in \"+12065550100\"",
                "n.csv:4:14: there is no voice connector \"branh\"; write branch",
                "n.csv:5:17: the number has both a voice connector and a group; remove one of the two",
                "n.csv:6:1: the number has neither a voice connector nor a group; write the id of one",
                "n.csv:7:1: +12065550100 is already assigned in f.toml:5:36; remove one of the two",
                "n.csv:8:1: +12065550101 is already assigned in n.csv:2:1; remove one of the two",
                "n.csv:9:1: the line has no number; write one, as in +12065550100",
                "n.csv:10:15: there is no voice connector group \"man\"; write main",
                "n.csv:11:18: \"A name that is too long\" has 23 characters; a calling name has 15 at most; \
             write \"A name that is\"",
                "n.csv:12:18: a quoted field does not end as it should; write `\"` twice inside quotes, once at their end",
                "n.csv:13:20: the line has more fields than the first; write commas inside quotes only",
            ],
        );
    }

    /// Each line with what its message says in its place.
    #[test]
    fn mended_as_told_a_line_is_taken() {
        for (wrong, right) in [
            ("12065550102,hq", "+12065550102,hq"),
            ("+12065550103,branh", "+12065550103,branch"),
            ("+12065550104,hq,main", "+12065550104,hq"),
            ("+12065550105,", "+12065550105,hq"),
            ("+12065550100,hq", ""),
            (",hq", "+12065550105,hq"),
            ("+12065550106,,man", "+12065550106,,main"),
            ("+12065550107,hq,,A name that is too long", "+12065550107,hq,,A name that is"),
            ("+12065550108,hq,,\"A", "+12065550108,hq,,\"A\""),
            ("+12065550109,hq,,A,B", "+12065550109,hq,,\"A,B\""),
        ] {
            let read = |line: &str| {
                let csv = format!("number,voice_connector,voice_connector_group,calling_name\n{line}\n");
                config().parse_inventory(&csv, Path::new("n.csv")).map_err(|errors| errors.to_string())
            };
            assert!(read(wrong).is_err(), "{wrong}");
            assert_eq!(read(right), Ok(()), "{wrong}");
        }
    }

    /// Whoever exported the table wrongly has a mistake on every line.
    #[test]
    fn of_many_mistakes_the_first_are_told_and_the_rest_counted() {
        let csv = format!("number,voice_connector\n{}", "2065550101,hq\n".repeat(5000));
        let errors = config().parse_inventory(&csv, Path::new("n.csv")).unwrap_err();
        let text = errors.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((errors.iter().count(), lines.len()), (5000, 101));
        assert!(lines[99].starts_with("n.csv:101:1: "), "{}", lines[99]);
        assert_eq!(lines[100], "and 4900 more mistakes; mend these first");
    }
}
