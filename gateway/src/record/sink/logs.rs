//! The logs of the directory (quality, SIP messages), for a sink that wants them: file by file, when an hour is over.
//!
//! They are in no journal: the directory has them, and what a sink has not yet it takes from there, however long it was away. A call
//! has no part in it.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use tracing::{error, warn};

use super::SinkRecord;
use crate::metrics::RecordKind;
use crate::record::{LogGroup, name};

const HOUR: u64 = 3_600;

/// Lines may be written so long after their hour.
const LATE: Duration = Duration::from_secs(300);

/// Most bytes that a sink gets at a time, but for one line: a message of NATS holds twice as much, unless its server says less.
const CHUNK: usize = 512 << 10;

/// A line has fewer bytes.
const LINE: u64 = 1 << 20;

/// The folder of [`Logs`] below the records directory: a file for each sink.
const FOLDER: &str = ".sinks";

/// What a sink has, and what it gets next.
pub struct Logs {
    root: PathBuf,
    groups: Vec<LogGroup>,
    /// See [`CHUNK`].
    chunk: usize,
    at: Position,
    file: PathBuf,
}

/// All before it is with the sink. Hours in their order, in each the files by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Position {
    /// Since the Unix epoch.
    hour: u64,
    /// As [`name::hourly`] says it.
    file: String,
    /// Bytes of it.
    offset: u64,
}

/// Lines of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) record: SinkRecord,
    pub(super) lines: usize,
    /// Where the sink is when it has them.
    pub(super) next: Position,
}

impl Logs {
    /// Goes on where the sink was; a new one begins with the hour that it is. So does one of which that can't be read: the gateway
    /// starts all the same.
    ///
    /// - `root`: the records directory.
    /// - `kinds`: what the sink wants; `None` is returned where no log is among it.
    /// - `unix`: since the Unix epoch.
    pub(in crate::record) fn open(
        root: &Path,
        sink: &str,
        kinds: &[RecordKind],
        unix: Duration,
    ) -> Option<Logs> {
        let groups: Vec<LogGroup> = kinds.iter().filter_map(|kind| LogGroup::of(*kind)).collect();
        if groups.is_empty() {
            return None;
        }
        let file = root.join(FOLDER).join(sink);
        let at = position(&file).unwrap_or_else(|error| {
            error!(sink, %error, "how far a sink is with the logs can't be read: it begins with this hour");
            None
        });
        let at = at.unwrap_or(Position { hour: unix.as_secs() / HOUR, ..Position::default() });
        let logs = Logs { root: root.to_owned(), groups, chunk: CHUNK, at, file };
        if let Err(error) = logs.keep() {
            warn!(sink, %error, "how far a sink is with the logs can't be written down");
        }
        Some(logs)
    }

    /// What it gets next; `None`: nothing before the next hour is over.
    ///
    /// # Errors
    /// The directory can't be read.
    pub(super) fn next(&mut self, unix: Duration) -> io::Result<Option<Chunk>> {
        let over = unix.saturating_sub(LATE).as_secs() / HOUR;
        let begun = self.at.hour;
        while self.at.hour < over {
            for (name, kind, connector) in self.files(self.at.hour)? {
                if name < self.at.file {
                    continue;
                }
                let offset = if name == self.at.file { self.at.offset } else { 0 };
                if let Some(body) = self.read(&name, offset)? {
                    return Ok(Some(self.chunk(name, offset, kind, connector, body)));
                }
            }
            self.at = Position { hour: self.at.hour + 1, ..Position::default() };
        }
        if self.at.hour > begun {
            self.keep()?;
        }
        Ok(None)
    }

    /// How long ago the first hour was over that the sink has not; zero: it has all.
    pub(super) fn lag(&self, unix: Duration) -> Duration {
        unix.saturating_sub(LATE + Duration::from_secs((self.at.hour + 1) * HOUR))
    }

    /// The sink has it.
    ///
    /// # Errors
    /// That can't be written down: after a restart it is given once more.
    pub(super) fn taken(&mut self, next: Position) -> io::Result<()> {
        self.at = next;
        self.keep()
    }

    /// The files of an hour by their names, each with its group and connector.
    fn files(&self, hour: u64) -> io::Result<Vec<(String, LogGroup, SmolStr)>> {
        let mut files = Vec::new();
        for group in &self.groups {
            let entries = match fs::read_dir(self.root.join(name::group(*group))) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let connector = entry?.file_name();
                let Some(connector) = connector.to_str() else { continue };
                let name = name::hourly(*group, connector, Duration::from_secs(hour * HOUR));
                if self.root.join(&name).is_file() {
                    files.push((name, *group, connector.into()));
                }
            }
        }
        files.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        Ok(files)
    }

    /// Whole lines from there on, as many as may go at a time; `None`: it has no more.
    fn read(&self, name: &str, offset: u64) -> io::Result<Option<Bytes>> {
        let mut file = File::open(self.root.join(name))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        let mut reader = BufReader::new(file);
        (&mut reader).take(self.chunk as u64).read_to_end(&mut bytes)?;
        match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => bytes.truncate(end + 1),
            // A line that is longer; or the file ends within its last one.
            None => {
                reader.take(LINE).read_until(b'\n', &mut bytes)?;
            }
        }
        Ok((!bytes.is_empty()).then(|| bytes.into()))
    }

    fn chunk(&self, file: String, offset: u64, group: LogGroup, connector: SmolStr, body: Bytes) -> Chunk {
        let hour = self.at.hour;
        let next = Position { hour, file, offset: offset + body.len() as u64 };
        let started = Duration::from_secs(hour * HOUR);
        let lines = body.split_inclusive(|byte| *byte == b'\n').count();
        Chunk { record: SinkRecord::of_log(group, connector, started, offset, body), lines, next }
    }

    /// Written down whole or not at all.
    fn keep(&self) -> io::Result<()> {
        let folder = self.root.join(FOLDER);
        fs::create_dir_all(&folder)?;
        let temporary = self.file.with_extension("tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(&serde_json::to_vec(&self.at)?)?;
        file.sync_all()?;
        fs::rename(&temporary, &self.file)
    }
}

