//! Every cause that a peer can hear is in the guide with its status, and the guide quotes none that there is not.
//!
//! The causes are read where they are said: in the source. What differs from call to call is `…` in both.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

/// A status as the guide's table has it, and the text.
type Said = (String, String);

/// Causes whose status or text stands in a variable, as the source writes them, and what they can be.
const VARYING: &[(&str, &[(&str, &str)])] = &[
    // What is wrong with a header.
    ("400, error.to_string()", &[]),
    ("400, other.to_string()", &[]),
    ("error.status().code(), error.to_string()", &[]),
    ("malformed.status.code(), malformed.text", &[]),
    ("status, text", &[]),
    // What a peer said.
    ("said.code(), said.default_reason()", &[]),
    ("status, addresses::phrase(&response)", &[]),
    ("status.code(), reason", &[]),
    ("status.code(), text.as_str()", &[]),
    // Of a recording server: for the log.
    ("503, text", &[]),
    ("502, error.to_string()", &[]),
    // Read below.
    ("408, text", &[]),
    ("502, &*text", &[]),
    ("488, error.to_string()", &[]),
    ("488, refused.clone().text().text", &[]),
    ("488, refused.text().text", &[]),
    ("488, self.lacks(stream)", &[]),
    ("503, cause.to_string()", &[]),
    ("503, obstacle.sentence()", &[]),
    ("503, sentence", &[]),
    ("status, No route took the call: …", &[]),
    ("verdict.status, verdict.phrase", &[]),
    ("403, text", &[("403", "The other side asks for credentials"), ("403", "Redirected (…), not followed")]),
    // Of the operator, in a CANCEL, and of another call.
    ("status, cause.unwrap_or(\"Ended by the operator\")", &[("any", "Ended by the operator")]),
    ("200, ELSEWHERE", &[("200", "Call completed elsewhere")]),
    ("cause, The dialog of Replaces is over", &[("487", "The dialog of Replaces is over")]),
    ("code, Who is transferred refused (…)", &[("any", "Who is transferred refused (…)")]),
    ("status.code(), The transfer failed", &[("any", "The transfer failed")]),
    ("status, Wrong credentials", &[("403", "Wrong credentials")]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The sources of the gateway itself, without their tests.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !["simulation", "demo", "tests"].contains(&name) {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") && !["tests.rs", "testing.rs", "in_the_guide.rs"].contains(&name) {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
            found.push((path, code));
        }
    }
}

/// A string of the source, with `…` for what is put in.
fn as_said(literal: &str) -> String {
    static PUT_IN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{[^}]*\}").unwrap());
    PUT_IN.replace_all(literal, "…").into_owned()
}

/// What stands between `start` and the end of its function or of its list.
fn part(path: &str, start: &str) -> String {
    let text = read(path);
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("{path} has no {start}"));
    rest.split("\n    }\n").next().unwrap().to_owned()
}

