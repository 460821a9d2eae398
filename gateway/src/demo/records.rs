//! What the gateway wrote, read back from the disk as anybody would read it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::failure::Failure;

/// From one look at the directory to the next.
const LOOK: Duration = Duration::from_millis(10);

/// A record's fields, by the names that they have on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Record(Value);

impl Record {
    /// One JSON object.
    ///
    /// # Errors
    /// It is no such JSON.
    pub fn parse(json: &str) -> Result<Record, serde_json::Error> {
        serde_json::from_str(json).map(Record)
    }

    /// A field as text; empty where it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A whole number; 0 where it is not there.
    pub fn number(&self, name: &str) -> u64 {
        self.0.get(name).and_then(Value::as_u64).unwrap_or_default()
    }

    /// A number that may be missing.
    pub fn measure(&self, name: &str) -> Option<f64> {
        self.0.get(name).and_then(Value::as_f64)
    }
}

/// The records directory, and what was read of it.
#[derive(Debug)]
pub struct Records {
    directory: PathBuf,
    read: HashSet<PathBuf>,
}

impl Records {
    /// Of `records.directory`.
    pub fn new(directory: &Path) -> Records {
        Records { directory: directory.to_owned(), read: HashSet::new() }
    }

    /// The call detail records that were not there before, once there are `wanted`, or at the end of `patience`.
    pub async fn next(&mut self, wanted: usize, patience: Duration) -> Result<Vec<Record>, Failure> {
        let end = Instant::now() + patience;
        loop {
            let mut new = files(&self.directory.join("Amazon-Chime-Voice-Connector-CDRs"))?;
            new.retain(|path| !self.read.contains(path));
            if new.len() >= wanted || Instant::now() >= end {
                new.sort();
                let records = new.iter().map(|path| parse(path, &read(path)?)).collect();
                self.read.extend(new);
                return records;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The last quality line of a call for that connector, once there is one.
    pub async fn quality(
        &self,
        connector: &str,
        transaction_id: &str,
        patience: Duration,
    ) -> Result<Option<Record>, Failure> {
        let end = Instant::now() + patience;
        loop {
            let mut last = None;
            let mut logs = files(&self.directory.join("aws/ChimeVoiceConnectorLogs").join(connector))?;
            logs.sort();
            for path in logs {
                let text = read(&path)?;
                // What follows the last line end is still being written.
                for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
                    let line = parse(&path, line)?;
                    if line.text("call_id") == transaction_id {
                        last = Some(line);
                    }
                }
            }
            if last.is_some() || Instant::now() >= end {
                return Ok(last);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(Failure::io(path.display().to_string()))
}

fn parse(path: &Path, text: &str) -> Result<Record, Failure> {
    Record::parse(text)
        .map_err(|error| Failure::Record { what: path.display().to_string(), problem: error.to_string() })
}

/// All files below, but those that are being written; none where the directory is not there yet.
fn files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(Failure::io(directory.display().to_string())(error)),
    };
    for entry in entries {
        let entry = entry.map_err(Failure::io(directory.display().to_string()))?;
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if !entry.file_name().to_string_lossy().starts_with('.') {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_record_is_read_once_and_the_last_line_counts() {
        let directory = tempfile::tempdir().unwrap();
        let day = directory.path().join("Amazon-Chime-Voice-Connector-CDRs/json/a/2026/01/02");
        let log = directory.path().join("aws/ChimeVoiceConnectorLogs/a/2026/01/02");
        std::fs::create_dir_all(&day).unwrap();
        std::fs::create_dir_all(&log).unwrap();
        let mut records = Records::new(directory.path());
        assert_eq!(records.next(0, Duration::ZERO).await.unwrap(), []);
        std::fs::write(day.join("1"), "{\"Status\":\"Completed\",\"BillableDurationSeconds\":6}").unwrap();
        std::fs::write(day.join(".2.tmp"), "{\"Sta").unwrap();
        let found = records.next(1, Duration::ZERO).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].text("Status"), found[0].number("BillableDurationSeconds")), ("Completed", 6));
        assert_eq!(records.next(1, Duration::ZERO).await.unwrap(), []);

        let lines = "{\"call_id\":\"x\",\"n\":1}\n{\"call_id\":\"x\",\"n\":2}\n{\"call_id\":\"y\"}\n{\"call";
        std::fs::write(log.join("03.jsonl"), lines).unwrap();
        let line = records.quality("a", "x", Duration::ZERO).await.unwrap().unwrap();
        assert_eq!((line.number("n"), line.measure("n"), line.measure("m")), (2, Some(2.0), None));
        assert_eq!(records.quality("b", "x", Duration::ZERO).await.unwrap(), None);
    }
}