/// Where a sink was; `None`: there was none.
fn position(file: &Path) -> io::Result<Option<Position>> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 500_000;

    struct Place(tempfile::TempDir);

    impl Place {
        fn write(&self, group: LogGroup, connector: &str, hour: u64, text: &str) {
            let path = self.0.path().join(name::hourly(group, connector, Duration::from_secs(hour * HOUR)));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
        }

        fn open(&self, groups: &[LogGroup], hour: u64) -> Logs {
            let kinds: Vec<RecordKind> = groups.iter().map(|group| group.kind()).collect();
            let logs = Logs::open(self.0.path(), "sink", &kinds, Duration::from_secs(hour * HOUR));
            Logs { chunk: 12, ..logs.unwrap() }
        }
    }

    fn at(hour: u64, second: u64) -> Duration {
        Duration::from_secs(hour * HOUR + second)
    }

    fn all(logs: &mut Logs, unix: Duration) -> Vec<(String, String)> {
        let mut all = Vec::new();
        while let Some(chunk) = logs.next(unix).unwrap() {
            all.push((chunk.record.name(0), String::from_utf8(chunk.record.body.to_vec()).unwrap()));
            logs.taken(chunk.next).unwrap();
        }
        all
    }

    #[test]
    fn an_hour_comes_when_it_is_over_each_line_once_whoever_was_away() {
        use LogGroup::{Media, SipMessages};
        let place = Place(tempfile::tempdir().unwrap());
        place.write(Media, "a", START - 1, "before it was configured\n");
        let mut logs = place.open(&[Media, SipMessages], START);
        for (group, connector, hour, text) in [
            (Media, "a", START, "{1}\n{2}\n{3}\n{4}\n"),
            (SipMessages, "b", START, "{longer than all}\n{5}\n"),
            (Media, "a", START + 1, "{6}\n{torn"),
        ] {
            place.write(group, connector, hour, text);
        }
        assert_eq!(logs.next(at(START + 1, 299)).unwrap(), None, "lines may be late");
        assert_eq!(logs.lag(at(START + 1, 299)), Duration::ZERO);
        assert_eq!(logs.lag(at(START + 1, 310)), Duration::from_secs(10));

        // What was not taken comes again, and after a restart, too.
        let first = logs.next(at(START + 1, 300)).unwrap().unwrap();
        assert_eq!(logs.next(at(START + 1, 300)).unwrap(), Some(first.clone()));
        assert_eq!((first.lines, first.record.body.as_ref()), (3, b"{1}\n{2}\n{3}\n".as_slice()));
        let mut logs = place.open(&[Media, SipMessages], START + 9);
        assert_eq!(logs.next(at(START + 1, 300)).unwrap(), Some(first.clone()));
        logs.taken(first.next).unwrap();
        let mut logs = place.open(&[Media, SipMessages], START + 9);
        let day = "2027/01/15";
        let sip = format!("aws/ChimeVoiceConnectorSipMessages/b/{day}/08");
        let media = format!("aws/ChimeVoiceConnectorLogs/a/{day}");
        assert_eq!(
            all(&mut logs, at(START + 1, 300)),
            [
                (format!("{media}/08-12.jsonl"), "{4}\n".to_owned()),
                (format!("{sip}.jsonl"), "{longer than all}\n".to_owned()),
                (format!("{sip}-18.jsonl"), "{5}\n".to_owned()),
            ]
        );
        // A line that a crash cut short is what there is of it.
        assert_eq!(
            all(&mut logs, at(START + 50, 0)),
            [
                (format!("{media}/09.jsonl"), "{6}\n".to_owned()),
                (format!("{media}/09-4.jsonl"), "{torn".to_owned())
            ]
        );
        assert_eq!(logs.lag(at(START + 50, 0)), Duration::ZERO);
        assert_eq!(logs.next(at(START + 50, 0)).unwrap(), None);
        drop(logs);
        place.write(Media, "a", START + 49, "{too late}\n");
        assert_eq!(place.open(&[Media], START).at.hour, START + 49, "where it was is written down");
    }

    #[test]
    fn where_it_was_need_not_be_readable() {
        let place = Place(tempfile::tempdir().unwrap());
        drop(place.open(&[LogGroup::Media], START));
        fs::write(place.0.path().join(FOLDER).join("sink"), "{torn").unwrap();
        assert_eq!(place.open(&[LogGroup::Media], START + 5).at.hour, START + 5);
        assert_eq!(place.open(&[LogGroup::Media], START + 9).at.hour, START + 5);
    }

    #[test]
    fn a_sink_gets_the_kinds_that_it_wants() {
        let place = Place(tempfile::tempdir().unwrap());
        let mut logs = place.open(&[LogGroup::SipMessages], START);
        place.write(LogGroup::Media, "a", START, "{1}\n");
        place.write(LogGroup::SipMessages, "a", START, "{2}\n");
        let all = all(&mut logs, at(START + 2, 0));
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].1, "{2}\n");
    }
}
