//! Audio on disk that a target was not there for: bounded, safe from crashes, delivered later in the order of its calls.
//!
//! A file holds what one party said in one call: a header of the caller's choice, then pieces of audio. Each record is
//!
//! ```text
//! length (4 bytes, big-endian)  first 8 bytes of the SHA-256 of the content  content
//! ```
//!
//! A file is `*.part`, and locked, while it is written, `*.audio` when it is whole or its writer is gone. What a crash tore off its end is
//! not read. Names begin with the time, so that their order is that of the calls.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// The longest record, in bytes: seconds of audio.
const RECORD: usize = 1 << 20;

/// What stands around a record's content, in bytes.
const AROUND: u64 = 12;

/// A directory of audio. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Spool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    /// Most bytes.
    limit: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What is whole, the oldest first: names and sizes.
    whole: VecDeque<(String, u64)>,
    /// Bytes of all files.
    size: u64,
    /// Files that had to go for newer ones.
    lost: u64,
    number: u64,
}

/// Writes what one party says.
#[derive(Debug)]
pub struct Writer {
    spool: Spool,
    name: String,
    file: File,
    size: u64,
}

/// A piece of audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Time since the call was answered.
    pub start: Duration,
    /// Samples per second.
    pub rate: u32,
    /// Mono.
    pub samples: Arc<[i16]>,
}

/// A file to be delivered. It stays until it is said to be done.
#[derive(Debug)]
pub struct Entry {
    spool: Spool,
    name: String,
    reader: BufReader<File>,
    /// What its writer said of it.
    pub header: Vec<u8>,
}

