//! The tables against the reference page, which lies beside the project.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Fate, OPERATIONS};
use crate::shape::{Count, Member, Shape, Structure};

/// The page's rows by their first cell, each with its other cells; a pipe in a cell is escaped there.
fn page() -> Option<BTreeMap<String, Vec<String>>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/voice-connector-api.md");
    let Ok(text) = std::fs::read_to_string(&file) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "not there: {}", file.display());
        eprintln!("skipped: the reference is not beside the project");
        return None;
    };
    // Rules behind the tables name some of their types again.
    let text = text.split("## 4. ").next().unwrap();
    let text = text.split("## 2. Operations").nth(1).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    let cells = |line: &str| -> Vec<String> {
        let line = line.replace("\\|", "\0");
        line.trim_matches('|').split('|').map(|cell| cell.trim().replace('\0', "|")).collect()
    };
    Some(rows.map(|row| (cells(row)[0].clone(), cells(row)[1..].to_vec())).collect())
}

fn count(count: Count) -> String {
    let side = |side: Option<usize>| side.map(|number| number.to_string()).unwrap_or_default();
    format!("{}..{}", side(count.least), side(count.most))
}

fn shape(shape: &Shape, named: &mut Named) -> String {
    match shape {
        Shape::Bool => "bool".to_owned(),
        Shape::Plain => "string".to_owned(),
        Shape::Text(text) => {
            let mut rules = Vec::new();
            if !text.values.is_empty() {
                let values: Vec<String> = text.values.iter().map(|value| format!("`{value}`")).collect();
                rules.push(format!("enum {}", values.join(" | ")));
            }
            if text.length.least.is_some() || text.length.most.is_some() {
                rules.push(format!("length {}", count(text.length)));
            }
            rules.extend(text.pattern.map(|pattern| format!("pattern `{}`", pattern.text)));
            named
                .scalars
                .insert(text.name, if rules.is_empty() { "string".to_owned() } else { rules.join("; ") });
            text.name.to_owned()
        }
        Shape::Integer(range) => {
            let greatest = range.greatest.map(|number| number.to_string()).unwrap_or_default();
            named.scalars.insert(range.name, format!("integer; range {}..{greatest}", range.least));
            range.name.to_owned()
        }
        Shape::Structure(structure) => {
            let Structure { name, members: of } = structure;
            let text = members(of, named);
            named.structures.insert(name, text);
            (*name).to_owned()
        }
        Shape::List(of, allowed) if count(*allowed) == ".." => format!("{}[]", self::shape(of, named)),
        Shape::List(of, allowed) => format!("{}[]{{{}}}", self::shape(of, named), count(*allowed)),
    }
}

fn members(members: &[Member], named: &mut Named) -> String {
    if members.is_empty() {
        return "-".to_owned();
    }
    let one = |member: &Member| {
        let query = member.query.map(|query| format!("`?{query}`=")).unwrap_or_default();
        let mark = if member.required { "*" } else { "" };
        format!("{query}{}{mark}:{}", member.name, shape(&member.shape, named))
    };
    members.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What the operations' inputs are made of, written as the page writes it.
#[derive(Default)]
struct Named {
    scalars: BTreeMap<&'static str, String>,
    structures: BTreeMap<&'static str, String>,
}

#[test]
fn the_operations_are_those_of_the_reference() {
    let Some(page) = page() else { return };
    let mut named = Named::default();
    let mut ours = BTreeSet::new();
    for row in OPERATIONS {
        let name = row.operation.name();
        let said = page.get(&name).unwrap_or_else(|| panic!("invented: {name}"));
        let select = row.select.map(|(name, value)| format!("?{name}={value}")).unwrap_or_default();
        let method = format!("{:?}", row.method).to_uppercase();
        assert_eq!(format!("`{method} {}{select}`", row.path), said[0], "{name}");
        assert_eq!(Some(row.status.to_string().as_str()), said[1].split(' ').next(), "{name}");
        if row.fate == Fate::Served {
            assert_eq!(members(row.input, &mut named), said[2], "{name}");
        }
        ours.insert(name);
    }
    let theirs = page.iter().filter(|(_, cells)| cells.first().is_some_and(|cell| cell.contains(" /")));
    let forgotten: Vec<&String> = theirs.map(|(name, _)| name).filter(|name| !ours.contains(*name)).collect();
    assert!(forgotten.is_empty(), "forgotten: {forgotten:?}");

    for (name, text) in &named.structures {
        assert_eq!(*text, page[*name][0], "{name}");
    }
    for (name, text) in &named.scalars {
        let said = page[*name][0].replace("; sensitive", "");
        assert_eq!(*text, said, "{name}");
    }
}
