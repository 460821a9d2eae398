//! The records directory: the sink that every gateway has.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{CallDetailRecord, name};

/// Records of one transaction id, connector and start that are told apart, see [`Directory::deliver`].
const NAMESAKES: u32 = 1_000;

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is there now.
    Written,
    /// It was there already.
    Repeated,
}

/// `records.directory`.
pub struct Directory {
    root: PathBuf,
    sync: bool,
}

impl Directory {
    /// - `sync`: whether a delivered record must survive a crash of the host.
    pub fn new(root: &Path, sync: bool) -> Directory {
        Directory { root: root.to_owned(), sync }
    }

    /// Writes a call detail record under its object name, whole or not at all.
    ///
    /// The same record again is left as it is. A different one of the same name (a call from a connector
    /// to itself makes two within the same millisecond) goes by the next free millisecond, so that names
    /// keep their shape and nothing is overwritten.
    pub fn deliver(&self, record: &CallDetailRecord, started_at: Duration) -> io::Result<Delivery> {
        let body = serde_json::to_vec(record)?;
        for nudge in 0..NAMESAKES {
            let started_at = started_at + Duration::from_millis(nudge.into());
            let name = name::call_detail(&record.voice_connector_id, started_at, &record.transaction_id);
            let path = self.root.join(name);
            match fs::read(&path) {
                Ok(there) if there == body => return Ok(Delivery::Repeated),
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.write(&path, &body)?;
                    return Ok(Delivery::Written);
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(ErrorKind::AlreadyExists, "too many records of one name"))
    }

    fn write(&self, path: &Path, body: &[u8]) -> io::Result<()> {
        let parent = path.parent().unwrap_or(&self.root);
        if !parent.is_dir() {
            create_private_dirs(parent)?;
            if self.sync {
                // The new directories' own entries, up to the root.
                for above in parent.ancestors().skip(1).take_while(|dir| dir.starts_with(&self.root)) {
                    sync_directory(above)?;
                }
            }
        }
        let temporary = path.with_file_name(format!(
            ".{}.tmp", // Hidden: whoever lists the directory sees whole records only.
            path.file_name().unwrap_or_default().to_string_lossy()
        ));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&temporary)?;
        file.write_all(body)?;
        if self.sync {
            file.sync_data()?;
        }
        fs::rename(&temporary, path)?;
        if self.sync { sync_directory(parent) } else { Ok(()) }
    }

    /// Adds lines to the file of that name, all or none of them. A last line that a crash cut short is ended first.
    ///
    /// - `lines`: each with its line end.
    pub fn append(&self, name: &str, lines: &[u8]) -> io::Result<()> {
        let path = self.root.join(name);
        if let Some(parent) = path.parent() {
            create_private_dirs(parent)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(&path)?;
        let length = file.seek(SeekFrom::End(0))?;
        let written = end_last_line(&mut file, length).and_then(|()| file.write_all(lines));
        if written.is_err() {
            // If this fails too, a repeat may follow the torn line; lines are told apart by their content.
            let _ = file.set_len(length);
        }
        written
    }
}

fn end_last_line(file: &mut File, length: u64) -> io::Result<()> {
    if length == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

/// Makes a directory and those above it, closed to others: records name people.
pub fn create_private_dirs(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(path)
}

/// Makes the entries of a directory survive a crash of the host.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::facts;
    use crate::record::{CallFacts, Direction};

    /// All files below, with their contents, in order.
    fn files(root: &Path) -> Vec<(String, String)> {
        fn walk(root: &Path, dir: &Path, found: &mut Vec<(String, String)>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(root, &path, found);
                } else {
                    let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                    found.push((name, fs::read_to_string(&path).unwrap()));
                }
            }
        }
        let mut found = Vec::new();
        walk(root, root, &mut found);
        found.sort();
        found
    }

    const DAY: &str = "Amazon-Chime-Voice-Connector-CDRs/json/abcdef1ghij2klmno3pqr4/2019/08/10";

    #[test]
    fn a_record_is_delivered_once() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::new(dir.path(), true);
        let record = CallDetailRecord::new(&facts());
        assert_eq!(directory.deliver(&record, facts().started_at).unwrap(), Delivery::Written);
        assert_eq!(directory.deliver(&record, facts().started_at).unwrap(), Delivery::Repeated);
        assert_eq!(
            files(dir.path()),
            [(
                format!("{DAY}/01.13.45.042_0f8fad5b-d9cb-469f-a165-70867728950e"),
                serde_json::to_string(&record).unwrap()
            )]
        );
    }

    #[test]
    fn namesakes_take_the_next_millisecond_and_stay_there() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::new(dir.path(), false);
        let deliver = |direction| {
            let record = CallDetailRecord::new(&CallFacts { direction, ..facts() });
            directory.deliver(&record, facts().started_at).unwrap()
        };
        assert_eq!(deliver(Direction::Outbound), Delivery::Written);
        assert_eq!(deliver(Direction::Inbound), Delivery::Written);
        assert_eq!(deliver(Direction::Inbound), Delivery::Repeated);
        assert_eq!(deliver(Direction::Outbound), Delivery::Repeated);
        let names: Vec<String> = files(dir.path()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["042", "043"].map(|ms| format!("{DAY}/01.13.45.{ms}_0f8fad5b-d9cb-469f-a165-70867728950e"))
        );
    }

    #[test]
    fn a_leftover_of_a_crash_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::new(dir.path(), false);
        fs::create_dir_all(dir.path().join(DAY)).unwrap();
        let leftover = dir.path().join(DAY).join(".01.13.45.042_0f8fad5b-d9cb-469f-a165-70867728950e.tmp");
        fs::write(&leftover, "{\"AwsAccount").unwrap();
        let record = CallDetailRecord::new(&facts());
        assert_eq!(directory.deliver(&record, facts().started_at).unwrap(), Delivery::Written);
        assert!(!leftover.exists());
    }

    #[test]
    fn a_line_cut_short_is_ended_before_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::new(dir.path(), false);
        directory.append("a/b.jsonl", b"{1}\n{2}\n").unwrap();
        directory.append("a/b.jsonl", b"{3").unwrap();
        directory.append("a/b.jsonl", b"{4}\n").unwrap();
        assert_eq!(files(dir.path()), [("a/b.jsonl".to_owned(), "{1}\n{2}\n{3\n{4}\n".to_owned())]);
    }
}
