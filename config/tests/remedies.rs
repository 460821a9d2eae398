//! Every remedy, followed, leads to a file that works.
//!
//! Each mistake of each `mistakes/*.toml` is mended as its message says: by what the message quotes, or, where it says so
//! in words, as the line of the same number in the `*.follow` beside the file has it (nothing: the line goes).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError};

#[test]
fn every_remedy_leads_to_a_file_that_works() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut failed = Vec::new();
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let by_hand = std::fs::read_to_string(path.with_extension("follow")).unwrap_or_default();
        if let Err(why) = follow(&name, text, &lines_of(&by_hand)) {
            failed.push(why);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// `12: text`: what stands on line 12 afterwards.
fn lines_of(by_hand: &str) -> BTreeMap<usize, String> {
    let line = |line: &str| {
        let (number, text) = line.split_once(':').unwrap();
        (number.parse().unwrap(), text.strip_prefix(' ').unwrap_or(text).replace("\\n", "\n"))
    };
    by_hand.lines().filter(|line| !line.is_empty()).map(line).collect()
}

/// Mends what is told, and what can be told only then; a remedy that leads to the next mistake on its line fails.
fn follow(name: &str, mut text: String, by_hand: &BTreeMap<usize, String>) -> Result<(), String> {
    let mut by_hand = by_hand.clone();
    let mut mended: BTreeSet<String> = BTreeSet::new();
    for _ in 0..4 {
        let Err(errors) = Config::parse(&text, Path::new(name)) else {
            return if by_hand.is_empty() { Ok(()) } else { Err(format!("{name}: not needed: {by_hand:?}")) };
        };
        let mut lines: BTreeMap<usize, Vec<&ConfigError>> = BTreeMap::new();
        for error in errors.iter() {
            lines.entry(error.position.line).or_default().push(error);
        }
        let mut unclear: Vec<String> = Vec::new();
        for (line, errors) in lines.iter().rev() {
            if let Some(line_text) = line_range(&text, *line).and_then(|range| text.get(range))
                && mended.contains(line_text.trim_end())
            {
                return Err(format!("misled: {}", errors[0]));
            }
            let at = line_range(&text, *line).unwrap();
            if let Some(instead) = by_hand.remove(line) {
                text.replace_range(at, &if instead.is_empty() { instead } else { instead + "\n" });
                continue;
            }
            // From the right, so that places stay what they are; of two at one place the first.
            let mut places = BTreeMap::new();
            for error in errors {
                places.entry(error.position.column).or_insert(*error);
            }
            for error in places.values().rev() {
                if mend(&mut text, error).is_none() {
                    unclear.push(format!("how? {error}"));
                }
            }
            if let Some(now) = line_range(&text, *line).and_then(|range| text.get(range))
                && errors.len() == 1
                && !now.starts_with('[')
            {
                mended.insert(now.trim_end().to_owned());
            }
        }
        if !unclear.is_empty() {
            return Err(unclear.join("\n"));
        }
    }
    Err(format!(
        "{name} still does not work:\n{}\n{text}",
        Config::parse(&text, Path::new(name)).unwrap_err()
    ))
}

/// Where a line stands, with its end.
fn line_range(text: &str, line: usize) -> Option<Range<usize>> {
    let starts: Vec<usize> =
        std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let start = *starts.get(line - 1)?;
    Some(start..starts.get(line).copied().unwrap_or(text.len()))
}

/// Does what the message says, where it says it with what is to be written.
fn mend(text: &mut String, error: &ConfigError) -> Option<()> {
    let line = line_range(text, error.position.line)?;
    let offset = text[line.clone()]
        .char_indices()
        .nth(error.position.column - 1)
        .map_or(line.end, |(at, _)| line.start + at);
    let remedy = error.remedy.as_str();
    if remedy.starts_with("remove the line") {
        text.replace_range(line, "");
        return Some(());
    }
    if remedy.starts_with("remove the table") {
        let rest = &text[line.end..];
        let end = rest.find("\n[").map_or(rest.len(), |at| at + 1);
        text.replace_range(line.start..line.end + if rest.starts_with('[') { 0 } else { end }, "");
        return Some(());
    }
    if remedy == "remove it" {
        let value = offset + text[offset..].find('=')? + 1;
        let value = value + (text[value..].len() - text[value..].trim_start().len());
        let end = value + value_len(&text[value..])?;
        let after = text[end..].len() - text[end..].trim_start_matches([',', ' ']).len();
        text.replace_range(offset..end + after, "");
        return Some(());
    }
    let written = remedy.strip_prefix("write ")?;
    if let Some((header, _)) = written.split_once(" with its host") {
        let rest = &text[line.end..];
        let end = if rest.starts_with('[') {
            line.end
        } else {
            rest.find("\n[").map_or(text.len(), |at| line.end + at + 1)
        };
        text.insert_str(end, &format!("{header}\nhost = \"192.0.2.30\"\n"));
        return Some(());
    }
    if let Some(unknown) = error.problem.strip_prefix("unknown key `") {
        let unknown = unknown.split('`').next()?;
        if let Some(elsewhere) = written.strip_prefix("it in ") {
            let moved = text[line.clone()].to_owned();
            text.replace_range(line, "");
            text.push_str(&format!("{elsewhere}\n{moved}"));
        } else if written.starts_with('[') {
            text.replace_range(line, &format!("{written}\n"));
        } else {
            text.replace_range(offset..offset + unknown.len(), written.trim_matches('`'));
        }
        return Some(());
    }
    if let Some((key, rest)) = written.split_once(" = ")
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        let value = rest.get(..value_len(rest)?)?;
        // A table in braces takes it inside, a table under its header below.
        return match text[offset..].starts_with('{') {
            true => {
                let comma = if text[offset + 1..].trim_start().starts_with('}') { "" } else { "," };
                text.insert_str(offset + 1, &format!(" {key} = {value}{comma}"));
                Some(())
            }
            false => {
                text.insert_str(line.end, &format!("{key} = {value}\n"));
                Some(())
            }
        };
    }
    let literal = literal(written)?;
    let length = value_len(&text[offset..])?;
    text.replace_range(offset..offset + length, &literal);
    Some(())
}

/// The first value that a remedy quotes.
fn literal(written: &str) -> Option<String> {
    if let Some((value, _)) = written.split_once(" without quotes") {
        return Some(value.to_owned());
    }
    let written = written.split_once("as in ").map_or(written, |(_, example)| example);
    let at = written.char_indices().find(|(at, c)| {
        let rest = &written[*at..];
        let word = *at == 0 || written[..*at].ends_with([' ', '(']);
        matches!(c, '"' | '[' | '{')
            || (word && (c.is_ascii_digit() || rest.starts_with("true") || rest.starts_with("false")))
    });
    let rest = &written[at?.0..];
    Some(rest[..value_len(rest)?].to_owned())
}

/// How long the TOML value is that `text` begins with.
fn value_len(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    match first {
        '"' => {
            let mut escaped = false;
            let end = text.char_indices().skip(1).find(|(_, c)| {
                let ends = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            })?;
            Some(end.0 + 1)
        }
        '[' | '{' => {
            let mut depth = 0;
            let mut quoted = false;
            let end = text.char_indices().find(|(_, c)| {
                match c {
                    '"' => quoted = !quoted,
                    '[' | '{' if !quoted => depth += 1,
                    ']' | '}' if !quoted => depth -= 1,
                    _ => {}
                }
                depth == 0
            })?;
            Some(end.0 + 1)
        }
        _ => Some(text.find([',', ']', '}', '\n', ' ', ';', ')']).unwrap_or(text.len())),
    }
}
