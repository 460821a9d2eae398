//! Every command of ours that the guide shows is one.

use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;

use super::Arguments;

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = vec![root.join("README.md"), root.join("CONTRIBUTING.md"), root.join("config/README.md")];
    for folder in ["docs", "docs/peers"] {
        pages.extend(std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages
}

/// The words of a command, without what a shell takes away: quotes, a prompt, `sudo`, comments and what it is piped to.
fn words(line: &str) -> Vec<String> {
    let line = line.trim_start_matches("$ ").trim_start_matches("sudo ");
    let line = line.split(" # ").next().unwrap_or(line).split(" | ").next().unwrap_or(line);
    let (mut words, mut quote) = (vec![String::new()], None);
    for letter in line.chars() {
        match (letter, quote) {
            (letter, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => quote = Some(letter),
            (letter, None) if letter.is_whitespace() => words.push(String::new()),
            (letter, _) => words.iter_mut().last().unwrap().push(letter),
        }
    }
    words.retain(|word| !["", "&", "..."].contains(&word.as_str()) && !word.starts_with(['>', '<']));
    words
}

#[test]
fn every_command_that_is_shown_is_understood() {
    let mut checked = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap().replace("\\\n", " ");
        let (mut inside, mut shown) = (false, Vec::new());
        for line in text.lines() {
            if line.starts_with("```") {
                inside = !inside;
            } else if inside {
                shown.push((line.trim(), true));
            } else {
                // What a text only mentions may leave out what the command needs.
                shown.extend(line.split('`').skip(1).step_by(2).map(|span| (span, false)));
            }
        }
        for (command, whole) in shown {
            let words = words(command);
            if words.first().is_none_or(|word| word != "voice-connector") || words.len() < 2 {
                continue;
            }
            match Arguments::try_parse_from(&words) {
                Ok(_) => checked += usize::from(whole),
                Err(error) if !whole && error.kind() == ErrorKind::MissingRequiredArgument => {}
                Err(error) => panic!("{}: {command}\n{error}", page.display()),
            }
        }
    }
    assert!(checked >= 10, "{checked}");
}
