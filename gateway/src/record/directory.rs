//! The records directory: the sink that every gateway has.

use std::cell::Cell;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, linkat, open, renameat_with};
use rustix::io::Errno;

/// Records of one transaction id, connector and start that are told apart, see [`Directory::deliver`].
const NAMESAKES: u32 = 1_000;

/// `records.directory`.
pub struct Directory {
    root: PathBuf,
    /// Its file system makes files that have no name yet, as far as is known.
    nameless: Cell<bool>,
}

impl Directory {
    /// The directory at `root`.
    pub fn new(root: &Path) -> Directory {
        Directory { root: root.to_owned(), nameless: Cell::new(true) }
    }

    /// Hands a record to the kernel under its object name, whole or not at all. Returns its path, and whether it was written
    /// now: a repeat changes nothing.
    ///
    /// A different record of the same name (a call from a connector to itself makes two within the same
    /// millisecond) makes it go by the next free millisecond, so that names keep their shape and nothing is
    /// overwritten but what a crash of the host has left half written.
    ///
    /// - `name`: its object name, had the call begun so many milliseconds later.
    /// - `body`: the record as it is written.
    /// - `anew`: it is written over itself, too: what is there of it can't be relied on.
    pub fn deliver(
        &self,
        name: impl Fn(u32) -> String,
        body: &[u8],
        anew: bool,
    ) -> io::Result<(PathBuf, bool)> {
        for nudge in 0..NAMESAKES {
            let path = self.root.join(name(nudge));
            // Mostly nothing is there, and nobody has to look.
            if self.write_where_free(&path, body)? {
                return Ok((path, true));
            }
            let there = fs::read(&path)?;
            let itself = there == body;
            if itself && !anew {
                return Ok((path, false));
            }
            if itself || !is_whole(&there) {
                fs::rename(self.write_beside(&path, body)?, &path)?;
                return Ok((path, true));
            }
        }
        Err(io::Error::new(ErrorKind::AlreadyExists, "too many records of one name"))
    }

    /// Writes a record unless its name is taken. Says whether it has it. Whoever lists the directory sees whole records only.
    fn write_where_free(&self, path: &Path, body: &[u8]) -> io::Result<bool> {
        if let Some(named) = self.write_nameless(path, body)? {
            return Ok(named);
        }
        let temporary = self.write_beside(path, body)?;
        let named = rename_where_free(&temporary, path)?;
        if !named {
            fs::remove_file(&temporary)?;
        }
        Ok(named)
    }

    /// Writes a record into a file that has no name before it is whole: the directory changes once, and nothing is left there
    /// by a crash. Says whether it has its name, which may be taken; `None` where that can't be done here.
    fn write_nameless(&self, path: &Path, body: &[u8]) -> io::Result<Option<bool>> {
        let (true, Some(parent)) = (self.nameless.get(), path.parent()) else { return Ok(None) };
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        let mut file = match open(parent, flags, Mode::from_raw_mode(0o640)) {
            Ok(file) => File::from(file),
            // The first of its day.
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => {
                self.nameless.set(false);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        file.write_all(body)?;
        let open = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(match linkat(CWD, open, CWD, path, AtFlags::SYMLINK_FOLLOW) {
            Ok(()) => Some(true),
            Err(Errno::EXIST) => Some(false),
            // Without /proc, or where links are not wanted.
            Err(_) => None,
        })
    }

    /// Writes a record under a hidden name.
    fn write_beside(&self, path: &Path, body: &[u8]) -> io::Result<PathBuf> {
        let temporary =
            path.with_file_name(format!(".{}.tmp", path.file_name().unwrap_or_default().to_string_lossy()));
        let open = || OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&temporary);
        let mut file = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create_private_dirs(path.parent().unwrap_or(&self.root))?;
                open()?
            }
            file => file?,
        };
        file.write_all(body)?;
        Ok(temporary)
    }

    /// Where the records are.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Adds lines to the file of that name, all or none of them. A last line that a crash cut short is ended first.
    ///
    /// - `lines`: each with its line end.
    ///
    /// # Errors
    /// The file can't be opened or written.
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

/// Gives a file its name, unless that is taken. Says whether it has it.
fn rename_where_free(from: &Path, to: &Path) -> io::Result<bool> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        // Not every file system can.
        Err(Errno::INVAL | Errno::NOSYS) if to.symlink_metadata().is_ok() => Ok(false),
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(from, to).map(|()| true),
        Err(error) => Err(error.into()),
    }
}