impl Spool {
    /// Opens a directory, and finds what is there of an earlier run.
    ///
    /// - `limit`: most bytes of all files.
    ///
    /// # Errors
    /// It can't be read or made.
    pub fn open(directory: &Path, limit: u64) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let size = entry.metadata()?.len();
            if let Some(stem) = name.strip_suffix(".part") {
                if File::open(entry.path())?.try_lock().is_err() {
                    continue; // It is being written by another process.
                }
                // Its writer is gone.
                let whole = format!("{stem}.audio");
                fs::rename(entry.path(), directory.join(&whole))?;
                found.push((whole, size));
            } else if name.ends_with(".audio") {
                found.push((name, size));
            }
        }
        found.sort();
        let size = found.iter().map(|(_, size)| size).sum();
        let state = State { whole: found.into(), size, ..State::default() };
        let spool =
            Self(Arc::new(Inner { directory: directory.to_owned(), limit, state: Mutex::new(state) }));
        spool.make_room(&mut spool.lock(), 0);
        Ok(spool)
    }

    /// Begins a file.
    ///
    /// - `time_ms`: since the Unix epoch; orders the files.
    /// - `header`: what is needed to deliver it.
    ///
    /// # Errors
    /// It can't be written, or there is no room.
    pub fn begin(&self, time_ms: u64, header: &[u8]) -> io::Result<Writer> {
        let number = {
            let mut state = self.lock();
            state.number += 1;
            state.number
        };
        let pid = std::process::id();
        let name = format!("{time_ms:015}-{pid}-{number:08}");
        let path = self.0.directory.join(format!("{name}.part"));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.lock()?;
        let mut writer = Writer { spool: self.clone(), name, file, size: 0 };
        writer.append(header)?;
        Ok(writer)
    }

    /// The oldest file that is whole; `None`: there is none.
    ///
    /// # Errors
    /// It can't be read.
    pub fn oldest(&self) -> io::Result<Option<Entry>> {
        loop {
            let Some((name, _)) = self.lock().whole.front().cloned() else { return Ok(None) };
            let mut reader = match File::open(self.0.directory.join(&name)) {
                Ok(file) => BufReader::new(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.remove(&name)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            match read(&mut reader)? {
                Some(header) => return Ok(Some(Entry { spool: self.clone(), name, reader, header })),
                // Torn before anything was in it.
                None => self.remove(&name)?,
            }
        }
    }

    /// How many files are whole, how many bytes there are in all, and how many files had to go for newer ones.
    #[must_use]
    pub fn depth(&self) -> (usize, u64, u64) {
        let state = self.lock();
        (state.whole.len(), state.size, state.lost)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        if let Some(at) = state.whole.iter().position(|(other, _)| other == name)
            && let Some((_, size)) = state.whole.remove(at)
        {
            state.size = state.size.saturating_sub(size);
        }
        match fs::remove_file(self.0.directory.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The oldest files go until there is room. Returns whether there is.
    fn make_room(&self, state: &mut State, size: u64) -> bool {
        while state.size + size > self.0.limit {
            let Some((name, gone)) = state.whole.pop_front() else { return false };
            if let Err(error) = fs::remove_file(self.0.directory.join(&name)) {
                tracing::warn!(%error, name, "a file of the spool cannot be removed");
            }
            state.size = state.size.saturating_sub(gone);
            state.lost += 1;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Adds a piece of audio.
    ///
    /// # Errors
    /// It can't be written, or there is no room.
    pub fn push(&mut self, piece: &Piece) -> io::Result<()> {
        self.append(&piece.encode())
    }

    fn append(&mut self, content: &[u8]) -> io::Result<()> {
        if content.len() > RECORD {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let size = content.len() as u64 + AROUND;
        {
            let mut state = self.spool.lock();
            if !self.spool.make_room(&mut state, size) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.size += size;
        }
        let mut record = Vec::with_capacity(content.len() + 12);
        record.extend_from_slice(&u32::try_from(content.len()).unwrap_or_default().to_be_bytes());
        record.extend_from_slice(&digest(content));
        record.extend_from_slice(content);
        self.size += size;
        self.file.write_all(&record)
    }
}

impl Drop for Writer {
    /// It is whole: there is no more.
    fn drop(&mut self) {
        let directory = &self.spool.0.directory;
        let whole = format!("{}.audio", self.name);
        let renamed = fs::rename(directory.join(format!("{}.part", self.name)), directory.join(&whole));
        let mut state = self.spool.lock();
        if let Err(error) = renamed {
            tracing::warn!(%error, "a file of the spool cannot be renamed");
            state.size = state.size.saturating_sub(self.size);
            return;
        }
        let at = state.whole.partition_point(|(other, _)| *other < whole);
        state.whole.insert(at, (whole, self.size));
    }
}

impl Entry {
    /// The next piece; `None`: that was the last one that is whole.
    ///
    /// # Errors
    /// It can't be read.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        Ok(read(&mut self.reader)?.and_then(|content| Piece::decode(&content)))
    }

    /// It is not delivered: it is the last one to be tried again.
    pub fn put_back(self) {
        let mut state = self.spool.lock();
        if let Some(at) = state.whole.iter().position(|(name, _)| *name == self.name) {
            let file = state.whole.remove(at);
            state.whole.extend(file);
        }
    }

    /// It is delivered, or never will be.
    ///
    /// # Errors
    /// It can't be removed.
    pub fn done(self) -> io::Result<()> {
        self.spool.remove(&self.name)
    }
}

impl Piece {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(12 + self.samples.len() * 2);
        out.extend_from_slice(&u64::try_from(self.start.as_micros()).unwrap_or(u64::MAX).to_be_bytes());
        out.extend_from_slice(&self.rate.to_be_bytes());
        out.extend(self.samples.iter().flat_map(|sample| sample.to_le_bytes()));
        out
    }

    fn decode(content: &[u8]) -> Option<Self> {
        let (start, rest) = content.split_first_chunk::<8>()?;
        let (rate, samples) = rest.split_first_chunk::<4>()?;
        let samples = samples.as_chunks::<2>().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect();
        let start = Duration::from_micros(u64::from_be_bytes(*start));
        Some(Self { start, rate: u32::from_be_bytes(*rate), samples })
    }
}

/// The next record; `None`: there is none that is whole.
fn read(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut around = [0; 12];
    if !fill(from, &mut around)? {
        return Ok(None);
    }
    let [a, b, c, d, sum @ ..] = around;
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length > RECORD {
        return Ok(None);
    }
    let mut content = vec![0; length];
    Ok((fill(from, &mut content)? && digest(&content) == sum).then_some(content))
}

fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn digest(content: &[u8]) -> [u8; 8] {
    let mut sum = [0; 8];
    sum.iter_mut().zip(Sha256::digest(content)).for_each(|(byte, from)| *byte = from);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(number: u64) -> Piece {
        let samples: Vec<i16> = vec![i16::try_from(number).unwrap(); 160];
        Piece { start: Duration::from_millis(number * 20), rate: 8_000, samples: samples.into() }
    }

    fn fill_file(spool: &Spool, time_ms: u64, pieces: u64) {
        let mut writer = spool.begin(time_ms, &time_ms.to_be_bytes()).unwrap();
        for number in 0..pieces {
            writer.push(&piece(number)).unwrap();
        }
    }

    fn drain(spool: &Spool) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        while let Some(mut entry) = spool.oldest().unwrap() {
            let time = u64::from_be_bytes(entry.header.clone().try_into().unwrap());
            let mut count = 0;
            while let Some(found) = entry.next_piece().unwrap() {
                assert_eq!(found, piece(count));
                count += 1;
            }
            found.push((time, count));
            entry.done().unwrap();
        }
        found
    }

    #[test]
    fn calls_come_back_in_their_order_after_a_restart_too() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::open(directory.path(), 1 << 20).unwrap();
        for time in [3_000, 1_000, 2_000] {
            fill_file(&spool, time, time / 1_000);
        }
        assert_eq!(spool.depth().0, 3);
        // Killed while a fourth is written: what was dropped without a word.
        fill_file(&spool, 500, 1);
        let name = spool.lock().whole.front().unwrap().0.clone();
        let part = directory.path().join(&name).with_extension("part");
        fs::rename(directory.path().join(&name), part).unwrap();
        let spool = Spool::open(directory.path(), 1 << 20).unwrap();
        assert_eq!(drain(&spool), [(500, 1), (1_000, 1), (2_000, 2), (3_000, 3)]);
        assert_eq!(spool.depth(), (0, 0, 0));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_is_being_written_is_left_alone_and_nobody_else_reads_any() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::open(directory.path(), 1 << 20).unwrap();
        let mut writer = spool.begin(500, &500_u64.to_be_bytes()).unwrap();
        writer.push(&piece(0)).unwrap();
        // As another process does that begins.
        assert_eq!(Spool::open(directory.path(), 1 << 20).unwrap().depth(), (0, 0, 0));
        writer.push(&piece(1)).unwrap();
        drop(writer);
        for entry in fs::read_dir(directory.path()).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(drain(&spool), [(500, 2)]);
        // One whose file went counts no more.
        let writer = spool.begin(500, &500_u64.to_be_bytes()).unwrap();
        fs::remove_dir_all(directory.path()).unwrap();
        drop(writer);
        assert_eq!(spool.depth(), (0, 0, 0));
    }

    #[test]
    fn a_file_that_was_not_delivered_is_kept_and_comes_last() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::open(directory.path(), 1 << 20).unwrap();
        (1..=3).for_each(|time| fill_file(&spool, time, 1));
        spool.oldest().unwrap().unwrap().put_back();
        assert_eq!(drain(&spool), [(2, 1), (3, 1), (1, 1)]);
    }

    #[test]
    fn a_file_is_read_up_to_where_it_was_torn() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::open(directory.path(), 1 << 20).unwrap();
        fill_file(&spool, 1_000, 5);
        let path = fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let spool = Spool::open(directory.path(), 1 << 20).unwrap();
            let found = drain(&spool);
            let expected = length.checked_sub(20).map(|rest| (1_000, rest as u64 / (12 + 12 + 320)));
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{length} bytes");
        }
        let mut changed = whole.clone();
        changed[400] ^= 1;
        fs::write(&path, &changed).unwrap();
        assert_eq!(drain(&Spool::open(directory.path(), 1 << 20).unwrap()), [(1_000, 1)]);
    }

    #[test]
    fn the_oldest_goes_when_it_is_full_and_that_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let limit = 10_000;
        let spool = Spool::open(directory.path(), limit).unwrap();
        for time in 1..=100 {
            fill_file(&spool, time, 5);
            let bytes: u64 = fs::read_dir(directory.path())
                .unwrap()
                .map(|entry| entry.unwrap().metadata().unwrap().len())
                .sum();
            assert!(bytes <= limit && spool.depth().1 == bytes, "{bytes}");
        }
        let (count, _, lost) = spool.depth();
        assert_eq!((count, lost), (5, 95));
        assert_eq!(drain(&spool).first(), Some(&(96, 5)));
        let mut writer = spool.begin(1, &1_u64.to_be_bytes()).unwrap();
        let full = (0..100).find_map(|number| writer.push(&piece(number)).err()).unwrap();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        drop(writer);
        let smaller = Spool::open(directory.path(), 100).unwrap();
        assert_eq!(smaller.depth(), (0, 0, 1));
    }
}
