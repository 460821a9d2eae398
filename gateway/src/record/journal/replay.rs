//! What a journal of an earlier run says.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::entry::{END, Entry};
use super::version::{decode, end_of, version_of};
use super::{Journal, JournalError, Position};

/// The records of a journal that the directory has not, whether a gateway has it open or not. Nothing is changed.
///
/// # Errors
/// It is there and can't be read, or is of a version that is not known.
pub fn peek(directory: &Path) -> io::Result<Vec<Entry>> {
    let file = match File::open(directory.join("journal")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let mut reader = BufReader::new(file);
    let mut first = Vec::new();
    reader.read_until(b'\n', &mut first)?;
    if first.is_empty() {
        return Ok(Vec::new());
    }
    let known = version_of(&first).and_then(|version| Some((version, end_of(version)?)));
    let unknown = || io::Error::new(io::ErrorKind::InvalidData, "no journal of this version");
    let (version, end) = known.ok_or_else(unknown)?;
    let mut records = BTreeMap::new();
    loop {
        let mut bytes = Vec::new();
        reader.read_until(end, &mut bytes)?;
        if bytes.last() != Some(&end) {
            return Ok(records.into_values().collect());
        }
        match decode(version, bytes) {
            Some(Entry::Delivered { sequence }) => drop(records.remove(&sequence)),
            Some(entry) => {
                if let Some((sequence, _)) = entry.undelivered() {
                    records.insert(sequence, entry);
                }
            }
            None => {} // Room, or damaged.
        }
    }
}

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
        let (version, end) = match version_of(&first).map(|version| (version, end_of(version))) {
            Some((version, Some(end))) => (version, end),
            Some((version, None)) => return Err(JournalError::Version { path: path.to_owned(), version }),
            // Nothing, or the beginning of a first line and zeros: it never held an entry.
            None if first.last() != Some(&b'\n') => return Ok(None),
            None => return Err(JournalError::Foreign(path.to_owned())),
        };
        self.version = version;
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
            match decode(version, entry.clone()) {
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