/// Whether a record is there to its end. After a crash of the host a file may be shorter than it was, or zeros.
fn is_whole(record: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(record).is_ok()
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
///
/// # Errors
/// One of them can't be made, or is there and no directory.
pub fn create_private_dirs(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(path)
}

/// Makes the entries of a directory survive a crash of the host.
///
/// # Errors
/// It can't be opened, or the disk has not its entries.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;
    use crate::direction::Direction;
    use crate::record::testing::facts;
    use crate::record::{CallDetailRecord, CallFacts, name};

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

    /// Says whether the record was new.
    fn deliver(directory: &Directory, facts: &CallFacts) -> bool {
        let record = CallDetailRecord::new(facts);
        let body = serde_json::to_vec(&record).unwrap();
        let name = |nudge: u32| {
            let at = facts.started_at + Duration::from_millis(nudge.into());
            name::call_detail(&facts.voice_connector_id, at, &facts.transaction_id)
        };
        directory.deliver(name, &body, false).unwrap().1
    }

    #[test]
    fn a_record_is_delivered_once() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::new(dir.path());
        assert!(deliver(&directory, &facts()));
        assert!(!deliver(&directory, &facts()));
        assert_eq!(
            files(dir.path()),
            [(
                format!("{DAY}/01.13.45.042_0f8fad5b-d9cb-469f-a165-70867728950e"),
                serde_json::to_string(&CallDetailRecord::new(&facts())).unwrap()
            )]
        );
    }

    #[test]
    fn namesakes_take_the_next_millisecond_and_stay_there() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::new(dir.path());
        let deliver = |direction| deliver(&directory, &CallFacts { direction, ..facts() });
        assert!(deliver(Direction::Outbound));
        assert!(deliver(Direction::Inbound));
        assert!(!deliver(Direction::Inbound));
        assert!(!deliver(Direction::Outbound));
        let names: Vec<String> = files(dir.path()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["042", "043"].map(|ms| format!("{DAY}/01.13.45.{ms}_0f8fad5b-d9cb-469f-a165-70867728950e"))
        );
    }

    /// Of a file system that makes no files without names.
    fn named(root: &Path) -> Directory {
        Directory { nameless: Cell::new(false), ..Directory::new(root) }
    }

    #[test]
    fn a_leftover_of_a_crash_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(DAY)).unwrap();
        let leftover = dir.path().join(DAY).join(".01.13.45.042_0f8fad5b-d9cb-469f-a165-70867728950e.tmp");
        fs::write(&leftover, "{\"AwsAccount").unwrap();
        assert!(deliver(&named(dir.path()), &facts()));
        assert!(!leftover.exists());
    }

    /// The first makes the directory, the second finds it; nobody else may read them.
    #[test]
    fn records_are_the_same_whichever_way_they_get_their_names() {
        let [one, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (nameless, named) = (Directory::new(one.path()), named(other.path()));
        for directory in [&nameless, &named] {
            let second = CallFacts { transaction_id: "second".into(), ..facts() };
            let answers = [facts(), second.clone(), second].map(|facts| deliver(directory, &facts));
            assert_eq!(answers, [true, true, false]);
        }
        if !nameless.nameless.get() {
            eprintln!("this file system makes no files without names: both records came the same way");
        }
        assert_eq!(files(one.path()).len(), 2);
        assert_eq!(files(one.path()), files(other.path()));
        for (name, _) in files(one.path()) {
            let mode = |dir: &Path| fs::metadata(dir.join(&name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(one.path()), mode(other.path()));
            assert_eq!(mode(one.path()) & 0o007, 0);
        }
    }

    /// The host crashed after the record had its name, and before its content was on the disk.
    #[test]
    fn a_record_that_a_crash_left_half_written_is_mended() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::new(dir.path());
        assert!(deliver(&directory, &facts()));
        let [(name, body)] = &files(dir.path())[..] else { panic!() };
        let halves = [&body.as_bytes()[..40], b"", &[0; 200][..]];
        for half in halves {
            fs::write(dir.path().join(name), half).unwrap();
            assert!(deliver(&directory, &facts()));
            assert_eq!(files(dir.path()), [(name.clone(), body.clone())]);
        }
    }

    #[test]
    fn a_line_cut_short_is_ended_before_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::new(dir.path());
        directory.append("a/b.jsonl", b"{1}\n{2}\n").unwrap();
        directory.append("a/b.jsonl", b"{3").unwrap();
        directory.append("a/b.jsonl", b"{4}\n").unwrap();
        assert_eq!(files(dir.path()), [("a/b.jsonl".to_owned(), "{1}\n{2}\n{3\n{4}\n".to_owned())]);
    }
}
