//! The records directory.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Every call detail record below a records directory, by the time in its name.
pub fn call_details(records: &Path) -> Vec<Value> {
    files(&records.join("Amazon-Chime-Voice-Connector-CDRs"))
        .into_iter()
        .filter_map(|file| serde_json::from_str(&fs::read_to_string(file).unwrap()).ok())
        .collect()
}

/// The JSON lines of all files below `folder` of a records directory.
pub fn lines(records: &Path, folder: &str) -> Vec<Value> {
    let text = files(&records.join(folder)).into_iter().map(|file| fs::read_to_string(file).unwrap());
    text.flat_map(|text| text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<_>>())
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut unseen = if folder.is_dir() { vec![folder.to_owned()] } else { Vec::new() };
    while let Some(path) = unseen.pop() {
        if path.is_dir() {
            unseen.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if !path.file_name().unwrap().to_string_lossy().starts_with('.') {
            found.push(path); // A hidden one is not a record yet.
        }
    }
    found.sort();
    found
}

/// No file below `folder` holds one of the secrets; returns every file.
pub fn no_file_tells(folder: &Path, secrets: &[String]) -> Vec<PathBuf> {
    let files = every_file(folder);
    for file in &files {
        let bytes = fs::read(file).unwrap_or_default(); // It may be gone by now.
        let text = String::from_utf8_lossy(&bytes);
        for secret in secrets {
            assert!(!text.contains(secret.as_str()), "{secret} is in {}", file.display());
        }
    }
    files
}

fn every_file(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { every_file(&path) } else { vec![path] }).collect()
}
