//! How long recordings are kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::Config;

use crate::record;

/// Removes the days that are older than each connector keeps its recordings.
///
/// - `directory`: the records';
/// - `now`: since the Unix epoch.
pub fn sweep(directory: &Path, config: &Config, now: Duration) {
    for connector in &config.voice_connector {
        let Some(retention) = connector.recording.retention else { continue };
        let oldest = record::day_of(now.saturating_sub(retention));
        let root = directory.join(record::recordings_of(connector.id.as_str()));
        for year in numbered(&root, 4) {
            for month in numbered(&year, 2) {
                for day in numbered(&month, 2) {
                    let name = day.strip_prefix(&root).unwrap_or(&day);
                    if name.to_str().is_some_and(|name| name < oldest.as_str()) {
                        match fs::remove_dir_all(&day) {
                            Ok(()) => {
                                tracing::info!(directory = %day.display(), "recordings are too old and were removed")
                            }
                            Err(error) => {
                                tracing::error!(directory = %day.display(), %error, "recordings that are too old can't be removed")
                            }
                        }
                    }
                }
                let _ = fs::remove_dir(&month); // where it is empty
            }
            let _ = fs::remove_dir(&year);
        }
    }
}

/// The directories below one whose names are so many digits.
fn numbered(directory: &Path, digits: usize) -> Vec<PathBuf> {
    let is_numbered = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        name.len() == digits
            && name.iter().all(u8::is_ascii_digit)
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
    };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(is_numbered).map(|entry| entry.path()).collect()
}
