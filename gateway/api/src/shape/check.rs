//! Whether an input is what its shapes allow. What is wrong is said with the place and never with the value, which
//! may be a secret.

use serde_json::{Map, Value};

use super::{Count, Member, Shape};

/// More faults than that are not listed.
const MOST_FAULTS: usize = 8;

/// What is wrong with an input.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, path: &str, constraint: &str) {
        if self.0.len() < MOST_FAULTS {
            self.0.push(format!("Value at '{path}' failed to satisfy constraint: {constraint}"));
        }
    }

    /// What is said to the client; `None` when nothing is wrong.
    pub(crate) fn message(self) -> Option<String> {
        let (faults, plural) = (self.0.len(), if self.0.len() == 1 { "error" } else { "errors" });
        (faults > 0).then(|| format!("{faults} validation {plural} detected: {}", self.0.join("; ")))
    }
}

/// Checks an object. A member that is `null` is not there; one that the model does not know is ignored.
pub(crate) fn check(members: &[Member], object: &Map<String, Value>, path: &str, faults: &mut Faults) {
    for member in members {
        let path = if path.is_empty() { member.name.to_owned() } else { format!("{path}.{}", member.name) };
        match object.get(member.name) {
            None | Some(Value::Null) if member.required => faults.add(&path, "Member must not be null"),
            None | Some(Value::Null) => {}
            Some(value) => check_value(&member.shape, value, &path, faults),
        }
    }
}

fn check_value(shape: &Shape, value: &Value, path: &str, faults: &mut Faults) {
    match (shape, value) {
        (Shape::Bool, Value::Bool(_)) | (Shape::Plain, Value::String(_)) => {}
        (Shape::Bool, _) => faults.add(path, "Member must be true or false"),
        (Shape::Text(rules), Value::String(text)) => {
            check_count("length", rules.length, text.chars().count(), path, faults);
            if let Some(pattern) = rules.pattern
                && !(pattern.matches)(text)
            {
                let constraint = format!("Member must satisfy regular expression pattern: {}", pattern.text);
                faults.add(path, &constraint);
            }
            if !rules.values.is_empty() && !rules.values.contains(&text.as_str()) {
                faults
                    .add(path, &format!("Member must satisfy enum value set: [{}]", rules.values.join(", ")));
            }
        }
        (Shape::Plain | Shape::Text(_), _) => faults.add(path, "Member must be a string"),
        (Shape::Integer(range), value) => match value.as_i64() {
            None => faults.add(path, "Member must be a whole number"),
            Some(number) if number < range.least => {
                let constraint = format!("Member must have value greater than or equal to {}", range.least);
                faults.add(path, &constraint);
            }
            Some(number) => {
                if let Some(greatest) = range.greatest.filter(|greatest| number > *greatest) {
                    faults.add(path, &format!("Member must have value less than or equal to {greatest}"));
                }
            }
        },
        (Shape::Structure(structure), Value::Object(object)) => {
            check(structure.members, object, path, faults)
        }
        (Shape::Structure(_), _) => faults.add(path, "Member must be an object"),
        (Shape::List(of, count), Value::Array(items)) => {
            check_count("size", *count, items.len(), path, faults);
            for (number, item) in items.iter().enumerate() {
                if faults.0.len() >= MOST_FAULTS {
                    return;
                }
                check_value(of, item, &format!("{path}[{number}]"), faults);
            }
        }
        (Shape::List(..), _) => faults.add(path, "Member must be a list"),
    }
}

fn check_count(what: &str, allowed: Count, found: usize, path: &str, faults: &mut Faults) {
    if let Some(least) = allowed.least.filter(|least| found < *least) {
        faults.add(path, &format!("Member must have {what} greater than or equal to {least}"));
    }
    if let Some(most) = allowed.most.filter(|most| found > *most) {
        faults.add(path, &format!("Member must have {what} less than or equal to {most}"));
    }
}
