//! What a daemon has recorded.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

/// Wide records of calls that are in place.
pub fn calls(folder: &Path) -> Result<usize> {
    let files = files(&folder.join("records/voice-connector-calls"))?;
    Ok(files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")).count())
}

/// The lines of quality, each the minute of a call.
pub fn quality(folder: &Path) -> Result<Vec<serde_json::Value>> {
    let mut lines = Vec::new();
    for file in files(&folder.join("records/aws/ChimeVoiceConnectorLogs"))? {
        for line in fs::read_to_string(file)?.lines() {
            lines.push(serde_json::from_str(line)?);
        }
    }
    Ok(lines)
}

/// All files below a folder, which may not be there yet.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}
