//! Every configuration of the guide loads, and its pages lead to pages that there are.
//!
//! A block of ```` ```toml ```` is a whole configuration; one of ```` ```toml,more ```` goes at the end of the one before it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::path::{Path, PathBuf};

use config::Config;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every page of the guide, with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let docs = root().join("docs");
    let files =
        [docs.clone(), docs.join("peers")].into_iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let pages = files.map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// A block, or the file that it is all of.
fn included(block: &str, page: &Path) -> String {
    let file = block.strip_prefix("{{#include ").and_then(|rest| rest.strip_suffix("}}"));
    file.map_or_else(
        || block.to_owned(),
        |file| std::fs::read_to_string(page.parent().unwrap().join(file)).unwrap(),
    )
}

/// The configurations of a page.
fn configurations(page: &Path, text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for block in text.split("\n```toml").skip(1) {
        let (kind, rest) = block.split_once('\n').unwrap();
        let (block, _) = rest.split_once("\n```").unwrap();
        let block = &included(block, page);
        match kind {
            "" => found.push(block.to_owned()),
            ",more" => found.push(format!("{}\n{block}", found.last().unwrap())),
            other => panic!("toml{other}"),
        }
    }
    found
}

#[test]
fn every_configuration_loads() {
    let mut checked = 0;
    for (path, text) in pages() {
        for block in configurations(&path, &text) {
            if let Err(errors) = Config::parse(&block, &path) {
                panic!("{}:\n{errors}\n{block}", path.display());
            }
            checked += 1;
        }
    }
    assert!(checked >= 10, "{checked}");
}

#[test]
fn every_page_is_in_the_summary_and_every_link_leads_somewhere() {
    let docs = root().join("docs");
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    for (path, text) in pages() {
        let name = path.strip_prefix(&docs).unwrap().display().to_string();
        assert!(
            name == "SUMMARY.md" || summary.contains(&format!("({name})")),
            "{name} is not in the summary"
        );
        // The configuration's own page is one of the book too: a link of it that leaves its folder is broken there.
        let text = included(text.trim(), &path);
        for target in
            text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
        {
            let (file, _) = target.split_once('#').unwrap_or((target, ""));
            if file.is_empty() || file.contains("://") {
                continue;
            }
            assert!(path.parent().unwrap().join(file).exists(), "{name}: {target}");
            let depth = Path::new(&name).components().count() - 1;
            let up = file.split('/').filter(|part| *part == "..").count();
            assert!(up <= depth, "{name}: {target} is not in the book");
        }
    }
}
