//! What a journal of an earlier run says.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::entry::{END, Entry};
use super::version::{LINES, VERSION, of_line, version_of};
use super::{Journal, JournalError, Position};

impl Journal {
    /// Reads the file from its beginning. Returns its version; `None`: it is new.
    ///
    /// What a crash of the host cut short is behind everything else, whole or with zeros in place of its end: nobody was told
    /// that it was on the disk. What is damaged and has others behind it was.
    pub(super) fn replay(&mut self, path: &Path) -> Result<Option<u32>, JournalError> {
        let io = |source| JournalError::Io { path: path.to_owned(), source };
        let mut reader = BufReader::new(self.file.try_clone().map_err(io)?);
        let mut first = Vec::new();
        let length = reader.read_until(b'\n', &mut first).map_err(io)? as u64;
        let (version, end) = match version_of(&first) {
            Some(VERSION) => (VERSION, END),
            Some(LINES) => (LINES, b'\n'),
            Some(version) => return Err(JournalError::Version { path: path.to_owned(), version }),
            // Nothing, or the beginning of a first line and zeros: it never held an entry.
            None if first.last() != Some(&b'\n') => return Ok(None),
            None => return Err(JournalError::Foreign(path.to_owned())),
        };
        self.lines = version == LINES;
        self.length = length;
        let (mut offset, mut suspect) = (length, None::<Vec<u8>>);
        loop {
            let mut entry = Vec::new();
            let length = reader.read_until(end, &mut entry).map_err(io)? as u64;
            if entry.last() != Some(&end) {
                break;
            }
            let position = Position { offset, length };
            offset += length;
            if entry == [END] {
                continue; // Room for the next one.
            }
            if let Some(damaged) = suspect.take() {
                self.damaged += 1;
                self.set_aside(&damaged).map_err(io)?;
            }
            let read = if self.lines { of_line(&entry) } else { Entry::decode(entry.clone()) };
            match read {
                Some(entry) => {
                    self.apply(&entry, position);
                    self.length = offset;
                }
                None => suspect = Some(entry),
            }
        }
        Ok(Some(version))
    }

    /// Keeps a damaged entry for whoever can make sense of it.
    fn set_aside(&self, entry: &[u8]) -> io::Result<()> {
        let path = self.directory.join("damaged");
        OpenOptions::new().append(true).create(true).mode(0o600).open(path)?.write_all(entry)
    }
}
