//! What the documents name exists: a test for each row of `docs/call-flows.md` that is met, each file of `ARCHITECTURE.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where tests are, from the root.
const SOURCES: [&str; 13] = [
    "gateway/src",
    "gateway/fastpath/src",
    "gateway/inventory",
    "gateway/api",
    "gateway/audio",
    "gateway/console",
    "gateway/streaming",
    "gateway/tests",
    "sip/src",
    "sip/tests",
    "config/tests",
    "rtp/src",
    "rtp/tests",
];

/// What a row may say.
const VERDICTS: [&str; 4] = ["met", "partly", "not", "not ours"];

/// Every source file: its path and what it holds.
fn sources(root: &Path) -> Vec<(String, String)> {
    let mut sources = Vec::new();
    let mut left: Vec<PathBuf> = SOURCES.iter().map(|source| root.join(source)).collect();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push((path.to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
        }
    }
    sources
}

/// Every test as `path/of/file::name`, the path without its `.rs`, `/mod.rs` or `/main.rs`, and without the `/tests.rs` of a file's own
/// tests too.
fn tests(root: &Path) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for (path, source) in sources(root) {
        let stem = path.trim_end_matches(".rs").trim_end_matches("/mod").trim_end_matches("/main");
        let mut is_test = false;
        for line in source.lines().map(str::trim) {
            let name = line.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
            match name {
                Some((name, _)) if is_test => {
                    tests.insert(format!("{stem}::{name}"));
                    tests.insert(format!("{}::{name}", stem.trim_end_matches("/tests")));
                    is_test = false;
                }
                _ => {
                    let begins = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                    is_test = begins || is_test && line.starts_with("#[");
                }
            }
        }
    }
    tests
}

/// The words in back quotes that name a test.
fn named(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).filter(|word| word.contains("::")).collect()
}

#[test]
fn every_row_has_a_verdict_and_every_test_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let tests = tests(root);
    let document = fs::read_to_string(root.join("docs/call-flows.md")).unwrap();
    let mut rows = 0;
    let is_row = |(_, line): &(usize, &str)| line.starts_with("| ");
    for (index, line) in document.lines().enumerate().filter(is_row) {
        let number = index + 1;
        for test in named(line) {
            let suffix = format!("/{test}");
            assert!(tests.iter().any(|one| one.ends_with(&suffix)), "line {number}: there is no test {test}");
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [flow, what, verdict, shown] = cells[..] else { panic!("line {number}: {} cells", cells.len()) };
        if shown == "Shown by" || verdict == "---" {
            continue;
        }
        assert!(VERDICTS.contains(&verdict), "line {number}: {verdict} is no verdict");
        assert!(!flow.is_empty() && !what.is_empty() && !shown.is_empty(), "line {number}: an empty cell");
        let is_shown = !named(shown).is_empty();
        assert!(is_shown || matches!(verdict, "not" | "not ours"), "line {number}: {verdict}, by no test");
        rows += 1;
    }
    assert!(rows > 100, "only {rows} rows were found");
}

#[test]
fn every_file_of_the_architecture_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let files: Vec<String> = sources(root).into_iter().map(|(path, _)| path).collect();
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let is_of_a_path = |one: char| one.is_ascii_alphanumeric() || matches!(one, '/' | '_' | '.');
    for name in text.split(|one| !is_of_a_path(one)).filter(|word| word.ends_with(".rs")) {
        let suffix = format!("/{name}");
        assert!(files.iter().any(|file| file.ends_with(&suffix)), "there is no {name}");
    }
}