/// Every string in a part of a file.
fn strings(path: &str, start: &str) -> Vec<String> {
    let strings = Regex::new(r#""([^"]+)""#).unwrap();
    let found: Vec<String> =
        strings.captures_iter(&part(path, start)).map(|found| as_said(&found[1])).collect();
    assert!(found.len() > 1, "{path}: {start}");
    found
}

/// The causes that are made where they are said.
fn said_in_place(said: &mut BTreeSet<Said>) {
    let (mut files, mut varying) = (Vec::new(), BTreeMap::from_iter(VARYING.iter().copied()));
    sources(&root().join("gateway/src"), &mut files);
    let call = Regex::new(
        r#"(?s)(?:Cause|Fault)::new\(\s*((?:[^,()]|\(\))+),\s*(?:format!\(\s*)?(?:"((?:[^"\\]|\\.)*)"|((?:[^();]|\([^()]*\))*)\))"#,
    )
    .unwrap();
    let mut used = BTreeSet::new();
    for (path, code) in files {
        for found in call.captures_iter(&code) {
            let text = found.get(2).map_or_else(|| found[3].trim().to_owned(), |text| as_said(text.as_str()));
            let status = found[1].trim();
            if found.get(2).is_some() && status.parse::<u16>().is_ok() {
                said.insert((status.to_owned(), text));
                continue;
            }
            let written = format!("{status}, {text}");
            let texts = varying.get(written.as_str());
            let texts = texts.unwrap_or_else(|| {
                panic!("{}: list what {written:?} can be, and put it into docs/causes.md", path.display())
            });
            said.extend(texts.iter().map(|(status, text)| ((*status).to_owned(), (*text).to_owned())));
            used.insert(written);
        }
    }
    varying.retain(|written, _| !used.contains(*written));
    assert!(varying.is_empty(), "nobody says {varying:?}");
    said.remove(&("200".to_owned(), "OK".to_owned()));
}

/// The refusals of the policy and of limits: status by the verdict, text by `Display`.
fn said_by_policy(said: &mut BTreeSet<Said>) {
    const FILE: &str = "gateway/src/admit/refusal.rs";
    let (names, arm) = (Regex::new(r"Refusal::(\w+)").unwrap(), Regex::new(r"=> \((\d+),").unwrap());
    let mut status = BTreeMap::new();
    let verdicts = part(FILE, "let (status, cause) = match self {");
    for line in verdicts.lines() {
        let Some(found) = arm.captures(line) else { continue };
        status.extend(names.captures_iter(line).map(|name| (name[1].to_owned(), found[1].to_owned())));
    }
    let text = Regex::new(r#"(?:write!\(f, |f\.write_str\()"([^"]+)""#).unwrap();
    let (mut told, mut current) = (BTreeSet::new(), String::new());
    for line in part(FILE, "impl fmt::Display for Refusal {").lines() {
        if let Some(name) = names.captures(line) {
            current = name[1].to_owned();
        }
        if let Some(text) = text.captures(line) {
            said.insert((status[&current].clone(), as_said(&text[1])));
            told.insert(current.clone());
        }
    }
    assert!(told.len() > 20 && told.iter().eq(status.keys()), "{told:?} {status:?}");
}

/// Texts that all go with one status.
fn with(status: &'static str, texts: Vec<String>) -> impl Iterator<Item = Said> {
    texts.into_iter().map(move |text| (status.to_owned(), text))
}

/// Everything that the gateway says of a cause of its own.
fn causes() -> BTreeSet<Said> {
    let mut said = BTreeSet::new();
    said_in_place(&mut said);
    said_by_policy(&mut said);
    said.extend(with("503", strings("gateway/src/readiness.rs", "pub fn sentence(")));
    said.extend(with("503", strings("gateway/src/media/no_room.rs", "impl fmt::Display for NoRoom {")));
    said.extend(with("488", strings("gateway/src/call/sdes.rs", "fn lacks(")));
    let anchor = part("sip/src/sdp/anchor.rs", "pub enum AnchorError {");
    let anchor = anchor.split("\n}\n").next().unwrap();
    let errors = Regex::new(r#"#\[error\("([^"]+)"\)\]"#).unwrap();
    said.extend(with("488", errors.captures_iter(anchor).map(|found| found[1].to_owned()).collect()));
    let ends = Regex::new(r#"=> \((\d+), "([^"]+)"\)"#).unwrap();
    for found in ends.captures_iter(&part("gateway/src/route/failover.rs", "pub fn told(")) {
        said.insert((found[1].to_owned(), format!("No route took the call: {}", &found[2])));
    }
    said
}

/// The rows of a table whose cells are `status`, `text` and more.
fn rows(page: &str) -> BTreeSet<Said> {
    let row = Regex::new(r"(?m)^\| ([0-9, ]+|any) \| `([^|]+)` \| ").unwrap();
    let rows = row.captures_iter(page).flat_map(|found| {
        let text = found[2].to_owned();
        found[1].split(", ").map(|status| (status.to_owned(), text.clone())).collect::<Vec<_>>()
    });
    rows.collect()
}

#[test]
fn every_cause_is_on_its_page_and_no_other() {
    let (said, mut page) = (causes(), rows(&read("docs/causes.md")));
    // A challenge is no cause.
    page.retain(|(_, text)| text != "Credentials are stale");
    assert!(said.len() > 100, "{said:#?}");
    let (missing, extra): (Vec<_>, Vec<_>) =
        (said.difference(&page).collect(), page.difference(&said).collect());
    assert!(missing.is_empty(), "not in docs/causes.md: {missing:#?}");
    assert!(extra.is_empty(), "in docs/causes.md, and nobody says so: {extra:#?}");
}

#[test]
fn the_runbook_quotes_what_is_said() {
    let (causes, runbook) = (causes(), read("docs/runbook.md"));
    let (symptoms, _) = runbook.split_once("\n## Alerts").unwrap();
    let quote = Regex::new("`([^`]+)`").unwrap();
    let mut quoted = 0;
    for section in symptoms.split("\n### ").skip(1) {
        let heading = section.lines().next().unwrap();
        let statuses: Vec<&str> = heading.split(" and ").filter(|word| word.parse::<u16>().is_ok()).collect();
        // In the column of texts whatever is no peer's is ours, and has the status of the heading.
        let column = match section.contains("\n| Text |") {
            true => Some(1),
            false => section.contains("\n| After | Text |").then_some(2),
        };
        let Some(column) = column else {
            assert!(statuses.is_empty(), "{heading} has no texts");
            continue;
        };
        for row in section.lines().filter(|line| line.starts_with("| ")).skip(1) {
            let cell = row.split(" | ").nth(column - 1).unwrap().trim_start_matches("| ");
            if cell.starts_with("---") {
                continue;
            }
            let texts: Vec<_> = quote.captures_iter(cell).map(|found| found[1].to_owned()).collect();
            assert!(!texts.is_empty() || cell.starts_with("of "), "{heading}: {cell}");
            for text in texts {
                let fits =
                    |said: &&Said| said.1 == text && (statuses.is_empty() || statuses.contains(&&*said.0));
                assert!(causes.iter().any(|said| fits(&said)), "{heading}: nobody says {text:?}");
                quoted += 1;
            }
        }
    }
    assert!(quoted > 20, "{quoted}");
}
